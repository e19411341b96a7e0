//! What binds, in words: the limit or the credit, whose it is, and its figures unless they must not be named.

use std::fmt::{self, Write as _};

use super::{Code, CountedPer, CreditFacts, LimitFacts, LimitKind, Refusal, Subject};
use crate::domain::{NanoUsd, Per, Scope, Unit};

/// The name of a limit within a sentence, such as `daily token quota`.
pub(super) struct LimitName(pub(super) LimitFacts);

/// Whose limit it is, with a space before it.
pub(super) struct Holder<'a>(pub(super) Scope, pub(super) Option<&'a Subject>);

/// For whom credit is kept, with a space before it.
struct Payer<'a>(Option<&'a Subject>);

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitFacts {
            kind, unit, per, ..
        } = self.0;
        let single = singular(unit);
        match (kind, per) {
            (LimitKind::Concurrency, _) => f.write_str("limit of concurrent requests"),
            (LimitKind::RateLimit, Some(per)) => {
                write!(f, "limit of {} per {per}", unit.as_str())
            }
            (LimitKind::RateLimit, None) => write!(f, "{single} rate limit"),
            (LimitKind::Quota, per) => write!(f, "{}{single} quota", adjective(per)),
            (LimitKind::Budget, per) => write!(f, "{}budget", adjective(per)),
        }
    }
}

/// One of what is counted, as an adjective or after the figure 1.
fn singular(unit: Unit) -> &'static str {
    unit.as_str().trim_end_matches('s')
}

fn adjective(per: Option<CountedPer>) -> &'static str {
    match per {
        Some(CountedPer::Minute) => "per-minute ",
        Some(CountedPer::Window(Per::Hour)) => "hourly ",
        Some(CountedPer::Window(Per::Day)) => "daily ",
        Some(CountedPer::Window(Per::Week)) => "weekly ",
        Some(CountedPer::Window(Per::Month)) => "monthly ",
        Some(CountedPer::Window(Per::Period)) => "billing period's ",
        None => "",
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

impl fmt::Display for Payer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(subject) => write!(f, " for account {}", subject.account),
            None => Ok(()),
        }
    }
}

/// Writes what binds, without a capital letter and a full stop; `false`, and nothing, when the code is not about that.
pub(super) fn binds(out: &mut String, refusal: &Refusal) -> Result<bool, fmt::Error> {
    match (refusal.limit, refusal.credit) {
        (Some(limit), _) if limited(out, refusal, limit)? => Ok(true),
        (_, Some(credit)) => credited(out, refusal, credit),
        _ => Ok(false),
    }
}

fn limited(out: &mut String, refusal: &Refusal, limit: LimitFacts) -> Result<bool, fmt::Error> {
    let holder = Holder(limit.scope, refusal.subject.as_ref());
    let name = LimitName(limit);
    let redact = refusal.redacts();
    let most = limit.limit;
    match refusal.code {
        Code::QuotaExhausted | Code::BudgetExceeded if redact => {
            write!(out, "{name} used{holder}")?;
        }
        Code::QuotaExhausted | Code::BudgetExceeded => {
            let (used, most) = (limit.amount(limit.used), limit.amount(most));
            let unit = currency(&limit);
            write!(out, "{name} used: {used} of {most}{unit}{holder}")?;
        }
        Code::RequestExceedsLimit => too_much(out, refusal, limit)?,
        Code::LimitOnHold => {
            write!(
                out,
                "calls in flight hold what is left of the {name}{holder}"
            )?;
            if !redact {
                let (used, held) = (limit.amount(limit.used), limit.amount(limit.held));
                let (most, unit) = (limit.amount(most), currency(&limit));
                write!(out, ": {used} used and {held} held of {most}{unit}")?;
            }
        }
        Code::RateLimitExceeded if redact => write!(out, "{name} reached{holder}")?,
        Code::RateLimitExceeded => {
            let per = limit.per.unwrap_or(CountedPer::Minute);
            let unit = match most {
                1 => singular(limit.unit),
                _ => limit.unit.as_str(),
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
    Ok(true)
}

/// One request that is more than a whole limit, or than what is left of it.
fn too_much(out: &mut String, refusal: &Refusal, limit: LimitFacts) -> fmt::Result {
    let holder = Holder(limit.scope, refusal.subject.as_ref());
    let name = LimitName(limit);
    let never = refusal.never_fits();
    let money = limit.kind == LimitKind::Budget;
    if refusal.redacts() {
        let verb = if money { "cost" } else { "take" };
        let part = if never { "the whole" } else { "is left of the" };
        return write!(
            out,
            "this request may {verb} more than {part} {name}{holder}"
        );
    }
    let (asked, most) = (limit.amount(limit.asked), limit.amount(limit.limit));
    let left = limit.amount(limit.remaining());
    let unit = limit.unit.as_str();
    match (money, never) {
        (false, true) => write!(
            out,
            "this request may take {asked} {unit}, but the whole {name}{holder} is {most}"
        ),
        (false, false) => write!(
            out,
            "this request may take {asked} {unit}, but of the {name} of {most}{holder} only {left} are left"
        ),
        (true, true) => write!(
            out,
            "this request may cost up to {asked} USD, but the whole {name}{holder} is {most} USD"
        ),
        (true, false) => write!(
            out,
            "this request may cost up to {asked} USD, but of the {name} of {most} USD{holder} only {left} USD is left"
        ),
    }
}

/// What stands behind a figure of a budget.
fn currency(limit: &LimitFacts) -> &'static str {
    match limit.kind {
        LimitKind::Budget => " USD",
        LimitKind::Quota | LimitKind::RateLimit | LimitKind::Concurrency => "",
    }
}

fn credited(out: &mut String, refusal: &Refusal, credit: CreditFacts) -> Result<bool, fmt::Error> {
    let redact = refusal.redacts();
    let subject = refusal.subject.as_ref();
    let (holder, payer) = (Holder(Scope::Account, subject), Payer(subject));
    let CreditFacts {
        balance,
        held,
        asked,
        ..
    } = credit;
    match refusal.code {
        Code::CreditExhausted if redact => write!(out, "credit used up{payer}")?,
        Code::CreditExhausted => write!(out, "credit used up: balance {balance} USD{holder}")?,
        Code::InsufficientCreditForRequest if redact || asked == NanoUsd::ZERO => write!(
            out,
            "this request may cost more than the credit that is left{payer}"
        )?,
        Code::InsufficientCreditForRequest => {
            // Below zero there is nothing left either.
            let left = credit.available().max(NanoUsd::ZERO);
            write!(
                out,
                "this request may cost up to {asked} USD, but {left} USD of credit is left{payer}"
            )?;
            if held > NanoUsd::ZERO {
                write!(out, ", besides {held} USD that calls in flight hold")?;
            }
        }
        Code::CreditOnHold => {
            write!(
                out,
                "calls in flight hold what is left of the credit{holder}"
            )?;
            if !redact {
                write!(out, ": {held} of {balance} USD")?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}
