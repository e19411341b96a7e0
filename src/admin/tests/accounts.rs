//! Accounts, their plans and subscriptions.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ask, get, registry, rejections};
use crate::admin::Registry;

#[tokio::test]
async fn an_account_is_created_and_read_back() {
    let registry = registry();
    let wanted = json!({
        "id": "team/one@example.com",
        "plan": "pro",
        "subscription": {
            "status": "active",
            "current_period_start": "2026-11-20T00:00:00Z",
            "current_period_end": "2026-12-20T00:00:00Z",
        },
        "models": ["gpt-4o-mini", "claude-haiku"],
        "rate_limits": {"requests_per_minute": 60},
        "quotas": [{"tokens": 100_000, "per": "day"}, {"requests": 5, "per": "month", "status": 429, "mode": "shadow"}],
    });
    let (status, made) = ask(&registry, Method::POST, "/admin/v1/accounts", wanted).await;
    assert_eq!(status, StatusCode::CREATED);
    insta::assert_snapshot!("account_created", format!("{made:#}"));
    let (status, read) = get(&registry, "/admin/v1/accounts/team%2Fone@example.com").await;
    assert_eq!((status, read), (StatusCode::OK, made));
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let registry = registry();
    let path = "/admin/v1/accounts/bob";
    let change = json!({"disabled": true, "rate_limits": {"concurrent_requests": 2}});
    let (status, changed) = ask(&registry, Method::PATCH, path, change).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(changed["plan"], "free");
    assert_eq!(changed["disabled"], true);
    assert_eq!(changed["rate_limits"], json!({"concurrent_requests": 2}));

    let change = json!({"plan": "pro", "quotas": [{"tokens": 1, "per": "week"}]});
    let (_, changed) = ask(&registry, Method::PATCH, path, change).await;
    assert_eq!(changed["plan"], "pro");
    assert_eq!(changed["disabled"], true);
    assert_eq!(changed["rate_limits"], json!({"concurrent_requests": 2}));

    let budgets = json!([{"usd": "2.50", "per": "day", "status": 402, "mode": "enforce"}]);
    let change = json!({"budgets": [{"usd": "2.5", "per": "day"}]});
    let (_, changed) = ask(&registry, Method::PATCH, path, change).await;
    assert_eq!(
        (&changed["budgets"], changed["quotas"][0]["tokens"].as_u64()),
        (&budgets, Some(1))
    );

    let change = json!({"rate_limits": null, "quotas": null, "disabled": false});
    let (_, changed) = ask(&registry, Method::PATCH, path, change).await;
    assert_eq!(changed["rate_limits"], json!({}));
    assert_eq!(
        (&changed["quotas"], &changed["budgets"]),
        (&json!([]), &budgets)
    );
    let (_, changed) = ask(&registry, Method::PATCH, path, json!({"budgets": null})).await;
    assert_eq!(changed["budgets"], json!([]));
    assert_eq!(changed["disabled"], false);
}

#[tokio::test]
async fn what_is_taken_away_is_as_if_nobody_had_said_it() {
    let registry = registry();
    let path = "/admin/v1/accounts/bob";
    let (_, before) = get(&registry, path).await;
    let change = json!({"disabled": true, "models": ["gpt-4o-mini"], "email": "bob@example.com"});
    let (status, _) = ask(&registry, Method::PATCH, path, change).await;
    assert_eq!(status, StatusCode::OK);
    let change = json!({"disabled": null, "models": null, "email": null});
    let (status, after) = ask(&registry, Method::PATCH, path, change).await;
    assert_eq!((status, after), (StatusCode::OK, before));
}

#[tokio::test]
async fn a_subscription_is_stated_whole_and_taken_away() {
    let registry = registry();
    let path = "/admin/v1/accounts/bob/subscription";
    let stated = json!({"status": "trialing", "trial_end": "2026-12-01T00:00:00Z"});
    let (status, changed) = ask(&registry, Method::PUT, path, stated).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(changed["subscription"]["status"], "trialing");
    let (_, changed) = ask(&registry, Method::PUT, path, json!({"status": "active"})).await;
    assert_eq!(changed["subscription"]["trial_end"], json!(null));
    let (status, changed) = ask(&registry, Method::DELETE, path, json!(null)).await;
    assert_eq!(
        (status, &changed["subscription"]),
        (StatusCode::OK, &json!(null))
    );
}

#[tokio::test]
async fn a_grace_period_starts_once() {
    let registry = registry();
    let path = "/admin/v1/accounts/bob/subscription";
    let past_due = || json!({"status": "past_due"});
    let (_, changed) = ask(&registry, Method::PUT, path, past_due()).await;
    assert_eq!(changed["subscription"]["past_due_since"], super::NOW);
    let dated = json!({"status": "past_due", "past_due_since": "2026-11-10T00:00:00Z"});
    ask(&registry, Method::PUT, path, dated).await;
    let (_, changed) = ask(&registry, Method::PUT, path, past_due()).await;
    assert_eq!(
        changed["subscription"]["past_due_since"], "2026-11-10T00:00:00Z",
        "the same standing said again does not move its beginning"
    );
}

