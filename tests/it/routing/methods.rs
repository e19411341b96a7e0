use super::{KEY, gateway, planned, provider, request, send};
use crate::{
    fixture::{refused, served},
    harness::Gateway,
};

#[tokio::test]
async fn a_known_path_tells_its_methods() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let post = "POST";
    let read = "GET, HEAD";
    for (path, allowed) in [
        ("/v1/chat/completions", post),
        ("/chat/completions", post),
        ("/v1/completions", post),
        ("/v1/responses", post),
        ("/v1/embeddings", post),
        ("/v1/messages", post),
        ("/v1/messages/count_tokens", post),
        ("/v1/models", read),
        ("/v1/models/m", read),
        ("/v1/faregate/limits", read),
        ("/healthz", read),
        ("/readyz", read),
        ("/problems", read),
        ("/problems/quota_exhausted", read),
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "get",
        ] {
            let answer = gateway
                .call(method, path)
                .bearer(KEY)
                .body("{}")
                .send()
                .await;
            if allowed.split(", ").any(|allowed| allowed == method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
            if method != "HEAD" {
                refused(&answer, 405, "method_not_allowed");
            } else {
                assert!(answer.body.is_empty());
                assert!(answer.header("content-length").is_some());
            }
        }
    }
    assert_eq!(upstream.seen().len(), 0);
    // On a provider's route every method is the provider's.
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        served(
            &gateway
                .call(method, "/openai/v1/files")
                .bearer(KEY)
                .send()
                .await,
        );
        assert_eq!(upstream.seen().pop().unwrap().method, method);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_gets_a_tunnel_or_an_echo() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let address = gateway.address;
    for request in [
        "CONNECT gateway.test:443 HTTP/1.1\r\nhost: gateway.test:443\r\n\r\n".to_owned(),
        format!(
            "CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
        ),
    ] {
        let answer = send(address, request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (405, "method_not_allowed")
        );
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(answer.field("allow").is_some());
        assert_eq!(answer.body.matches("HTTP/1.1").count(), 0, "{answer:?}");
    }
    for path in ["/v1/chat/completions", "/openai/v1/files", "/"] {
        let answer = send(address, request("TRACE", path)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (405, "method_not_allowed")
        );
        assert!(!answer.body.contains(KEY));
    }
    assert_eq!(upstream.seen().len(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_served_nowhere_below_a_prefix_is_told_in_the_format_of_its_route() {
    let upstream = provider().await;
    let routes = "{path: /ai, strip_prefix: true}, {path: /claude, dialect: anthropic, strip_prefix: true}, {path: /as-is, dialect: anthropic}";
    let yaml = planned(&upstream, "{}") + &format!("routes: [{routes}]\n");
    let gateway = Gateway::start(&yaml).await;
    for (method, path, code, anthropics) in [
        ("GET", "/ai/v1/messages", "method_not_allowed", true),
        ("POST", "/ai/v1/messages/x", "route_not_found", true),
        (
            "GET",
            "/ai/v1/chat/completions",
            "method_not_allowed",
            false,
        ),
        ("POST", "/ai/v1/x", "route_not_found", false),
        ("GET", "/claude/v1/messages", "method_not_allowed", true),
        ("POST", "/claude/v1/x", "route_not_found", true),
        ("POST", "/claude/v1/models", "method_not_allowed", true),
        (
            "POST",
            "/claude/v1/chat/completions",
            "route_not_found",
            false,
        ),
        ("POST", "/as-is/v1/x", "route_not_found", true),
        ("GET", "/as-is/v1/messages", "method_not_allowed", true),
        ("POST", "/v1/messages", "route_not_found", true),
        ("POST", "/elsewhere/v1/x", "route_not_found", false),
    ] {
        let answer = gateway.call(method, path).bearer(KEY).send().await;
        assert_eq!(answer.code(), code, "{method} {path}");
        assert_eq!(
            answer.value()["type"] == "error",
            anthropics,
            "{method} {path}"
        );
    }
    gateway.stop().await;
}
