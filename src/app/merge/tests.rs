use std::{collections::HashMap, sync::Arc};

use super::merged;
use crate::{
    accounts::{AccountSpec, Digests, KeySpec, Label, Own, Roster, Source},
    domain::{
        AccountId, KeyDigest, KeyId, Limits, PlanId, Subscription, SubscriptionStatus, Timestamp,
        Window,
    },
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn account(id: &str, plan: &str, source: Source) -> Arc<AccountSpec> {
    Arc::new(AccountSpec {
        id: AccountId::parse(id).unwrap(),
        plan: PlanId::parse(plan).unwrap(),
        source,
        created_at: at("2026-11-20T00:00:00Z"),
        disabled: false,
        subscription: None,
        models: None,
        limits: Limits::default(),
        email: None,
        opening_credit: None,
    })
}

fn key(id: &str, account: &str, secret: &str, source: Source) -> Arc<KeySpec> {
    Arc::new(KeySpec {
        id: KeyId::parse(id).unwrap(),
        account: AccountId::parse(account).unwrap(),
        source,
        digests: Digests::one(KeyDigest::of(secret.as_bytes())),
        public_part: Label::default(),
        created_at: at("2026-11-20T00:00:00Z"),
        disabled: false,
        own: Own::default(),
    })
}

fn file() -> Roster {
    Roster {
        accounts: vec![account("a", "file", Source::Config)],
        keys: vec![key("k", "a", "secret", Source::Config)],
        ..Roster::default()
    }
}

#[test]
fn the_file_wins_where_both_name_the_same() {
    let accounts = [
        account("a", "api", Source::Api),
        account("b", "api", Source::Api),
    ];
    let keys = [
        key("k", "b", "another", Source::Api),
        key("same-secret", "b", "secret", Source::Api),
        key("of-the-files-account", "a", "third", Source::Api),
        key("own", "b", "fourth", Source::Api),
    ];
    let all = merged(&file(), &accounts, &keys, &HashMap::new(), &HashMap::new());
    let plans: Vec<_> = all
        .accounts
        .iter()
        .map(|account| (account.id.as_str(), account.plan.as_str()))
        .collect();
    assert_eq!(plans, [("a", "file"), ("b", "api")]);
    let owners: Vec<_> = all
        .keys
        .iter()
        .map(|key| (key.id.as_str(), key.account.as_str()))
        .collect();
    assert_eq!(
        owners,
        [("k", "a"), ("of-the-files-account", "a"), ("own", "b")]
    );
}

#[test]
fn an_account_of_the_file_counts_from_when_it_was_first_seen() {
    let first = at("2026-01-31T00:00:00Z");
    let seen = HashMap::from([(AccountId::parse("a").unwrap(), first)]);
    assert_eq!(
        merged(&file(), &[], &[], &seen, &HashMap::new()).accounts[0].created_at,
        first
    );
}

#[test]
fn a_due_payment_without_a_date_gets_one() {
    let first = at("2026-01-31T00:00:00Z");
    let seen = HashMap::from([(AccountId::parse("a").unwrap(), first)]);
    let since = |stated: Subscription| {
        let mut roster = file();
        Arc::make_mut(&mut roster.accounts[0]).subscription = Some(stated);
        let merged = merged(&roster, &[], &[], &seen, &HashMap::new());
        merged.accounts[0]
            .subscription
            .clone()
            .unwrap()
            .past_due_since
    };
    let due = Subscription::with_status(SubscriptionStatus::PastDue);
    assert_eq!(since(due.clone()), Some(first));
    // What is said stays, and the period's start is a date as well.
    let stated = Some(at("2026-11-19T00:00:00Z"));
    assert_eq!(
        since(Subscription {
            past_due_since: stated,
            ..due
        }),
        stated
    );
    let period = Some(Window {
        start: at("2026-11-01T00:00:00Z"),
        end: at("2026-12-01T00:00:00Z"),
    });
    assert_eq!(since(Subscription { period, ..due }), None);
    assert_eq!(
        since(Subscription::with_status(SubscriptionStatus::Active)),
        None
    );
}

#[test]
fn an_account_that_was_never_seen_is_not_dated() {
    let mut roster = file();
    let due = Subscription::with_status(SubscriptionStatus::PastDue);
    Arc::make_mut(&mut roster.accounts[0]).subscription = Some(due.clone());
    let merged = merged(&roster, &[], &[], &HashMap::new(), &HashMap::new());
    assert_eq!(merged.accounts[0].subscription, Some(due));
}
