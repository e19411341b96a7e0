//! The message: what happened, the figures, when it resets and what to do, for the person who reads a log.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::{
    Code, Detail, LimitFacts, LimitKind, Refusal, Subject, actions::Actions, causes::cause, ink,
    verdict::Verdict,
};
use crate::domain::Scope;

/// Writes the message of `refusal`.
pub(super) fn message(refusal: &Refusal, verdict: &Verdict, actions: &Actions<'_>) -> Bytes {
    // A string takes everything, and our own Display implementations fail only when their writer does.
    ink::text(|out| compose(out, refusal, verdict, actions)).unwrap_or_default()
}

/// The name of a limit within a sentence, such as `daily token quota`.
pub(super) struct LimitName(pub(super) LimitFacts);

/// Whose limit it is, with a space before it.
struct Holder<'a>(Scope, Option<&'a Subject>);

/// Clauses that become one sentence: the first begins with a capital letter, the others follow a semicolon.
struct Clauses<'a> {
    out: &'a mut String,
    started: bool,
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitFacts {
            kind, unit, per, ..
        } = self.0;
        let single = unit.strip_suffix('s').unwrap_or(unit);
        match (kind, per) {
            (LimitKind::Concurrency, _) => f.write_str("limit of concurrent requests"),
            (LimitKind::RateLimit, Some(per)) => write!(f, "limit of {unit} per {per}"),
            (LimitKind::RateLimit, None) => write!(f, "{single} rate limit"),
            (LimitKind::Quota, per) => write!(f, "{}{single} quota", adjective(per)),
        }
    }
}

fn adjective(per: Option<&str>) -> &'static str {
    match per {
        Some("minute") => "per-minute ",
        Some("hour") => "hourly ",
        Some("day") => "daily ",
        Some("week") => "weekly ",
        Some("month") => "monthly ",
        Some("period") => "billing period's ",
        _ => "",
    }
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Scope::Key, _) => f.write_str(" of this key"),
            (Scope::Account, Some(subject)) => write!(f, " of account {}", subject.account),
            (Scope::Account, None) => f.write_str(" of the account"),
            (Scope::Plan, Some(subject)) => write!(f, " on plan {}", subject.plan),
            (Scope::Plan, None) => f.write_str(" of the plan"),
        }
    }
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
    let told = match refusal.limit {
        Some(limit) => limited(out, refusal, limit)?,
        None => false,
    };
    let advice = if told {
        limit_advice(refusal)
    } else {
        explained(out, refusal)?
    };
    end_sentence(out);
    if told && let Some(said) = said(refusal) {
        write!(out, " {said}")?;
        end_sentence(out);
    }
    if let Detail::Request(other) = refusal.detail {
        write!(out, " Request {other} caused it.")?;
    }

    let windowed = refusal
        .limit
        .is_some_and(|limit| limit.kind == LimitKind::Quota);
    let mut clauses = Clauses {
        out,
        started: false,
    };
    if !advice.is_empty() {
        clauses.add(format_args!("{advice}"))?;
    }
    match (verdict.wait, verdict.until) {
        (Some(_), _) => match verdict.seconds().unwrap_or(1) {
            1 => clauses.add(format_args!("try again in 1 second"))?,
            seconds => clauses.add(format_args!("try again in {seconds} seconds"))?,
        },
        (None, Some(until)) if windowed => {
            // Only a quota that is used is what the sentence before spoke of last.
            let what = match refusal.code {
                Code::QuotaExhausted => "it",
                _ => "the quota",
            };
            clauses.add(format_args!("{what} resets at {until}"))?;
        }
        (None, Some(until)) => clauses.add(format_args!("try again at {until}"))?,
        (None, None) => {}
    }
    match actions.remedy {
        // No full stop behind an address: people and terminals take it for a part of it.
        Some((remedy, Some(page))) => {
            return clauses.add(format_args!("{} at {page}", remedy.clause()));
        }
        Some((remedy, None)) => clauses.add(format_args!("{}", remedy.clause_without_page()))?,
        None => {}
    }
    end_sentence(out);
    Ok(())
}

/// Says which limit binds; `false` when the code is not about a limit.
fn limited(out: &mut String, refusal: &Refusal, limit: LimitFacts) -> Result<bool, fmt::Error> {
    let LimitFacts {
        unit,
        used,
        held,
        asked,
        limit: most,
        ..
    } = limit;
    let (name, holder) = (
        LimitName(limit),
        Holder(limit.scope, refusal.subject.as_ref()),
    );
    let redact = refusal.redacts();
    let start = out.len();
    match refusal.code {
        Code::QuotaExhausted if redact => write!(out, "{name} used{holder}")?,
        Code::QuotaExhausted => write!(out, "{name} used: {used} of {most}{holder}")?,
        Code::RequestExceedsLimit if redact => {
            let part = if refusal.never_fits() {
                "the whole"
            } else {
                "is left of the"
            };
            write!(out, "this request may take more than {part} {name}{holder}")?;
        }
        Code::RequestExceedsLimit if refusal.never_fits() => write!(
            out,
            "this request may take {asked} {unit}, but the whole {name}{holder} is {most}"
        )?,
        Code::RequestExceedsLimit => write!(
            out,
            "this request may take {asked} {unit}, but of the {name} of {most}{holder} only {} are left",
            limit.remaining()
        )?,
        Code::LimitOnHold if redact => write!(
            out,
            "calls in flight hold what is left of the {name}{holder}"
        )?,
        Code::LimitOnHold => write!(
            out,
            "calls in flight hold what is left of the {name}{holder}: {used} used and {held} held of {most}"
        )?,
        Code::RateLimitExceeded if redact => write!(out, "{name} reached{holder}")?,
        Code::RateLimitExceeded => {
            let per = limit.per.unwrap_or("minute");
            let unit = if most == 1 {
                unit.trim_end_matches('s')
            } else {
                unit
            };
            write!(out, "rate limit reached: {most} {unit} per {per}{holder}")?;
        }
        Code::ConcurrencyLimitExceeded if redact => {
            write!(out, "too many calls at the same time{holder}")?;
        }
        Code::ConcurrencyLimitExceeded => write!(
            out,
            "too many calls at the same time: the limit{holder} is {most}"
        )?,
        _ => return Ok(false),
    }
    capitalise(out, start);
    Ok(true)
}

fn limit_advice(refusal: &Refusal) -> &'static str {
    let tokens = refusal.limit.is_some_and(|limit| limit.unit == "tokens");
    match refusal.code {
        Code::RequestExceedsLimit if tokens && said(refusal).is_none() => {
            "lower the output limit or shorten the input"
        }
        _ => "",
    }
}

/// The explanation that whoever refused gave; none where it could name figures that must not be named.
fn said(refusal: &Refusal) -> Option<&str> {
    match &refusal.detail {
        Detail::Say(text) => Some(text),
        Detail::Explain(text) if refusal.limit.is_none() || !refusal.redacts() => Some(text),
        _ => None,
    }
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
            return Ok("create a new key or rotate this one");
        }
        (Code::PlanUpgradeRequired, Detail::Model(model)) => match &refusal.subject {
            Some(subject) => write!(out, "Model {model} is not in plan {}", subject.plan)?,
            None => write!(out, "Model {model} is not in the plan")?,
        },
        (Code::PermissionDenied, Detail::Model(model)) => {
            write!(out, "This key may not use model {model}")?;
        }
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
                "This path does not know the method; it allows {methods}"
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
