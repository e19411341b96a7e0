//! What a call takes before it is forwarded, and what that does to others.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Gateway, KEY, limit, planned, provider, refused, served, used};
use crate::harness::{Answer, Call, Gate, Step, Upstream, json as whole, within};

/// A provider that answers when the gate is opened: 300 tokens in, 100 out.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |_| {
        let body = r#"{"choices":[],"usage":{"prompt_tokens":300,"completion_tokens":100,"total_tokens":400}}"#;
        let mut steps = vec![Step::Wait(gate.clone())];
        steps.extend(whole("200 OK", body));
        steps
    })
    .await
}

fn body(output: u64, answers: u64) -> String {
    json!({"model": "m", "max_tokens": output, "n": answers, "messages": [{"role": "user", "content": "hi"}]})
        .to_string()
}

fn begin(gateway: &Gateway, body: &str) -> JoinHandle<Answer> {
    let call = Call::new(gateway.address, "POST", "/v1/chat/completions");
    tokio::spawn(call.bearer(KEY).json(body).send())
}

fn actions(answer: &Answer) -> Vec<Value> {
    let actions = answer.value()["billing"]["actions"].clone();
    actions
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["rel"].clone())
        .collect()
}

#[tokio::test]
async fn too_much_used_up_and_on_hold_are_told_apart() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&planned(&upstream, "{quotas: [{tokens: 1000, per: day}]}")).await;
    let ask = |output, answers| gateway.chat(KEY, &body(output, answers)).send();
    let bytes = body(500, 1).len() as u64;

    let first = begin(&gateway, &body(500, 1));
    upstream.arrival().await;
    assert_eq!(
        used(&gateway, "tokens").await,
        [("plan".into(), 0, bytes + 500)]
    );

    // Enough is there, but the first call holds it: it will come back.
    let refusal = ask(500, 1).await;
    refused(&refusal, 429, "limit_on_hold");
    let wait: u64 = refusal.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(refusal.header("x-should-retry"), None);
    assert_eq!(refusal.header("retry-after-ms"), None);
    let facts = limit(&refusal);
    assert_eq!(
        (&facts["used"], &facts["held"]),
        (&json!(0), &json!(bytes + 500))
    );

    // No day can hold this one: waiting is no way out.
    let refusal = ask(500, 2).await;
    refused(&refusal, 402, "request_exceeds_limit");
    assert_eq!(actions(&refusal), ["upgrade"]);
    assert_eq!(refusal.header("x-should-retry"), Some("false"));

    // A smaller one fits beside it.
    let second = begin(&gateway, &body(100, 1));
    upstream.arrival().await;
    gate.open();
    served(&within("the first answer", first).await.unwrap());
    gate.open();
    served(&within("the second answer", second).await.unwrap());
    assert_eq!(used(&gateway, "tokens").await, [("plan".into(), 800, 0)]);

    // Another day could hold this one.
    let refusal = ask(500, 1).await;
    refused(&refusal, 402, "request_exceeds_limit");
    assert_eq!(actions(&refusal), ["upgrade", "wait"]);
    let last = begin(&gateway, &body(50, 1));
    upstream.arrival().await;
    gate.open();
    served(&within("the last answer", last).await.unwrap());
    // It used more than it held, and is charged what it used.
    assert_eq!(used(&gateway, "tokens").await, [("plan".into(), 1200, 0)]);
    let refusal = ask(1, 1).await;
    refused(&refusal, 402, "quota_exhausted");
    assert_eq!(actions(&refusal), ["upgrade", "wait"]);
    let calls = gateway.calls(3).await;
    assert_eq!(
        calls.iter().filter(|call| call["overrun"] == true).count(),
        2
    );
    gateway.stop().await;
}

