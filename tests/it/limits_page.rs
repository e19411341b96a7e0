use serde_json::json;

use crate::{
    fixture::{CHAT, KEY, answer, file, planned, provider, refused, served, shown},
    harness::{Gate, Gateway, Step, Upstream, within},
};

#[tokio::test]
async fn it_has_everything_that_binds_the_key() {
    let upstream = provider().await;
    let rest = "\
plans:
  p:
    subscription: required
    rate_limits: {requests_per_minute: 60, tokens_per_minute: 6000, concurrent_requests: 4}
    quotas: [{tokens: 10000, per: day}, {requests: 5, per: hour, mode: shadow}]
    per_key: {rate_limits: {requests_per_minute: 30}, quotas: [{requests: 50, per: week}]}
accounts:
  - id: a
    plan: p
    subscription: {status: past_due, past_due_since: 2026-11-20T00:00:00Z, current_period_start: 2026-11-10T00:00:00Z, current_period_end: 2026-12-10T00:00:00Z}
    quotas: [{tokens: 20000, per: period}]
    keys: [{id: k, key: the-key-of-account-a-0001, quotas: [{requests: 100, per: month}]}]
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    let page = gateway
        .call("GET", "/v1/faregate/limits")
        .bearer(KEY)
        .send()
        .await;
    served(&page);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("content-type"), Some("application/json"));
    assert!(page.header("x-request-id").is_some());
    let names: Vec<String> = page.value().as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        names,
        ["account", "credit", "key", "limits", "plan", "subscription"]
    );
    insta::assert_snapshot!(shown(&page));
    gateway.stop().await;
}

#[tokio::test]
async fn it_needs_a_key_and_nothing_but_a_key() {
    let upstream = provider().await;
    let plan = "{subscription: required, quotas: [{requests: 0, per: day}], models: []}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let page = gateway.limits(KEY).await;
    assert_eq!(
        (&page["account"], &page["subscription"], &page["credit"]),
        (&json!("a"), &json!(null), &json!(null))
    );
    refused(
        &gateway.call("GET", "/v1/faregate/limits").send().await,
        401,
        "invalid_api_key",
    );
    let head = gateway
        .call("HEAD", "/v1/faregate/limits")
        .bearer(KEY)
        .send()
        .await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let post = gateway
        .call("POST", "/v1/faregate/limits")
        .bearer(KEY)
        .send()
        .await;
    refused(&post, 405, "method_not_allowed");
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
    for path in [
        "/v1/faregate",
        "/v1/faregate/",
        "/v1/faregate/limits/",
        "/faregate/limits",
        "/v1/faregate/other",
    ] {
        refused(
            &gateway.call("GET", path).bearer(KEY).send().await,
            404,
            "route_not_found",
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn money_is_shown_exactly_while_it_is_held_and_when_it_is_spent() {
    let gate = Gate::default();
    let upstream = {
        let gate = gate.clone();
        Upstream::start(move |seen| {
            let mut steps = vec![Step::Wait(gate.clone())];
            steps.extend(answer(seen));
            steps
        })
        .await
    };
    let rest = "\
prices: {m: {input: 1, output: 2}}
plans:
  p:
    credit: required
    models: [m]
    price_factor: 1.5
    budgets: [{usd: 5, per: day}, {usd: 0.50, per: hour, mode: shadow}]
    per_key: {budgets: [{usd: 2, per: month}]}
  q: {models: [m], budgets: [{usd: 1, per: day}]}
accounts:
  - {id: a, plan: p, credit: 0.01, budgets: [{usd: 3, per: week}], keys: [{id: k, key: the-key-of-account-a-0001, budgets: [{usd: 0.75, per: day}]}]}
  - {id: b, plan: q, keys: [{id: l, key: the-key-of-account-b-0001}]}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let page = async |key| {
        let call = gateway.call("GET", "/v1/faregate/limits").bearer(key);
        shown(&call.send().await)
    };
    let body = r#"{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}"#;
    let call = tokio::spawn(gateway.chat(KEY, body).send());
    upstream.arrival().await;
    let held = page(KEY).await;
    gate.open();
    served(&within("the answer", call).await.unwrap());
    gateway.nothing_held(KEY).await;
    let spent = page(KEY).await;
    insta::assert_snapshot!(format!("{held}\n{spent}"));

    // Who pays with no credit is shown none, and budgets all the same.
    let other = gateway.limits("the-key-of-account-b-0001").await;
    assert_eq!(other["credit"], json!(null));
    assert_eq!(
        other["limits"],
        json!([{"kind": "budget", "scope": "plan", "unit": "usd", "per": "day", "limit": "1.00", "used": "0.00",
            "held": "0.00", "remaining": "1.00", "currency": "USD", "resets_at": "2026-11-21T00:00:00Z"}])
    );
    gateway.stop().await;
}
