//! The level that binds, as a refusal.

use std::time::Duration;

use crate::{
    accounts::{Binding, Credit, Reason},
    domain::{NanoUsd, Timestamp, Unit},
    refusal::{Code, CountedPer, CreditFacts, LimitFacts, LimitKind, Refusal, Subject},
};

/// How long a caller waits for calls in flight to return what they hold: they usually end within seconds.
const HOLD_WAIT: Duration = Duration::from_secs(5);

/// What kind of limit a level is, by why it binds and what it counts.
pub const fn limit_kind(reason: Reason, unit: Unit) -> LimitKind {
    match (reason, unit) {
        (Reason::Rate, _) => LimitKind::RateLimit,
        (Reason::Concurrency, _) => LimitKind::Concurrency,
        (Reason::Spent | Reason::TooLarge | Reason::OnHold, Unit::Usd) => LimitKind::Budget,
        (Reason::Spent | Reason::TooLarge | Reason::OnHold, _) => LimitKind::Quota,
    }
}

/// What a level counts per; `None` for calls at the same time.
pub fn counted_per(level: &Binding) -> Option<CountedPer> {
    match level.reason {
        Reason::Rate => Some(CountedPer::Minute),
        _ => level.per.map(CountedPer::Window),
    }
}

/// The refusal that names `binding`.
pub(super) fn refuse(binding: &Binding, subject: Subject, now: Timestamp) -> Refusal {
    if let Some(credit) = binding.credit {
        return indebted(binding, credit).about(subject);
    }
    let kind = limit_kind(binding.reason, binding.unit);
    let code = match binding.reason {
        Reason::Spent if kind == LimitKind::Budget => Code::BudgetExceeded,
        Reason::Spent => Code::QuotaExhausted,
        Reason::TooLarge => Code::RequestExceedsLimit,
        Reason::OnHold => Code::LimitOnHold,
        Reason::Rate => Code::RateLimitExceeded,
        Reason::Concurrency => Code::ConcurrencyLimitExceeded,
    };
    let facts = LimitFacts {
        kind,
        scope: binding.scope,
        of_plan: binding.of_plan,
        unit: binding.unit,
        per: counted_per(binding),
        limit: binding.limit,
        used: binding.used,
        held: binding.held,
        asked: binding.asked,
        resets_at: binding
            .resets_at
            .or_else(|| binding.wait.map(|wait| now.plus(wait))),
        status: binding.status,
    };
    let refusal = Refusal::new(code).limited_by(facts).about(subject);
    match (binding.reason, binding.wait) {
        (Reason::OnHold, _) => refusal.retry_after(HOLD_WAIT),
        (_, Some(wait)) => refusal.retry_after(wait),
        _ => refusal,
    }
}

/// The refusal of a call that the account's credit does not cover.
fn indebted(binding: &Binding, credit: Credit) -> Refusal {
    let facts = CreditFacts {
        balance: credit.balance,
        held: credit.held,
        asked: NanoUsd::from_nanos(i64::try_from(binding.asked).unwrap_or(i64::MAX)),
        max_affordable_tokens: binding.affordable,
    };
    match binding.reason {
        Reason::OnHold => Refusal::new(Code::CreditOnHold)
            .with_credit(CreditFacts {
                max_affordable_tokens: None,
                ..facts
            })
            .retry_after(HOLD_WAIT),
        Reason::TooLarge => Refusal::new(Code::InsufficientCreditForRequest).with_credit(facts),
        _ => Refusal::new(Code::CreditExhausted).with_credit(CreditFacts {
            max_affordable_tokens: None,
            ..facts
        }),
    }
}
