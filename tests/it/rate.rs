use std::time::Duration;

use serde_json::json;

use crate::{
    fixture::{CHAT, KEY, MESSAGE, file, planned, provider, refused, served},
    harness::{Answer, Gateway, Upstream},
};

const FIRST: &str = "the-first-key-of-account-a";
const SECOND: &str = "the-second-key-of-account-a";

/// Account `a` with two keys, of which the first may have limits of its own.
fn two_keys(upstream: &Upstream, plan: &str, account: &str, first: &str) -> String {
    let rest = format!(
        "plans: {{p: {plan}}}\n\
         accounts:\n  - {{id: a, plan: p, {account} keys: [{{id: k1, key: {FIRST}, {first}}}, {{id: k2, key: {SECOND}}}]}}\n"
    );
    file(upstream, &rest)
}

async fn chat(gateway: &Gateway, key: &str) -> Answer {
    gateway.chat(key, CHAT).send().await
}

#[tokio::test]
async fn a_refusal_says_how_long_to_wait_in_every_field() {
    let upstream = provider().await;
    let plan = "{rate_limits: {requests_per_minute: 2}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let first = chat(&gateway, KEY).await;
    served(&first);
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"requests-per-minute-plan\";q=2;w=60")
    );
    assert_eq!(
        first.header("ratelimit"),
        Some("\"requests-per-minute-plan\";r=1;t=30")
    );
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("1"));
    assert_eq!(first.header("x-ratelimit-reset-requests"), Some("30s"));
    served(&chat(&gateway, KEY).await);
    gateway.pass(Duration::from_millis(500));
    let refusal = chat(&gateway, KEY).await;
    refused(&refusal, 429, "rate_limit_exceeded");
    assert_eq!(refusal.header("retry-after"), Some("30"));
    assert_eq!(refusal.header("retry-after-ms"), Some("29500"));
    // It clears within a minute: the SDK may decide by itself.
    assert_eq!(refusal.header("x-should-retry"), None);
    assert_eq!(refusal.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(
        refusal.header("ratelimit"),
        Some("\"requests-per-minute-plan\";r=0;t=30")
    );
    let body = refusal.value();
    assert_eq!(body["error"]["type"], "requests");
    assert_eq!(body["retryable"], true);
    assert_eq!(
        body["billing"]["limit"],
        json!({"kind": "rate_limit", "scope": "plan", "unit": "requests", "per": "minute", "limit": 2, "used": 2,
            "held": 0, "remaining": 0, "resets_at": "2026-11-20T12:00:30Z"})
    );
    // The same in Anthropic's fields.
    let message = gateway
        .call("POST", "/v1/messages")
        .header("x-api-key", KEY);
    let refusal = message.json(MESSAGE).send().await;
    assert_eq!(refusal.status, 429);
    assert_eq!(
        refusal.header("anthropic-ratelimit-requests-remaining"),
        Some("0")
    );
    assert_eq!(
        refusal.header("anthropic-ratelimit-requests-reset"),
        Some("2026-11-20T12:00:30Z")
    );
    assert_eq!(refusal.value()["error"]["type"], "rate_limit_error");

    gateway.pass(Duration::from_millis(29_499));
    refused(&chat(&gateway, KEY).await, 429, "rate_limit_exceeded");
    gateway.pass(Duration::from_millis(1));
    served(&chat(&gateway, KEY).await);
    refused(&chat(&gateway, KEY).await, 429, "rate_limit_exceeded");
    gateway.stop().await;
}

