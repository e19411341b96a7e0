//! The level that binds, as a refusal.

use std::time::Duration;

use crate::{
    accounts::{Binding, Reason},
    domain::Timestamp,
    refusal::{Code, LimitFacts, LimitKind, Refusal, Subject},
};

/// How long a caller waits for calls in flight to return what they hold: they usually end within seconds.
const HOLD_WAIT: Duration = Duration::from_secs(5);

/// The refusal that names `binding`.
pub(super) fn refuse(binding: &Binding, subject: Subject, now: Timestamp) -> Refusal {
    let (code, kind) = match binding.reason {
        Reason::Spent => (Code::QuotaExhausted, LimitKind::Quota),
        Reason::TooLarge => (Code::RequestExceedsLimit, LimitKind::Quota),
        Reason::OnHold => (Code::LimitOnHold, LimitKind::Quota),
        Reason::Rate => (Code::RateLimitExceeded, LimitKind::RateLimit),
        Reason::Concurrency => (Code::ConcurrencyLimitExceeded, LimitKind::Concurrency),
    };
    let minute = (kind == LimitKind::RateLimit).then_some("minute");
    let facts = LimitFacts {
        kind,
        scope: binding.scope,
        unit: binding.unit.as_str(),
        per: binding.per.map(crate::domain::Per::as_str).or(minute),
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
