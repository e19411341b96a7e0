//! Texts that many tests need.

use crate::harness::{Answer, Seen, Step, Upstream, json};

/// The key of account `a` in most files.
pub(crate) const KEY: &str = "the-key-of-account-a-0001";

/// A chat completion that asks for model `m`.
pub(crate) const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// A message that asks for model `c`.
pub(crate) const MESSAGE: &str =
    r#"{"model":"c","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;

/// Account `a` with one key, on plan `p`.
pub(crate) const ACCOUNT: &str =
    "accounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]\n";

/// What the provider answers to each endpoint: nine tokens in, two out.
pub(crate) fn answer(seen: &Seen) -> Vec<Step> {
    let path = seen.target.split('?').next().unwrap();
    let body = match path.rsplit_once("/v1/").map(|(_, endpoint)| endpoint) {
        Some("messages") => {
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"real-c","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":2}}"#
        }
        Some("messages/count_tokens") => r#"{"input_tokens":9}"#,
        Some("responses") => {
            r#"{"id":"resp_1","object":"response","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":2,"total_tokens":11}}"#
        }
        Some("completions") => {
            r#"{"id":"cmpl_1","object":"text_completion","choices":[{"index":0,"text":"hello","finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#
        }
        Some("embeddings") => {
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"real-m","usage":{"prompt_tokens":9,"total_tokens":9}}"#
        }
        Some("chat/completions") => {
            r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#
        }
        _ => r#"{"object":"something else"}"#,
    };
    json("200 OK", body)
}

/// A provider that answers every endpoint.
pub(crate) async fn provider() -> Upstream {
    Upstream::start(answer).await
}

/// A file with the providers `up` (OpenAI's dialect, model `m`) and `claude` (Anthropic's, model `c`) at one address.
pub(crate) fn file(upstream: &Upstream, rest: &str) -> String {
    let url = upstream.url();
    format!(
        r#"
providers:
  up: {{kind: openai, base_url: "{url}/v1", api_key: sk-upstream}}
  claude: {{kind: anthropic, base_url: "{url}", api_key: sk-claude}}
models:
  m: {{provider: up, model: real-m, context_window: 100000, max_output_tokens: 500}}
  big: {{provider: up, model: real-big, context_window: 1000000, max_output_tokens: 100000}}
  c: {{provider: claude, model: real-c, context_window: 100000, max_output_tokens: 500}}
{rest}"#
    )
}

/// A file with one plan, whose text is `plan`, and account `a` on it.
pub(crate) fn planned(upstream: &Upstream, plan: &str) -> String {
    file(upstream, &format!("plans: {{p: {plan}}}\n{ACCOUNT}"))
}

/// A refusal with this status and code.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.code(), code, "{}", answer.text());
}

/// An answer of the provider's, or of ours, that is none of a failure.
#[track_caller]
pub(crate) fn served(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// An answer's JSON for a snapshot.
pub(crate) fn shown(answer: &Answer) -> String {
    serde_json::to_string_pretty(&answer.value()).unwrap()
}