#[tokio::test]
async fn every_level_binds_and_a_refused_call_takes_from_none() {
    let upstream = provider().await;
    let file = two_keys(
        &upstream,
        "{rate_limits: {requests_per_minute: 5}, per_key: {rate_limits: {requests_per_minute: 3}}}",
        "rate_limits: {requests_per_minute: 4},",
        "rate_limits: {requests_per_minute: 2}",
    );
    let gateway = Gateway::start(&file).await;
    let scope = |answer: &Answer| {
        let limit = answer.value()["billing"]["limit"].clone();
        (
            limit["scope"].as_str().unwrap().to_owned(),
            limit["limit"].as_u64().unwrap(),
        )
    };
    for _ in 0..2 {
        served(&chat(&gateway, FIRST).await);
    }
    for _ in 0..10 {
        let refusal = chat(&gateway, FIRST).await;
        refused(&refusal, 429, "rate_limit_exceeded");
        assert_eq!(scope(&refusal), ("key".to_owned(), 2));
    }
    for _ in 0..2 {
        served(&chat(&gateway, SECOND).await);
    }
    for _ in 0..10 {
        let refusal = chat(&gateway, SECOND).await;
        assert_eq!(scope(&refusal), ("account".to_owned(), 4));
    }
    // Twenty refusals later the plan's rate has given four, and each key what it was served. The page itself is one
    // more request, when there is one again.
    gateway.pass(Duration::from_secs(15));
    let limits = gateway.limits(SECOND).await;
    let left: Vec<_> = limits["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| limit["remaining"].clone())
        .collect();
    assert_eq!(left, [0, 0, 1], "{limits:#}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_refused_earlier_takes_nothing_and_what_passed_counts_whatever_follows() {
    let upstream = provider().await;
    let plan =
        "{models: [m], rate_limits: {requests_per_minute: 3}, quotas: [{requests: 2, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..5 {
        refused(
            &gateway.chat("nobody", CHAT).send().await,
            401,
            "invalid_api_key",
        );
    }
    // An unknown model and a broken body are seen after the rate was passed.
    refused(
        &gateway.chat(KEY, r#"{"model":"nope"}"#).send().await,
        404,
        "model_not_found",
    );
    refused(&gateway.chat(KEY, "{").send().await, 400, "invalid_json");
    served(&chat(&gateway, KEY).await);
    refused(&chat(&gateway, KEY).await, 429, "rate_limit_exceeded");
    gateway.pass(Duration::from_secs(60));
    served(&chat(&gateway, KEY).await);
    // A spent quota is told before the rate, and takes nothing from it.
    for _ in 0..5 {
        refused(&chat(&gateway, KEY).await, 402, "quota_exhausted");
    }
    let limits = gateway.limits(KEY).await;
    assert_eq!(limits["limits"][0]["remaining"], 1, "{limits:#}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_page_the_lists_and_the_counts_count_too() {
    let upstream = provider().await;
    let plan =
        "{rate_limits: {requests_per_minute: 4, tokens_per_minute: 10, concurrent_requests: 1}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let get = |path: &str| gateway.call("GET", path).bearer(KEY);
    let count = || {
        gateway
            .call("POST", "/v1/messages/count_tokens")
            .header("x-api-key", KEY)
            .json(MESSAGE)
    };
    // A call that leaves the bucket in debt stops no counting of tokens.
    served(&chat(&gateway, KEY).await);
    served(&get("/v1/models").send().await);
    served(&get("/v1/faregate/limits").send().await);
    served(&count().send().await);
    for path in ["/v1/models", "/v1/models/m", "/v1/faregate/limits"] {
        refused(&get(path).send().await, 429, "rate_limit_exceeded");
    }
    assert_eq!(count().send().await.status, 429);
    gateway.stop().await;
}

#[tokio::test]
async fn tokens_per_minute_are_held_corrected_and_may_be_owed() {
    // 400 tokens used, far more than anybody could see before.
    let upstream = Upstream::start(|seen| {
        let output = seen.json()["messages"][0]["content"].as_str().unwrap().len();
        let body = format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":0,"completion_tokens":{output},"total_tokens":{output}}}}}"#
        );
        crate::harness::json("200 OK", &body)
    })
    .await;
    let plan = "{rate_limits: {tokens_per_minute: 600}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let ask = |output: usize, limit: u64| {
        let body = json!({"model": "big", "max_tokens": limit, "messages": [{"content": "x".repeat(output)}]});
        gateway.chat(KEY, &body.to_string()).send()
    };
    let left = async || {
        gateway.limits(KEY).await["limits"][0]["remaining"]
            .as_u64()
            .unwrap()
    };
    served(&ask(100, 50).await);
    assert_eq!(left().await, 500);
    // Held 1,000 and a quarter of the bytes: more than there is, so it waits for a full bucket, and then passes.
    let refusal = ask(10, 1000).await;
    refused(&refusal, 429, "rate_limit_exceeded");
    assert_eq!(refusal.header("retry-after"), Some("10"));
    assert_eq!(refusal.header("x-should-retry"), None);
    assert_eq!(refusal.value()["error"]["type"], "tokens");
    assert_eq!(refusal.value()["billing"]["limit"]["unit"], "tokens");
    assert_eq!(left().await, 500);
    gateway.pass(Duration::from_secs(10));
    served(&ask(10, 1000).await);
    assert_eq!(left().await, 590);
    gateway.pass(Duration::from_secs(1));
    // It said fifty and used 2,400: that is owed, for three minutes.
    served(&ask(2400, 50).await);
    assert_eq!(left().await, 0);
    let refusal = ask(1, 0).await;
    refused(&refusal, 429, "rate_limit_exceeded");
    assert_eq!(refusal.header("retry-after"), None);
    assert_eq!(refusal.header("x-should-retry"), Some("false"));
    assert_eq!(refusal.value()["retryable"], false);
    gateway.pass(Duration::from_secs(180));
    assert_eq!(left().await, 0);
    gateway.pass(Duration::from_secs(60));
    assert_eq!(left().await, 600);
    // A minute's bucket expects 1,024 of a longer answer.
    served(&ask(1, 100_000).await);
    gateway.stop().await;
}

#[tokio::test]
async fn tokens_per_minute_alone_write_no_output_limit() {
    let upstream = provider().await;
    let plan = "{rate_limits: {tokens_per_minute: 100000}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let answer = chat(&gateway, KEY).await;
    served(&answer);
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("100000"));
    let sent = upstream.seen()[0].json();
    assert!(sent.get("max_completion_tokens").is_none(), "{sent}");
    gateway.stop().await;
}

