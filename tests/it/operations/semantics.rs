//! What RFC 9110 asks of every answer, whatever it is about.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ANSWER, yaml};
use crate::harness::{Answer, Call, Daemon, KEY, LIMITED, TOKEN, Upstream};

/// Everything that an answer breaks.
fn broken(method: &str, answer: &Answer) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let mut rule = |kept: bool, words| {
        if !kept {
            broken.push(words);
        }
    };
    let one = |name: &str| answer.headers.get_all(name).iter().count() <= 1;
    let has = |name: &str| answer.headers.contains_key(name);
    let status = answer.status.as_u16();
    // §6.6.1: an origin with a clock says the date; §5.6.7 in the one form.
    let date = answer.header("date").unwrap_or_default();
    rule(date.len() == 29 && date.ends_with(" GMT"), "a date");
    for name in [
        "date",
        "content-length",
        "content-type",
        "retry-after",
        "location",
        "etag",
        "allow",
    ] {
        rule(one(name), "fields that are no lists come once");
    }
    rule(
        !(has("content-length") && has("transfer-encoding")),
        "one framing",
    );
    let length = answer
        .header("content-length")
        .map(|length| length.parse::<usize>());
    if method == "HEAD" {
        rule(answer.body.is_empty(), "no body for HEAD");
    } else {
        rule(
            length.is_none_or(|length| length == Ok(answer.body.len())),
            "the length of the body",
        );
        rule(
            answer.body.is_empty() || has("content-type"),
            "the type of a body",
        );
    }
    if answer
        .header("content-type")
        .is_some_and(|kind| kind.contains("json"))
        && method != "HEAD"
    {
        rule(
            serde_json::from_slice::<Value>(&answer.body).is_ok(),
            "JSON is JSON",
        );
    }
    // §15: what each status has to say.
    rule(
        status != 204 || (!has("content-length") && answer.body.is_empty()),
        "no body in 204",
    );
    rule(
        status != 401 || has("www-authenticate"),
        "a challenge in 401",
    );
    rule(status != 405 || has("allow"), "methods in 405");
    let wait = answer
        .header("retry-after")
        .map(|wait| wait.parse::<u32>().is_ok());
    rule(wait != Some(false), "a wait in seconds");
    // RFC 9111: nobody but the caller may keep what is about a caller, or an error.
    rule(
        status < 400 || answer.header("cache-control") == Some("no-store"),
        "no error is kept",
    );
    // §7.6.1, §10.2: what belongs to one connection, or tells more than is needed, is not passed on.
    rule(
        !has("keep-alive") && !has("proxy-connection") && !has("upgrade"),
        "fields of one hop",
    );
    rule(
        !has("server") && !has("x-powered-by"),
        "no name of a program",
    );
    rule(!has("set-cookie"), "no cookie");
    broken
}

#[tokio::test]
async fn every_answer_keeps_the_rules_of_http() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let text = yaml(&upstream.url(), "").replace(
        "tight: {quotas: [",
        "once: {rate_limits: {requests_per_minute: 1}}\n  spent: {quotas: [{requests: 1, per: month}]}\n  tight: {quotas: [",
    );
    let text = text.replace("accounts:\n", "accounts:\n  - {id: once, plan: once, keys: [{id: once, key: the-key-of-account-once-0001}]}\n  - {id: spent, plan: spent, keys: [{id: spent, key: the-key-of-account-spent-001}]}\n");
    let daemon = Daemon::start(&text).await;
    let chat = r#"{"model":"m","messages":[]}"#;
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut look = async |call: Call, method: &str, path: &str, accept: &str| {
        let call = if accept.is_empty() {
            call
        } else {
            call.header("accept", accept)
        };
        let answer = call.send().await;
        seen.insert(answer.status.as_u16());
        let found = broken(method, &answer);
        if !found.is_empty() {
            wrong.push(format!(
                "{method} {path} {accept} ({}): {found:?} {:?}",
                answer.status, answer.headers
            ));
        }
    };
    for accept in ["", "application/problem+json", "text/html"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"] {
            for path in [
                "/healthz",
                "/readyz",
                "/problems",
                "/problems/quota_exhausted",
                "/problems/none",
                "/v1/models",
                "/v1/models/m",
                "/v1/models/none",
                "/v1/faregate/limits",
                "/v1/faregate/preflight",
                "/v1/chat/completions",
                "/v1/messages",
                "/nothing",
                "/v1//models",
            ] {
                for key in [None, Some("not-a-key-of-anybody"), Some(KEY)] {
                    let call = Call::new(daemon.address, method, path);
                    let call = match key {
                        Some(key) => call.bearer(key),
                        None => call,
                    };
                    let call = if method == "POST" {
                        call.json(chat)
                    } else {
                        call
                    };
                    look(call, method, path, accept).await;
                }
            }
        }
        for _ in 0..2 {
            look(
                daemon.chat("the-key-of-account-once-0001", chat),
                "POST",
                "above its rate",
                accept,
            )
            .await;
            look(
                daemon.chat("the-key-of-account-spent-001", chat),
                "POST",
                "above its quota",
                accept,
            )
            .await;
        }
        look(
            daemon.chat(LIMITED, r#"{"model":"m","max_tokens":100000000000}"#),
            "POST",
            "a large limit",
            accept,
        )
        .await;
        look(daemon.chat(KEY, "{"), "POST", "no JSON", accept).await;
        look(
            daemon.chat(KEY, chat).header("x-api-key", "another-one"),
            "POST",
            "two keys",
            accept,
        )
        .await;
    }
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for path in [
            "/metrics",
            "/healthz",
            "/readyz",
            "/admin/v1/keys",
            "/admin/v1/keys/none",
            "/admin/v1/nothing",
            "/",
        ] {
            for token in ["none", TOKEN] {
                look(
                    Call::new(daemon.admin, method, path).bearer(token),
                    method,
                    path,
                    "",
                )
                .await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for status in [200, 400, 401, 402, 404, 405, 429] {
        assert!(seen.contains(&status), "{status} was not seen: {seen:?}");
    }
}
