//! What holds for every endpoint: determinism, framing, usage that adds up, an orderly end.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time;

use super::{against, get, post, send, settings};
use crate::simulate::{Settings, count::count, exchange::BODY_BYTES};

/// The `data:` objects of an event stream.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn chat(extra: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"Tell me"}}]{extra}}}"#)
}

#[tokio::test]
async fn the_same_request_has_the_same_answer_and_another_seed_another() {
    let first = post("/v1/chat/completions", &chat("")).await;
    let second = post("/v1/chat/completions", &chat("")).await;
    assert_eq!(first.body, second.body);
    let other = Settings {
        seed: 2,
        ..settings()
    };
    let other = against(other, async |address| {
        send(address, "POST", "/v1/chat/completions", "", &chat("")).await
    })
    .await;
    assert_ne!(first.body, other.body);
}

#[tokio::test]
async fn the_version_in_the_path_may_be_left_out() {
    let with = post("/v1/chat/completions", &chat("")).await;
    let without = post("/chat/completions", &chat("")).await;
    assert_eq!(with.body, without.body);
    assert_eq!(get("/models", "").await.status, 200);
    let message = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(post("/messages/count_tokens", message).await.status, 200);
}

#[tokio::test]
async fn several_answers_are_charged_together() {
    let got = post("/v1/chat/completions", &chat(r#","n":3"#)).await;
    let answer: Value = serde_json::from_str(&got.body).unwrap();
    let choices = answer["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    let written: u64 = choices
        .iter()
        .map(|choice| count(choice["message"]["content"].as_str().unwrap()))
        .sum();
    assert_eq!(answer["usage"]["completion_tokens"], written);
}

#[tokio::test]
async fn a_chat_stream_has_one_delta_for_each_token_charged() {
    let ask = chat(r#","stream":true,"stream_options":{"include_usage":true}"#);
    let got = post("/v1/chat/completions", &ask).await;
    assert!(got.body.ends_with("data: [DONE]\n\n"));
    let events = events(&got.body);
    let (last, before) = events.split_last().unwrap();
    assert!(
        before
            .iter()
            .all(|event| event.get("usage") == Some(&Value::Null))
    );
    assert_eq!(last["choices"], Value::Array(Vec::new()));
    let deltas = before
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .filter(|text| !text.is_empty())
        .count();
    assert_eq!(last["usage"]["completion_tokens"], deltas);
}

#[tokio::test]
async fn a_stream_that_asks_for_no_usage_has_no_usage_member() {
    let got = post("/v1/chat/completions", &chat(r#","stream":true"#)).await;
    assert!(
        events(&got.body)
            .iter()
            .all(|event| event.get("usage").is_none())
    );
}

#[tokio::test]
async fn a_message_stream_ends_with_the_tokens_it_streamed() {
    let ask = r#"{"model":"m","max_tokens":40,"stream":true,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"x"}]}"#;
    let got = post("/v1/messages", ask).await;
    let events = events(&got.body);
    let deltas = events
        .iter()
        .filter(|event| event["type"] == "content_block_delta")
        .filter(|event| event["delta"]["type"] != "signature_delta")
        .count();
    let end = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(deltas, 40);
    assert_eq!(end["usage"]["output_tokens"], 40);
    assert_eq!(end["delta"]["stop_reason"], "max_tokens");
}

#[tokio::test]
async fn a_response_stream_numbers_its_events() {
    let got = post(
        "/v1/responses",
        r#"{"model":"m","input":"x","stream":true}"#,
    )
    .await;
    let events = events(&got.body);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let end = events.last().unwrap();
    assert_eq!(end["type"], "response.completed");
    let text = end["response"]["output"][0]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert_eq!(end["response"]["usage"]["output_tokens"], count(text));
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused() {
    let got = post("/v1/embeddings", &" ".repeat(BODY_BYTES + 1)).await;
    assert_eq!(got.status, 413);
}

#[tokio::test]
async fn each_dialect_names_the_request_in_its_own_field() {
    let openai = post("/v1/embeddings", "{}").await;
    assert!(openai.head.contains("x-request-id: req_"));
    let anthropic = post("/v1/messages", "{}").await;
    assert!(anthropic.head.contains("\r\nrequest-id: req_"));
}

#[tokio::test]
async fn latency_and_pace_add_up() {
    let slow = Settings {
        latency: Duration::from_millis(20),
        tokens_per_second: 100,
        ..settings()
    };
    let ask = chat(r#","max_tokens":5,"stream":true"#);
    let started = time::Instant::now();
    against(slow, async |address| {
        send(address, "POST", "/v1/chat/completions", "", &ask).await
    })
    .await;
    // The first token is there at once, four more take ten milliseconds each. A slow machine can only add to it.
    assert!(started.elapsed() >= Duration::from_millis(20 + 40));
}

#[tokio::test]
async fn a_call_is_served_in_the_tier_that_it_asks_for() {
    against(settings(), async |address| {
        for (asked, served) in [("flex", "flex"), ("auto", "default")] {
            for (path, input) in [
                ("/v1/chat/completions", "messages"),
                ("/v1/responses", "input"),
            ] {
                for stream in [false, true] {
                    let body = json!({
                        "model": "m", "stream": stream, "service_tier": asked,
                        input: [{"role": "user", "content": "hi"}],
                    });
                    let got = send(address, "POST", path, "", &body.to_string()).await;
                    assert_eq!(got.status, 200, "{}", got.body);
                    let said = format!(r#""service_tier":"{served}""#);
                    let (tiers, right) = (
                        got.body.matches(r#""service_tier":"#).count(),
                        got.body.matches(&said).count(),
                    );
                    assert!(tiers > 0 && tiers == right, "{asked}: {}", got.body);
                }
            }
        }
    })
    .await;
}
