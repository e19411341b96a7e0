//! Everything that can happen to an account, at random.

use std::sync::Arc;

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::Index,
};

use super::reference::Call;
use crate::{
    accounts::{
        Output, Roster,
        fixtures::{quota, quotas, roster},
    },
    domain::{Limits, Mode, Per, Quota, Subscription, SubscriptionStatus, Timestamp, Unit, Window},
};

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Other limits, or another billing period.
    Publish(Published),
    /// A call with the first key or the second.
    Call(bool, Call, Output),
    /// One of the calls under way ends.
    End(Index, Ended),
    /// Credit comes: how much, its priority, and after how many seconds it is lost.
    TopUp(i64, u8, Option<u64>),
    /// An entry takes credit and is on its way to the store.
    Take(i64),
    /// One of those entries is written, or could not be.
    Write(Index, bool),
    /// So many seconds pass.
    Pass(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It never happened.
    Void,
    /// It used so many hundredths of what it held and more than all where the provider lied.
    Used(u64),
}

/// The limits of the plan, of each of its keys, of the account and of the first key.
#[derive(Debug, Clone)]
pub(super) struct Published {
    limits: [Vec<Quota>; 4],
    credit: bool,
    /// The seconds since the billing period began, and its length.
    period: Option<(u64, u64)>,
}

impl Published {
    pub(super) fn roster(&self, now: Timestamp) -> Roster {
        let [plan, per_key, own, narrow]: [Limits; 4] =
            self.limits.each_ref().map(|limits| quotas(limits));
        let mut roster = roster(plan, per_key, own, narrow);
        roster.plans[0].credit_required = self.credit;
        Arc::make_mut(&mut roster.accounts[0]).subscription = self.period.map(|(since, length)| {
            let millis = |seconds: u64| (seconds * 1000).cast_signed();
            let start = now.millis() - millis(since);
            let start_and_end = [start, start + millis(length)];
            let [start, end] = start_and_end.map(Timestamp::from_millis);
            Subscription {
                status: SubscriptionStatus::Active,
                period: Some(Window { start, end }),
                period_end: None,
                past_due_since: None,
                trial_end: None,
                cancel_at: None,
                cancel_at_period_end: false,
                ends_at: None,
            }
        });
        roster
    }
}

/// One limit of a unit and window at most.
fn limits() -> impl Strategy<Value = Vec<Quota>> {
    let unit = prop_oneof![
        4 => Just((Unit::Usd, 400)),
        2 => Just((Unit::Tokens, 300)),
        1 => Just((Unit::Requests, 30)),
    ];
    let per = prop_oneof![
        Just(Per::Hour),
        Just(Per::Day),
        Just(Per::Month),
        Just(Per::Period)
    ];
    let one =
        (unit, per, 0_u64..100, any::<u8>()).prop_map(|((unit, most), per, share, shadow)| Quota {
            mode: if shadow < 25 {
                Mode::Shadow
            } else {
                Mode::Enforce
            },
            ..quota(unit, per, most * share / 100)
        });
    vec(one, 0..4).prop_map(|mut limits| {
        limits.sort_by_key(|limit| (limit.unit, limit.per));
        limits.dedup_by_key(|limit| (limit.unit, limit.per));
        limits
    })
}

pub(super) fn published() -> impl Strategy<Value = Published> {
    let period = option::of((0_u64..90 * 86_400, 3_600_u64..40 * 86_400));
    let limits = [limits(), limits(), limits(), limits()];
    (limits, any::<bool>(), period).prop_map(|(limits, credit, period)| Published {
        limits,
        credit,
        period,
    })
}

fn call() -> impl Strategy<Value = Step> {
    let prices = prop_oneof![
        1 => (0_i64..40).prop_map(|request| [request, 0, 0]),
        3 => [0_i64..20, 0_i64..4, 0_i64..6],
    ];
    let output = prop_oneof![
        3 => (0_u64..20).prop_map(Output::Fixed),
        2 => (0_u64..20, 0_u64..6).prop_map(|(most, floor)| Output::UpTo { most, floor }),
        2 => (0_u64..20).prop_map(|most| Output::Clamp { most, floor: 1 }),
    ];
    (any::<bool>(), prices, 0_i64..30, 1_i64..4, output).prop_map(
        |(key, prices, input, answers, output)| {
            let call = Call {
                prices,
                input,
                answers,
            };
            Step::Call(key, call, output)
        },
    )
}

/// Up to 200 steps.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Step>> {
    let ended = prop_oneof![
        1 => Just(Ended::Void),
        6 => (0_u64..101).prop_map(Ended::Used),
        1 => (101_u64..300).prop_map(Ended::Used),
    ];
    let seconds = prop_oneof![
        4 => 0_u64..4_000,
        2 => 0_u64..90_000,
        1 => 0_u64..70 * 86_400,
    ];
    let step = prop_oneof![
        1 => published().prop_map(Step::Publish),
        10 => call(),
        8 => (any::<Index>(), ended).prop_map(|(which, ended)| Step::End(which, ended)),
        2 => (1_i64..400, 0_u8..3, option::of(0_u64..200_000))
            .prop_map(|(amount, priority, expires)| Step::TopUp(amount, priority, expires)),
        1 => (1_i64..150).prop_map(Step::Take),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(which, written)| Step::Write(which, written)),
        2 => seconds.prop_map(Step::Pass),
    ];
    // Most are short, so that many fit into a minute.
    prop_oneof![
        3 => vec(step.clone(), 1..60),
        1 => vec(step, 1..=200),
    ]
}
