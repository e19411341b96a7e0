use std::{collections::BTreeSet, time::Duration};

use crate::{
    accounts::{AccountSpec, KeySpec, OwnTerms, Source, Spoken},
    domain::{
        KeyDigest, LimitStatus, Limits, Mode, ModelName, Per, PlanId, Quota, RateLimits,
        Subscription, SubscriptionStatus, Unit, Window,
    },
    store::{
        WriteError,
        tests::{Bench, START, account_id, in_memory, key_id},
    },
};

fn limits() -> Limits {
    Limits {
        rates: RateLimits {
            requests_per_minute: 60.try_into().ok(),
            tokens_per_minute: u64::MAX.try_into().ok(),
            concurrent_requests: None,
        },
        quotas: vec![Quota {
            unit: Unit::Tokens,
            per: Per::Period,
            limit: 5_000,
            status: LimitStatus::Forbidden,
            mode: Mode::Shadow,
        }],
    }
}

fn models() -> Option<BTreeSet<ModelName>> {
    let names = ["small", "meta/llama-3.1:8b"];
    Some(names.into_iter().flat_map(ModelName::parse).collect())
}

fn account(id: &str) -> AccountSpec {
    let day = Duration::from_secs(86_400);
    AccountSpec {
        id: account_id(id),
        plan: PlanId::parse("pro").unwrap(),
        source: Source::Api,
        created_at: START,
        disabled: false,
        subscription: Some(Subscription {
            status: SubscriptionStatus::PastDue,
            period: Some(Window {
                start: START,
                end: START.plus(30 * day),
            }),
            period_end: None,
            past_due_since: Some(START.plus(day)),
            trial_end: Some(START.plus(2 * day)),
            cancel_at: Some(START.plus(3 * day)),
            cancel_at_period_end: true,
            ends_at: Some(START.plus(4 * day)),
        }),
        models: models(),
        limits: limits(),
        email: Some("billing@acme.example".parse().unwrap()),
        opening_credit: None,
    }
}

fn key(id: &str, secrets: &[&str]) -> KeySpec {
    let until = |age: usize| {
        (age > 0).then(|| START.plus(Duration::from_secs(3600 * u64::try_from(age).unwrap())))
    };
    KeySpec {
        id: key_id(id),
        account: account_id("acme"),
        source: Source::Api,
        digests: secrets
            .iter()
            .enumerate()
            .map(|(index, secret)| {
                (
                    KeyDigest::of(secret.as_bytes()),
                    until(secrets.len() - 1 - index),
                )
            })
            .collect(),
        public_part: "Zx81Qp0a".into(),
        created_at: START,
        disabled: true,
        own: OwnTerms {
            expires_at: Some(START.plus(Duration::from_secs(7))),
            revoked_at: Some(START.plus(Duration::from_secs(8))),
            models: Some(BTreeSet::new()),
            limits: limits(),
            allowed_ips: vec![
                "10.0.0.0/8".parse().unwrap(),
                "2001:db8::/32".parse().unwrap(),
            ],
        }
        .into(),
    }
}

#[tokio::test]
async fn accounts_and_keys_survive_a_restart() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut plain = account("plain");
    plain.subscription = Some(Subscription {
        period_end: Some(START),
        ..Subscription::with_status(SubscriptionStatus::Active)
    });
    plain.models = None;
    plain.limits = Limits::default();
    let rotated = key(
        "acme-ci",
        &["the oldest secret", "the old secret", "the new secret"],
    );
    store.put_account(plain.clone(), Spoken::ALL).await.unwrap();
    store
        .put_account(account("acme"), Spoken::ALL)
        .await
        .unwrap();
    store.put_key(rotated.clone()).await.unwrap();
    store.close().await;

    let (store, loaded) = bench.open();
    assert_eq!(loaded.accounts, [account("acme").into(), plain.into()]);
    assert_eq!(loaded.keys, [rotated.into()]);
    store.close().await;
}

#[tokio::test]
async fn what_is_put_again_replaces() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    store
        .put_account(account("acme"), Spoken::ALL)
        .await
        .unwrap();
    store.put_key(key("ci", &["one", "two"])).await.unwrap();
    let mut changed = account("acme");
    changed.disabled = true;
    changed.subscription = None;
    store
        .put_account(changed.clone(), Spoken::ALL)
        .await
        .unwrap();
    store.put_key(key("ci", &["two", "three"])).await.unwrap();
    // The secret that is no longer the first key's may open another.
    store.put_key(key("cd", &["one"])).await.unwrap();
    store.close().await;

    let (store, loaded) = bench.open();
    assert_eq!(loaded.accounts, [changed.into()]);
    assert_eq!(
        loaded.keys,
        [
            key("cd", &["one"]).into(),
            key("ci", &["two", "three"]).into()
        ]
    );
    store.close().await;
}

#[tokio::test]
async fn one_secret_opens_one_key() {
    let store = in_memory();
    store.put_key(key("ci", &["one"])).await.unwrap();
    let taken = store.put_key(key("cd", &["two", "one"])).await;
    assert_eq!(taken, Err(WriteError::SecretTaken));
    // Nothing of the refused key is left, and the store goes on.
    assert!(store.health().is_writable());
    store.put_key(key("cd", &["two"])).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn an_account_is_first_seen_once() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let acme = || vec![account_id("acme")];
    let both = || vec![account_id("acme"), account_id("bob")];
    let seen = store.remember_accounts(acme()).await.unwrap();
    assert_eq!(seen.get("acme"), Some(&START));
    store.close().await;

    bench.clock.advance(Duration::from_secs(5));
    let (store, loaded) = bench.open();
    assert_eq!(loaded.first_seen, seen);
    let seen = store.remember_accounts(both()).await.unwrap();
    assert_eq!(seen.get("acme"), Some(&START));
    assert_eq!(seen.get("bob"), Some(&START.plus(Duration::from_secs(5))));
    store.close().await;
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    store
        .put_key(key("ci", &["fg_a secret that nobody sees"]))
        .await
        .unwrap();
    store.close().await;
    let bytes = std::fs::read(bench.file()).unwrap();
    let has = |words: &str| {
        bytes
            .windows(words.len())
            .any(|here| here == words.as_bytes())
    };
    assert!(!has("a secret that nobody sees"));
    let digest = KeyDigest::of(b"fg_a secret that nobody sees");
    assert!(has(&format!("sha256:{digest}")));
}
