//! From the facts about subscriptions to the standing of an account.
//!
//! Facts are put in order first, so the order in which they came does not matter: by the vendor's time; at the same
//! time an invoice before the subscription that it moves, the first event of a subscription before others, then the
//! more closed standing before the more open one, and an end that nothing follows at last.

use std::cmp::Reverse;

use super::{Dated, Fact, Snapshot};
use crate::domain::{PlanId, Subscription, SubscriptionStatus, Timestamp, Window};

/// What a subscription says of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The standing.
    pub subscription: Subscription,
    /// The plan that its price stands for, where one does.
    pub plan: Option<PlanId>,
}

/// What follows from all facts about one subscription; `None` where they say nothing of its standing.
pub fn stand(facts: &[Dated]) -> Option<Stand> {
    let mut sorted: Vec<&Dated> = facts.iter().collect();
    sorted.sort_by_key(|dated| order(dated));
    sorted.into_iter().fold(None, after)
}

/// The best of an account's subscriptions: somebody who pays twice is served as long as either is paid. Of two that are
/// served one that is sold as a plan, since the other may be for something else; then, among equals, one that goes on
/// before one that is to end, the one whose period ends later, and the one with the larger id.
pub fn best(stands: impl IntoIterator<Item = (String, Stand)>) -> Option<(String, Stand)> {
    let rank = |Stand { subscription, plan }: &Stand| {
        let served = match openness(subscription.status) {
            6.. => 6,
            lower => lower,
        };
        let ends = subscription.cancel_at_period_end
            || subscription.cancel_at.is_some()
            || subscription.ends_at.is_some();
        let end = subscription.period.map(|period| period.end);
        let openness = openness(subscription.status);
        (served, plan.is_some(), openness, !ends, end)
    };
    stands
        .into_iter()
        .max_by(|(one_id, one), (other_id, other)| {
            // Ids that are numbers count up.
            let ids = (one_id.len(), one_id).cmp(&(other_id.len(), other_id));
            rank(one).cmp(&rank(other)).then(ids)
        })
}

/// How far a standing is from being closed for good.
const fn openness(status: SubscriptionStatus) -> u8 {
    match status {
        SubscriptionStatus::Active => 7,
        SubscriptionStatus::Trialing => 6,
        SubscriptionStatus::PastDue => 5,
        SubscriptionStatus::Paused => 4,
        SubscriptionStatus::Unpaid => 3,
        SubscriptionStatus::Incomplete => 2,
        SubscriptionStatus::IncompleteExpired => 1,
        SubscriptionStatus::Canceled => 0,
    }
}

const fn is_final(status: SubscriptionStatus) -> bool {
    matches!(
        status,
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired
    )
}

type Order<'a> = (
    Timestamp,
    bool,
    Reverse<bool>,
    bool,
    u8,
    Option<Timestamp>,
    &'a str,
);

fn order(dated: &Dated) -> Order<'_> {
    let Dated { at, event, fact } = dated;
    match fact {
        Fact::Subscription(snapshot) => (
            *at,
            true,
            Reverse(snapshot.first),
            is_final(snapshot.status),
            openness(snapshot.status),
            snapshot.period_end,
            event,
        ),
        // A renewal that is paid follows one that is due.
        Fact::RenewalPaid { until, .. } => {
            (*at, false, Reverse(false), true, 0, Some(*until), event)
        }
        _ => (*at, false, Reverse(false), false, 0, None, event),
    }
}

fn after(before: Option<Stand>, dated: &Dated) -> Option<Stand> {
    match &dated.fact {
        Fact::Subscription(snapshot) => Some(seen(before, snapshot, dated.at)),
        Fact::RenewalDue { invoiced } => {
            let mut stand = before?;
            let open = matches!(
                stand.subscription.status,
                SubscriptionStatus::Active | SubscriptionStatus::Trialing
            );
            // An invoice that may be paid for longer than a period is of one that has gone: the newest decides, and paying
            // this one would open nothing.
            let begun = stand.subscription.period.map(|period| period.start);
            let gone = invoiced
                .zip(begun)
                .is_some_and(|(invoiced, begun)| invoiced < begun);
            if open && !gone {
                stand.subscription.status = SubscriptionStatus::PastDue;
                stand.subscription.past_due_since = Some(dated.at);
            }
            Some(stand)
        }
        Fact::RenewalPaid { from, until } => Some(paid(before, *from, *until)),
        _ => before,
    }
}

fn seen(before: Option<Stand>, snapshot: &Snapshot, at: Timestamp) -> Stand {
    let due = snapshot.status == SubscriptionStatus::PastDue;
    let before_due = before
        .as_ref()
        .filter(|stand| stand.subscription.status == SubscriptionStatus::PastDue)
        .and_then(|stand| stand.subscription.past_due_since);
    let since = snapshot.past_due_since.or(before_due).unwrap_or(at);
    Stand {
        subscription: Subscription {
            status: snapshot.status,
            period: snapshot
                .period()
                .or_else(|| before.as_ref()?.subscription.period),
            period_end: None,
            past_due_since: due.then_some(since),
            trial_end: snapshot.trial_end,
            cancel_at: snapshot.cancel_at,
            cancel_at_period_end: snapshot.cancel_at_period_end,
            ends_at: snapshot.ends_at,
        },
        plan: snapshot
            .plan
            .clone()
            .or_else(|| before.and_then(|stand| stand.plan)),
    }
}

/// A payment for the newest period opens what only the payment had closed. One for an older period does not: the newer
/// one may still be due.
fn paid(before: Option<Stand>, from: Timestamp, until: Timestamp) -> Stand {
    let paid_for = Window {
        start: from,
        end: until,
    };
    let Some(mut stand) = before else {
        let subscription = Subscription {
            period: Some(paid_for),
            ..Subscription::with_status(SubscriptionStatus::Active)
        };
        return Stand {
            subscription,
            plan: None,
        };
    };
    let subscription = &mut stand.subscription;
    if subscription.period.is_some_and(|period| period.end > until) {
        return stand;
    }
    // Whoever buys more in the middle of a period pays for what is left of it: that begins no period, and nothing that is
    // counted per period is counted anew.
    let known = subscription.period;
    let known = known.filter(|period| period.end == until && period.start < from);
    let period = Some(known.unwrap_or(paid_for));
    match subscription.status {
        SubscriptionStatus::PastDue | SubscriptionStatus::Incomplete => {
            subscription.status = SubscriptionStatus::Active;
            subscription.past_due_since = None;
            subscription.period = period;
        }
        SubscriptionStatus::Active => subscription.period = period,
        _ => {}
    }
    stand
}
