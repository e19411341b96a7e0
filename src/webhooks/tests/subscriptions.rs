use proptest::{
    prelude::{ProptestConfig, Strategy, any, prop_assert_eq, proptest},
    sample::select,
};

use super::{at, dated};
use crate::{
    domain::{PlanId, Subscription, SubscriptionStatus as Status, Window},
    webhooks::{Dated, Fact, Snapshot, Stand, best, stand},
};

fn status(status: Status) -> Fact {
    Fact::Subscription(Snapshot::with_status(status))
}

#[track_caller]
fn standing(facts: &[Dated]) -> Subscription {
    stand(facts).unwrap().subscription
}

#[test]
fn the_newest_holds_and_an_end_is_not_undone_by_what_is_older() {
    let facts = [
        dated(9, "e3", status(Status::Canceled)),
        dated(0, "e1", status(Status::Incomplete)),
        dated(5, "e2", status(Status::Active)),
    ];
    assert_eq!(standing(&facts).status, Status::Canceled);
    // Within one second of the vendor's clock: the first event, then progress, then the end.
    let snapshot = |first: bool, status: Status| {
        Fact::Subscription(Snapshot {
            first,
            ..Snapshot::with_status(status)
        })
    };
    let facts = [
        dated(0, "e1", snapshot(false, Status::Active)),
        dated(0, "e2", snapshot(true, Status::Incomplete)),
        dated(0, "e0", snapshot(false, Status::Incomplete)),
    ];
    assert_eq!(standing(&facts).status, Status::Active);
    let facts = [
        dated(0, "e1", snapshot(false, Status::Canceled)),
        dated(0, "e2", snapshot(false, Status::Active)),
    ];
    assert_eq!(standing(&facts).status, Status::Canceled);
    assert_eq!(stand(&[]), None);
}

#[test]
fn a_payment_is_due_since_it_was_first_said() {
    let facts = [
        dated(0, "e1", status(Status::Active)),
        dated(10, "e2", status(Status::PastDue)),
        dated(20, "e3", status(Status::PastDue)),
    ];
    assert_eq!(standing(&facts).past_due_since, Some(at(10)));
    // What comes late moves the date back.
    let late = [&facts[..], &[dated(5, "e0", status(Status::PastDue))]].concat();
    assert_eq!(standing(&late).past_due_since, Some(at(5)));
    // A time in which it was paid ends it.
    let between = [&facts[..], &[dated(15, "e4", status(Status::Active))]].concat();
    assert_eq!(standing(&between).past_due_since, Some(at(20)));
    let paid = [&facts[..], &[dated(30, "e5", status(Status::Active))]].concat();
    assert_eq!(standing(&paid).past_due_since, None);
}

#[test]
fn invoices_move_what_only_payment_moves() {
    let period = |start: i64, end: i64, status: Status| {
        Fact::Subscription(Snapshot {
            period_start: Some(at(start)),
            period_end: Some(at(end)),
            ..Snapshot::with_status(status)
        })
    };
    let paid = |from: i64, until: i64| Fact::RenewalPaid {
        from: at(from),
        until: at(until),
    };
    let active = dated(0, "e1", period(0, 100, Status::Active));
    let due = dated(101, "e2", Fact::RenewalDue { invoiced: None });
    let facts = [active.clone(), due.clone()];
    let stood = standing(&facts);
    assert_eq!(
        (stood.status, stood.past_due_since),
        (Status::PastDue, Some(at(101)))
    );
    // Paying for the new period opens it again and moves it on.
    let facts = [
        active.clone(),
        due.clone(),
        dated(110, "e3", paid(100, 200)),
    ];
    let stood = standing(&facts);
    assert_eq!((stood.status, stood.past_due_since), (Status::Active, None));
    assert_eq!(stood.period.unwrap().end, at(200));
    // Paying for an older one does not: the newer may still be due.
    let renewed = dated(100, "e4", period(100, 200, Status::Active));
    let facts = [active, renewed, due.clone(), dated(120, "e5", paid(0, 100))];
    assert_eq!(standing(&facts).status, Status::PastDue);
    // Paying for what is left of the period opens it again, and begins no new one.
    let rest = [
        dated(0, "e1", period(0, 100, Status::PastDue)),
        dated(60, "e2", paid(60, 100)),
    ];
    let stood = standing(&rest);
    assert_eq!(stood.status, Status::Active);
    assert_eq!(stood.period.unwrap().start, at(0));
    // What is over is not opened by a payment, nor closed by one that is due.
    for over in [
        Status::Canceled,
        Status::Unpaid,
        Status::Paused,
        Status::IncompleteExpired,
    ] {
        let facts = [
            dated(0, "e1", status(over)),
            dated(1, "e2", Fact::RenewalDue { invoiced: None }),
            dated(2, "e3", paid(0, 500)),
        ];
        assert_eq!(standing(&facts).status, over);
    }
    // A payment alone says that there is a paid subscription; one that is due alone says nothing.
    assert_eq!(
        standing(&[dated(0, "e1", paid(0, 9))]).status,
        Status::Active
    );
    assert_eq!(stand(&[due]), None);
}

