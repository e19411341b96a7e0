//! Keys: made, changed, rotated, revoked.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{TestRegistry, ask, get, now, registry, rejections};
use crate::{
    accounts::{ApiKey, KeySpec},
    admin::{Registry, operations::rotate_key},
    domain::KeyDigest,
};

async fn make(registry: &TestRegistry, wanted: Value) -> Value {
    let (status, made) = ask(registry, Method::POST, "/admin/v1/keys", wanted).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made
}

fn spec(registry: &TestRegistry, id: &str) -> KeySpec {
    let roster = registry.roster();
    let found = roster.keys.iter().find(|key| key.id.as_str() == id);
    (**found.unwrap()).clone()
}

#[tokio::test]
async fn a_new_key_is_shown_once_and_kept_as_its_digest() {
    let registry = registry();
    let made = make(
        &registry,
        json!({
            "id": "bob-1",
            "account": "bob",
            "expires_at": "2027-01-01T00:00:00Z",
            "models": ["gpt-4o-mini"],
            "allowed_ips": ["10.0.0.0/8", "2001:db8::1"],
            "rate_limits": {"requests_per_minute": 5},
        }),
    )
    .await;
    let text = made["key"].as_str().unwrap().to_owned();
    assert!(ApiKey::looks_valid(&text));
    let kept = spec(&registry, "bob-1");
    assert_eq!(kept.digests[..], [(KeyDigest::of(text.as_bytes()), None)]);
    assert!(text.starts_with(&format!("fg_{}_", kept.public_part)));

    let (status, mut read) = get(&registry, "/admin/v1/keys/bob-1").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!read.to_string().contains(&text));
    read["public_part"] = "<public>".into();
    insta::assert_snapshot!("key_read", format!("{read:#}"));
}

#[tokio::test]
async fn a_key_without_a_name_gets_one_and_may_belong_to_an_account_of_the_file() {
    let registry = registry();
    let made = make(&registry, json!({"account": "acme"})).await;
    let expected = format!("key-{}", made["public_part"].as_str().unwrap());
    assert_eq!(made["id"], expected);
    assert_eq!(made["source"], "api");
}

