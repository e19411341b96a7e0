//! Models whose provider speaks another dialect than the call.

use crate::{
    fixture::{CHAT, KEY, MESSAGE, file, planned, provider, refused, served},
    harness::{Answer, Gateway},
};

const CHAT_OF_C: &str = r#"{"model":"c","messages":[]}"#;
const MESSAGE_OF_M: &str = r#"{"model":"m","max_tokens":5,"messages":[]}"#;

/// Where a refusal says that the model is called.
fn told(answer: &Answer) -> String {
    let words = answer.value()["message"].as_str().unwrap().to_owned();
    let path = words.split_once("call it at ").unwrap().1;
    path.trim_end_matches('.').to_owned()
}

#[tokio::test]
async fn a_model_of_another_dialect_is_told_its_path() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    let answer = gateway.chat(KEY, CHAT_OF_C).send().await;
    refused(&answer, 400, "endpoint_not_in_dialect");
    assert_eq!(told(&answer), "/v1/messages");
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        let answer = gateway
            .call("POST", path)
            .bearer(KEY)
            .json(MESSAGE_OF_M)
            .send()
            .await;
        refused(&answer, 400, "endpoint_not_in_dialect");
        assert_eq!(answer.value()["error"]["type"], "invalid_request_error");
        assert_eq!(told(&answer), "/v1/chat/completions");
    }
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn the_path_that_is_told_is_one_of_a_route() {
    let upstream = provider().await;
    let plan = "plans: {p: {}}\n";
    let account =
        "accounts:\n  - {id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}\n";
    for (routes, asked, path) in [
        ("{path: /ai, strip_prefix: true}", "/ai", "/ai"),
        ("{path: /v1, strip_prefix: true}", "", ""),
        ("{path: /ai/v1, strip_prefix: true}", "/ai", "/ai"),
        ("{path: /v1}", "", ""),
        (
            "{path: /gpt, dialect: openai, strip_prefix: true}, {path: /claude, dialect: anthropic, strip_prefix: true}",
            "/gpt",
            "/claude",
        ),
        (
            "{path: /gpt, dialect: openai, strip_prefix: true}, {path: /}",
            "/gpt",
            "",
        ),
        // A route that is for others is not told.
        (
            "{path: /gpt, dialect: openai, strip_prefix: true}, {path: /mine, strip_prefix: true, accounts: [b]}, \
             {path: /ours, strip_prefix: true, accounts: [a]}, {path: /z, strip_prefix: true}",
            "/gpt",
            "/z",
        ),
        (
            "{path: /ai, strip_prefix: true, accounts: [a]}, {path: /z, strip_prefix: true}",
            "/ai",
            "/ai",
        ),
    ] {
        let yaml = format!("{plan}{account}  - {{id: b, plan: p}}\nroutes: [{routes}]\n");
        let gateway = Gateway::start(&file(&upstream, &yaml)).await;
        let chat = format!("{asked}/v1/chat/completions");
        let post = |path: &str, body| gateway.call("POST", path).bearer(KEY).json(body).send();
        served(&post(&chat, CHAT).await);
        let answer = post(&chat, CHAT_OF_C).await;
        refused(&answer, 400, "endpoint_not_in_dialect");
        assert_eq!(told(&answer), format!("{path}/v1/messages"), "{routes}");
        served(&post(&told(&answer), MESSAGE).await);
        gateway.stop().await;
    }
    // Where no route that chooses by the model has the dialect, the provider's own may.
    let routes = "routes: [{path: /, dialect: openai}, {path: /claude, provider: claude, strip_prefix: true}]\n";
    let yaml = format!("{plan}{account}{routes}");
    let gateway = Gateway::start(&file(&upstream, &yaml)).await;
    let answer = gateway.chat(KEY, CHAT_OF_C).send().await;
    refused(&answer, 400, "endpoint_not_in_dialect");
    assert_eq!(told(&answer), "its provider's own route");
    gateway.stop().await;
}
