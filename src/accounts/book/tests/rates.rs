//! Rates, buckets and seats of several levels at once.

use super::{
    Accounts, Duration, Limits, Reason, Scope, Settled, Unit, clock, counted, hold, key, planned,
    rates, readings, roster, wanted,
};

#[test]
fn all_rates_are_taken_or_none() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let rate = |requests| rates(requests, 0, 0);
    accounts.publish(roster(rate(5), rate(2), rate(4), rate(3)));
    let (first, second) = (key(&accounts, "k1"), key(&accounts, "k2"));
    let book = &first.account.book;
    let left = || {
        let limits = readings(&first, &clock)
            .into_iter()
            .map(|reading| reading.figures);
        limits
            .map(|figures| figures.limit - figures.used)
            .collect::<Vec<_>>()
    };
    // The key's own, its share of the plan, the account's, the plan's.
    assert_eq!(left(), [3, 2, 4, 5]);
    for _ in 0..2 {
        assert!(book.enter(&first.levels).is_ok());
    }
    assert_eq!(left(), [1, 0, 2, 3]);
    let bound = book.enter(&first.levels).unwrap_err();
    assert_eq!(
        (bound.reason, bound.scope, bound.limit),
        (Reason::Rate, Scope::Key, 2)
    );
    assert_eq!(bound.wait, Some(Duration::from_secs(30)));
    assert_eq!(left(), [1, 0, 2, 3]);
    // The other key has a share of its own, and takes from the account's and the plan's.
    for _ in 0..2 {
        assert!(book.enter(&second.levels).is_ok());
    }
    assert_eq!(left(), [1, 0, 0, 1]);
    clock.advance(Duration::from_secs(15));
    let bound = book.enter(&second.levels).unwrap_err();
    assert_eq!((bound.scope, bound.limit), (Scope::Key, 2));
    clock.advance(Duration::from_secs(15));
    assert!(book.enter(&second.levels).is_ok());
}

#[test]
fn a_seat_is_free_when_it_is_dropped_and_a_refused_call_takes_none() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let seats = |concurrent| rates(0, 0, concurrent);
    let none = Limits::default();
    accounts.publish(roster(seats(3), seats(2), none, rates(1000, 0, 0)));
    let (first, second) = (key(&accounts, "k1"), key(&accounts, "k2"));
    let book = &first.account.book;
    let one = book.enter(&first.levels).unwrap();
    let two = book.enter(&first.levels).unwrap();
    let bound = book.enter(&first.levels).unwrap_err();
    assert_eq!(
        (bound.reason, bound.scope),
        (Reason::Concurrency, Scope::Key)
    );
    // What takes no seat goes on.
    assert!(book.enter_unseated(&first.levels).is_ok());
    let three = book.enter(&second.levels).unwrap();
    let bound = book.enter(&second.levels).unwrap_err();
    assert_eq!(
        (bound.reason, bound.scope),
        (Reason::Concurrency, Scope::Plan)
    );
    drop(one);
    drop(book.enter(&second.levels).unwrap());
    drop((two, three));
    let taken = readings(&first, &clock)
        .into_iter()
        .map(|reading| reading.figures);
    let seats: Vec<_> = taken
        .filter(|figures| figures.reason == Reason::Concurrency)
        .collect();
    assert!(seats.iter().all(|figures| figures.used == 0), "{seats:?}");
    // Three entered for the rate; of the refused ones nobody did.
    let rate = readings(&first, &clock)[0].figures;
    assert_eq!((rate.reason, rate.used), (Reason::Rate, 3));
}

#[test]
fn a_bucket_is_corrected_when_the_call_ends() {
    let clock = clock();
    let (_accounts, key) = planned(rates(0, 1000, 0), &clock);
    let left = || {
        let figures = readings(&key, &clock)[0].figures;
        figures.limit - figures.used
    };
    // A quarter of the bytes, and 1024 of the output at most: on a full bucket more than it holds is admitted.
    let taken = hold(&key, &wanted(400, 5000), &clock).unwrap();
    assert_eq!(left(), 0);
    let bound = hold(&key, &wanted(4, 0), &clock).unwrap_err();
    assert_eq!((bound.reason, bound.unit), (Reason::Rate, Unit::Tokens));
    // 100 and 1024 were taken: 124 in debt, and one for the next call.
    assert_eq!(bound.wait, Some(Duration::from_millis(7500)));
    // What asks for no tokens does not wait for any.
    assert!(hold(&key, &wanted(0, 0), &clock).is_ok());
    key.account.book.settle(taken, counted(300), &clock);
    assert_eq!(left(), 700);
    let taken = hold(&key, &wanted(400, 100), &clock).unwrap();
    assert_eq!(left(), 500);
    key.account.book.settle(taken, counted(2500), &clock);
    let bound = hold(&key, &wanted(4, 0), &clock).unwrap_err();
    assert_eq!(bound.wait, Some(Duration::from_millis(1801 * 60)));
    clock.advance(Duration::from_millis(1801 * 60));
    let taken = hold(&key, &wanted(4, 0), &clock).unwrap();
    key.account.book.settle(taken, Settled::Void, &clock);
    assert_eq!(left(), 1);
}

#[test]
fn a_bucket_that_binds_leaves_the_quotas_alone() {
    let clock = clock();
    let mut limits = rates(0, 100, 0);
    limits
        .quotas
        .push(super::quota(Unit::Requests, super::Per::Day, 10));
    let (_accounts, key) = planned(limits, &clock);
    let _taken = hold(&key, &wanted(400, 0), &clock).unwrap();
    assert_eq!(
        hold(&key, &wanted(400, 0), &clock).unwrap_err().reason,
        Reason::Rate
    );
    assert_eq!(super::counts(&key, &clock), [(1, 0)]);
}
