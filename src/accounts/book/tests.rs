use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Binding, Taken};
use crate::{
    accounts::{
        Accounts, Key, Output, Reading, Reason, Settled, Wanted,
        fixtures::{at, clock, counted, key, planned, quota, quotas, rates, roster, wanted},
    },
    domain::{Clock, Limits, Mode, Per, Scope, Unit},
};

mod bursts;
mod model;
mod money;
mod rates;

fn hold(key: &Key, wanted: &Wanted, clock: &Clock) -> Result<Taken, Binding> {
    let account = &key.account;
    account
        .book
        .hold(&key.levels, wanted, clock, account.anchor)
}

fn readings(key: &Key, clock: &Clock) -> Vec<Reading> {
    let mut readings = Vec::new();
    let account = &key.account;
    account
        .book
        .read(&key.levels, clock, account.anchor, |reading| {
            readings.push(reading)
        });
    readings
}

/// (used, held) of every quota, in the order of the levels.
fn counts(key: &Key, clock: &Clock) -> Vec<(u64, u64)> {
    let quotas = readings(key, clock)
        .into_iter()
        .map(|reading| reading.figures);
    quotas
        .filter(|figures| figures.per.is_some())
        .map(|figures| (figures.used, figures.held))
        .collect()
}

#[test]
fn a_thousand_at_once_against_fifty_admit_fifty_a_hundred_times() {
    const THREADS: usize = 8;
    for _ in 0..100 {
        let clock = clock();
        let (_accounts, key) = planned(quotas(&[quota(Unit::Requests, Per::Hour, 50)]), &clock);
        let admitted = AtomicUsize::new(0);
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..1000 / THREADS {
                        match hold(&key, &wanted(10, 10), &clock) {
                            Ok(taken) => {
                                admitted.fetch_add(1, Ordering::Relaxed);
                                key.account.book.settle(taken, counted(20), &clock);
                            }
                            Err(bound) => assert_eq!(bound.reason, Reason::Spent),
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 50);
        assert_eq!(counts(&key, &clock), [(50, 0)]);
    }
}

#[test]
fn tokens_held_at_once_never_pass_the_limit() {
    const THREADS: usize = 8;
    for _ in 0..20 {
        let clock = clock();
        let (_accounts, key) = planned(quotas(&[quota(Unit::Tokens, Per::Day, 10_000)]), &clock);
        let used = AtomicUsize::new(0);
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (key, clock, used, start) = (&key, &clock, &used, &start);
                scope.spawn(move || {
                    start.wait();
                    for turn in 0..100 {
                        let actual = (thread * 31 + turn * 17) % 130 + 1;
                        if let Ok(taken) = hold(key, &wanted(100, 30), clock) {
                            used.fetch_add(actual, Ordering::Relaxed);
                            let settled = counted(actual as u64);
                            key.account.book.settle(taken, settled, clock);
                        }
                    }
                });
            }
        });
        let used = used.into_inner() as u64;
        assert_eq!(counts(&key, &clock), [(used, 0)]);
        assert!(used <= 10_000 && used > 10_000 - 130, "{used}");
    }
}

