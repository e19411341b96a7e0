//! What follows from a refusal for a client that would try again: the status, the wait, whether trying makes sense.

use std::time::Duration;

use http::StatusCode;

use super::{Code, LimitFacts, Refusal};
use crate::domain::{LimitStatus, Timestamp};

/// The longest `Retry-After`. SDKs sleep as long as they are told, some for hours; a longer wait is said in the body.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls in flight end soon, so nobody is told to wait longer for what they hold.
const HOLD: Duration = Duration::from_secs(30);

/// What to wait for calls in flight when nobody knows better.
const HOLD_UNKNOWN: Duration = Duration::from_secs(5);

/// What to wait for the store or the balance to come back.
const BILLING: Duration = Duration::from_secs(5);

/// What to wait for a place among the calls at the same time, or for another instance.
const MOMENT: Duration = Duration::from_secs(1);

/// What a client may conclude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// After how long trying again can succeed; at most [`PATIENCE`].
    pub(super) wait: Option<Duration>,
    /// Until when to wait where that is what lifts the limit, however long.
    pub(super) until: Option<Timestamp>,
    /// Whether SDKs are told not to try again by themselves.
    pub(super) stop: bool,
    /// Whether the same request can succeed without anybody doing anything.
    pub(super) retryable: bool,
}

impl Verdict {
    /// Judges at `now`.
    pub(super) fn of(refusal: &Refusal, now: Timestamp) -> Self {
        let status = status(refusal);
        let whole = whole_wait(refusal, status, now);
        let wait = whole.filter(|wait| *wait <= PATIENCE);
        let stop = refusal.code == Code::UpstreamUnavailable
            || status.is_client_error()
                && status != StatusCode::REQUEST_TIMEOUT
                && (status != StatusCode::TOO_MANY_REQUESTS || wait.is_none());
        let reset = refusal
            .limit
            .filter(|limit| limit.windowed() && by_limit(refusal.code) && !refusal.never_fits())
            .and_then(|limit| limit.resets_at);
        Self {
            status,
            wait,
            until: reset.or_else(|| whole.map(|wait| whole_second(now.plus(wait)))),
            stop,
            retryable: !stop && refusal.code != Code::UnsupportedTransferCoding,
        }
    }

    /// The wait in whole seconds for `Retry-After` (RFC 9110 §10.2.3): rounded up, at least one.
    pub(super) fn seconds(&self) -> Option<u64> {
        self.wait
            .map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            .map(|seconds| seconds.max(1))
    }
}

impl Refusal {
    /// Whether no window of the limit can ever hold this request.
    pub(super) fn never_fits(&self) -> bool {
        self.limit
            .is_some_and(|limit| limit.asked.max(1) > limit.limit)
    }

    /// The output limit to try with, unless it must not be named.
    pub(super) fn affordable_tokens(&self) -> Option<u64> {
        let credit = self.credit.filter(|_| !self.redacts())?;
        credit.max_affordable_tokens
    }

    /// Whether the answer must not name figures.
    pub(super) fn redacts(&self) -> bool {
        self.subject.as_ref().is_some_and(|subject| subject.redact)
    }
}

/// The instant rounded up, because a fraction of a second helps nobody who reads it.
pub(super) fn whole_second(at: Timestamp) -> Timestamp {
    let part = at.millis().rem_euclid(1000);
    Timestamp::from_millis(at.millis().saturating_add((1000 - part) % 1000))
}

/// Whether the limit that binds says with which status.
const fn by_limit(code: Code) -> bool {
    matches!(
        code,
        Code::QuotaExhausted | Code::BudgetExceeded | Code::RequestExceedsLimit
    )
}

fn status(refusal: &Refusal) -> StatusCode {
    let asked = refusal.limit.filter(|_| by_limit(refusal.code));
    match asked.map(|LimitFacts { status, .. }| status) {
        Some(LimitStatus::Forbidden) => StatusCode::FORBIDDEN,
        Some(LimitStatus::TooManyRequests) => StatusCode::TOO_MANY_REQUESTS,
        Some(LimitStatus::PaymentRequired) | None => refusal.code.status(),
    }
}

fn whole_wait(refusal: &Refusal, status: StatusCode, now: Timestamp) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return None;
    }
    let said = refusal.retry_after;
    let reset = || {
        refusal
            .limit
            .and_then(|limit| limit.resets_at)
            .map(|at| now.until(at))
    };
    match refusal.code {
        Code::CreditOnHold | Code::LimitOnHold => Some(said.unwrap_or(HOLD_UNKNOWN).min(HOLD)),
        Code::ConcurrencyLimitExceeded | Code::Overloaded | Code::Draining => {
            Some(said.unwrap_or(MOMENT))
        }
        Code::BillingUnavailable => Some(said.unwrap_or(BILLING)),
        Code::RateLimitExceeded => said.or_else(reset),
        code if by_limit(code) && refusal.never_fits() => None,
        code if by_limit(code) => said.or_else(reset),
        Code::UpstreamUnavailable | Code::UnsupportedTransferCoding => None,
        _ => said,
    }
}
