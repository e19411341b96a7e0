//! The standing of an account as payment events tell it, beside what was declared.

use std::fmt::Write;

use super::AccountSpec;
use crate::domain::{AccountId, PlanId, Subscription, Timestamp};

/// What payment events say of an account. It holds in place of what was declared, until that is declared anew. Plan and
/// subscription are looked at by themselves: who declares another plan says nothing of what is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentStanding {
    /// Whose.
    pub account: AccountId,
    /// The vendor's subscription that it follows from, behind the vendor's word.
    pub object: String,
    /// The standing.
    pub subscription: Subscription,
    /// The plan that was bought; `None` leaves the declared one.
    pub plan: Option<PlanId>,
    /// What the standing holds in place of.
    pub over_subscription: Over<String>,
    /// What the plan holds in place of.
    pub over_plan: Over<PlanId>,
}

/// What is declared, and does not hold because of payment events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over<T> {
    /// What was declared when the events said so; `None` where somebody has declared something since, and so what the
    /// events say does not hold.
    pub declared: Option<T>,
    /// When that was done last, as far as it was. What had been told by then counts no more, whatever comes after it.
    pub since: Option<Timestamp>,
}

/// Of what somebody speaks who declares an account. Who says again what was declared before has spoken all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spoken {
    /// Of the subscription.
    pub subscription: bool,
    /// Of the plan.
    pub plan: bool,
}

/// What a file or an administrator says of an account's standing, to notice when they say something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The subscription, written out.
    pub subscription: String,
    /// The plan.
    pub plan: PlanId,
}

impl Declaration {
    /// What `spec` says.
    pub fn of(spec: &AccountSpec) -> Self {
        Self {
            subscription: spec
                .subscription
                .as_ref()
                .map_or_else(|| "none".to_owned(), written),
            plan: spec.plan.clone(),
        }
    }
}

impl Spoken {
    /// Of all there is.
    pub const ALL: Self = Self {
        subscription: true,
        plan: true,
    };

    /// Takes up what `other` speaks of as well.
    pub const fn join(&mut self, other: Self) {
        self.subscription |= other.subscription;
        self.plan |= other.plan;
    }
}

impl<T: PartialEq> Over<T> {
    /// Whether what events say holds where this is declared.
    fn holds(&self, declared: &T) -> bool {
        self.declared.as_ref() == Some(declared)
    }

    /// Whether something else is declared now, and that has not been noted.
    fn is_contradicted(&self, declared: &T) -> bool {
        self.declared.is_some() && !self.holds(declared)
    }

    /// Nothing holds any more, and whatever counted still counts.
    fn withdraw(&mut self) {
        self.declared = None;
        self.since = self.since.or(Some(Timestamp::from_millis(0)));
    }

    /// The last word counts: one that was spoken under a clock far ahead is taken back by speaking again.
    fn end(&mut self, at: Timestamp) {
        self.declared = None;
        self.since = Some(at);
    }
}

impl PaymentStanding {
    /// Puts the events' standing in the place of a declared one that is still the same.
    pub fn overlay(&self, spec: &mut AccountSpec, exists: impl FnOnce(&PlanId) -> bool) {
        let declared = Declaration::of(spec);
        if self.over_subscription.holds(&declared.subscription) {
            spec.subscription = Some(self.subscription.clone());
        }
        if let Some(plan) = &self.plan
            && self.over_plan.holds(&declared.plan)
        {
            if exists(plan) {
                spec.plan = plan.clone();
            } else {
                tracing::warn!(
                    account = %spec.id, %plan,
                    "the account has bought a plan that is not in the file; the declared one stays"
                );
            }
        }
    }

    /// Of what `declared` speaks, where it is something else than what the standing was put in place of; `None` where it
    /// is not.
    pub fn contradicted(&self, declared: &Declaration) -> Option<Spoken> {
        let spoken = Spoken {
            subscription: self
                .over_subscription
                .is_contradicted(&declared.subscription),
            plan: self.over_plan.is_contradicted(&declared.plan),
        };
        (spoken != Spoken::default()).then_some(spoken)
    }

    /// Ends it without a word against events: what it followed from is another account's.
    pub fn withdraw(&mut self) {
        self.over_subscription.withdraw();
        self.over_plan.withdraw();
    }

    /// Ends what events said until `at` of what was spoken of.
    pub fn end(&mut self, spoken: Spoken, at: Timestamp) {
        if spoken.subscription {
            self.over_subscription.end(at);
        }
        if spoken.plan {
            self.over_plan.end(at);
        }
    }
}

fn written(subscription: &Subscription) -> String {
    let Subscription {
        status,
        period,
        period_end: _,
        past_due_since,
        trial_end,
        cancel_at,
        cancel_at_period_end,
        ends_at,
    } = subscription;
    let mut text = status.as_str().to_owned();
    let mut add = |name: &str, at: Option<Timestamp>| {
        if let Some(at) = at {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name}={at}");
        }
    };
    add("current_period_start", period.map(|period| period.start));
    add("current_period_end", subscription.current_period_end());
    add("past_due_since", *past_due_since);
    add("trial_end", *trial_end);
    add("cancel_at", *cancel_at);
    add("ends_at", *ends_at);
    if *cancel_at_period_end {
        text.push_str(" cancel_at_period_end");
    }
    text
}
