//! A provider's statuses: its own troubles are not the caller's, and its words about them stay here.

use super::{WHOLE, chat, saying};
use crate::harness::{Gateway, LIMITED, Upstream, gzip, shared_config};

/// What no client may read of a provider's troubles.
const WORDS: &str = "org-secret-account-42";

fn answer(status: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{fields}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn the_providers_own_troubles_are_not_the_callers() {
    let plain = format!(r#"{{"error":{{"message":"{WORDS}","type":"x","code":"y"}}}}"#);
    let quota = format!(
        r#"{{"error":{{"message":"{WORDS}","type":"insufficient_quota","code":"insufficient_quota"}}}}"#
    );
    let bill = format!(
        r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"Your credit balance is too low to access the API. {WORDS}"}}}}"#
    );
    let key = format!(
        r#"[{{"error":{{"code":400,"message":"API key not valid. Please pass a valid API key. {WORDS}","status":"INVALID_ARGUMENT"}}}}]"#
    );
    let disabled = r#"{"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}"#;
    let worded = |message: &str| {
        format!(r#"{{"error":{{"message":"{message} {WORDS}","code":"1113","type":null}}}}"#)
    };
    let (suspended, workspace, balance, tier) = (
        worded(
            "Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.",
        ),
        worded("You have reached your specified workspace API usage limits."),
        worded("Insufficient balance or no resource package."),
        worded("Gemini API free tier is not available in your country."),
    );
    let unpaid = |name: &str| {
        format!(r#"{{"error":{{"message":"{WORDS}","type":"{name}","param":null,"code":null}}}}"#)
    };
    let (overdue, inactive, exceeded, arrears) = (
        unpaid("AccountOverdueError"),
        unpaid("billing_not_active"),
        unpaid("exceeded_current_quota_error"),
        unpaid("Arrearage"),
    );
    let cases = [
        ("400 Bad Request", "", key.as_str(), 502, "upstream_auth"),
        ("400 Bad Request", "", disabled, 502, "upstream_auth"),
        (
            "429 Too Many Requests",
            "",
            &inactive,
            503,
            "upstream_unavailable",
        ),
        (
            "429 Too Many Requests",
            "",
            &exceeded,
            503,
            "upstream_unavailable",
        ),
        ("400 Bad Request", "", &arrears, 503, "upstream_unavailable"),
        (
            "400 Bad Request",
            "",
            &workspace,
            503,
            "upstream_unavailable",
        ),
        (
            "429 Too Many Requests",
            "",
            &balance,
            503,
            "upstream_unavailable",
        ),
        ("400 Bad Request", "", &tier, 503, "upstream_unavailable"),
        (
            "412 Precondition Failed",
            "",
            &suspended,
            503,
            "upstream_unavailable",
        ),
        ("403 Forbidden", "", &overdue, 503, "upstream_unavailable"),
        ("401 Unauthorized", "", plain.as_str(), 502, "upstream_auth"),
        ("403 Forbidden", "", &plain, 502, "upstream_auth"),
        (
            "402 Payment Required",
            "",
            &plain,
            503,
            "upstream_unavailable",
        ),
        (
            "429 Too Many Requests",
            "retry-after: 7\r\n",
            &plain,
            503,
            "upstream_overloaded",
        ),
        (
            "429 Too Many Requests",
            "retry-after-ms: 6500\r\n",
            &plain,
            503,
            "upstream_overloaded",
        ),
        (
            "429 Too Many Requests",
            "",
            &quota,
            503,
            "upstream_unavailable",
        ),
        ("403 Forbidden", "", &quota, 503, "upstream_unavailable"),
        ("400 Bad Request", "", &bill, 503, "upstream_unavailable"),
        (
            "503 Service Unavailable",
            "",
            &plain,
            503,
            "upstream_overloaded",
        ),
        ("529 Overloaded", "", &plain, 503, "upstream_overloaded"),
        (
            "429 Too Many Requests",
            "",
            WORDS,
            503,
            "upstream_overloaded",
        ),
    ];
    for (status, fields, body, ours, code) in cases {
        let upstream = Upstream::start({
            let text = answer(
                status,
                &format!("x-request-id: up-1\r\nx-ratelimit-limit-requests: 3\r\n{fields}"),
                body,
            );
            move |_| vec![crate::harness::Step::Send(text.clone().into_bytes())]
        })
        .await;
        let told = chat(&upstream.url(), "", WHOLE).await;
        told.refused(ours, code, "upstream_failed");
        assert!(
            !told.answer.text().contains(WORDS),
            "{status}: {}",
            told.answer.text()
        );
        assert_eq!(told.used, (0, 0), "{status}");
        let theirs = told.answer.header("x-upstream-request-id");
        assert_eq!(theirs, Some("up-1"), "{status}");
        assert_eq!(told.record["upstream_request_id"], "up-1", "{status}");
        let stops = (code == "upstream_unavailable").then_some("false");
        assert_eq!(told.answer.header("x-should-retry"), stops, "{status}");
        let waits = fields.contains("retry-after").then_some("7");
        if waits.is_some() {
            assert_eq!(told.answer.header("retry-after"), waits, "{status}");
        }
        assert!(
            told.answer.header("x-ratelimit-limit-requests").is_none(),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_bill_behind_compression_is_recognised() {
    let bill = format!(r#"{{"error":{{"message":"{WORDS}","code":"insufficient_quota"}}}}"#);
    let packed = gzip(bill.as_bytes());
    let mut text = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    text.extend_from_slice(&packed);
    let told = chat(&saying(text).await.url(), "", WHOLE).await;
    told.refused(503, "upstream_unavailable", "upstream_failed");
}

#[tokio::test]
async fn all_other_statuses_are_relayed_unchanged() {
    let body = r#"{"error":{"message":"theirs \u00e9","type":"invalid_request_error","param":"x","code":null},"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    for (status, requests, tokens) in [
        ("400 Bad Request", 1, 4),
        ("404 Not Found", 1, 4),
        ("409 Conflict", 1, 4),
        ("413 Content Too Large", 1, 4),
        ("422 Unprocessable Content", 1, 4),
        ("500 Internal Server Error", 0, 0),
        ("502 Bad Gateway", 0, 0),
        ("504 Gateway Timeout", 0, 0),
        ("599 Odd", 0, 0),
    ] {
        let text = answer(status, "x-theirs: 1\r\nretry-after: 3\r\n", body);
        let told = chat(&saying(text).await.url(), "", WHOLE).await;
        assert_eq!(told.answer.status.as_u16().to_string(), status[..3]);
        assert_eq!(told.answer.text(), body, "{status}");
        assert_eq!(told.answer.header("x-theirs"), Some("1"), "{status}");
        assert_eq!(told.answer.header("retry-after"), Some("3"), "{status}");
        assert_eq!(told.used, (requests, tokens), "{status}");
        assert_eq!(told.call["estimated"], false, "{status}");
        assert_eq!(told.call["status"].to_string(), status[..3]);
        // What is given back was the provider's failure; what is the caller's mistake is an answer.
        let outcome = if requests == 0 {
            "upstream_failed"
        } else {
            "completed"
        };
        assert_eq!(told.call["outcome"], outcome, "{status}");
    }
}

#[tokio::test]
async fn a_refusal_speaks_the_callers_dialect() {
    let upstream = Upstream::answering("529 Overloaded", "{}").await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let call = gateway.call("POST", "/v1/messages").bearer(LIMITED);
    let answer = call.json(r#"{"model":"c","max_tokens":5}"#).send().await;
    let value = answer.value();
    assert_eq!(
        (answer.status.as_u16(), &value["type"]),
        (503, &"error".into()),
        "{value}"
    );
    assert_eq!(answer.code(), "upstream_overloaded");
    assert_eq!(answer.header("request-id"), answer.header("x-request-id"));
    gateway.stop().await;
}
