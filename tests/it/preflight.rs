/// Credit, budgets and prices.
mod money;
/// What is asked about a call, and what it must not be.
mod question;

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    fixture::{ACCOUNT, CHAT, KEY, MESSAGE, file, planned, provider, refused, served},
    harness::{Answer, Call, Gate, Gateway, Step, Upstream, json as whole, within},
};

/// The question about a call at `path` with this body.
fn question(gateway: &Gateway, key: &str, path: &str, body: &str) -> Call {
    let target = format!("/v1/faregate/preflight?for={path}");
    gateway.call("POST", &target).bearer(key).json(body)
}

/// The answer to it.
async fn foretold(gateway: &Gateway, key: &str, path: &str, body: &str) -> Value {
    let answer = question(gateway, key, path, body).send().await;
    served(&answer);
    let value = answer.value();
    let members = ["admitted", "binds", "hold", "output_limit", "refusal"];
    let names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, members);
    assert_eq!(value["admitted"], json!(value["refusal"].is_null()));
    value
}

/// Asks about a call and makes it: what was foretold is what the call meets.
async fn met(gateway: &Gateway, upstream: &Upstream, key: &str, path: &str, body: &str) -> Answer {
    let foretold = foretold(gateway, key, path, body).await;
    let before = upstream.seen().len();
    let call = gateway.call("POST", path).bearer(key).json(body);
    let met = call.send().await;
    let context = format!("{path} {body}\n{foretold:#}\n{}", met.text());
    if foretold["admitted"] == true {
        assert_eq!(met.status, 200, "{context}");
        let sent = upstream.seen()[before].json();
        let limits = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
        if foretold["output_limit"].is_u64() {
            let written = limits
                .iter()
                .any(|name| sent[name] == foretold["output_limit"]);
            assert!(written, "{sent} {context}");
        }
        return met;
    }
    let (refusal, binds) = (&foretold["refusal"], &foretold["binds"]);
    assert_eq!(refusal["status"], met.status.as_u16(), "{context}");
    assert_eq!(refusal["code"], met.code(), "{context}");
    assert_eq!(refusal["message"], met.value()["message"], "{context}");
    assert_eq!(refusal["retryable"], met.value()["retryable"], "{context}");
    assert_eq!(refusal["billing"], met.value()["billing"], "{context}");
    let after = met
        .header("retry-after")
        .map(|after| json!(after.parse::<u64>().unwrap()));
    assert_eq!(refusal.get("retry_after"), after.as_ref(), "{context}");
    let billing = &met.value()["billing"];
    if binds["kind"] == "credit" {
        let figures = [
            ("limit", "balance"),
            ("held", "held"),
            ("remaining", "available"),
        ];
        for (figure, name) in figures {
            assert_eq!(binds.get(figure), billing["credit"].get(name), "{context}");
        }
    } else {
        assert_eq!(*binds, billing["limit"], "{context}");
    }
    assert_eq!(foretold["hold"], Value::Null, "{context}");
    met
}

fn chat(output: u64) -> String {
    json!({"model": "m", "max_tokens": output, "messages": [{"role": "user", "content": "hi"}]})
        .to_string()
}

