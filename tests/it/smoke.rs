use crate::harness::{Gateway, Upstream, sse};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

fn yaml(upstream: &Upstream) -> String {
    format!(
        r#"
providers:
  up: {{kind: openai, base_url: "{}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, model: real-m, context_window: 1000, max_output_tokens: 500}}
plans:
  p: {{quotas: [{{tokens: 10000, per: day}}, {{requests: 2, per: hour}}], rate_limits: {{requests_per_minute: 100}}}}
accounts:
  - {{id: a, plan: p, keys: [{{id: k, key: the-key-of-account-a-0001}}]}}
"#,
        upstream.url()
    )
}

#[tokio::test]
async fn a_call_is_forwarded_metered_and_recorded() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&yaml(&upstream)).await;
    let answer = gateway.chat("the-key-of-account-a-0001", CHAT).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.text(), ANSWER);
    let seen = &upstream.seen()[0];
    assert_eq!(seen.target, "/v1/chat/completions");
    assert_eq!(seen.headers["authorization"], "Bearer sk-upstream");
    assert_eq!(seen.json()["model"], "real-m");
    assert_eq!(seen.json()["max_completion_tokens"], 500);
    let calls = gateway.calls(1).await;
    assert_eq!(calls[0]["tokens"]["input"], 9);
    assert_eq!(calls[0]["outcome"], "completed");

    gateway.chat("the-key-of-account-a-0001", CHAT).send().await;
    let third = gateway.chat("the-key-of-account-a-0001", CHAT).send().await;
    assert_eq!(
        (third.status.as_u16(), third.code().as_str()),
        (402, "quota_exhausted"),
        "{}",
        third.text()
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_passes_and_its_usage_chunk_is_hidden() {
    let upstream = Upstream::start(|_| {
        sse(&[
            "data: {\"choices\":[{\"delta\":{\"content\":\"hel\"}}],\"usage\":null}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}],\"usage\":null}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n",
            "data: [DONE]\n\n",
        ])
    })
    .await;
    let gateway = Gateway::start(&yaml(&upstream)).await;
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let answer = gateway.chat("the-key-of-account-a-0001", body).send().await;
    assert_eq!(answer.status, 200);
    assert!(
        !answer.text().contains("prompt_tokens"),
        "{}",
        answer.text()
    );
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(
        upstream.seen()[0].json()["stream_options"]["include_usage"],
        true
    );
    let calls = gateway.calls(1).await;
    assert_eq!(calls[0]["tokens"]["output"], 2);
    gateway.stop().await;
}
