//! Models that a body names beside its own: the provider may answer with one of them.

use serde_json::{Value, json};

use crate::{
    fixture::{ACCOUNT, KEY, planned, provider, refused, served},
    harness::{Answer, Gateway},
};

async fn ask(gateway: &Gateway, path: &str, more: &Value) -> Answer {
    let model = if path == "/v1/messages" { "c" } else { "m" };
    let mut body = json!({"model": model, "max_tokens": 5, "messages": []});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let call = gateway.call("POST", path).bearer(KEY);
    call.json(&body.to_string()).send().await
}

/// Each as its provider takes it.
fn named() -> Vec<(&'static str, Value)> {
    vec![
        (
            "/v1/messages",
            json!({"fallbacks": [{"model": "dear", "max_tokens": 100_000, "speed": "fast"}]}),
        ),
        ("/v1/messages", json!({"fallbacks": "default"})),
        ("/v1/chat/completions", json!({"models": ["real-big"]})),
        ("/v1/chat/completions", json!({"fallbacks": ["real-big"]})),
    ]
}

#[tokio::test]
async fn a_model_that_was_not_looked_at_is_not_asked_for() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{models: [m, c]}")).await;
    for (path, more) in named() {
        let answer = ask(&gateway, path, &more).await;
        refused(&answer, 403, "permission_denied");
        assert!(answer.text().contains("fallbacks"), "{}", answer.text());
        let asked = json!({"model": "c", "messages": [], "fallbacks": more["fallbacks"]});
        let asked = gateway
            .call("POST", "/v1/faregate/preflight?for=/v1/messages")
            .bearer(KEY)
            .json(&asked.to_string());
        let admitted = more["fallbacks"].is_null();
        assert_eq!(asked.send().await.value()["admitted"], admitted, "{more}");
    }
    assert!(upstream.seen().is_empty());
    served(&ask(&gateway, "/v1/messages", &json!({"fallbacks": null})).await);
    // Counting tokens answers with no model.
    let count = r#"{"model":"c","messages":[],"fallbacks":"default"}"#;
    let count = gateway
        .call("POST", "/v1/messages/count_tokens")
        .bearer(KEY)
        .json(count);
    served(&count.send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn where_every_model_is_open_and_nothing_is_limited_it_may_be() {
    let upstream = provider().await;
    let url = upstream.url();
    let yaml = |plan: &str| {
        format!(
            "providers:\n  up: {{kind: openai, base_url: \"{url}/v1\", api_key: sk-upstream}}\n\
             \x20 claude: {{kind: anthropic, base_url: \"{url}\", api_key: sk-claude}}\n\
             plans: {{p: {plan}}}\n{ACCOUNT}"
        )
    };
    let gateway = Gateway::start(&yaml("{}")).await;
    for (path, more) in named() {
        served(&ask(&gateway, path, &more).await);
        let sent = upstream.seen().pop().unwrap().json();
        assert_eq!(sent["fallbacks"], more["fallbacks"]);
    }
    gateway.stop().await;
    let gateway = Gateway::start(&yaml("{models: [m, c]}")).await;
    for (path, more) in named() {
        refused(&ask(&gateway, path, &more).await, 403, "permission_denied");
    }
    gateway.stop().await;
}