#[tokio::test]
async fn what_is_foretold_is_what_a_call_meets() {
    let upstream = provider().await;
    let rest = "\
routes:
  - {path: /}
  - {path: /raw, provider: up, strip_prefix: true, meter: requests}
  - {path: /closed, provider: up, strip_prefix: true, accounts: [nobody]}
plans:
  p: {quotas: [{tokens: 2000, per: day}, {requests: 12, per: day}], models: [m, c], per_key: {quotas: [{tokens: 1500, per: hour}]}}
  all: {}
accounts:
  - {id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let mut codes = Vec::new();
    for (path, body) in [
        ("/v1/chat/completions", CHAT),
        ("/v1/messages", MESSAGE),
        ("/raw/v1/chat/completions", CHAT),
        ("/raw/anything", CHAT),
        ("/closed/v1/chat/completions", CHAT),
        ("/v1/messages", CHAT),
        ("/v1/chat/completions", r#"{"model":"big","messages":[]}"#),
        ("/v1/chat/completions", r#"{"model":"nobody","messages":[]}"#),
        ("/v1/nothing", CHAT),
        ("/v1/models", CHAT),
        ("/v1/embeddings", r#"{"model":"m","input":"hi"}"#),
        ("/v1/messages/count_tokens", MESSAGE),
        ("/v1/chat/completions", &chat(500)),
        // A body that its bytes bound too widely, and a count does not.
        (
            "/v1/chat/completions",
            &json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "word ".repeat(300)}]}).to_string(),
        ),
        ("/v1/chat/completions", &chat(1600)),
        (
            "/v1/chat/completions",
            &json!({"model": "m", "n": 4, "max_tokens": 500, "messages": []}).to_string(),
        ),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT),
    ] {
        let met = met(&gateway, &upstream, KEY, path, body).await;
        gateway.nothing_held(KEY).await;
        codes.push(match met.status.as_u16() {
            200 => "ok".to_owned(),
            _ => met.code(),
        });
    }
    insta::assert_snapshot!(codes.join("\n"));
    gateway.stop().await;
}

#[tokio::test]
async fn the_hold_is_the_hold_that_a_call_takes() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let plan = "{quotas: [{tokens: 10000, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for body in [
        CHAT,
        r#"{"model":"m","n":3,"max_tokens":40,"messages":[],"tools":[{"type":"function"}]}"#,
    ] {
        let told = foretold(&gateway, KEY, "/v1/chat/completions", body).await;
        let call = gateway.chat(KEY, body);
        let call = tokio::spawn(call.send());
        upstream.arrival().await;
        let held = &gateway.limits(KEY).await["limits"][0]["held"];
        assert_eq!(told["hold"], json!({"tokens": held, "cost": null}));
        gate.open();
        served(&within("the answer", call).await.unwrap());
    }
    gateway.stop().await;
}

/// A provider that answers when the gate is opened.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |_| {
        let body = r#"{"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":10,"total_tokens":40}}"#;
        let mut steps = vec![Step::Wait(gate.clone())];
        steps.extend(whole("200 OK", body));
        steps
    })
    .await
}

#[tokio::test]
async fn what_calls_in_flight_hold_counts_and_a_question_holds_nothing() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let plan = "{quotas: [{tokens: 1000, per: day}, {requests: 100, per: day}], rate_limits: {concurrent_requests: 2, tokens_per_minute: 5000}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let path = "/v1/chat/completions";
    let begin = |body: &str| tokio::spawn(gateway.chat(KEY, body).send());
    let first = begin(&chat(500));
    upstream.arrival().await;
    let before = gateway.limits(KEY).await;
    for _ in 0..20 {
        let told = foretold(&gateway, KEY, path, &chat(300)).await;
        assert_eq!(told["admitted"], true);
    }
    let body = chat(300);
    let many = (0..20).map(|_| foretold(&gateway, KEY, path, &body));
    for told in futures_util::future::join_all(many).await {
        assert_eq!(told["admitted"], true);
    }
    assert_eq!(gateway.limits(KEY).await, before);

    let told = foretold(&gateway, KEY, path, &chat(500)).await;
    assert_eq!(told["refusal"]["code"], "limit_on_hold");
    assert_eq!(told["refusal"]["status"], 429);
    assert_eq!(told["refusal"]["retry_after"], 5);
    assert_eq!(told["binds"]["held"], before["limits"][2]["held"]);
    assert_eq!(told["binds"]["kind"], "quota");

    let second = begin(&chat(10));
    upstream.arrival().await;
    let told = foretold(&gateway, KEY, path, &chat(1)).await;
    assert_eq!(told["refusal"]["code"], "concurrency_limit_exceeded");
    assert_eq!(told["binds"]["kind"], "concurrency");
    for call in [first, second] {
        gate.open();
        served(&within("the answer", call).await.unwrap());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_bucket_of_tokens_is_weighed_and_not_drawn_from() {
    let upstream = provider().await;
    let plan = "{rate_limits: {tokens_per_minute: 1000}}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..5 {
        let told = foretold(&gateway, KEY, "/v1/chat/completions", &chat(400)).await;
        assert_eq!(told["admitted"], true);
    }
    for _ in 0..2 {
        served(&gateway.chat(KEY, &chat(400)).send().await);
    }
    // What a call takes is corrected when it ends; one that is larger than what is left waits.
    gateway.pass(Duration::from_secs(60));
    let answer = met(&gateway, &upstream, KEY, "/v1/chat/completions", &chat(400)).await;
    served(&answer);
    gateway.stop().await;
}