#[tokio::test]
async fn each_name_stands_once_in_the_fields() {
    let upstream = provider().await;
    let file = two_keys(
        &upstream,
        "{quotas: [{tokens: 5000, per: day}], rate_limits: {tokens_per_minute: 100000},
          per_key: {quotas: [{tokens: 1000, per: day}], rate_limits: {requests_per_minute: 60}}}",
        "",
        "quotas: [{tokens: 2000, per: day}], rate_limits: {requests_per_minute: 10}",
    );
    let gateway = Gateway::start(&file).await;
    let answer = chat(&gateway, FIRST).await;
    served(&answer);
    // Of two limits of one name the one that binds first stands there.
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some(
            "\"requests-per-minute-key\";q=10;w=60, \"tokens-per-minute-plan\";q=100000;w=60;qu=\"tokens\", \
             \"tokens-per-day-key\";q=1000;w=86400;qu=\"tokens\", \"tokens-per-day-plan\";q=5000;w=86400;qu=\"tokens\""
        )
    );
    let left = answer.header("ratelimit").unwrap();
    assert_eq!(left.matches("\"tokens-per-day-key\"").count(), 1, "{left}");
    assert_eq!(
        left.matches("\"requests-per-minute-key\";r=9").count(),
        1,
        "{left}"
    );
    // Both are told where there is room for it.
    let limits = gateway.limits(FIRST).await;
    let of_the_key = limits["limits"].as_array().unwrap().iter();
    assert_eq!(
        of_the_key.filter(|limit| limit["scope"] == "key").count(),
        4,
        "{limits}"
    );
    gateway.stop().await;
}