#[tokio::test]
async fn mistakes_are_named() {
    let registry = registry();
    let before = registry.roster();
    let accounts = "/admin/v1/accounts";
    let bob = "/admin/v1/accounts/bob";
    let subscription = "/admin/v1/accounts/bob/subscription";
    let post = |body| (Method::POST, accounts, body);
    let put = |body| (Method::PUT, subscription, body);
    let cases = [
        post(json!({})),
        post(json!({"id": "x"})),
        post(json!({"id": "a b", "plan": "free"})),
        post(json!({"id": 7, "plan": "free"})),
        post(json!({"id": "x", "plan": "gold"})),
        post(json!({"id": "x", "plan": "free", "credit": 25})),
        post(json!({"id": "bob", "plan": "free"})),
        post(json!(["x"])),
        post(json!({"id": "x", "plan": "free", "disabled": "yes"})),
        post(json!({"id": "x", "plan": "free", "models": ["ok", ""]})),
        post(json!({"id": "x", "plan": "free", "rate_limits": {"requests_per_minute": 0}})),
        post(json!({"id": "x", "plan": "free", "quotas": [{"tokens": 1, "per": "year"}]})),
        post(json!({"id": "x", "plan": "free", "subscription": {"status": "gone"}})),
        post(json!({"id": "x", "plan": "free", "subscription": {"status": "active", "since": 1}})),
        (
            Method::PATCH,
            "/admin/v1/accounts/nobody",
            json!({"plan": "free"}),
        ),
        (
            Method::PATCH,
            "/admin/v1/accounts/acme",
            json!({"plan": "pro"}),
        ),
        (Method::PATCH, bob, json!({"id": "robert"})),
        (Method::PATCH, bob, json!({"plan": "gold"})),
        (Method::PATCH, bob, json!({"plan": null})),
        put(json!({})),
        put(json!({"status": "active", "current_period_start": "2026-12-20T00:00:00Z"})),
        put(
            json!({"status": "active", "current_period_start": "2026-12-20T00:00:00Z", "current_period_end": "2026-12-20T00:00:00Z"}),
        ),
        put(json!({"status": "active", "trial_end": "tomorrow"})),
        put(json!({"status": "active", "cancel_at_period_end": true})),
        (Method::DELETE, bob, json!(null)),
        (Method::GET, subscription, json!(null)),
    ];
    insta::assert_snapshot!("account_mistakes", rejections(&registry, &cases).await);
    assert_eq!(registry.roster(), before, "nothing was changed");
}

#[tokio::test]
async fn a_period_whose_start_nobody_says_is_enough_where_nothing_is_counted_in_it() {
    let registry = registry();
    let subscription = "/admin/v1/accounts/bob/subscription";
    let stated = json!({
        "status": "active", "current_period_end": "2026-12-20T00:00:00Z", "cancel_at_period_end": true,
    });
    let (status, account) = ask(&registry, Method::PUT, subscription, stated.clone()).await;
    assert_eq!(status, StatusCode::OK, "{account:#}");
    let held = &account["subscription"];
    assert_eq!(held["current_period_start"], json!(null));
    assert_eq!(held["current_period_end"], "2026-12-20T00:00:00Z");

    // Whatever would be counted in such a period is refused, and so is such a period where something is.
    let counted = json!({"quotas": [{"requests": 1, "per": "period"}]});
    let bob = "/admin/v1/accounts/bob";
    let (status, answer) = ask(&registry, Method::PATCH, bob, counted.clone()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer:#}");
    let mut key = counted.clone();
    key["account"] = json!("bob");
    let (status, answer) = ask(&registry, Method::POST, "/admin/v1/keys", key).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer:#}");
    let (status, _) = ask(
        &registry,
        Method::PUT,
        subscription,
        json!({"status": "active"}),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(&registry, Method::PATCH, bob, counted).await;
    assert_eq!(status, StatusCode::OK);
    let (status, answer) = ask(&registry, Method::PUT, subscription, stated).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer["detail"],
        "What account \"bob\" uses is counted per billing period, and the subscription of account \"bob\" says only \
         when that ends: state `current_period_start` as well."
    );
}

#[tokio::test]
async fn a_store_that_does_not_write_is_said() {
    let mut registry = registry();
    registry.broken = true;
    let change = json!({"plan": "pro"});
    let (status, answer) = ask(&registry, Method::PATCH, "/admin/v1/accounts/bob", change).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["code"], "store_unavailable");
    assert_eq!(answer["detail"], "The store is full.");
}
