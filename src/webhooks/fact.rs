//! What an event says about one object of the vendor, in our words. Facts are kept; what holds follows from all of an
//! object's facts together.

use serde::{Deserialize, Serialize};

use crate::domain::{PlanId, SubscriptionStatus, Timestamp, Window};

/// A fact about an object. Amounts are whole billionths of a dollar, and never below zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A subscription, whole.
    Subscription(Snapshot),
    /// A renewal of the subscription was paid for the time until then.
    RenewalPaid {
        /// The end of the time that was paid for.
        until: Timestamp,
        /// Its start.
        from: Timestamp,
    },
    /// A renewal of the subscription is due, and not paid.
    RenewalDue {
        /// When its invoice was made, where the vendor says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invoiced: Option<Timestamp>,
    },
    /// Credit was bought.
    Paid {
        /// What was ordered; the same order is paid once.
        order: String,
        /// How much.
        nano_usd: i64,
    },
    /// So much of the payment was paid back, in all until then.
    RefundedInAll {
        /// How much.
        nano_usd: i64,
    },
    /// A single refund of the payment.
    Refund {
        /// Which.
        refund: String,
        /// How much.
        nano_usd: i64,
        /// Whether the money went back, or is on its way; a refund may fail.
        stands: bool,
    },
    /// The payer's bank disputes the payment.
    Dispute {
        /// Which dispute.
        dispute: String,
        /// How much.
        nano_usd: i64,
        /// Whether the money is held back, or lost.
        held_back: bool,
    },
    /// Credit was given.
    Grant {
        /// How much.
        nano_usd: i64,
        /// From when on what is left is lost.
        expires_at: Option<Timestamp>,
        /// Lower ones are spent first.
        priority: u8,
        /// Why.
        reason: Option<String>,
    },
    /// A grant was withdrawn: what is left of it is lost.
    GrantVoided,
    /// Credit was taken away.
    Taken {
        /// How much.
        nano_usd: i64,
        /// Why.
        reason: Option<String>,
    },
}

/// A subscription as its vendor describes it at some instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its status.
    pub status: SubscriptionStatus,
    /// Whether the event that says so was the subscription's first.
    pub first: bool,
    /// When its billing period began.
    pub period_start: Option<Timestamp>,
    /// When it ends.
    pub period_end: Option<Timestamp>,
    /// When a trial ends.
    pub trial_end: Option<Timestamp>,
    /// Since when a payment is due, where the vendor says it.
    pub past_due_since: Option<Timestamp>,
    /// When it will be canceled.
    pub cancel_at: Option<Timestamp>,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
    /// When it ends, or has ended.
    pub ends_at: Option<Timestamp>,
    /// The plan that its price stands for, where one does.
    pub plan: Option<PlanId>,
}

/// A fact and the event that stated it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// When the vendor says that it happened.
    pub at: Timestamp,
    /// The event.
    pub event: String,
    /// What it says.
    pub fact: Fact,
}

impl Snapshot {
    /// A subscription of which nothing but the status is known.
    pub const fn with_status(status: SubscriptionStatus) -> Self {
        Self {
            status,
            first: false,
            period_start: None,
            period_end: None,
            trial_end: None,
            past_due_since: None,
            cancel_at: None,
            cancel_at_period_end: false,
            ends_at: None,
            plan: None,
        }
    }

    /// The billing period, when both ends are known and in order.
    pub(super) fn period(&self) -> Option<Window> {
        let (start, end) = self.period_start.zip(self.period_end)?;
        (start < end).then_some(Window { start, end })
    }
}