#[tokio::test]
async fn subscriptions_and_spent_limits_are_told_and_never_refuse_the_question() {
    let upstream = provider().await;
    for (plan, account, code) in [
        ("{subscription: required}", "", "subscription_required"),
        (
            "{subscription: required}",
            ", subscription: {status: canceled}",
            "subscription_canceled",
        ),
        ("{quotas: [{requests: 0, per: day}]}", "", "quota_exhausted"),
        (
            "{quotas: [{tokens: 0, per: day, status: 403}]}",
            "",
            "quota_exhausted",
        ),
    ] {
        let rest = format!(
            "plans: {{p: {plan}}}\naccounts: [{{id: a, plan: p, keys: [{{id: k, key: {KEY}}}]{account}}}]\n"
        );
        let gateway = Gateway::start(&file(&upstream, &rest)).await;
        let answer = met(&gateway, &upstream, KEY, "/v1/chat/completions", CHAT).await;
        assert_eq!(answer.code(), code);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_plan_that_redacts_amounts_is_told_no_figures() {
    let upstream = provider().await;
    let plan = "{redact: amounts, quotas: [{tokens: 1000, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    let told = foretold(&gateway, KEY, "/v1/chat/completions", CHAT).await;
    assert_eq!(
        told,
        json!({"admitted": true, "hold": null, "output_limit": null, "binds": null, "refusal": null})
    );
    let told = foretold(
        &gateway,
        KEY,
        "/v1/chat/completions",
        &chat(500).replace("hi", &"hi ".repeat(500)),
    )
    .await;
    assert_eq!(told["refusal"]["code"], "request_exceeds_limit");
    let binds = json!({"kind": "quota", "scope": "plan", "unit": "tokens", "per": "day", "resets_at": "2026-11-21T00:00:00Z"});
    assert_eq!(told["binds"], binds);
    let message = told["refusal"]["message"].as_str().unwrap();
    assert!(
        !message
            .replace("2026-11-21T00:00:00Z", "")
            .contains(|letter: char| letter.is_ascii_digit()),
        "{message}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_route_of_one_provider_is_found_by_its_prefix() {
    let upstream = provider().await;
    let rest = format!(
        "routes: [{{path: /}}, {{path: /raw, provider: up, strip_prefix: true}}]\nplans: {{p: {{quotas: [{{tokens: 10000, per: day}}]}}}}\n{ACCOUNT}"
    );
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    for path in [
        "/raw/v1/chat/completions",
        "%2Fraw%2Fv1%2Fchat%2Fcompletions?x=1",
    ] {
        let told = foretold(&gateway, KEY, path, CHAT).await;
        assert_eq!(
            (&told["admitted"], &told["output_limit"]),
            (&json!(true), &json!(500))
        );
    }
    // The provider's own name is known there, and nothing that could not be metered.
    let told = foretold(
        &gateway,
        KEY,
        "/raw/v1/chat/completions",
        &CHAT.replace("\"m\"", "\"real-m\""),
    )
    .await;
    assert_eq!(told["admitted"], true);
    let told = foretold(&gateway, KEY, "/raw/v1/files", CHAT).await;
    assert_eq!(told["refusal"]["code"], "permission_denied");
    gateway.stop().await;
}
