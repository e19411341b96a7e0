//! An account's standing with the payment provider, judged by the clock at each request.

use std::time::Duration;

use super::{Anchor, Timestamp, Window};

/// The payment provider's word for a subscription (Stripe's names, which the others map to).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// In a trial.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed; the provider still tries.
    PastDue,
    /// The first payment has not succeeded.
    Incomplete,
    /// The first payment never succeeded.
    IncompleteExpired,
    /// All tries failed.
    Unpaid,
    /// Ended.
    Canceled,
    /// Stopped, to be resumed.
    Paused,
}

impl SubscriptionStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Trialing,
        Self::Active,
        Self::PastDue,
        Self::Incomplete,
        Self::IncompleteExpired,
        Self::Unpaid,
        Self::Canceled,
        Self::Paused,
    ];

    /// The word in configuration, answers and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Unpaid => "unpaid",
            Self::Canceled => "canceled",
            Self::Paused => "paused",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A status and its dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The status.
    pub status: SubscriptionStatus,
    /// The billing period, when both ends are known.
    pub period: Option<Window>,
    /// The end of the billing period when its start is not known: nothing can be counted in it.
    pub period_end: Option<Timestamp>,
    /// Since when a payment is due; without it, `past_due` counts from when it was first seen.
    pub past_due_since: Option<Timestamp>,
    /// When a trial ends.
    pub trial_end: Option<Timestamp>,
    /// When it will be canceled.
    pub cancel_at: Option<Timestamp>,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
    /// When it ends, whatever else is said.
    pub ends_at: Option<Timestamp>,
}

/// How long subscriptions that are overdue or ended still work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionPolicy {
    /// How long `past_due` still works.
    pub grace_period: Duration,
    /// How long after its end a subscription still works, for the renewal's event to arrive.
    pub renewal_leeway: Duration,
}

/// What a subscription allows at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Calls are served.
    Open,
    /// Calls are served until the instant; a payment is due.
    Grace(Timestamp),
    /// Calls are refused.
    Closed(Closure),
}

/// Why a subscription is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closure {
    /// It has ended, whatever its status says.
    Expired,
    /// A payment is due, and the grace period is over.
    PastDue,
    /// The first payment has not succeeded.
    Incomplete,
    /// The first payment never succeeded.
    IncompleteExpired,
    /// All tries to collect the payment failed.
    Unpaid,
    /// It was canceled.
    Canceled,
    /// It is paused.
    Paused,
}

impl Subscription {
    /// A subscription that says its status and nothing else.
    pub const fn with_status(status: SubscriptionStatus) -> Self {
        Self {
            status,
            period: None,
            period_end: None,
            past_due_since: None,
            trial_end: None,
            cancel_at: None,
            cancel_at_period_end: false,
            ends_at: None,
        }
    }

    /// The standing at `now`. The end of a period alone closes nothing: when the payment provider is silent, the
    /// last known standing holds.
    pub fn standing(&self, now: Timestamp, policy: SubscriptionPolicy) -> Standing {
        let trial_end = self
            .trial_end
            .filter(|_| self.status == SubscriptionStatus::Trialing);
        let period_end = self
            .current_period_end()
            .filter(|_| self.cancel_at_period_end);
        let ends = [self.ends_at, self.cancel_at, period_end, trial_end];
        let expired = ends
            .into_iter()
            .flatten()
            .any(|end| end.plus(policy.renewal_leeway) <= now);
        let closure = match self.status {
            SubscriptionStatus::Trialing
            | SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
                if expired =>
            {
                Closure::Expired
            }
            SubscriptionStatus::Trialing | SubscriptionStatus::Active => return Standing::Open,
            SubscriptionStatus::PastDue => match self.grace_until(policy) {
                Some(until) if now < until => return Standing::Grace(until),
                _ => Closure::PastDue,
            },
            SubscriptionStatus::Incomplete => Closure::Incomplete,
            SubscriptionStatus::IncompleteExpired => Closure::IncompleteExpired,
            SubscriptionStatus::Unpaid => Closure::Unpaid,
            SubscriptionStatus::Canceled => Closure::Canceled,
            SubscriptionStatus::Paused => Closure::Paused,
        };
        Standing::Closed(closure)
    }

    /// When the billing period ends, whether or not it is known when it began.
    pub fn current_period_end(&self) -> Option<Timestamp> {
        self.period.map(|period| period.end).or(self.period_end)
    }

    /// Whether it says that it ends with the billing period, and no date says when that or any other end is: it would
    /// go on for ever.
    pub fn ends_at_no_date(&self) -> bool {
        let ends = [self.current_period_end(), self.cancel_at, self.ends_at];
        self.cancel_at_period_end && ends.iter().all(Option::is_none)
    }

    /// Until when `past_due` is served; `None` where no date says since when.
    pub fn grace_until(&self, policy: SubscriptionPolicy) -> Option<Timestamp> {
        let since = self
            .past_due_since
            .or_else(|| self.period.map(|period| period.start))?;
        (self.status == SubscriptionStatus::PastDue).then(|| since.plus(policy.grace_period))
    }

    /// Where `per: period` is counted from; `created` is the account's creation.
    pub fn anchor(subscription: Option<&Self>, created: Timestamp) -> Anchor {
        let period = subscription.and_then(|subscription| subscription.period);
        period.map_or(Anchor::Creation(created), Anchor::Billing)
    }
}

#[cfg(test)]
mod tests;
