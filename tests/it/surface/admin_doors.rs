//! Every route of the admin listener, every method, every token: a table that somebody has read.

use std::fmt::Write;

use crate::{
    fixture::{KEY, planned, provider},
    harness::{Call, Gateway, TOKEN},
};

/// Every path that the API knows, with ids that nobody has; what is there for everybody; and what is not there.
const PATHS: [&str; 27] = [
    "/admin/v1/accounts",
    "/admin/v1/accounts/none",
    "/admin/v1/accounts/none/subscription",
    "/admin/v1/accounts/none/credit",
    "/admin/v1/credit/transfer",
    "/admin/v1/ledger",
    "/admin/v1/keys",
    "/admin/v1/keys/none",
    "/admin/v1/keys/none/rotate",
    "/admin/v1/plans",
    "/admin/v1/calls",
    "/admin/v1/calls/none",
    "/admin/v1/usage",
    "/admin/v1/notifications",
    "/admin/v1/notifications/test",
    "/admin/v1/notifications/none/retry",
    "/admin/v1/webhooks",
    "/admin/v1/webhooks/none/replay",
    "/admin/v1/customers",
    "/admin/v1/customers/stripe/none",
    "/metrics",
    "/healthz",
    "/readyz",
    "/",
    "/admin/v1/nothing",
    "/admin/v2/keys",
    "/v1/models",
];

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW",
];

#[tokio::test]
async fn every_admin_route_and_token_is_as_it_was_reviewed() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    let mut table = format!(
        "{:43}{:>6}{:>6}{:>6}{:>6}\n",
        "", "none", "wrong", "key", "right"
    );
    for path in PATHS {
        for method in METHODS {
            let _ = write!(table, "{method:8}{path:35}");
            let wrong = format!("{}x", &TOKEN[1..]);
            for token in [None, Some(wrong.as_str()), Some(KEY), Some(TOKEN)] {
                let call = Call::new(gateway.admin, method, path);
                let call = match token {
                    Some(token) => call.bearer(token),
                    None => call,
                };
                let _ = write!(table, "{:>6}", call.send().await.status.as_u16());
            }
            table.push('\n');
        }
    }
    insta::assert_snapshot!("doors", table);
    // A path that the API learns needs a line above.
    let known = include_str!("../../../src/admin/route.rs");
    let known = known.matches("=> Some(Self::").count();
    let listed = PATHS
        .iter()
        .filter(|path| path.starts_with("/admin/v1/") && !path.ends_with("/nothing"));
    assert_eq!(listed.count(), known, "paths here, and paths of the API");
    gateway.stop().await;
}

#[tokio::test]
async fn no_mutation_of_an_admin_path_is_open_without_the_token() {
    let upstream = provider().await;
    let gateway = Gateway::start(&planned(&upstream, "{}")).await;
    for target in [
        "/metrics/../admin/v1/keys",
        "/metrics/%2e%2e/admin/v1/keys",
        "/healthz/..%2fadmin/v1/keys",
        "/readyz;/admin/v1/keys",
        "//admin/v1/keys",
        "/admin//v1/keys",
        "/./admin/v1/keys",
        "/ADMIN/v1/keys",
        "/admin/v1./keys",
        "/admin./v1/keys",
        "/metrics./admin/v1/keys",
        "/admin%2fv1%2fkeys",
        "/admin\\v1\\keys",
        "/metrics%00/admin/v1/keys",
        "/metrics/x",
        "/metrics/",
        "/healthz/",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let request = format!(
                "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
            let answer = crate::harness::raw_until_close(gateway.admin, request.as_bytes()).await;
            let refused = ["400", "401", "404", "405"]
                .iter()
                .any(|status| answer.starts_with(&format!("HTTP/1.1 {status}")));
            assert!(refused, "{method} {target}: {answer}");
            assert!(!answer.contains("faregate_"), "{answer}");
        }
    }
    gateway.stop().await;
}
