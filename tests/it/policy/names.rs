use serde_json::json;

use crate::{
    fixture::{ACCOUNT, KEY, planned, provider, refused, served},
    harness::{Gateway, Upstream},
};

fn chat(model: &str) -> String {
    json!({"model": model, "messages": []}).to_string()
}

/// Without `models:`, one provider gets every name.
fn open(upstream: &Upstream) -> String {
    let url = upstream.url();
    format!(
        "providers: {{up: {{kind: openai, base_url: \"{url}/v1\", api_key: sk-upstream}}}}\n\
         plans: {{p: {{}}}}\n{ACCOUNT}"
    )
}

#[tokio::test]
async fn a_name_that_no_model_has_is_an_unknown_model() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    let long = "m".repeat(129);
    for name in ["a b", "modèle", "模型", "m\"", "m\n", long.as_str()] {
        let answer = gateway.chat(KEY, &chat(name)).send().await;
        refused(&answer, 404, "model_not_found");
        assert_eq!(answer.value()["error"]["param"], "model", "{name}");
    }
    // What is no text is no name.
    let number = gateway
        .chat(KEY, r#"{"model":5,"messages":[]}"#)
        .send()
        .await;
    refused(&number, 400, "invalid_json");
    assert!(upstream.seen().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn the_name_of_a_deployment_goes_to_its_provider() {
    let upstream = provider().await;
    let gateway = Gateway::start(&open(&upstream)).await;
    let names = [
        "accounts/f/models/m#accounts/a/deployments/d",
        "~f/m-latest",
    ];
    for name in names {
        served(&gateway.chat(KEY, &chat(name)).send().await);
        assert_eq!(upstream.seen().pop().unwrap().json()["model"], name);
    }
    let calls = gateway.calls(2).await;
    let kept: Vec<_> = calls.iter().map(|call| call["model"].clone()).collect();
    assert!(
        names.iter().all(|name| kept.contains(&json!(name))),
        "{kept:?}"
    );
    gateway.stop().await;
}
