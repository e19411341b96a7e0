//! Calls that are served in another way than they asked for.

use serde_json::{Value, json};

use super::{adds_up, kept, priced};
use crate::{
    fixture::KEY,
    harness::{Gateway, Step, Upstream, json as whole, sse},
};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

/// Answers with two tokens out on nine or as many as the call names, served in the way that it names.
fn served_as(body: &Value, path: &str) -> Vec<Step> {
    let tier = body["metadata"]["tier"].clone();
    let input = body["metadata"]["input"].as_u64().unwrap_or(9);
    let usage = json!({"prompt_tokens": input, "completion_tokens": 2, "total_tokens": input + 2});
    let counts = json!({"input_tokens": 9, "output_tokens": 2, "service_tier": tier});
    match (path, body["stream"] == true) {
        (CHAT, false) => {
            let choices =
                json!([{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]);
            let answer = json!({"choices": choices, "usage": usage, "service_tier": tier});
            whole("200 OK", &answer.to_string())
        }
        (CHAT, true) => {
            let delta = json!({"choices": [{"index": 0, "delta": {"content": "hi"}}], "service_tier": tier});
            let last = json!({"choices": [], "usage": usage, "service_tier": tier});
            let data = |event: &Value| format!("data: {event}\n\n");
            sse(&[&data(&delta), &data(&last), "data: [DONE]\n\n"])
        }
        (RESPONSES, false) => {
            let answer =
                json!({"status": "completed", "output": [], "usage": counts, "service_tier": tier});
            whole("200 OK", &answer.to_string())
        }
        (RESPONSES, true) => {
            let event = |kind: &str, tier: &Value, usage: &Value| {
                let response = json!({"output": [], "service_tier": tier, "usage": usage});
                let event = json!({"type": kind, "response": response});
                format!("event: {kind}\ndata: {event}\n\n")
            };
            let created = event("response.created", &body["service_tier"], &Value::Null);
            sse(&[&created, &event("response.completed", &tier, &counts)])
        }
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_call_costs_what_the_way_costs_in_which_it_was_served() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(|seen| {
        let path = seen.target.split('?').next().unwrap();
        served_as(&seen.json(), path)
    })
    .await;
    let yaml = priced(&upstream, "credit: required", "credit: 100");
    let tiers = "service_tiers: {priority: 2, flex: 0.5, batch: 0.5}";
    let yaml = yaml.replace(
        "m: {input: 1, output: 4}",
        &format!("m: {{input: 1, output: 4, {tiers}}}"),
    );
    let gateway = Gateway::start(&kept(&yaml, &folder)).await;
    // Nine tokens at a thousand, two at four thousand, as usual.
    const USUAL: i64 = 17_000;
    let mut calls = 0;
    for (asked, served, cost) in [
        ("priority", json!("default"), USUAL),
        ("priority", json!("priority"), 2 * USUAL),
        ("priority", json!("flex"), USUAL / 2),
        ("flex", json!("default"), USUAL),
        ("flex", json!("flex"), USUAL / 2),
        // What its price does not name, or nobody says, is as it was asked for.
        ("priority", json!("scale"), 2 * USUAL),
        ("priority", json!("auto"), 2 * USUAL),
        ("priority", Value::Null, 2 * USUAL),
        ("priority", json!(7), 2 * USUAL),
        // How a call is served that asks for nothing is the provider account's own setting.
        ("auto", json!("priority"), USUAL),
        ("default", json!("flex"), USUAL),
    ] {
        for (path, stream) in [
            (CHAT, false),
            (CHAT, true),
            (RESPONSES, false),
            (RESPONSES, true),
        ] {
            let limit = if path == CHAT {
                "max_tokens"
            } else {
                "max_output_tokens"
            };
            let body = json!({
                "model": "m", "stream": stream, limit: 100, "messages": [], "input": "x",
                "service_tier": asked, "metadata": {"tier": served},
            });
            let call = gateway
                .call("POST", path)
                .bearer(KEY)
                .json(&body.to_string());
            let answer = call.send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            calls += 1;
            gateway.pass(std::time::Duration::from_millis(1));
            let found = &gateway.calls(calls).await[0];
            assert_eq!(
                found["cost_nano_usd"], cost,
                "{asked} {served} {path} {stream}: {found:#}"
            );
        }
    }
    // Nobody pays more than was held, because a provider says so.
    let body = json!({
        "model": "m", "max_tokens": 1, "messages": [], "service_tier": "flex",
        "metadata": {"tier": "priority", "input": 80},
    });
    let call = gateway
        .call("POST", CHAT)
        .bearer(KEY)
        .json(&body.to_string());
    let held = call.send().await;
    assert_eq!(held.status, 200, "{}", held.text());
    calls += 1;
    gateway.pass(std::time::Duration::from_millis(1));
    let found = &gateway.calls(calls).await[0];
    let (as_asked, as_served) = (88_000 / 2, 88_000 * 2);
    assert!(
        found["held_nano_usd"].as_i64() < Some(as_served),
        "{found:#}"
    );
    assert_eq!(found["cost_nano_usd"], as_asked, "{found:#}");
    gateway.stop().await;
    adds_up(&folder, calls as u64);
}

#[tokio::test]
async fn a_call_that_is_refused_pays_for_no_feature() {
    for (status, code, cost) in [
        // What the route and the model cost for each request, and what was reported.
        ("400 Bad Request", 400, 250_000_000 + 20_000_000 + 17_000),
        ("500 Internal Server Error", 500, 0),
        (
            "200 OK",
            200,
            250_000_000 + 20_000_000 + 10_000_000 + 17_000,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let answer = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
        let upstream = Upstream::answering(status, answer).await;
        let routes =
            "routes: [{path: /paid, provider: up, strip_prefix: true, price_per_request: 0.25}]\n";
        let row = "m: {input: 1, output: 4, request: 0.02, features: {web_search: 0.01}}";
        let yaml = priced(&upstream, "credit: required", "credit: 1")
            .replace("m: {input: 1, output: 4}", row);
        let gateway = Gateway::start(&kept(&format!("{routes}{yaml}"), &folder)).await;
        let body =
            json!({"model": "m", "max_tokens": 10, "messages": [], "web_search_options": {}});
        let call = gateway
            .call("POST", "/paid/v1/chat/completions")
            .bearer(KEY);
        let answer = call.json(&body.to_string()).send().await;
        assert_eq!(answer.status, code, "{}", answer.text());
        let call = gateway.calls(1).await.remove(0);
        assert_eq!(call["cost_nano_usd"], cost, "{call}");
        gateway.nothing_held(KEY).await;
        gateway.stop().await;
        adds_up(&folder, 1);
    }
}