#[tokio::test]
async fn a_rotation_keeps_the_old_secret_for_a_while() {
    let registry = registry();
    let first = make(&registry, json!({"id": "k", "account": "bob"})).await;
    let path = "/admin/v1/keys/k/rotate";
    let (status, second) = ask(&registry, Method::POST, path, json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(first["key"], second["key"]);
    assert_eq!(second["previous_secret_until"], "2026-11-21T12:00:00Z");
    let digest = |made: &Value| KeyDigest::of(made["key"].as_str().unwrap().as_bytes());
    let ends = "2026-11-21T12:00:00Z".parse().ok();
    let expected = [(digest(&first), ends), (digest(&second), None)];
    assert_eq!(spec(&registry, "k").digests[..], expected);

    let body = json!({"overlap_seconds": 0});
    let (_, third) = ask(&registry, Method::POST, path, body).await;
    assert_eq!(spec(&registry, "k").digests[..], [(digest(&third), None)]);
    assert_eq!(third["previous_secret_until"], json!(null));
}

#[test]
fn a_second_rotation_does_not_lengthen_the_first() {
    let registry = registry();
    let mut roster = (*registry.roster()).clone();
    Arc::make_mut(&mut roster.keys[0]).source = crate::accounts::Source::Api;
    let hour = Duration::from_secs(3600);
    let once = rotate_key(&roster, "acme-ci", hour, now()).unwrap();
    roster.keys[0] = once.spec.into();
    let later = now().plus(hour / 2);
    let twice = rotate_key(&roster, "acme-ci", 24 * hour, later).unwrap();
    let ends: Vec<_> = twice.spec.digests.iter().map(|(_, end)| *end).collect();
    assert_eq!(
        ends,
        [Some(now().plus(hour)), Some(later.plus(24 * hour)), None]
    );
    roster.keys[0] = twice.spec.into();
    let much_later = now().plus(2 * hour);
    let thrice = rotate_key(&roster, "acme-ci", hour, much_later).unwrap();
    let kept = thrice.spec.digests.iter();
    let ended = KeyDigest::of(b"secret");
    assert!(kept.clone().all(|(digest, _)| *digest != ended));
    assert_eq!(kept.len(), 3, "ended secrets are forgotten, others are not");
}

#[tokio::test]
async fn a_revoked_key_stays_in_the_list_and_keeps_its_date() {
    let registry = registry();
    make(&registry, json!({"id": "k", "account": "bob"})).await;
    let (status, revoked) = ask(&registry, Method::DELETE, "/admin/v1/keys/k", json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(revoked["revoked_at"], super::NOW);
    let (status, again) = ask(&registry, Method::DELETE, "/admin/v1/keys/k", json!(null)).await;
    assert_eq!((status, again), (StatusCode::OK, revoked));
}

#[tokio::test]
async fn a_key_is_changed() {
    let registry = registry();
    make(
        &registry,
        json!({"id": "k", "account": "bob", "expires_at": "2027-01-01T00:00:00Z"}),
    )
    .await;
    let change = json!({"disabled": true, "expires_at": null, "allowed_ips": ["192.0.2.0/24"]});
    let (status, changed) = ask(&registry, Method::PATCH, "/admin/v1/keys/k", change).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(changed["state"], "disabled");
    assert_eq!(changed["expires_at"], json!(null));
    assert_eq!(changed["allowed_ips"], json!(["192.0.2.0/24"]));
}

#[tokio::test]
async fn mistakes_are_named() {
    let registry = registry();
    make(&registry, json!({"id": "k", "account": "bob"})).await;
    make(&registry, json!({"id": "gone", "account": "bob"})).await;
    ask(
        &registry,
        Method::DELETE,
        "/admin/v1/keys/gone",
        json!(null),
    )
    .await;
    let before = registry.roster();
    let post = |body| (Method::POST, "/admin/v1/keys", body);
    let rotate = |path, body| (Method::POST, path, body);
    let cases = [
        post(json!({})),
        post(json!({"account": "nobody"})),
        post(json!({"account": "bob", "id": "k"})),
        post(json!({"account": "bob", "id": ""})),
        post(json!({"account": "bob", "key": "fg_mine"})),
        post(json!({"account": "bob", "expires_at": "2026-11-20T12:00:00Z"})),
        post(json!({"account": "bob", "allowed_ips": "10.0.0.0/8"})),
        post(json!({"account": "bob", "allowed_ips": ["10.0.0.0/33"]})),
        (
            Method::PATCH,
            "/admin/v1/keys/acme-ci",
            json!({"disabled": true}),
        ),
        (Method::DELETE, "/admin/v1/keys/acme-ci", json!(null)),
        (
            Method::PATCH,
            "/admin/v1/keys/k",
            json!({"account": "acme"}),
        ),
        (
            Method::PATCH,
            "/admin/v1/keys/k",
            json!({"expires_at": "2020-01-01T00:00:00Z"}),
        ),
        (Method::DELETE, "/admin/v1/keys/nobody", json!(null)),
        (Method::DELETE, "/admin/v1/keys/k", json!({"really": true})),
        rotate("/admin/v1/keys/gone/rotate", json!(null)),
        rotate("/admin/v1/keys/acme-ci/rotate", json!(null)),
        rotate("/admin/v1/keys/k/rotate", json!({"overlap_seconds": -1})),
        rotate("/admin/v1/keys/k/rotate", json!({"overlap": "24h"})),
        (Method::GET, "/admin/v1/keys/k/rotate", json!(null)),
        (Method::PUT, "/admin/v1/keys", json!(null)),
    ];
    insta::assert_snapshot!("key_mistakes", rejections(&registry, &cases).await);
    assert_eq!(registry.roster(), before, "nothing was changed");
}

#[test]
fn secrets_of_one_key_are_bounded() {
    let mut roster = (*registry().roster()).clone();
    Arc::make_mut(&mut roster.keys[0]).source = crate::accounts::Source::Api;
    let day = Duration::from_secs(86_400);
    let refused = (0..20).find_map(|_| match rotate_key(&roster, "acme-ci", day, now()) {
        Ok(made) => {
            roster.keys[0] = made.spec.into();
            None
        }
        Err(rejection) => Some(rejection),
    });
    assert!(refused.unwrap().detail.contains("8 secrets"));
    assert_eq!(roster.keys[0].digests.len(), 8);
}

#[tokio::test]
async fn an_empty_list_of_addresses_is_not_taken_for_every_address() {
    let registry = registry();
    let wanted = json!({"id": "bob-1", "account": "bob", "allowed_ips": []});
    let (status, refused) = ask(&registry, Method::POST, "/admin/v1/keys", wanted).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    let said = refused["detail"].as_str().unwrap();
    assert!(
        said.contains("leave it out to allow every address"),
        "{said}"
    );
    let made = make(
        &registry,
        json!({"id": "bob-1", "account": "bob", "allowed_ips": ["10.0.0.0/8"]}),
    );
    assert_eq!(made.await["allowed_ips"], json!(["10.0.0.0/8"]));
    let path = "/admin/v1/keys/bob-1";
    let (status, _) = ask(&registry, Method::PATCH, path, json!({"allowed_ips": []})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // Everybody is `null`, as with models, of which an empty list has none.
    let (_, changed) = ask(
        &registry,
        Method::PATCH,
        path,
        json!({"allowed_ips": null, "models": []}),
    )
    .await;
    assert_eq!(
        (&changed["allowed_ips"], &changed["models"]),
        (&json!(null), &json!([]))
    );
}
