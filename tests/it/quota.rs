//! Requests and tokens per window: who is refused with what, and what is counted.

mod counting;
mod holds;
mod output;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    fixture::{CHAT, KEY, MESSAGE, file, planned, provider, refused, served},
    harness::{Answer, Gateway},
};

async fn chat(gateway: &Gateway) -> Answer {
    gateway.chat(KEY, CHAT).send().await
}

/// The limit that an answer names.
fn limit(answer: &Answer) -> Value {
    answer.value()["billing"]["limit"].clone()
}

/// The key's limits of this unit, in their order: (scope, used, held).
async fn used(gateway: &Gateway, unit: &str) -> Vec<(String, u64, u64)> {
    let limits = gateway.limits(KEY).await;
    let quotas = limits["limits"].as_array().unwrap().iter();
    quotas
        .filter(|limit| limit["kind"] == "quota" && limit["unit"] == unit)
        .map(|limit| {
            let number = |name: &str| limit[name].as_u64().unwrap();
            (
                limit["scope"].as_str().unwrap().to_owned(),
                number("used"),
                number("held"),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_window_ends_at_its_boundary() {
    let upstream = provider().await;
    let hour = 3600;
    // From 2026-11-20T12:00:00Z, a Friday. The period is a month from the account's creation, which is now.
    for (per, resets_at, seconds) in [
        ("hour", "2026-11-20T13:00:00Z", hour),
        ("day", "2026-11-21T00:00:00Z", 12 * hour),
        ("week", "2026-11-23T00:00:00Z", 60 * hour),
        ("month", "2026-12-01T00:00:00Z", (10 * 24 + 12) * hour),
        ("period", "2026-12-20T12:00:00Z", 30 * 24 * hour),
    ] {
        for (unit, amount) in [("requests", 2), ("tokens", 700)] {
            let plan = format!("{{quotas: [{{{unit}: {amount}, per: {per}}}]}}");
            let gateway = Gateway::start(&planned(&upstream, &plan)).await;
            let step = Duration::from_secs(seconds);
            for _ in 0..3 {
                let mut refusal = chat(&gateway).await;
                while refusal.status == 200 {
                    refusal = chat(&gateway).await;
                }
                assert_eq!(refusal.status, 402, "{}", refusal.text());
                let facts = limit(&refusal);
                assert_eq!((&facts["per"], &facts["unit"]), (&json!(per), &json!(unit)));
                if gateway.clock.elapsed().is_zero() {
                    assert_eq!(facts["resets_at"], resets_at, "{per}");
                }
                let now = gateway.clock.now();
                let end: faregate::domain::Timestamp =
                    facts["resets_at"].as_str().unwrap().parse().unwrap();
                assert!(now.until(end) <= step.max(Duration::from_secs(31 * 24 * 3600)));
                gateway.pass(now.until(end) - Duration::from_millis(1));
                assert_eq!(chat(&gateway).await.status, 402, "{per}");
                gateway.pass(Duration::from_millis(1));
                served(&chat(&gateway).await);
            }
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn keys_accounts_and_plans_have_quotas_of_their_own() {
    let upstream = provider().await;
    let rest = "\
plans:
  p: {quotas: [{requests: 6, per: day}], per_key: {quotas: [{requests: 4, per: day}]}}
accounts:
  - id: a
    plan: p
    quotas: [{requests: 5, per: day}]
    keys:
      - {id: k, key: the-key-of-account-a-0001, quotas: [{requests: 2, per: day}]}
      - {id: k2, key: the-other-key-of-account-a}
  - {id: b, plan: p, keys: [{id: b, key: the-only-key-of-account-b}]}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let scope = |answer: &Answer, offered: &[&str]| {
        refused(answer, 402, "quota_exhausted");
        let limit = limit(answer);
        let value = answer.value();
        let actions = value["billing"]["actions"].as_array().unwrap().iter();
        let rels: Vec<&str> = actions
            .filter_map(|action| action["rel"].as_str())
            .collect();
        assert_eq!(rels, offered);
        (
            limit["scope"].as_str().unwrap().to_owned(),
            limit["limit"].as_u64().unwrap(),
        )
    };
    served(&chat(&gateway).await);
    served(&chat(&gateway).await);
    // A larger plan does not lift what was set for a key or an account.
    let own = scope(&chat(&gateway).await, &["wait"]);
    assert_eq!(own, ("key".to_owned(), 2));
    let other = || gateway.chat("the-other-key-of-account-a", CHAT).send();
    for _ in 0..3 {
        served(&other().await);
    }
    let own = scope(&other().await, &["wait"]);
    assert_eq!(own, ("account".to_owned(), 5));
    // The account's limit and the plan's are one counter with two limits; nothing pools with another account.
    assert_eq!(
        used(&gateway, "requests").await,
        [
            ("key".into(), 2, 0),
            ("key".into(), 2, 0),
            ("account".into(), 5, 0),
            ("plan".into(), 5, 0)
        ]
    );
    for _ in 0..4 {
        served(&gateway.chat("the-only-key-of-account-b", CHAT).send().await);
    }
    let mine = gateway.chat("the-only-key-of-account-b", CHAT).send().await;
    // It does what the plan has for each key.
    let each = scope(&mine, &["upgrade", "wait"]);
    assert_eq!(each, ("key".to_owned(), 4));
    gateway.stop().await;
}

#[tokio::test]
async fn after_a_change_of_plan_usage_stays_and_the_new_limit_applies() {
    let upstream = provider().await;
    let rest = "\
plans:
  small: {quotas: [{requests: 2, per: day}]}
  large: {quotas: [{requests: 4, per: day}, {requests: 9, per: week}]}
  other: {quotas: [{tokens: 5000, per: day}]}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    gateway
        .admin("POST", "/admin/v1/accounts")
        .json(r#"{"id":"a","plan":"small"}"#)
        .send()
        .await;
    let key = gateway.make_key(r#"{"account":"a"}"#).await;
    let chat = || gateway.chat(&key, CHAT).send();
    let change = async |plan: &str| {
        let body = json!({ "plan": plan }).to_string();
        served(
            &gateway
                .admin("PATCH", "/admin/v1/accounts/a")
                .json(&body)
                .send()
                .await,
        );
    };
    served(&chat().await);
    served(&chat().await);
    refused(&chat().await, 402, "quota_exhausted");
    change("large").await;
    served(&chat().await);
    served(&chat().await);
    refused(&chat().await, 402, "quota_exhausted");
    change("other").await;
    served(&chat().await);
    change("small").await;
    refused(&chat().await, 402, "quota_exhausted");
    let limits = gateway.limits(&key).await;
    assert_eq!(limits["limits"][0]["used"], 4, "{limits:#}");
    assert_eq!(limits["limits"][0]["remaining"], 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_quota_says_its_own_status() {
    let upstream = provider().await;
    for (status, retry_after, should_retry) in [
        (402, None, Some("false")),
        (403, None, Some("false")),
        (429, Some("45"), None),
    ] {
        let plan = format!("{{quotas: [{{requests: 1, per: hour, status: {status}}}]}}");
        let gateway = Gateway::start(&planned(&upstream, &plan)).await;
        gateway.pass(Duration::from_secs(3555));
        served(&chat(&gateway).await);
        let refusal = chat(&gateway).await;
        refused(&refusal, status, "quota_exhausted");
        assert_eq!(refusal.header("retry-after"), retry_after);
        assert_eq!(refusal.header("x-should-retry"), should_retry);
        assert_eq!(
            refusal.value()["billing"]["limit"]["resets_at"],
            "2026-11-20T13:00:00Z"
        );
        // A call that is too large for the window gets the same status; waiting does not help it.
        let plan = format!("{{quotas: [{{tokens: 100, per: hour, status: {status}}}]}}");
        gateway.stop().await;
        let gateway = Gateway::start(&planned(&upstream, &plan)).await;
        gateway.pass(Duration::from_secs(3555));
        let much = gateway
            .chat(KEY, r#"{"model":"m","max_tokens":500}"#)
            .send()
            .await;
        refused(&much, status, "request_exceeds_limit");
        assert_eq!(much.header("retry-after"), None);
        assert_eq!(much.header("x-should-retry"), Some("false"));
        gateway.stop().await;
    }
    // More than a minute away: no SDK sleeps that long.
    let plan = "{quotas: [{requests: 1, per: hour, status: 429}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    served(&chat(&gateway).await);
    let refusal = chat(&gateway).await;
    refused(&refusal, 429, "quota_exhausted");
    assert_eq!(
        (
            refusal.header("retry-after"),
            refusal.header("x-should-retry")
        ),
        (None, Some("false"))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_shadow_is_counted_and_never_refused() {
    let upstream = provider().await;
    let plan =
        "{quotas: [{requests: 1, per: day, mode: shadow}, {tokens: 5, per: hour, mode: shadow}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..3 {
        let answer = chat(&gateway).await;
        served(&answer);
        assert_eq!(answer.header("faregate-notice"), None);
        assert_eq!(answer.header("ratelimit"), None);
    }
    assert_eq!(used(&gateway, "requests").await, [("plan".into(), 3, 0)]);
    assert_eq!(used(&gateway, "tokens").await, [("plan".into(), 33, 0)]);
    let limits = gateway.limits(KEY).await;
    assert_eq!(limits["limits"][0]["mode"], "shadow");
    // What refuses nobody lowers nobody's output either.
    assert!(
        upstream.seen()[0]
            .json()
            .get("max_completion_tokens")
            .is_none()
    );
    gateway.stop().await;
}

#[tokio::test]
async fn above_four_fifths_a_notice_is_given() {
    let upstream = provider().await;
    let plan = "{quotas: [{requests: 5, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..4 {
        assert_eq!(chat(&gateway).await.header("faregate-notice"), None);
    }
    let fifth = chat(&gateway).await;
    served(&fifth);
    assert_eq!(
        fifth.header("faregate-notice"),
        Some("quota; scope=plan; unit=requests; per=day; used=5; limit=5")
    );
    assert_eq!(
        fifth.header("ratelimit-policy"),
        Some("\"requests-per-day-plan\";q=5;w=86400")
    );
    assert_eq!(
        fifth.header("ratelimit"),
        Some("\"requests-per-day-plan\";r=0;t=43200")
    );
    gateway.stop().await;
    // Figures are kept from those who must not see them.
    let plan = "{redact: amounts, quotas: [{requests: 1, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let answer = chat(&gateway).await;
    assert_eq!(
        answer.header("faregate-notice"),
        Some("quota; scope=plan; unit=requests; per=day")
    );
    assert_eq!(answer.header("ratelimit"), None);
    let refusal = chat(&gateway).await;
    refused(&refusal, 402, "quota_exhausted");
    assert_eq!(refusal.header("ratelimit"), None);
    let facts = limit(&refusal);
    assert!(
        facts["limit"].is_null() && facts["used"].is_null(),
        "{facts}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_spent_quota_stops_every_dialect_before_the_body_is_read() {
    let upstream = provider().await;
    let plan = "{quotas: [{requests: 1, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    served(&chat(&gateway).await);
    refused(
        &gateway.chat(KEY, "no JSON at all").send().await,
        402,
        "quota_exhausted",
    );
    for path in ["/v1/completions", "/v1/responses", "/v1/embeddings"] {
        let call = gateway.call("POST", path).bearer(KEY).json("{");
        refused(&call.send().await, 402, "quota_exhausted");
    }
    let message = gateway
        .call("POST", "/v1/messages")
        .header("x-api-key", KEY);
    let message = message.json(MESSAGE).send().await;
    refused(&message, 402, "quota_exhausted");
    assert_eq!(message.value()["error"]["type"], "billing_error");
    assert_eq!(upstream.seen().len(), 1);
    gateway.stop().await;
}
