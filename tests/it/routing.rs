//! Where requests go, and those that go nowhere.

mod bodies;
mod heads;
mod methods;
mod mutations;

use std::net::SocketAddr;

use serde_json::Value;

use crate::{
    fixture::{CHAT, KEY, file, planned, provider},
    harness::{Gateway, Upstream, raw_until_close},
};

/// An answer as it came over the wire.
#[derive(Debug)]
struct Raw {
    status: u16,
    head: String,
    body: String,
}

impl Raw {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The code of our error body; empty for none.
    fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let error = &body["error"];
        let code = error["code"]
            .as_str()
            .or_else(|| error["details"]["error_code"].as_str());
        code.unwrap_or_default().to_owned()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::trim)
    }
}

/// Sends a whole request and reads until the server has closed.
async fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> Raw {
    Raw::of(&raw_until_close(address, request.as_ref()).await)
}

/// A request that asks for the connection to be closed, with a key and, for a POST, a chat.
fn request(method: &str, target: &str) -> String {
    let fields =
        format!("host: gateway.test\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n");
    if method == "POST" {
        let length = CHAT.len();
        format!(
            "POST {target} HTTP/1.1\r\n{fields}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{CHAT}"
        )
    } else {
        format!("{method} {target} HTTP/1.1\r\n{fields}\r\n")
    }
}

/// A gateway with every kind of route.
async fn gateway(upstream: &Upstream) -> Gateway {
    let rest = "\
plans: {p: {}}
accounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]
routes:
  - {path: /}
  - {path: /team}
  - {path: /team/claude, dialect: anthropic}
  - {path: /openai, provider: up, strip_prefix: true}
  - {path: /kept, provider: up}
payment: {webhooks: {stripe: {secrets: [whsec_of_the_stripe_endpoint]}}}
";
    Gateway::start(&file(upstream, rest)).await
}

#[tokio::test]
async fn the_longest_prefix_wins_and_ends_at_a_slash() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for (method, target, sent) in [
        ("POST", "/v1/chat/completions", Some("/v1/chat/completions")),
        (
            "POST",
            "/chat/completions?a=b&c",
            Some("/v1/chat/completions?a=b&c"),
        ),
        (
            "POST",
            "/openai/v1/chat/completions",
            Some("/v1/chat/completions"),
        ),
        (
            "POST",
            "/openai/chat/completions",
            Some("/v1/chat/completions"),
        ),
        ("GET", "/openai", Some("/v1")),
        ("GET", "/openai/", Some("/v1/")),
        ("GET", "/openai?x=1", Some("/v1?x=1")),
        (
            "GET",
            "/openai/v1/files/f%20x?limit=5&&key=",
            Some("/v1/files/f%20x?limit=5&"),
        ),
        ("GET", "/kept/thing", Some("/v1/kept/thing")),
        ("GET", "/openaix", None),
        ("GET", "/keptx/thing", None),
        ("GET", "/v1/files", None),
        ("GET", "/", None),
        ("GET", "/team", None),
        ("POST", "/teams/v1/chat/completions", None),
    ] {
        let before = upstream.seen().len();
        let answer = send(gateway.address, request(method, target)).await;
        let seen = upstream.seen().get(before).map(|seen| seen.target.clone());
        assert_eq!(seen.as_deref(), sent, "{target} {answer:?}");
        let expected = if sent.is_some() {
            (200, "")
        } else {
            (404, "route_not_found")
        };
        assert_eq!(
            (answer.status, answer.code().as_str()),
            expected,
            "{target}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn reserved_paths_come_before_every_route() {
    let upstream = provider().await;
    let rest = "plans: {p: {}}\naccounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]\nroutes: [{path: /, provider: up}]\n";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    for (target, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/problems", 200),
        ("/problems/nope", 404),
        ("/faregate", 404),
        ("/faregate/x", 404),
        ("/v1/faregate/limits", 200),
        ("/v1/faregate/x", 404),
    ] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert_eq!(answer.status, status, "{target}");
    }
    assert_eq!(upstream.seen().len(), 0);
    // What only looks like them is the provider's, which may well have it.
    for target in [
        "/healthz/",
        "/Healthz",
        "/problemsx",
        "/faregatex",
        "/v1/faregatex",
    ] {
        let answer = send(gateway.address, request("GET", target)).await;
        assert_eq!(answer.status, 200, "{target}");
    }
    assert_eq!(upstream.seen().len(), 5);
    gateway.stop().await;
}

#[tokio::test]
async fn a_route_may_fix_its_dialect() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    // Errors are in the route's dialect, and the other dialect's paths are not there.
    let answer = send(gateway.address, request("POST", "/team/claude/v1/messages")).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "endpoint_not_in_dialect")
    );
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["type"], "error");
    let answer = send(
        gateway.address,
        request("POST", "/team/claude/v1/chat/completions"),
    )
    .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (404, "route_not_found")
    );
    gateway.stop().await;
}

#[tokio::test]
async fn the_admin_api_is_not_here_and_neither_is_its_token() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for path in ["/metrics", "/admin/v1/keys", "/admin/v1/accounts"] {
        let answer = gateway.admin("GET", path).send().await;
        assert_eq!(answer.status, 200, "{path}");
        let answer = crate::harness::Call::new(gateway.address, "GET", path)
            .bearer(crate::harness::TOKEN)
            .send()
            .await;
        crate::fixture::refused(&answer, 404, "route_not_found");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_endpoint_is_known_by_the_path_that_its_provider_gets() {
    let upstream = provider().await;
    for route in ["{path: /v1/chat, provider: up}", "{path: /v1/chat}"] {
        let yaml = format!(
            "{}routes: [{route}]\n",
            planned(&upstream, "{quotas: [{tokens: 100000, per: day}]}")
        );
        let gateway = Gateway::start(&yaml).await;
        // What chats alone know, and completions do not.
        let body = r#"{"model":"big","max_completion_tokens":90000,"messages":[],"n":1}"#;
        let answer = gateway.chat(KEY, body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let forwarded = upstream.seen().pop().unwrap().json();
        assert_eq!(forwarded["max_completion_tokens"], 90000, "{route}");
        assert_eq!(forwarded.get("max_tokens"), None, "{route}");
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["endpoint"], "chat.completions", "{route}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_its_head_refuses_is_told_in_the_dialect_of_its_route() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let long = "a".repeat(9000);
    for (path, kind) in [
        ("/v1/messages", "error"),
        ("/team/v1/messages", "error"),
        ("/team/claude/v1/messages", "error"),
        ("/team/claude/v1/files", "error"),
        ("/openai/v1/messages", "error"),
        ("/team/v1/chat/completions", "http"),
        ("/elsewhere/claude", "http"),
    ] {
        for (target, fields, code) in [
            (format!("{path}//x"), "", "invalid_path"),
            (format!("{path}?{long}"), "", "target_too_long"),
            (path.to_owned(), "expect: much\r\n", "invalid_header"),
            (
                path.to_owned(),
                "transfer-encoding: gzip, chunked\r\n",
                "unsupported_transfer_coding",
            ),
        ] {
            let head = format!(
                "POST {target} HTTP/1.1\r\nhost: gateway.test\r\nconnection: close\r\n{fields}\r\n"
            );
            let answer = send(gateway.address, head).await;
            assert_eq!(answer.code(), code, "{target:.60}");
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let told = body["type"].as_str().unwrap();
            assert!(told.starts_with(kind), "{target:.60}: {told}");
        }
    }
    gateway.stop().await;
}
