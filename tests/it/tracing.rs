//! The one access record of each request, and the trace it belongs to.

use serde_json::{Value, json};

use crate::harness::{Gateway, KEY, LIMITED, Upstream, shared_config};

const ANSWER: &str = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A record without what differs from run to run.
fn plain(record: &Value) -> Value {
    let mut plain = record.clone();
    let fields = plain.as_object_mut().unwrap();
    assert_eq!(
        fields.remove("request_id").unwrap().as_str().unwrap().len(),
        36
    );
    plain
}

#[tokio::test]
async fn a_forwarded_call_is_told_in_full() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let body = r#"{"model":"m","user":"somebody"}"#;
    let answer = gateway
        .call("POST", "/v1/chat/completions?secret=1")
        .bearer(LIMITED)
        .header("traceparent", TRACE)
        .header("tracestate", "vendor=1")
        .header("x-request-id", "mine-1")
        .header("user-agent", "test/1\u{9}x")
        .json(body)
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let seen = &upstream.seen()[0];
    assert_eq!(seen.headers["traceparent"], TRACE);
    assert_eq!(seen.headers["tracestate"], "vendor=1");
    let record = &gateway.records(1).await[0];
    assert_eq!(record["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(
        plain(record),
        json!({
            "at": "2026-11-20T12:00:00Z", "level": "info", "target": "faregate::access",
            "client_request_id": "mine-1", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "method": "POST", "path": "/v1/chat/completions", "route": "/", "dialect": "openai",
            "endpoint": "chat.completions", "account": "tight", "key": "tight-key", "plan": "tight",
            "provider": "up", "model": "m", "status": 200, "outcome": "completed", "stream": false,
            "input_tokens": 9, "output_tokens": 2, "estimated": false, "queue_ms": 0, "first_byte_ms": 0,
            "total_ms": 0, "bytes_in": body.len(), "bytes_out": ANSWER.len(), "client": "127.0.0.1",
            "user_agent": "test/1\tx",
        })
    );
    gateway.stop().await;
}

#[tokio::test]
async fn every_request_has_exactly_one_record() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let chat = "/v1/chat/completions";
    let cases = [
        ("GET", "/healthz", "", "", 200, None, None),
        ("GET", "/problems/quota_exhausted", "", "", 200, None, None),
        ("GET", "/v1/models", KEY, "", 200, None, None),
        (
            "GET",
            "/nowhere",
            "",
            "",
            404,
            Some("route_not_found"),
            None,
        ),
        ("GET", chat, "", "", 405, Some("method_not_allowed"), None),
        ("POST", "/v1//x", "", "", 400, Some("invalid_path"), None),
        ("POST", chat, "", "", 401, Some("invalid_api_key"), None),
        ("POST", chat, KEY, "{", 400, Some("invalid_json"), None),
        (
            "POST",
            chat,
            KEY,
            r#"{"model":"x"}"#,
            404,
            Some("model_not_found"),
            None,
        ),
        (
            "POST",
            chat,
            KEY,
            r#"{"model":"m"}"#,
            200,
            None,
            Some("completed"),
        ),
        (
            "GET",
            "/raw/v1/files",
            KEY,
            "",
            200,
            None,
            Some("completed"),
        ),
    ];
    for (number, (method, path, key, body, status, code, outcome)) in cases.into_iter().enumerate()
    {
        let call = gateway.call(method, path);
        let call = if key.is_empty() {
            call
        } else {
            call.bearer(key)
        };
        let answer = call.body(body).send().await;
        assert_eq!(answer.status, status, "{method} {path}");
        let record = gateway.records(number + 1).await.pop().unwrap();
        assert_eq!(record["request_id"], answer.header("x-request-id").unwrap());
        assert_eq!(
            (&record["method"], &record["path"]),
            (&method.into(), &path.into())
        );
        assert_eq!(record["status"], status, "{path}");
        assert_eq!(record["code"].as_str(), code, "{path}");
        assert_eq!(record["outcome"].as_str(), outcome, "{path}");
        assert_eq!(record["bytes_out"], answer.body.len(), "{path}");
        assert_eq!(
            record["account"].as_str(),
            (!key.is_empty()).then_some("free"),
            "{path}"
        );
    }
    gateway.calls(2).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_trace_that_is_none_is_not_told_and_still_passed_on() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for (number, value) in [
        "garbage",
        "00-short-00f067aa0ba902b7-01",
        "00-ZZf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ]
    .into_iter()
    .enumerate()
    {
        let call = gateway
            .chat(KEY, r#"{"model":"m"}"#)
            .header("traceparent", value);
        assert_eq!(call.send().await.status, 200);
        let record = gateway.records(number + 1).await.pop().unwrap();
        assert_eq!(record.get("trace_id"), None, "{value}");
        assert_eq!(upstream.seen()[number].headers["traceparent"], value);
    }
    gateway.stop().await;
}
