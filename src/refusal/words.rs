//! The message: what happened, the figures, when it resets and what to do, for the person who reads a log.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::{
    Code, Detail, LimitFacts, LimitKind, Refusal, Subject,
    actions::Actions,
    binds::{Holder, LimitName, binds},
    buffer,
    causes::cause,
    verdict::Verdict,
};
use crate::domain::Unit;

/// Writes the message of `refusal`.
pub(super) fn message(refusal: &Refusal, verdict: &Verdict, actions: &Actions<'_>) -> Bytes {
    // A string takes everything, and our own Display implementations fail only when their writer does.
    buffer::text(|out| compose(out, refusal, verdict, actions)).unwrap_or_default()
}

/// Writes the message of the event that ends a stream whose answer had begun.
pub(super) fn last_message(refusal: &Refusal, verdict: &Verdict, actions: &Actions<'_>) -> Bytes {
    match refusal.code {
        Code::InsufficientCreditForRequest | Code::BudgetExceeded | Code::RequestExceedsLimit => {
            buffer::text(|out| compose_cut(out, refusal, actions)).unwrap_or_default()
        }
        _ => message(refusal, verdict, actions),
    }
}

/// Clauses that become one sentence: the first begins with a capital letter, the others follow a semicolon.
struct Clauses<'a> {
    out: &'a mut String,
    started: bool,
}

impl Clauses<'_> {
    fn add(&mut self, clause: fmt::Arguments<'_>) -> fmt::Result {
        self.out.push_str(if self.started { "; " } else { " " });
        let start = self.out.len();
        self.out.write_fmt(clause)?;
        if !self.started {
            capitalise(self.out, start);
        }
        self.started = true;
        Ok(())
    }
}

fn capitalise(out: &mut str, start: usize) {
    if let Some(first) = out.get_mut(start..start + 1) {
        first.make_ascii_uppercase();
    }
}

fn end_sentence(out: &mut String) {
    if !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
}

fn compose(
    out: &mut String,
    refusal: &Refusal,
    verdict: &Verdict,
    actions: &Actions<'_>,
) -> fmt::Result {
    let start = out.len();
    let bound = binds(out, refusal)?;
    let advice = if bound {
        capitalise(out, start);
        binding_advice(refusal)
    } else {
        explained(out, refusal)?
    };
    end_sentence(out);
    if bound && let Some(said) = said(refusal) {
        write!(out, " {said}")?;
        end_sentence(out);
    }

    let mut clauses = Clauses {
        out,
        started: false,
    };
    match (
        bound && said(refusal).is_none(),
        refusal.affordable_tokens(),
    ) {
        (true, Some(0)) => clauses.add(format_args!("no output limit makes it fit"))?,
        (true, Some(1)) => clauses.add(format_args!("with at most 1 output token it fits"))?,
        (true, Some(most)) => {
            clauses.add(format_args!("with at most {most} output tokens it fits"))?;
        }
        _ if advice.is_empty() => {}
        _ => clauses.add(format_args!("{advice}"))?,
    }
    waiting(&mut clauses, refusal, verdict)?;
    remedying(clauses, actions)
}

/// Says that an answer in mid-stream was cut, because it became more than was held for it.
fn compose_cut(out: &mut String, refusal: &Refusal, actions: &Actions<'_>) -> fmt::Result {
    out.push_str("The answer was cut off: it passed ");
    let held = "the output that was held for it";
    match (refusal.code, refusal.limit) {
        (Code::InsufficientCreditForRequest, _) => out.push_str("the output that was paid for"),
        (Code::BudgetExceeded, None) => write!(out, "{held} in a budget")?,
        (_, None) => write!(out, "{held} in a quota")?,
        (_, Some(limit)) => {
            let holder = Holder(limit.scope, refusal.subject.as_ref());
            write!(out, "{held} in the {}{holder}", LimitName(limit))?;
        }
    }
    end_sentence(out);
    let money = refusal.code != Code::RequestExceedsLimit
        || refusal
            .limit
            .is_some_and(|limit| limit.kind == LimitKind::Budget);
    let mut clauses = Clauses {
        out,
        started: false,
    };
    clauses.add(format_args!(
        "what arrived is {}",
        if money { "charged" } else { "counted" }
    ))?;
    remedying(clauses, actions)
}

