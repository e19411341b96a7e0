//! The question itself: who may ask, how often, and what is no question.

use serde_json::json;

use super::{
    CHAT, Gateway, KEY, MESSAGE, file, foretold, planned, provider, question, refused, served,
};

const PATH: &str = "/v1/faregate/preflight";

#[tokio::test]
async fn it_needs_a_key_and_nothing_but_a_key() {
    let upstream = provider().await;
    let rest = "\
plans: {p: {quotas: [{requests: 0, per: day}]}}
accounts:
  - {id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}, {id: far, key: the-key-of-account-a-0002, allowed_ips: [192.0.2.0/24]}]}
";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    refused(
        &gateway.call("POST", PATH).json(CHAT).send().await,
        401,
        "invalid_api_key",
    );
    let other = question(
        &gateway,
        "the-key-of-nobody-at-all",
        "/v1/messages",
        MESSAGE,
    );
    refused(&other.send().await, 401, "invalid_api_key");
    let far = question(
        &gateway,
        "the-key-of-account-a-0002",
        "/v1/messages",
        MESSAGE,
    );
    refused(&far.send().await, 403, "permission_denied");
    let answer = gateway
        .call("POST", PATH)
        .bearer(KEY)
        .json(CHAT)
        .send()
        .await;
    served(&answer);
    assert_eq!(answer.value()["refusal"]["status"], 402);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    for method in ["GET", "PUT"] {
        let answer = gateway.call(method, PATH).bearer(KEY).send().await;
        refused(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    assert!(upstream.seen().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn it_counts_as_a_request_per_minute_and_nothing_else() {
    let upstream = provider().await;
    let plan = "{rate_limits: {requests_per_minute: 3}, quotas: [{requests: 1, per: day}]}";
    let gateway = Gateway::start(&planned(&upstream, plan)).await;
    for _ in 0..3 {
        let told = foretold(&gateway, KEY, "/v1/chat/completions", CHAT).await;
        assert_eq!(told["admitted"], true);
    }
    let answer = question(&gateway, KEY, "/v1/chat/completions", CHAT)
        .send()
        .await;
    refused(&answer, 429, "rate_limit_exceeded");
    gateway.pass(std::time::Duration::from_secs(60));
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_no_call_could_have_is_refused() {
    let upstream = provider().await;
    let yaml = planned(&upstream, "{}");
    let yaml = format!("server: {{listen: \"127.0.0.1:0\", limits: {{json_body: 1KiB}}}}\n{yaml}");
    let gateway = Gateway::start(&yaml).await;
    let long = format!("{CHAT}{}", " ".repeat(1024));
    let twice = r#"{"model":"m","model":"c","messages":[]}"#;
    for (body, status, code) in [
        ("", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        ("{\"model\"", 400, "invalid_json"),
        (twice, 400, "ambiguous_json"),
        (&long, 413, "body_too_large"),
    ] {
        let path = "/v1/chat/completions";
        let answer = question(&gateway, KEY, path, body).send().await;
        refused(&answer, status, code);
        refused(&gateway.chat(KEY, body).send().await, status, code);
    }
    let packed =
        question(&gateway, KEY, "/v1/chat/completions", CHAT).header("content-encoding", "gzip");
    refused(&packed.send().await, 415, "unsupported_content_encoding");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_path_of_a_call_is_told_apart() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for query in [
        "?for=",
        "?for=v1/messages",
        "?for=https://other.example/v1/messages",
        "?for=/v1/messages&for=/v1/messages",
        "?for=/v1/../messages",
        "?for=/v1/%252e%252e/messages",
        "?for=/v1//messages",
        "?for=/v1/%5Cmessages",
        "?for=/v1/messages%0ax",
        "?for=%ff",
        "?for=*",
    ] {
        let call = gateway.call("POST", &format!("{PATH}{query}"));
        let answer = call.bearer(KEY).json(CHAT).send().await;
        refused(&answer, 400, "invalid_path");
    }
    for path in [
        "/healthz",
        "/problems/quota_exhausted",
        "/v1/faregate/limits",
        "/v1/models",
    ] {
        let told = foretold(&gateway, KEY, path, CHAT).await;
        assert_eq!(told["refusal"]["status"], 405, "{path}");
    }
    for path in [PATH, "/v1/faregate/other", "/", "/v1/what"] {
        let told = foretold(&gateway, KEY, path, CHAT).await;
        assert_eq!(told["refusal"]["code"], "route_not_found", "{path}");
    }
    // Other parameters are not its own.
    let call = gateway.call("POST", &format!("{PATH}?x=1&for=/v1/messages&y"));
    let answer = call.bearer(KEY).json(MESSAGE).send().await;
    let free = json!({"tokens": answer.value()["hold"]["tokens"], "cost": null});
    assert_eq!(
        (&answer.value()["admitted"], &answer.value()["hold"]),
        (&json!(true), &free)
    );
    gateway.stop().await;
}
