use std::{collections::HashSet, sync::Arc};

use crate::{
    accounts::{
        Accounts, CounterName, CounterRow, Digests, KeySpec, Owner, Roster,
        fixtures::{account, at, clock, key, quota, quotas, rates, roster},
    },
    domain::{KeyDigest, KeyId, Limits, Per, Unit},
};

fn none() -> Limits {
    Limits::default()
}

fn in_use(accounts: &Accounts) -> HashSet<String> {
    let directory = accounts.directory();
    directory.keys().map(|key| key.id.to_string()).collect()
}

fn digest(number: u32) -> KeyDigest {
    KeyDigest::of(&number.to_le_bytes())
}

/// A roster of so many keys of one account.
fn many(keys: u32) -> Roster {
    let mut many = roster(none(), none(), none(), none());
    let like = Arc::clone(&many.keys[0]);
    many.keys = (0..keys)
        .map(|number| {
            Arc::new(KeySpec {
                id: KeyId::parse(&format!("key-{number}")).unwrap(),
                digests: Digests::one(digest(number)),
                ..(*like).clone()
            })
        })
        .collect();
    many
}

#[test]
fn every_secret_opens_its_key_and_no_other_opens_any() {
    for keys in [0, 1, 2, 3, 1000] {
        let accounts = Accounts::new(clock(), Vec::new());
        accounts.publish(many(keys));
        for number in 0..keys {
            let found = accounts.lookup(&digest(number)).unwrap();
            assert_eq!(found.key.id.as_str(), format!("key-{number}"));
        }
        for number in keys..keys + 100 {
            assert!(accounts.lookup(&digest(number)).is_none());
        }
    }
}

#[test]
fn a_secret_that_two_keys_have_opens_the_later_one() {
    let mut doubled = roster(none(), none(), none(), none());
    let digests = doubled.keys[0].digests.clone();
    Arc::make_mut(&mut doubled.keys[1]).digests = digests;
    let accounts = Accounts::new(clock(), Vec::new());
    accounts.publish(doubled);
    assert_eq!(key(&accounts, "k1").id.as_str(), "k2");
}

#[test]
fn a_key_is_made_when_it_is_used_and_stays_made() {
    let accounts = Accounts::new(clock(), Vec::new());
    let limited = || roster(rates(1, 0, 0), none(), none(), none());
    accounts.publish(limited());
    assert!(in_use(&accounts).is_empty());
    let first = key(&accounts, "k1");
    assert!(Arc::ptr_eq(&first, &key(&accounts, "k1")));
    accounts.publish(limited());
    assert_eq!(in_use(&accounts), HashSet::from(["k1".to_owned()]));
}

#[test]
fn what_an_account_used_is_seen_though_the_key_has_gone() {
    let plain = || roster(none(), none(), none(), none());
    let mut revoked = plain();
    let first = Arc::make_mut(&mut revoked.keys[0]);
    first.own.revoked_at = Some(first.created_at);
    let mut removed = plain();
    removed.keys.remove(0);
    for later in [revoked, removed] {
        let accounts = Accounts::new(clock(), Vec::new());
        accounts.publish(plain());
        key(&accounts, "k1");
        accounts.publish(later);
        assert!(in_use(&accounts).contains("k2"));
    }
}

#[test]
fn keys_with_stored_usage_are_in_use_from_the_start() {
    let row = |owner| CounterRow {
        name: CounterName {
            owner,
            unit: Unit::Tokens,
            per: Per::Day,
        },
        window_start: at("2026-11-20T00:00:00Z"),
        used: 900,
    };
    let daily = || quotas(&[quota(Unit::Tokens, Per::Day, 1000)]);
    let of = |rows: Vec<CounterRow>| {
        let accounts = Accounts::new(clock(), rows);
        accounts.publish(roster(daily(), daily(), none(), none()));
        in_use(&accounts)
    };
    let second = Owner::Key(KeyId::parse("k2").unwrap());
    assert_eq!(of(vec![row(second)]), HashSet::from(["k2".to_owned()]));
    // One key is enough to see what the account has used.
    assert_eq!(of(vec![row(Owner::Account(account()))]).len(), 1);
}

#[test]
fn a_call_that_looked_into_the_past_changes_no_present_limit() {
    let accounts = Accounts::new(clock(), Vec::new());
    accounts.publish(roster(rates(1, 100, 0), none(), none(), none()));
    let past = accounts.directory().clone();
    accounts.publish(roster(rates(2, 200, 0), none(), none(), none()));
    let present = key(&accounts, "k1");
    let enter = || present.account.book.enter(&present.levels).is_ok();
    assert!(enter());
    // The other key was never used: its limits are made now, and those of its account are the past's.
    let late = past.lookup(&KeyDigest::of(b"k2")).unwrap();
    assert!(enter(), "two a minute");
    assert!(!enter());
    assert!(late.key.account.book.enter(&late.key.levels).is_err());
}