fn waiting(clauses: &mut Clauses<'_>, refusal: &Refusal, verdict: &Verdict) -> fmt::Result {
    let windowed = refusal.limit.filter(LimitFacts::windowed);
    match (verdict.wait, verdict.until) {
        (Some(_), _) => match verdict.seconds().unwrap_or(1) {
            1 => clauses.add(format_args!("try again in 1 second")),
            seconds => clauses.add(format_args!("try again in {seconds} seconds")),
        },
        (None, Some(until)) => match windowed {
            Some(limit) => {
                // Only a limit that is used is what the sentence before spoke of last.
                let what = match (refusal.code, limit.kind) {
                    (Code::QuotaExhausted | Code::BudgetExceeded, _) => "it",
                    (_, LimitKind::Budget) => "the budget",
                    _ => "the quota",
                };
                clauses.add(format_args!("{what} resets at {until}"))
            }
            None => clauses.add(format_args!("try again at {until}")),
        },
        (None, None) => Ok(()),
    }
}

fn remedying(mut clauses: Clauses<'_>, actions: &Actions<'_>) -> fmt::Result {
    match actions.remedy {
        // No full stop behind an address: people and terminals take it for a part of it.
        Some((remedy, Some(page))) => {
            return clauses.add(format_args!("{} at {page}", remedy.clause()));
        }
        Some((remedy, None)) => clauses.add(format_args!("{}", remedy.clause_without_page()))?,
        None => {}
    }
    end_sentence(clauses.out);
    Ok(())
}

/// What helps besides paying and waiting.
fn binding_advice(refusal: &Refusal) -> &'static str {
    let bounded = match (refusal.code, refusal.limit) {
        (Code::InsufficientCreditForRequest, _) => true,
        // A request is no more than one, however short it is.
        (Code::RequestExceedsLimit, Some(limit)) => limit.unit != Unit::Requests,
        _ => false,
    };
    if bounded && said(refusal).is_none() {
        "lower the output limit or shorten the input"
    } else {
        ""
    }
}

/// The explanation that whoever refused gave; none where it could name figures that must not be named.
fn said(refusal: &Refusal) -> Option<&str> {
    match &refusal.detail {
        Detail::Say(text) => Some(text),
        Detail::Explain(text) if !refusal.redacts() || !about_figures(refusal) => Some(text),
        _ => None,
    }
}

const fn about_figures(refusal: &Refusal) -> bool {
    refusal.limit.is_some() || refusal.credit.is_some()
}

/// Writes the cause and returns what to do about it.
fn explained(out: &mut String, refusal: &Refusal) -> Result<&'static str, fmt::Error> {
    if let Some(said) = said(refusal) {
        out.push_str(said);
        return Ok("");
    }
    let code = refusal.code;
    let (cause, advice) = cause(code);
    match (code, &refusal.detail) {
        (Code::InvalidApiKey, Detail::Since(at)) => {
            write!(out, "The API key expired at {at}")?;
            return Ok("create a new key");
        }
        (Code::PlanUpgradeRequired, Detail::Model(model)) => match &refusal.subject {
            Some(subject) => write!(out, "Model {model} is not in plan {}", subject.plan)?,
            None => write!(out, "Model {model} is not in the plan")?,
        },
        (Code::PermissionDenied, Detail::Model(model)) => {
            write!(out, "This key may not use model {model}")?;
        }
        (Code::ModelNotPriced, Detail::Model(model)) => match &refusal.subject {
            Some(Subject { account, .. }) => write!(
                out,
                "Model {model} has no price here, and the use of account {account} is counted in money"
            )?,
            None => write!(
                out,
                "Model {model} has no price here, and this account's use is counted in money"
            )?,
        },
        (Code::ModelNotFound, Detail::Model(model)) => {
            write!(
                out,
                "Model {model} is not served here or not open to this key"
            )?;
        }
        (Code::EndpointNotInDialect, Detail::Model(model)) => {
            write!(out, "Model {model} is not served at this path")?;
        }
        (Code::MethodNotAllowed, Detail::Allow(methods)) => {
            write!(
                out,
                "This path does not support the method; it allows {methods}"
            )?;
            return Ok("");
        }
        (Code::BodyTooLarge, Detail::Bytes(most)) => {
            write!(out, "The request body is larger than {most} bytes")?;
        }
        (Code::TargetTooLong, Detail::Bytes(most)) => {
            write!(out, "The request target is longer than {most} bytes")?;
        }
        (Code::HeadersTooLarge, Detail::Bytes(most)) => {
            write!(
                out,
                "The header fields are larger than {most} bytes together"
            )?;
        }
        (Code::SubscriptionRequired, _) => match &refusal.subject {
            Some(Subject { account, plan, .. }) => write!(
                out,
                "Plan {plan} needs a subscription and account {account} has none"
            )?,
            None => out.push_str(cause),
        },
        (_, Detail::Since(at)) => write!(out, "{cause} (since {at})")?,
        (_, Detail::Bytes(most)) => write!(out, "{cause} (limit: {most} bytes)")?,
        _ => out.push_str(cause),
    }
    Ok(advice)
}
