//! Token quotas need a bound of each model they allow, and models have to exist.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{TestRegistry, ask, model, registry, rejections};
use crate::{accounts::Extent, admin::misfits};

/// The same, whose file has a model without a `context_window` too.
fn with_a_boundless_model() -> TestRegistry {
    let registry = registry();
    registry
        .change(|roster| {
            let models = roster.models.as_mut().unwrap();
            models.insert(
                model("boundless"),
                Extent {
                    bounded: false,
                    priced: false,
                },
            );
        })
        .unwrap();
    registry
}

async fn create(registry: &TestRegistry, path: &str, body: Value) {
    let (status, answer) = ask(registry, Method::POST, path, body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

const ACCOUNTS: &str = "/admin/v1/accounts";
const KEYS: &str = "/admin/v1/keys";

fn a_day() -> Value {
    json!([{"tokens": 100, "per": "day"}])
}

#[tokio::test]
async fn a_token_quota_needs_a_bound_of_every_model_it_allows() {
    let registry = with_a_boundless_model();
    let narrow =
        json!({"id": "narrow", "plan": "free", "models": ["gpt-4o-mini"], "quotas": a_day()});
    create(&registry, ACCOUNTS, narrow).await;
    let wide = json!({"id": "wide", "plan": "free", "quotas": [{"requests": 5, "per": "day"}]});
    create(&registry, ACCOUNTS, wide).await;
    let key = json!({"id": "k", "account": "wide", "models": ["gpt-4o-mini"], "quotas": a_day()});
    create(&registry, KEYS, key).await;

    let refused = [
        (
            Method::POST,
            ACCOUNTS,
            json!({"id": "x", "plan": "free", "quotas": a_day()}),
        ),
        (
            Method::POST,
            KEYS,
            json!({"id": "k2", "account": "wide", "quotas": a_day()}),
        ),
        (
            Method::PATCH,
            "/admin/v1/accounts/narrow",
            json!({"models": null}),
        ),
        (
            Method::PATCH,
            "/admin/v1/accounts/wide",
            json!({"quotas": a_day()}),
        ),
        (Method::PATCH, "/admin/v1/keys/k", json!({"models": null})),
        (
            Method::POST,
            ACCOUNTS,
            json!({"id": "x", "plan": "free", "models": ["gpt-5"]}),
        ),
        (
            Method::POST,
            KEYS,
            json!({"account": "wide", "models": ["gpt-4o-mini", "gpt-5"]}),
        ),
    ];
    insta::assert_snapshot!("unbounded", rejections(&registry, &refused).await);
}

#[tokio::test]
async fn a_plan_that_allows_more_is_looked_at_with_the_keys_of_the_account() {
    let registry = with_a_boundless_model();
    registry
        .change(|roster| roster.plans[0].models = Some([model("gpt-4o-mini")].into()))
        .unwrap();
    create(&registry, ACCOUNTS, json!({"id": "a", "plan": "free"})).await;
    create(
        &registry,
        KEYS,
        json!({"id": "k", "account": "a", "quotas": a_day()}),
    )
    .await;
    let path = "/admin/v1/accounts/a";
    let (status, answer) = ask(&registry, Method::PATCH, path, json!({"plan": "pro"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("The token quota of key \"k\" needs"),
        "{detail}"
    );

    // A key that opens nothing any more holds nobody back.
    let (status, _) = ask(&registry, Method::DELETE, "/admin/v1/keys/k", json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(&registry, Method::PATCH, path, json!({"plan": "pro"})).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn what_fitted_an_earlier_file_can_still_be_disabled_and_is_told() {
    let registry = registry();
    let limited = json!({"id": "a", "plan": "free", "quotas": a_day()});
    create(&registry, ACCOUNTS, limited).await;
    create(&registry, ACCOUNTS, json!({"id": "b", "plan": "pro"})).await;
    create(&registry, KEYS, json!({"id": "k", "account": "acme"})).await;
    registry
        .change(|roster| {
            roster.models = None;
            roster.plans.retain(|plan| plan.id.as_str() != "pro");
            roster
                .accounts
                .retain(|account| account.id.as_str() != "acme");
        })
        .unwrap();
    let path = "/admin/v1/accounts/a";
    let (status, _) = ask(&registry, Method::PATCH, path, json!({"disabled": true})).await;
    assert_eq!(status, StatusCode::OK);
    let roster = Arc::clone(&registry.roster.lock().unwrap());
    insta::assert_snapshot!("told", misfits(&roster).join("\n"));
}

#[tokio::test]
async fn a_refused_key_is_not_called_by_a_name_that_was_made_for_it() {
    let registry = with_a_boundless_model();
    let wide = json!({"id": "wide", "plan": "free"});
    create(&registry, ACCOUNTS, wide).await;
    let key = json!({"account": "wide", "quotas": a_day()});
    let (status, refused) = ask(&registry, Method::POST, KEYS, key).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("The token quota of this key"), "{detail}");
    assert!(!detail.contains("key-"), "{detail}");
}

#[tokio::test]
async fn no_limit_is_above_the_largest_of_the_file() {
    let registry = registry();
    let (most, more) = (i64::MAX as u64, i64::MAX as u64 + 1);
    let words = format!("must be at most {most}.");
    for path in [ACCOUNTS, KEYS] {
        let body = |name: &str, limit: Value| {
            let body = json!({"id": "x", "plan": "free", "account": "bob", name: limit});
            let mut body = body.as_object().unwrap().clone();
            body.remove(if path == KEYS { "plan" } else { "account" });
            Value::Object(body)
        };
        let tokens = |limit: u64| body("rate_limits", json!({"tokens_per_minute": limit}));
        let quota = |unit: &str, limit: u64| {
            let first = json!({"requests": 1, "per": "hour"});
            body("quotas", json!([first, {unit: limit, "per": "day"}]))
        };
        for (wrong, at) in [
            (tokens(more), "rate_limits.tokens_per_minute"),
            (tokens(u64::MAX), "rate_limits.tokens_per_minute"),
            (quota("tokens", more), "quotas[1].tokens"),
            (quota("requests", more), "quotas[1].requests"),
        ] {
            let (status, answer) = ask(&registry, Method::POST, path, wrong).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
            assert_eq!(answer["detail"], format!("{at}: {words}"));
        }
        create(&registry, path, tokens(most)).await;
    }
}

/// A model that was renamed in the file takes nobody along.
#[tokio::test]
async fn who_names_a_model_that_the_file_no_longer_has_is_told() {
    let registry = registry();
    let narrow = |id: &str| json!({"id": id, "plan": "free", "models": ["gpt-4o-mini"]});
    create(&registry, ACCOUNTS, narrow("a")).await;
    for id in ["k1", "k2", "k3", "k4", "gone"] {
        let key = json!({"id": id, "account": "a", "models": ["gpt-4o-mini"]});
        create(&registry, KEYS, key).await;
    }
    let path = "/admin/v1/keys/gone";
    let (status, _) = ask(&registry, Method::DELETE, path, json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    let told = || misfits(&registry.roster.lock().unwrap());
    assert_eq!(told(), [""; 0]);
    registry
        .change(|roster| {
            roster.models.as_mut().unwrap().remove("gpt-4o-mini");
        })
        .unwrap();
    let told = told();
    assert_eq!(told.len(), 1, "{told:?}");
    insta::assert_snapshot!("renamed", told.join("\n"));
}