#[test]
fn every_level_is_taken_or_none() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let tokens = |limit| quotas(&[quota(Unit::Tokens, Per::Day, limit)]);
    let requests = quotas(&[quota(Unit::Requests, Per::Hour, 9)]);
    accounts.publish(roster(tokens(1000), requests, tokens(500), tokens(200)));
    let (first, second) = (key(&accounts, "k1"), key(&accounts, "k2"));
    // The key's own, its share of the plan, the account's, the plan's.
    let taken = hold(&first, &wanted(100, 50), &clock).unwrap();
    assert_eq!(
        counts(&first, &clock),
        [(0, 150), (1, 0), (0, 150), (0, 150)]
    );
    let bound = hold(&first, &wanted(40, 20), &clock).unwrap_err();
    assert_eq!((bound.reason, bound.scope), (Reason::OnHold, Scope::Key));
    assert_eq!(
        counts(&first, &clock),
        [(0, 150), (1, 0), (0, 150), (0, 150)]
    );
    // The other key has no limit of its own, but shares the account's.
    let bound = hold(&second, &wanted(300, 51), &clock).unwrap_err();
    assert_eq!(
        (bound.reason, bound.scope),
        (Reason::OnHold, Scope::Account)
    );
    let bound = hold(&second, &wanted(300, 201), &clock).unwrap_err();
    assert_eq!(
        (bound.reason, bound.scope),
        (Reason::TooLarge, Scope::Account)
    );
    assert_eq!(
        (bound.limit, bound.used, bound.held, bound.asked),
        (500, 0, 150, 501)
    );
    assert_eq!(counts(&second, &clock), [(0, 0), (0, 150), (0, 150)]);

    let changes = first
        .account
        .book
        .settle(taken, counted(70), &clock)
        .counters;
    assert_eq!(counts(&first, &clock), [(70, 0), (1, 0), (70, 0), (70, 0)]);
    // The account's and the plan's limit read one counter, which moves once.
    let moved: Vec<_> = changes
        .iter()
        .map(|change| (change.name.unit, change.add))
        .collect();
    assert_eq!(
        moved,
        [(Unit::Tokens, 70), (Unit::Requests, 1), (Unit::Tokens, 70)]
    );
}

#[test]
fn a_call_that_never_happened_gives_everything_back() {
    let clock = clock();
    let limits = [
        quota(Unit::Requests, Per::Day, 1),
        quota(Unit::Tokens, Per::Day, 1000),
    ];
    let (_accounts, key) = planned(quotas(&limits), &clock);
    let taken = hold(&key, &wanted(100, 100), &clock).unwrap();
    let bound = hold(&key, &wanted(100, 100), &clock).unwrap_err();
    assert_eq!((bound.reason, bound.unit), (Reason::Spent, Unit::Requests));
    let changes = key
        .account
        .book
        .settle(taken, Settled::Void, &clock)
        .counters;
    assert_eq!(changes, []);
    assert_eq!(counts(&key, &clock), [(0, 0), (0, 0)]);
    assert!(hold(&key, &wanted(100, 100), &clock).is_ok());
}

#[test]
fn a_call_settles_in_the_window_that_admitted_it() {
    let clock = clock();
    let limits = [
        quota(Unit::Requests, Per::Hour, 5),
        quota(Unit::Tokens, Per::Day, 1000),
    ];
    let (_accounts, key) = planned(quotas(&limits), &clock);
    let kept = hold(&key, &wanted(100, 100), &clock).unwrap();
    let void = hold(&key, &wanted(100, 100), &clock).unwrap();
    clock.advance(Duration::from_secs(3600));
    assert_eq!(counts(&key, &clock), [(0, 0), (0, 400)]);
    let next = hold(&key, &wanted(100, 100), &clock).unwrap();
    let changes = key.account.book.settle(kept, counted(50), &clock).counters;
    let starts: Vec<_> = changes.iter().map(|change| change.window_start).collect();
    assert_eq!(
        starts,
        [at("2026-11-20T12:00:00Z"), at("2026-11-20T00:00:00Z")]
    );
    assert_eq!(counts(&key, &clock), [(1, 0), (50, 400)]);
    // What is given back to a window that has passed is not taken from the present one.
    key.account.book.settle(void, Settled::Void, &clock);
    key.account.book.settle(next, counted(10), &clock);
    assert_eq!(counts(&key, &clock), [(1, 0), (60, 0)]);
}

#[test]
fn reasons_are_told_apart_and_ordered() {
    let clock = clock();
    let (_accounts, key) = planned(
        quotas(&[
            quota(Unit::Tokens, Per::Hour, 100),
            quota(Unit::Tokens, Per::Day, 300),
        ]),
        &clock,
    );
    let reason = |input| {
        hold(&key, &wanted(input, 0), &clock)
            .map(drop)
            .unwrap_err()
            .reason
    };
    assert_eq!(reason(101), Reason::TooLarge);
    let held = hold(&key, &wanted(60, 0), &clock).unwrap();
    assert_eq!(reason(41), Reason::OnHold);
    key.account.book.settle(held, counted(60), &clock);
    assert_eq!(reason(41), Reason::TooLarge);
    let held = hold(&key, &wanted(40, 0), &clock).unwrap();
    // More than was held: it is charged all the same.
    key.account.book.settle(held, counted(400), &clock);
    assert_eq!(counts(&key, &clock), [(460, 0), (460, 0)]);
    assert_eq!(reason(1), Reason::Spent);
    let spent = key
        .account
        .book
        .spent(&key.levels, clock.now(), key.account.anchor);
    assert_eq!(spent.map(|bound| bound.per), Some(Some(Per::Hour)));
    clock.advance(Duration::from_secs(3600));
    let bound = hold(&key, &wanted(1, 0), &clock).unwrap_err();
    assert_eq!((bound.reason, bound.per), (Reason::Spent, Some(Per::Day)));
    clock.advance(Duration::from_secs(12 * 3600));
    assert!(hold(&key, &wanted(100, 0), &clock).is_ok());
}

