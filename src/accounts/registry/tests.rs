use std::{sync::Arc, time::Duration};

use super::Accounts;
use crate::{
    accounts::{
        CounterName, CounterRow, Digests, Draw, Key, Lot, Owner, Reason, Roster, Taken,
        fixtures::{
            account, at, clock, cost, counted, key, lot, priced, quota, quotas, rates, roster,
            terms, wanted,
        },
    },
    domain::{AccountId, Clock, KeyDigest, KeyId, Limits, NanoUsd, Per, Timestamp, Unit},
};

fn none() -> Limits {
    Limits::default()
}

fn use_tokens(accounts: &Accounts, clock: &Clock, tokens: u64) -> Result<(), Reason> {
    let key = key(accounts, "k1");
    let book = &key.account.book;
    let taken = book
        .hold(&key.levels, &wanted(tokens, 0), clock, key.account.anchor)
        .map_err(|bound| bound.reason)?;
    book.settle(taken, counted(tokens), clock);
    Ok(())
}

fn used(accounts: &Accounts, clock: &Clock) -> Vec<u64> {
    let key = key(accounts, "k1");
    let mut used = Vec::new();
    let account = &key.account;
    account
        .book
        .read(&key.levels, clock, account.anchor, |reading| {
            used.push(reading.figures.used)
        });
    used
}

#[test]
fn usage_stays_by_id_and_the_new_limit_applies() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let day = |limit| quotas(&[quota(Unit::Tokens, Per::Day, limit)]);
    accounts.publish(roster(day(1000), none(), none(), none()));
    use_tokens(&accounts, &clock, 600).unwrap();
    // Another plan with the same unit and window: a smaller limit is spent at once, a larger one goes on.
    accounts.publish(roster(day(500), none(), none(), none()));
    assert_eq!(use_tokens(&accounts, &clock, 1), Err(Reason::Spent));
    accounts.publish(roster(day(700), none(), none(), none()));
    assert_eq!(use_tokens(&accounts, &clock, 101), Err(Reason::TooLarge));
    use_tokens(&accounts, &clock, 100).unwrap();
    // Another window is another counter; the old one is there when its limit comes back.
    accounts.publish(roster(
        quotas(&[quota(Unit::Tokens, Per::Week, 700)]),
        none(),
        none(),
        none(),
    ));
    use_tokens(&accounts, &clock, 50).unwrap();
    accounts.publish(roster(day(1000), none(), none(), none()));
    assert_eq!(used(&accounts, &clock), [700]);
    // Gone for a while: what was used stays.
    let mut empty = roster(day(1000), none(), none(), none());
    empty.accounts.clear();
    accounts.publish(empty);
    assert!(accounts.lookup(&KeyDigest::of(b"k1")).is_none());
    accounts.publish(roster(day(1000), none(), none(), none()));
    assert_eq!(used(&accounts, &clock), [700]);
}

#[test]
fn a_key_that_comes_back_to_another_account_goes_on_where_it_was() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let day = quotas(&[quota(Unit::Tokens, Per::Day, 1000)]);
    let whole = roster(none(), none(), none(), day);
    accounts.publish(whole.clone());
    use_tokens(&accounts, &clock, 600).unwrap();
    // Taken out of the file, and put back under another name of who pays.
    let mut without = whole.clone();
    without.keys.clear();
    accounts.publish(without.clone());
    accounts.publish(without);
    accounts.publish(paid_by(&whole, "b"));
    assert_eq!(accounts.directory().keys().count(), 1);
    assert_eq!(used(&accounts, &clock), [600]);
    assert_eq!(use_tokens(&accounts, &clock, 401), Err(Reason::TooLarge));
}

/// `whole`, with another account in place of its own.
fn paid_by(whole: &Roster, other: &str) -> Roster {
    let (mut moved, other) = (whole.clone(), AccountId::parse(other).unwrap());
    Arc::make_mut(&mut moved.accounts[0]).id = other.clone();
    for key in &mut moved.keys {
        Arc::make_mut(key).account = other.clone();
    }
    moved
}

