//! The standing of an account as payment events tell it, beside what was declared.

use std::fmt::Write;

use super::AccountSpec;
use crate::domain::{AccountId, PlanId, Subscription, Timestamp};

/// What payment events say of an account. It holds in place of what was declared, until that is declared anew.
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
    /// What was declared when the events said so.
    pub over: Declaration,
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

impl PaymentStanding {
    /// Puts the events' standing in the place of a declared one that is still the same. Plan and subscription are
    /// looked at by themselves: who declares another plan says nothing of what is paid.
    pub fn overlay(&self, spec: &mut AccountSpec, exists: impl FnOnce(&PlanId) -> bool) {
        let declared = Declaration::of(spec);
        if declared.subscription == self.over.subscription {
            spec.subscription = Some(self.subscription.clone());
        }
        if let Some(plan) = &self.plan
            && declared.plan == self.over.plan
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
}

fn written(subscription: &Subscription) -> String {
    let Subscription {
        status,
        period,
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
    add("current_period_end", period.map(|period| period.end));
    add("past_due_since", *past_due_since);
    add("trial_end", *trial_end);
    add("cancel_at", *cancel_at);
    add("ends_at", *ends_at);
    if *cancel_at_period_end {
        text.push_str(" cancel_at_period_end");
    }
    text
}