#[test]
fn nothing_of_nothing_is_spent_at_once() {
    let clock = clock();
    let (_accounts, key) = planned(quotas(&[quota(Unit::Requests, Per::Day, 0)]), &clock);
    let spent = key
        .account
        .book
        .spent(&key.levels, clock.now(), key.account.anchor);
    assert_eq!(spent.map(|bound| bound.reason), Some(Reason::Spent));
    assert!(hold(&key, &wanted(0, 0), &clock).is_err());
}

/// By a clock that is ahead for a while nobody gets the present window's quota twice, and what was used meanwhile counts.
#[test]
fn a_clock_that_was_ahead_gives_no_quota_twice() {
    let hours = 3_600_000;
    for ahead in [1, 2, 30, 365 * 24].map(|count| count * hours) {
        for per in [Per::Hour, Per::Day, Per::Month, Per::Period] {
            let clock = clock();
            let (_accounts, key) = planned(quotas(&[quota(Unit::Tokens, per, 1000)]), &clock);
            let spend = |tokens| {
                let taken = hold(&key, &wanted(tokens, 0), &clock)?;
                key.account.book.settle(taken, counted(tokens), &clock);
                Ok(())
            };
            let counted_now = || readings(&key, &clock)[0].figures;
            let resets_at = counted_now().resets_at;
            let case = format!("{per}, {ahead} ms");
            spend(600).unwrap();
            let under_way = hold(&key, &wanted(100, 0), &clock).unwrap();
            clock.set_wrong(ahead);
            let later = counted_now().resets_at != resets_at;
            let meanwhile = if later { 900 } else { 200 };
            spend(meanwhile).unwrap();
            clock.set_wrong(0);
            key.account.book.settle(under_way, counted(100), &clock);
            let back = counted_now();
            assert_eq!((back.used, back.held), (700 + meanwhile, 0), "{case}");
            assert_eq!(back.resets_at, resets_at, "{case}");
            let refused = spend(200).map_err(|bound: Binding| bound.resets_at);
            assert_eq!(refused, Err(resets_at), "{case}");
            // Once more, and nothing is counted another time.
            clock.set_wrong(ahead);
            let there = if later { meanwhile } else { 700 + meanwhile };
            assert_eq!(counted_now().used, there, "{case}");
            clock.set_wrong(0);
            assert_eq!(counted_now().used, 700 + meanwhile, "{case}");
        }
    }
}

#[test]
fn a_shadow_counts_and_never_refuses() {
    let clock = clock();
    let mut shadow = quota(Unit::Requests, Per::Day, 1);
    shadow.mode = Mode::Shadow;
    let (_accounts, key) = planned(quotas(&[shadow]), &clock);
    assert!(hold(&key, &wanted(1, 1), &clock).unwrap().shadow.is_none());
    let second = hold(&key, &wanted(1, 1), &clock).unwrap();
    assert_eq!(second.shadow.map(|bound| bound.reason), Some(Reason::Spent));
    assert!(
        key.account
            .book
            .spent(&key.levels, clock.now(), key.account.anchor)
            .is_none()
    );
    assert_eq!(counts(&key, &clock), [(2, 0)]);
    assert!(!key.levels.limits_tokens());
}