#[test]
fn what_calls_of_a_key_hold_goes_along_with_it() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let hour = |limit| quota(Unit::Tokens, Per::Hour, limit);
    let requests = quota(Unit::Requests, Per::Day, 9);
    let whole = roster(none(), none(), none(), quotas(&[hour(1000), requests]));
    let hold = |tokens| {
        let key = key(&accounts, "k1");
        let call = wanted(tokens, 0);
        let book = &key.account.book;
        let taken = book.hold(&key.levels, &call, &clock, key.account.anchor);
        taken
            .map(|taken| (Arc::clone(&key), taken))
            .map_err(|bound| bound.reason)
    };
    let settle = |(key, taken): (Arc<Key>, Taken), tokens| {
        key.account.book.settle(taken, counted(tokens), &clock);
    };
    accounts.publish(whole.clone());
    let first = hold(300).unwrap();
    let late = key(&accounts, "k1");
    accounts.publish(paid_by(&whole, "b"));
    assert_eq!(hold(701).unwrap_err(), Reason::OnHold);
    let second = hold(200).unwrap();
    // Its body was being read while the file changed.
    let book = &late.account.book;
    let third = book.hold(&late.levels, &wanted(100, 0), &clock, late.account.anchor);
    let third = (Arc::clone(&late), third.unwrap());
    assert_eq!(hold(401).unwrap_err(), Reason::OnHold);
    accounts.publish(paid_by(&whole, "c"));
    settle(first, 310);
    settle(second, 190);
    assert_eq!(used(&accounts, &clock), [500, 3]);
    assert_eq!(hold(401).unwrap_err(), Reason::OnHold);
    // Back where it began, and one of its calls is still under way there.
    accounts.publish(whole.clone());
    assert_eq!(hold(401).unwrap_err(), Reason::OnHold);
    settle(third, 90);
    assert_eq!(used(&accounts, &clock), [590, 3]);
    let fourth = hold(410).unwrap();
    // What was held of a window that has passed is nobody's.
    accounts.publish(paid_by(&whole, "b"));
    clock.advance(Duration::from_secs(3600));
    let fifth = hold(1000).unwrap();
    settle(fourth, 400);
    assert_eq!(hold(1).unwrap_err(), Reason::OnHold);
    settle(fifth, 7);
    assert_eq!(used(&accounts, &clock), [7, 5]);
}

#[test]
fn an_unchanged_rate_goes_on_and_a_changed_one_starts_fresh() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let enter = |accounts: &Accounts| {
        let key = key(accounts, "k1");
        key.account.book.enter(&key.levels).map(drop).is_ok()
    };
    accounts.publish(roster(rates(1, 0, 0), none(), none(), none()));
    assert!(enter(&accounts));
    accounts.publish(roster(rates(1, 0, 0), none(), none(), none()));
    assert!(!enter(&accounts));
    accounts.publish(roster(rates(2, 0, 0), none(), none(), none()));
    assert!(enter(&accounts) && enter(&accounts) && !enter(&accounts));
    clock.advance(Duration::from_secs(30));
    assert!(enter(&accounts) && !enter(&accounts));

    accounts.publish(roster(rates(0, 100, 0), none(), none(), none()));
    // 400 bytes are held as 100 tokens and were 400.
    use_tokens(&accounts, &clock, 400).unwrap();
    accounts.publish(roster(rates(0, 100, 0), none(), none(), none()));
    assert_eq!(use_tokens(&accounts, &clock, 4), Err(Reason::Rate));
    accounts.publish(roster(rates(0, 101, 0), none(), none(), none()));
    assert_eq!(use_tokens(&accounts, &clock, 4), Ok(()));
}