#[tokio::test]
async fn the_spent_quota_is_named_before_the_one_that_is_too_small() {
    let upstream = provider().await;
    let plan = "{quotas: [{tokens: 300, per: hour}, {tokens: 20, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    // The tokenizer's count is what fits: eleven are used, and eleven more.
    let refusal = gateway.chat(KEY, &body(400, 1)).send().await;
    refused(&refusal, 402, "request_exceeds_limit");
    assert_eq!(limit(&refusal)["per"], "hour");
    let refusal = gateway.chat(KEY, &body(100, 1)).send().await;
    refused(&refusal, 402, "request_exceeds_limit");
    assert_eq!(limit(&refusal)["per"], "day");
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn the_input_is_counted_before_anything_is_refused() {
    let upstream = provider().await;
    let prose =
        "The gate opens when the fare is paid, and it stays open for the whole ride. ".repeat(40);
    let ask = |model: &str, text: &str| {
        json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]})
            .to_string()
    };
    assert!(prose.len() > 3000);
    let gateway = Gateway::start(&planned(&upstream, "{quotas: [{tokens: 1200, per: day}]}")).await;
    served(&gateway.chat(KEY, &ask("m", &prose)).send().await);
    let message = gateway.call("POST", "/v1/messages").bearer(KEY);
    served(&message.json(&ask("c", &prose)).send().await);
    // Twice as much is too much, by count as well.
    let twice = gateway.chat(KEY, &ask("m", &prose.repeat(2))).send().await;
    refused(&twice, 402, "request_exceeds_limit");
    gateway.stop().await;
    // Where it fits anyway, nobody counts: the bytes are held.
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&planned(
        &upstream,
        "{quotas: [{tokens: 100000, per: day}]}",
    ))
    .await;
    let body = ask("m", &prose);
    let call = begin(&gateway, &body);
    upstream.arrival().await;
    assert_eq!(
        used(&gateway, "tokens").await,
        [("plan".into(), 0, body.len() as u64 + 100)]
    );
    gate.open();
    served(&within("the answer", call).await.unwrap());
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_body_does_not_show_counts_as_the_whole_window() {
    let upstream = provider().await;
    let gateway =
        Gateway::start(&planned(&upstream, "{quotas: [{tokens: 90000, per: day}]}")).await;
    let image = json!({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]});
    let refusal = gateway.chat(KEY, &image.to_string()).send().await;
    refused(&refusal, 402, "request_exceeds_limit");
    let stored = json!({"model": "m", "max_output_tokens": 10, "input": "hi", "previous_response_id": "resp_1"});
    let responses = |body: &Value| {
        gateway
            .call("POST", "/v1/responses")
            .bearer(KEY)
            .json(&body.to_string())
            .send()
    };
    refused(&responses(&stored).await, 402, "request_exceeds_limit");
    let shown = json!({"model": "m", "max_output_tokens": 10, "input": "hi"});
    served(&responses(&shown).await);
    // Google's imitation of OpenAI and Azure have names of their own for what they keep.
    for (name, kept) in [
        (
            "extra_body",
            json!({"google": {"cached_content": "cachedContents/1"}}),
        ),
        ("data_sources", json!([{"type": "azure_search"}])),
    ] {
        let mut body = json!({"model": "m", "max_tokens": 10, "messages": []});
        body[name] = kept;
        let refusal = gateway.chat(KEY, &body.to_string()).send().await;
        refused(&refusal, 402, "request_exceeds_limit");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn tools_cost_more_than_their_bytes() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway =
        Gateway::start(&planned(&upstream, "{quotas: [{tokens: 90000, per: day}]}")).await;
    let body = json!({"model": "m", "max_tokens": 10, "messages": [], "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}}}]})
    .to_string();
    let call = begin(&gateway, &body);
    upstream.arrival().await;
    assert_eq!(
        used(&gateway, "tokens").await,
        [("plan".into(), 0, body.len() as u64 + 1024 + 10)]
    );
    gate.open();
    served(&within("the answer", call).await.unwrap());
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_quota_is_never_on_hold() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway = Gateway::start(&planned(&upstream, "{quotas: [{requests: 1, per: day}]}")).await;
    let call = begin(&gateway, &body(10, 1));
    upstream.arrival().await;
    let refusal = gateway.chat(KEY, &body(10, 1)).send().await;
    refused(&refusal, 402, "quota_exhausted");
    assert_eq!(
        (&limit(&refusal)["used"], &limit(&refusal)["held"]),
        (&json!(1), &json!(0))
    );
    gate.open();
    served(&within("the answer", call).await.unwrap());
    gateway.stop().await;
}

/// What a call holds itself is not told as gone. In the next window that is nothing, and what others hold there is gone.
#[tokio::test]
async fn what_is_left_of_the_next_window_is_what_the_others_leave() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let gateway =
        Gateway::start(&planned(&upstream, "{quotas: [{tokens: 1000, per: hour}]}")).await;
    let bytes = body(500, 1).len() as u64;
    let left = |answer: &Answer| {
        answer
            .header("x-ratelimit-remaining-tokens")
            .map(str::to_owned)
    };

    let first = begin(&gateway, &body(500, 1));
    upstream.arrival().await;
    gateway.pass(Duration::from_secs(3600));
    let second = begin(&gateway, &body(500, 1));
    upstream.arrival().await;
    gate.open();
    let answer = within("the first answer", first).await.unwrap();
    served(&answer);
    assert_eq!(left(&answer), Some((500 - bytes).to_string()));
    gate.open();
    let answer = within("the second answer", second).await.unwrap();
    served(&answer);
    assert_eq!(left(&answer), Some("1000".to_owned()));
    gateway.stop().await;
}