#[test]
fn the_output_is_what_every_level_can_hold() {
    let clock = clock();
    let (_accounts, key) = planned(
        quotas(&[
            quota(Unit::Tokens, Per::Hour, 1000),
            quota(Unit::Tokens, Per::Day, 4000),
        ]),
        &clock,
    );
    let open = |input, answers, most| Wanted {
        output: Output::UpTo { most, floor: 256 },
        answers,
        ..wanted(input, 0)
    };
    let output = |wanted: Wanted| match hold(&key, &wanted, &clock) {
        Ok(taken) => {
            let output = taken.output;
            key.account.book.settle(taken, Settled::Void, &clock);
            Ok(output)
        }
        Err(bound) => Err(bound.reason),
    };
    // The smaller of what is wanted and what is left, for each answer.
    assert_eq!(output(open(100, 1, 500)), Ok(500));
    assert_eq!(output(open(100, 1, 16_384)), Ok(900));
    assert_eq!(output(open(100, 3, 16_384)), Ok(300));
    // A floor that does not fit is refused, not lowered; a model that can do less is not raised to it.
    assert_eq!(output(open(744, 1, 16_384)), Ok(256));
    assert_eq!(output(open(745, 1, 16_384)), Err(Reason::TooLarge));
    assert_eq!(output(open(100, 4, 16_384)), Err(Reason::TooLarge));
    assert_eq!(output(open(900, 1, 100)), Ok(100));
    // What others hold counts as gone.
    let other = hold(&key, &wanted(300, 200), &clock).unwrap();
    assert_eq!(output(open(100, 1, 16_384)), Ok(400));
    assert_eq!(output(open(300, 1, 16_384)), Err(Reason::OnHold));
    key.account.book.settle(other, counted(10), &clock);
    assert_eq!(output(open(100, 1, 16_384)), Ok(890));
    // A client's own number is not touched.
    let taken = hold(&key, &wanted(100, 890), &clock).unwrap();
    assert_eq!(taken.output, 890);
}

#[derive(Debug, Clone)]
enum Step {
    Hold(u64, u64),
    Settle(usize, Option<u64>),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u64..600, 0_u64..600).prop_map(|(input, output)| Step::Hold(input, output)),
        3 => (0_usize..10, proptest::option::of(0_u64..600)).prop_map(|(which, used)| Step::Settle(which, used)),
        1 => (0_u64..7200).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    /// Whatever happens in whatever order: nobody is admitted above a limit, what is settled is counted once, and in the
    /// end nothing is held.
    #[test]
    fn holds_and_settlements_add_up(steps in steps()) {
        let clock = clock();
        let limits: Limits = quotas(&[
            quota(Unit::Tokens, Per::Day, 3000),
            quota(Unit::Tokens, Per::Hour, 1500),
            quota(Unit::Requests, Per::Hour, 12),
        ]);
        let (_accounts, key) = planned(limits, &clock);
        let book = Arc::clone(&key.account.book);
        let mut open: Vec<(Taken, u64)> = Vec::new();
        let mut stored = 0_u64;
        for step in steps {
            match step {
                Step::Hold(input, output) => if let Ok(taken) = hold(&key, &wanted(input, output), &clock) {
                    for (index, (used, held)) in counts(&key, &clock).into_iter().enumerate() {
                        prop_assert!(used + held <= [3000, 1500, 12][index]);
                    }
                    open.push((taken, input + output));
                },
                Step::Settle(which, used) if !open.is_empty() => {
                    let (taken, bound) = open.remove(which % open.len());
                    let settled = used.map_or(Settled::Void, |used| counted(used.min(bound)));
                    for change in book.settle(taken, settled, &clock).counters {
                        stored += if change.name.per == Per::Day { change.add } else { 0 };
                    }
                }
                Step::Settle(..) => {}
                Step::Pass(seconds) => clock.advance(Duration::from_secs(seconds)),
            }
        }
        let same_day = clock.now() < at("2026-11-21T00:00:00Z");
        for (taken, _) in open {
            for change in book.settle(taken, counted(1), &clock).counters {
                stored += if change.name.per == Per::Day { change.add } else { 0 };
            }
        }
        let counts = counts(&key, &clock);
        prop_assert!(counts.iter().all(|(_, held)| *held == 0));
        if same_day {
            prop_assert_eq!(counts[0].0, stored);
        }
    }
}