#[test]
fn calls_under_way_keep_what_they_were_admitted_by() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let mut limits = rates(0, 0, 1);
    limits.quotas.push(quota(Unit::Tokens, Per::Day, 1000));
    accounts.publish(roster(limits.clone(), none(), none(), none()));
    let old = key(&accounts, "k1");
    let seat = old.account.book.enter(&old.levels).unwrap();
    let taken = old
        .account
        .book
        .hold(&old.levels, &wanted(400, 0), &clock, old.account.anchor)
        .unwrap();
    limits.quotas[0].limit = 500;
    accounts.publish(roster(limits, none(), none(), none()));
    let new = key(&accounts, "k1");
    assert!(new.account.book.enter(&new.levels).is_err());
    assert_eq!(use_tokens(&accounts, &clock, 101), Err(Reason::OnHold));
    old.account.book.settle(taken, counted(450), &clock);
    drop(seat);
    assert!(new.account.book.enter(&new.levels).is_ok());
    assert_eq!(use_tokens(&accounts, &clock, 51), Err(Reason::TooLarge));
    assert_eq!(use_tokens(&accounts, &clock, 50), Ok(()));
}

fn row(owner: Owner, per: Per, start: &str, used: u64) -> CounterRow {
    CounterRow {
        name: CounterName {
            owner,
            unit: Unit::Tokens,
            per,
        },
        window_start: at(start),
        used,
    }
}

#[test]
fn stored_counters_go_on_when_their_accounts_appear() {
    let clock = clock();
    let account = || Owner::Account(AccountId::parse("a").unwrap());
    let stored = vec![
        row(account(), Per::Day, "2026-11-20T00:00:00Z", 300),
        row(account(), Per::Hour, "2026-11-20T11:00:00Z", 300),
        row(
            Owner::Key(KeyId::parse("k1").unwrap()),
            Per::Day,
            "2026-11-20T00:00:00Z",
            200,
        ),
        row(
            Owner::Key(KeyId::parse("a").unwrap()),
            Per::Day,
            "2026-11-20T00:00:00Z",
            999,
        ),
    ];
    let accounts = Accounts::new(clock.clone(), stored);
    let plan = quotas(&[
        quota(Unit::Tokens, Per::Day, 1000),
        quota(Unit::Tokens, Per::Hour, 1000),
    ]);
    let narrow = quotas(&[quota(Unit::Tokens, Per::Day, 1000)]);
    accounts.publish(roster(plan, none(), none(), narrow));
    assert_eq!(used(&accounts, &clock), [200, 300, 0]);
}

#[test]
fn an_account_without_its_plan_and_a_key_without_its_account_open_nothing() {
    let accounts = Accounts::new(clock(), Vec::new());
    let mut orphans = roster(none(), none(), none(), none());
    orphans.plans.clear();
    accounts.publish(orphans);
    assert!(accounts.lookup(&KeyDigest::of(b"k1")).is_none());
    let mut orphans = roster(none(), none(), none(), none());
    Arc::make_mut(&mut orphans.keys[0]).account = AccountId::parse("nobody").unwrap();
    accounts.publish(orphans);
    assert!(accounts.lookup(&KeyDigest::of(b"k1")).is_none());
    assert!(accounts.lookup(&KeyDigest::of(b"k2")).is_some());
}

#[test]
fn both_secrets_of_a_rotation_open_the_same_key() {
    let accounts = Accounts::new(clock(), Vec::new());
    let mut rotated = roster(none(), none(), none(), none());
    let end: Timestamp = at("2026-11-21T00:00:00Z");
    Arc::make_mut(&mut rotated.keys[0]).digests = Digests::from_iter([
        (KeyDigest::of(b"old"), Some(end)),
        (KeyDigest::of(b"new"), None),
    ]);
    accounts.publish(rotated);
    let old = accounts.lookup(&KeyDigest::of(b"old")).unwrap();
    let new = accounts.lookup(&KeyDigest::of(b"new")).unwrap();
    assert_eq!((old.until, new.until), (Some(end), None));
    assert!(Arc::ptr_eq(&old.key, &new.key));
}

