//! A thousand calls at once against money for few.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use super::{
    Accounts, Clock, Key, Reason, Scope, clock, counts, hold, key,
    money::{budget, credit, credited, fixed, unlimited},
    roster, wanted,
};
use crate::accounts::{
    Binding, Settled,
    fixtures::{cost, priced, terms},
};

const THREADS: usize = 8;
const CALLS: usize = 1000;

/// The price of a request.
const PRICE: u64 = 7;

/// Calls `each` a thousand times, from all threads at once.
fn at_once(each: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (each, start) = (&each, &start);
            scope.spawn(move || {
                start.wait();
                (0..CALLS / THREADS).for_each(|turn| each(turn * THREADS + thread));
            });
        }
    });
}

/// A thousand calls at a price each, with two keys in turn: how many were served. `refused` looks at the others.
fn burst(
    accounts: &Accounts,
    clock: &Clock,
    refused: impl Fn(Binding) + Sync,
    settled: impl Fn(usize) -> Settled + Sync,
) -> u64 {
    let keys = [key(accounts, "k1"), key(accounts, "k2")];
    let served = AtomicU64::new(0);
    at_once(|call| {
        let key: &Key = &keys[call % 2];
        match hold(key, &fixed(PRICE), clock) {
            Ok(taken) => {
                let settled = settled(call);
                if settled != Settled::Void {
                    served.fetch_add(1, Ordering::Relaxed);
                }
                key.account.book.settle(taken, settled, clock);
            }
            Err(bound) => refused(bound),
        }
    });
    served.into_inner()
}

const COST: Settled = Settled::Used {
    tokens: 0,
    cost: crate::domain::NanoUsd::from_nanos(PRICE.cast_signed()),
};

#[test]
fn credit_for_so_many_serves_so_many_a_hundred_times() {
    for calls in [1, 7, 50, 999] {
        // What is left of a price buys nothing.
        for rest in [0, PRICE - 1] {
            for _ in 0..25 {
                let clock = clock();
                let money = calls * PRICE + rest;
                let accounts = credited(unlimited(), money.cast_signed(), &clock);
                let expected = if rest == 0 {
                    Reason::Spent
                } else {
                    Reason::TooLarge
                };
                let refused = |bound: Binding| {
                    assert!(bound.credit.is_some());
                    assert_eq!(bound.reason, expected);
                };
                assert_eq!(burst(&accounts, &clock, refused, |_| COST), calls);
                assert_eq!(credit(&accounts), (rest.cast_signed(), 0));
            }
        }
    }
}

#[test]
fn the_tightest_budget_or_credit_decides_a_hundred_times() {
    // Calls that the plan, each key of the plan, the account, the first key and the credit have money for.
    for (paid, scope) in [
        ([50, 90, 90, 80, 90], Some(Scope::Plan)),
        ([90, 90, 50, 80, 90], Some(Scope::Account)),
        ([90, 90, 90, 80, 50], None),
        ([50, 60, 50, 60, 50], Some(Scope::Account)),
        ([500, 25, 500, 500, 500], Some(Scope::Key)),
        ([500, 35, 500, 15, 500], Some(Scope::Key)),
    ] {
        for _ in 0..17 {
            let clock = clock();
            let [plan, per_key, own, narrow, balance] = paid.map(|calls| calls * PRICE);
            let limits = [plan, per_key, own, narrow].map(budget);
            let [plan, per_key, own, narrow] = limits;
            let accounts = credited(
                roster(plan, per_key, own, narrow),
                balance.cast_signed(),
                &clock,
            );
            let last = std::sync::Mutex::new(None);
            let refused = |bound: Binding| {
                assert_eq!(bound.reason, Reason::Spent);
                *last.lock().unwrap() = Some(bound);
            };
            assert_eq!(burst(&accounts, &clock, refused, |_| COST), 50);
            let last = last.into_inner().unwrap().unwrap();
            let named = last.credit.is_none().then_some(last.scope);
            assert_eq!(named, scope, "{paid:?}");
            let (first, second) = (key(&accounts, "k1"), key(&accounts, "k2"));
            let (first, second) = (counts(&first, &clock), counts(&second, &clock));
            assert_eq!(first[0].0 + second[0].0, 50 * PRICE);
            assert_eq!((first[2], first[3]), ((50 * PRICE, 0), (50 * PRICE, 0)));
            assert_eq!(credit(&accounts), ((balance - 50 * PRICE).cast_signed(), 0));
        }
    }
}

#[test]
fn what_failed_calls_give_back_serves_others() {
    for _ in 0..20 {
        let clock = clock();
        let accounts = credited(unlimited(), 500_i64 * PRICE.cast_signed(), &clock);
        let settled = |call: usize| {
            if call.is_multiple_of(3) {
                Settled::Void
            } else {
                COST
            }
        };
        let refused = |bound: Binding| assert_eq!(bound.reason, Reason::Spent);
        // Up to 8 calls are between taking and giving back when others are refused.
        let served = burst(&accounts, &clock, refused, settled);
        assert!(served <= 500, "{served}");
        let left = 500 - served;
        assert_eq!(credit(&accounts), ((left * PRICE).cast_signed(), 0));
    }
}

#[test]
fn tokens_at_once_never_cost_more_than_there_is() {
    for _ in 0..20 {
        let clock = clock();
        let accounts = credited(
            roster(
                budget(90_000),
                Default::default(),
                Default::default(),
                Default::default(),
            ),
            100_000,
            &clock,
        );
        let key = key(&accounts, "k1");
        let spent = AtomicU64::new(0);
        let prices = terms(3, 2, 5);
        at_once(|call| {
            let wanted = wanted(50, 40);
            match hold(&key, &priced(wanted, &prices), &clock) {
                Ok(taken) => {
                    let actual = 3 + (call as u64 * 17) % 300;
                    assert!(actual.cast_signed() <= taken.money().nanos());
                    spent.fetch_add(actual, Ordering::Relaxed);
                    let settled = cost(actual.cast_signed());
                    key.account.book.settle(taken, settled, &clock);
                }
                Err(bound) => assert!(bound.reason <= Reason::OnHold),
            }
        });
        let spent = spent.into_inner();
        assert!(spent <= 90_000 && spent > 90_000 - 303, "{spent}");
        assert_eq!(counts(&key, &clock), [(spent, 0)]);
        assert_eq!(credit(&accounts), (100_000 - spent.cast_signed(), 0));
    }
}
