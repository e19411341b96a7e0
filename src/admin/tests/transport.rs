//! What is true of every answer: token, bounds, headers, probes.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;

use super::{TOKEN, admin, read, registry, request};

#[tokio::test]
async fn nothing_of_the_api_opens_without_the_token() {
    let registry = registry();
    let wrong = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Basic {TOKEN}")),
        Some(format!("Bearer {TOKEN}x")),
        Some(format!("Bearer {}", &TOKEN[1..])),
        Some(TOKEN.to_owned()),
    ];
    for authorization in wrong {
        for path in ["/admin/v1/accounts", "/admin/v1/nothing", "/", "/admin"] {
            let mut request = request(Method::GET, path, "");
            request.headers_mut().remove("authorization");
            if let Some(value) = &authorization {
                request
                    .headers_mut()
                    .insert("authorization", value.parse().unwrap());
            }
            let response = admin(&registry).handle(request).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
    let twice = Request::get("/admin/v1/accounts")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Full::new(Bytes::new()))
        .unwrap();
    assert_eq!(
        admin(&registry).handle(twice).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let lower = Request::get("/admin/v1/accounts")
        .header("authorization", format!("bearer {TOKEN}"))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = admin(&registry).handle(lower).await;
    assert_eq!(
        response.status(),
        StatusCode::OK,
        "a scheme has no case (RFC 9110 §11.1)"
    );
}

#[tokio::test]
async fn probes_and_metrics_need_no_token() {
    let mut registry = registry();
    let ask = |path: &str| {
        Request::get(path.to_owned())
            .body(Full::new(Bytes::new()))
            .unwrap()
    };
    let response = admin(&registry).handle(ask("/metrics")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(
        read(response)
            .await
            .contains("faregate_build_info{version=")
    );
    let response = admin(&registry).handle(ask("/readyz")).await;
    assert_eq!(
        (response.status(), read(response).await.as_str()),
        (StatusCode::OK, "{\"status\":\"ready\"}\n")
    );
    registry.ready = Err("draining");
    let response = admin(&registry).handle(ask("/readyz")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(read(response).await.contains("draining"));
    let response = admin(&registry).handle(ask("/healthz")).await;
    assert_eq!(response.status(), StatusCode::OK, "alive while it drains");
    let post = Request::post("/metrics")
        .body(Full::new(Bytes::new()))
        .unwrap();
    assert_eq!(
        admin(&registry).handle(post).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_405_lists_what_is_possible() {
    let registry = registry();
    let response = admin(&registry)
        .handle(request(Method::DELETE, "/admin/v1/accounts", ""))
        .await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET, POST");
}

#[tokio::test]
async fn a_wrong_method_is_said_before_anything_else_that_is_wrong() {
    let registry = registry();
    let paths = [
        ("/metrics", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/admin/v1/accounts", "GET, POST"),
        ("/admin/v1/accounts/acme", "GET, PATCH"),
        ("/admin/v1/accounts/acme/subscription", "PUT, DELETE"),
        ("/admin/v1/accounts/acme/credit", "GET, POST"),
        ("/admin/v1/credit/transfer", "POST"),
        ("/admin/v1/ledger", "GET"),
        ("/admin/v1/keys", "GET, POST"),
        ("/admin/v1/keys/acme-ci", "GET, PATCH, DELETE"),
        ("/admin/v1/keys/acme-ci/rotate", "POST"),
        ("/admin/v1/plans", "GET"),
        ("/admin/v1/calls", "GET"),
        ("/admin/v1/usage", "GET"),
        ("/admin/v1/notifications", "GET"),
        ("/admin/v1/notifications/test", "POST"),
        ("/admin/v1/notifications/x/retry", "POST"),
        ("/admin/v1/webhooks", "GET"),
        ("/admin/v1/webhooks/x/replay", "POST"),
    ];
    let methods = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ];
    for (path, allowed) in paths {
        for method in methods
            .into_iter()
            .filter(|method| !allowed.contains(method))
        {
            for (query, body) in [("", "{}"), ("?x=1", ""), ("", "no json")] {
                let method = method.parse().unwrap();
                let asked = request(method, &format!("{path}{query}"), body);
                let about = format!("{asked:?}");
                let response = admin(&registry).handle(asked).await;
                let allow = response.headers().get("allow").cloned();
                assert_eq!(
                    (response.status(), allow),
                    (
                        StatusCode::METHOD_NOT_ALLOWED,
                        Some(allowed.parse().unwrap())
                    ),
                    "{about}"
                );
            }
            let mut unknown = request(method.parse().unwrap(), path, "");
            unknown.headers_mut().remove("authorization");
            let response = admin(&registry).handle(unknown).await;
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let registry = registry();
    let large = format!("{{\"id\":\"{}\"}}", "x".repeat(1 << 20));
    for (body, status) in [
        (large.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
        ("{\"id\":", StatusCode::BAD_REQUEST),
        ("id=x", StatusCode::BAD_REQUEST),
        ("\u{feff}{}", StatusCode::BAD_REQUEST),
        (
            "{\"id\":\"one\",\"id\":\"two\",\"plan\":\"free\"}",
            StatusCode::BAD_REQUEST,
        ),
        (
            "{\"id\":\"x\",\"plan\":\"free\",\"rate_limits\":{\"requests_per_minute\":1,\"requests_per_minute\":2}}",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let request = request(Method::POST, "/admin/v1/accounts", body);
        assert_eq!(admin(&registry).handle(request).await.status(), status);
    }
    let deep = "[".repeat(100_000);
    let response = admin(&registry)
        .handle(request(Method::POST, "/admin/v1/accounts", &deep))
        .await;
    assert_eq!(
        response.status(),
        StatusCode::BAD_REQUEST,
        "depth is bounded too"
    );
}

/// A body that never comes.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_given_up() {
    let registry = registry();
    let request = Request::post("/admin/v1/accounts")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Silent)
        .unwrap();
    let response = admin(&registry).handle(request).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

#[test]
fn the_answer_can_be_made_on_any_thread() {
    fn is_send(_: &impl Send) {}
    let registry = registry();
    let admin = admin(&registry);
    is_send(&admin.handle(request(Method::GET, "/", "")));
}