#[test]
fn an_invoice_of_a_period_that_has_gone_closes_nothing() {
    let period = |start: i64, end: i64| {
        Fact::Subscription(Snapshot {
            period_start: Some(at(start)),
            period_end: Some(at(end)),
            ..Snapshot::with_status(Status::Active)
        })
    };
    let due = |seconds: i64| Fact::RenewalDue {
        invoiced: Some(at(seconds)),
    };
    // One that may be paid until after the next period has begun, and is not.
    let facts = [
        dated(0, "e1", period(0, 100)),
        dated(100, "e2", period(100, 200)),
        dated(110, "e3", due(0)),
    ];
    assert_eq!(standing(&facts).status, Status::Active);
    // The invoice of this period does, whenever within it that was made.
    let facts = [facts[1].clone(), dated(110, "e3", due(100))];
    assert_eq!(standing(&facts).status, Status::PastDue);
    let facts = [facts[0].clone(), dated(150, "e4", due(107))];
    assert_eq!(standing(&facts).status, Status::PastDue);
    // Stores have facts of a time at which it was not noted when the invoice was made.
    let kept: Fact = serde_json::from_str(r#"{"fact":"renewal_due"}"#).unwrap();
    assert_eq!(kept, Fact::RenewalDue { invoiced: None });
}

#[test]
fn the_better_of_two_subscriptions_holds() {
    let stood = |status: Status| Stand {
        subscription: Subscription::with_status(status),
        plan: None,
    };
    let pick = |one: Status, other: Status| {
        let both = [("b".to_owned(), stood(one)), ("a".to_owned(), stood(other))];
        let (id, stand) = best(both).unwrap();
        (id, stand.subscription.status)
    };
    assert_eq!(pick(Status::Canceled, Status::Active).1, Status::Active);
    assert_eq!(pick(Status::PastDue, Status::Trialing).1, Status::Trialing);
    assert_eq!(pick(Status::Unpaid, Status::PastDue).1, Status::PastDue);
    assert_eq!(pick(Status::Active, Status::Active).0, "b");
    assert_eq!(best([]), None);
}

#[test]
fn a_subscription_to_something_else_takes_no_plan_away() {
    let stood = |status: Status, plan: Option<&str>| Stand {
        subscription: Subscription::with_status(status),
        plan: plan.map(|plan| PlanId::parse(plan).unwrap()),
    };
    let pick = |ours: Stand, other: Stand| {
        let both = [("a".to_owned(), ours), ("b".to_owned(), other)];
        best(both).unwrap().1
    };
    let later = |mut stand: Stand| {
        let (start, end) = (at(0), at(100));
        stand.subscription.period = Some(Window { start, end });
        stand
    };
    for ours in [Status::Active, Status::Trialing] {
        let stand = pick(stood(ours, Some("pro")), later(stood(Status::Active, None)));
        assert_eq!(stand, stood(ours, Some("pro")));
    }
    // One that is over, or overdue, gives way to one that is paid.
    for ours in [Status::PastDue, Status::Unpaid, Status::Canceled] {
        let stand = pick(stood(ours, Some("pro")), stood(Status::Active, None));
        assert_eq!(stand.subscription.status, Status::Active);
    }
}

#[test]
fn a_subscription_that_goes_on_holds_before_one_that_ends() {
    let period = |end: i64| Window {
        start: at(0),
        end: at(end),
    };
    let stood = |end: i64| Subscription {
        period: Some(period(end)),
        ..Subscription::with_status(Status::Active)
    };
    let ending = |end: fn(&mut Subscription)| {
        let mut yearly = stood(365);
        end(&mut yearly);
        yearly
    };
    let ending = [
        ending(|yearly| yearly.cancel_at_period_end = true),
        ending(|yearly| yearly.cancel_at = Some(at(365))),
        ending(|yearly| yearly.ends_at = Some(at(365))),
    ];
    let pick = |one: Subscription, other: Subscription| {
        let stand = |subscription| Stand {
            subscription,
            plan: None,
        };
        best([("b".to_owned(), stand(one)), ("a".to_owned(), stand(other))])
            .unwrap()
            .0
    };
    for ends in ending {
        assert_eq!(pick(ends, stood(30)), "a");
    }
    assert_eq!(pick(stood(365), stood(30)), "b");
    // Lemon Squeezy's ids are numbers, and the larger one is the later one.
    let id = |number: u32| format!("lemonsqueezy:subscription:{number}");
    let stand = || Stand {
        subscription: stood(30),
        plan: None,
    };
    let both = [(id(1_000_000), stand()), (id(999_999), stand())];
    assert_eq!(best(both).unwrap().0, id(1_000_000));
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let snapshot =
        (select(Status::ALL.to_vec()), any::<bool>(), 0..5_i64).prop_map(|(status, first, end)| {
            Fact::Subscription(Snapshot {
                first,
                period_start: (end > 0).then(|| at(0)),
                period_end: (end > 0).then(|| at(end)),
                ..Snapshot::with_status(status)
            })
        });
    proptest::prop_oneof![
        3 => snapshot,
        1 => proptest::option::of((0..4_i64).prop_map(at)).prop_map(|invoiced| Fact::RenewalDue { invoiced }),
        1 => (1..5_i64).prop_map(|end| Fact::RenewalPaid { from: at(0), until: at(end) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn any_order_gives_the_same_standing(
        facts in proptest::collection::vec((0..4_i64, any_fact()), 0..8),
        shuffled in any::<proptest::sample::Index>(),
    ) {
        let mut facts: Vec<Dated> = facts
            .into_iter()
            .enumerate()
            .map(|(number, (seconds, fact))| dated(seconds, &format!("e{number}"), fact))
            .collect();
        let stood = stand(&facts);
        if !facts.is_empty() {
            let turn = shuffled.index(facts.len());
            facts.rotate_left(turn);
            prop_assert_eq!(&stand(&facts), &stood);
            facts.reverse();
            prop_assert_eq!(&stand(&facts), &stood);
        }
    }
}
