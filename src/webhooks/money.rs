//! From the facts about a payment or a grant to the credit that it is worth.

use std::collections::BTreeMap;

use super::{Dated, Fact};
use crate::domain::{NanoUsd, Timestamp};

/// What all facts about one object make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worth {
    /// Money went back, or is held back, and the payment itself is not known yet.
    Unpaid,
    /// So much credit in all, refunds and disputes taken off; below zero where credit was taken away.
    Credit {
        /// How much.
        amount: NanoUsd,
        /// Whether it was given rather than paid for.
        given: bool,
        /// From when on what is left is lost.
        expires_at: Option<Timestamp>,
        /// Lower ones are spent first.
        priority: Option<u8>,
        /// Why, where the vendor says it.
        reason: Option<String>,
    },
    /// A grant that was withdrawn: what is left of it goes, and one that was not added yet never is.
    Void,
}

/// What an object is worth; `None` where its facts are not about money.
pub fn worth(facts: &[Dated]) -> Option<Worth> {
    let grant = newest(facts, |fact| matches!(fact, Fact::Grant { .. }));
    if facts.iter().any(|dated| dated.fact == Fact::GrantVoided) {
        return Some(Worth::Void);
    }
    if let Some(Fact::Grant {
        nano_usd,
        expires_at,
        priority,
        reason,
    }) = grant
    {
        return Some(Worth::Credit {
            amount: NanoUsd::from_nanos(*nano_usd),
            given: true,
            expires_at: *expires_at,
            priority: Some(*priority),
            reason: reason.clone(),
        });
    }
    if let Some(Fact::Taken { nano_usd, reason }) =
        newest(facts, |fact| matches!(fact, Fact::Taken { .. }))
    {
        return Some(Worth::Credit {
            amount: NanoUsd::from_nanos(*nano_usd).saturating_neg(),
            given: true,
            expires_at: None,
            priority: None,
            reason: reason.clone(),
        });
    }
    let bears = |dated: &Dated| {
        matches!(
            dated.fact,
            Fact::Paid { .. }
                | Fact::RefundedInAll { .. }
                | Fact::Refund { .. }
                | Fact::Dispute { .. }
        )
    };
    if !facts.iter().any(bears) {
        return None;
    }
    let mut orders: BTreeMap<&str, i64> = BTreeMap::new();
    for dated in facts {
        if let Fact::Paid { order, nano_usd } = &dated.fact {
            orders.insert(order, *nano_usd);
        }
    }
    if orders.is_empty() {
        return Some(Worth::Unpaid);
    }
    let paid = sum(orders.into_values());
    let back = refunded(facts).saturating_add(disputed(facts));
    Some(Worth::Credit {
        amount: paid.saturating_sub(back.min(paid)),
        given: false,
        expires_at: None,
        priority: None,
        reason: None,
    })
}

/// What went back. The vendor tells it twice, as a sum and refund by refund, and may tell only one of the two. A refund
/// that failed after the sum was told is still in the sum.
fn refunded(facts: &[Dated]) -> NanoUsd {
    let refunds = by_id(facts, |fact| match fact {
        Fact::Refund { refund, .. } => Some(refund),
        _ => None,
    });
    let amount = |dated: &&Dated| match dated.fact {
        Fact::Refund { nano_usd, .. } => nano_usd,
        _ => 0,
    };
    let stands = |dated: &&&Dated| matches!(dated.fact, Fact::Refund { stands: true, .. });
    let singly = sum(refunds.values().filter(stands).map(amount));
    let told = facts.iter().filter_map(|dated| match dated.fact {
        Fact::RefundedInAll { nano_usd } => Some((dated.at, nano_usd)),
        _ => None,
    });
    let Some((at, in_all)) = told.max() else {
        return singly;
    };
    let failed_since = refunds
        .values()
        .filter(|dated| dated.at >= at && !stands(dated))
        .map(amount);
    let in_all = NanoUsd::from_nanos(in_all).saturating_sub(sum(failed_since));
    singly.max(in_all)
}

fn disputed(facts: &[Dated]) -> NanoUsd {
    let disputes = by_id(facts, |fact| match fact {
        Fact::Dispute { dispute, .. } => Some(dispute),
        _ => None,
    });
    sum(disputes.values().filter_map(|dated| match dated.fact {
        Fact::Dispute {
            nano_usd,
            held_back: true,
            ..
        } => Some(nano_usd),
        _ => None,
    }))
}

/// The newest fact about each id. At the same time what closes a matter follows what opened it.
fn by_id<'f>(
    facts: &'f [Dated],
    id: impl Fn(&'f Fact) -> Option<&'f String>,
) -> BTreeMap<&'f str, &'f Dated> {
    let order = |dated: &'f Dated| {
        let open = matches!(
            dated.fact,
            Fact::Refund { stands: true, .. }
                | Fact::Dispute {
                    held_back: true,
                    ..
                }
        );
        (dated.at, !open, &dated.event)
    };
    let mut newest: BTreeMap<&str, &Dated> = BTreeMap::new();
    for dated in facts {
        let Some(id) = id(&dated.fact) else { continue };
        let held = newest.entry(id).or_insert(dated);
        if order(held) < order(dated) {
            *held = dated;
        }
    }
    newest
}

fn newest(facts: &[Dated], wanted: impl Fn(&Fact) -> bool) -> Option<&Fact> {
    let found = facts.iter().filter(|dated| wanted(&dated.fact));
    found
        .max_by_key(|dated| (dated.at, &dated.event))
        .map(|dated| &dated.fact)
}

fn sum(amounts: impl IntoIterator<Item = i64>) -> NanoUsd {
    let amounts = amounts.into_iter().map(NanoUsd::from_nanos);
    amounts.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
}