#[test]
fn a_clock_far_from_the_newest_record_is_believed_after_an_hour() {
    for (newest, believed) in [
        (None, true),
        (Some("2026-11-20T12:00:30Z"), true),
        (Some("2026-11-20T11:00:00Z"), true),
        (Some("2026-11-19T12:00:00Z"), true),
        (Some("2026-11-19T11:59:59Z"), false),
        (Some("2018-11-20T12:00:00Z"), false),
        (Some("2026-11-20T12:01:01Z"), false),
        (Some("2036-11-20T12:00:00Z"), false),
    ] {
        let clock = clock();
        let accounts = Accounts::new(clock.clone(), Vec::new()).since(newest.map(at));
        let over = Lot {
            expires_at: Some(at("2026-11-20T11:00:00Z")),
            ..lot(2, 100)
        };
        accounts.add_lot(&account(), over);
        assert_eq!(accounts.credit(&account()).balance, NanoUsd::ZERO);
        let found = accounts.take_expired().len();
        assert_eq!(found == 1, believed, "{newest:?}");
        clock.advance(Duration::from_secs(3599));
        assert_eq!(accounts.take_expired().len(), 0, "{newest:?}");
        clock.advance(Duration::from_secs(1));
        assert_eq!(found + accounts.take_expired().len(), 1, "{newest:?}");
    }
}

#[test]
fn credit_that_expires_under_a_wrong_clock_is_there_again() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let short = Lot {
        expires_at: Some(at("2026-11-25T00:00:00Z")),
        ..lot(2, 100)
    };
    accounts.add_lot(&account(), short);
    let balance = || accounts.credit(&account()).balance.nanos();
    assert_eq!(accounts.take_expired(), []);
    // A year ahead, which is found before anything is recorded that could not be taken back.
    clock.set_wrong(365 * 86_400_000);
    assert_eq!(balance(), 0);
    assert_eq!(accounts.take_expired(), []);
    assert_eq!(accounts.take_expired_of(&account()), []);
    clock.advance(Duration::from_secs(1800));
    assert_eq!(accounts.take_expired(), []);
    clock.set_wrong(0);
    assert_eq!(balance(), 100);
    assert_eq!(accounts.take_expired(), []);
    // Its time comes, and it is recorded once.
    clock.advance(Duration::from_secs(5 * 86_400));
    assert_eq!(balance(), 0);
    let lost = accounts.take_expired();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].1[0].amount.nanos(), 100);
    assert_eq!(accounts.take_expired(), []);
    // A clock that stays where it was put is believed after an hour.
    accounts.add_lot(
        &account(),
        Lot {
            entry: 3,
            expires_at: Some(at("2026-12-25T00:00:00Z")),
            ..short
        },
    );
    clock.set_wrong(365 * 86_400_000);
    assert_eq!(accounts.take_expired(), []);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(accounts.take_expired().len(), 1);
    assert_eq!(balance(), 0);
}

#[test]
fn what_a_call_holds_of_an_expired_lot_is_recorded_after_it() {
    let clock = clock();
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let mut roster = roster(none(), none(), none(), none());
    roster.plans[0].credit_required = true;
    accounts.publish(roster);
    let short = Lot {
        expires_at: Some(at("2026-11-21T00:00:00Z")),
        ..lot(2, 100)
    };
    accounts.add_lot(&account(), short);
    let key = key(&accounts, "k1");
    let call = priced(wanted(10, 10), &terms(0, 1, 1));
    let book = &key.account.book;
    let taken = book
        .hold(&key.levels, &call, &clock, key.account.anchor)
        .unwrap();
    let lost = || -> i64 {
        let lost = accounts.take_expired();
        let draws = lost.iter().flat_map(|(_, draws)| draws);
        draws.map(|draw| draw.amount.nanos()).sum()
    };
    assert_eq!(lost(), 0, "its time has not come");
    clock.advance(Duration::from_secs(86_400));
    let held = accounts.credit(&account()).held.nanos();
    assert!(held > 5);
    assert_eq!((lost(), lost()), (100 - held, 0));
    book.settle(taken, cost(5), &clock);
    assert_eq!((lost(), lost()), (held - 5, 0));
    // What could not be recorded comes again, and what is asked for of one account does not.
    let draw = Draw {
        entry: 2,
        amount: NanoUsd::from_nanos(3),
    };
    accounts.put_back_expired(&account(), vec![draw]);
    assert_eq!(lost(), 3);
    accounts.put_back_expired(&account(), vec![draw]);
    assert_eq!(accounts.take_expired_of(&account()), [draw]);
    assert_eq!(lost(), 0);
}
