//! Clients that leave in every way a connection can end, at every moment of a call, and what must hold afterwards.

mod between;
mod bounds;
mod secure;
mod silence;
mod vanished;
mod ways;

use serde_json::Value;

use crate::harness::{Gateway, LIMITED, Upstream};

const STREAM: &str = r#"{"model":"m","stream":true}"#;
const WHOLE: &str = r#"{"model":"m","messages":[]}"#;
/// Asks the provider to answer at once, whatever it does otherwise.
const HEALTHY: &str = r#"{"model":"m","messages":[],"user":"healthy"}"#;
const ANSWER: &str = r#"{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":50,"completion_tokens":7}}"#;
const EVENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"0123456789abcdef\"}}]}\n\n";

/// Our own count of a body's input.
fn input(body: &str) -> u64 {
    (body.len() as u64).div_ceil(4)
}

/// A chat completion as bytes.
fn request(body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {LIMITED}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What holds after every case: nothing is held, the provider was asked as often as there are records, no record has a
/// secret, and the next call is served. The calls, newest first.
async fn settled_calls(gateway: &Gateway, upstream: &Upstream, cases: usize) -> Vec<Value> {
    let calls = gateway.calls(cases).await;
    gateway.nothing_held(LIMITED).await;
    assert_eq!(upstream.seen().len(), cases);
    let healthy = gateway.chat(LIMITED, HEALTHY).send().await;
    assert_eq!(healthy.status, 200, "{}", healthy.text());
    tells_nothing(gateway, cases + 1).await;
    calls
}

/// No access record has a secret, nor what was asked or answered.
async fn tells_nothing(gateway: &Gateway, records: usize) {
    for record in gateway.records(records).await {
        let record = record.to_string();
        for secret in [LIMITED, "sk-upstream", "0123456789abcdef"] {
            assert!(!record.contains(secret), "{record}");
        }
    }
}
