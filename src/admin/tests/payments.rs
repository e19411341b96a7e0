//! Payment events: lists, replays, and whose a customer is.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ask, get, registry};

#[tokio::test]
async fn events_are_listed_by_what_became_of_them() {
    let registry = registry();
    let target = "/admin/v1/webhooks?status=parked&vendor=stripe&account=bob&limit=5&cursor=9";
    let (status, page) = get(&registry, target).await;
    assert_eq!(status, StatusCode::OK);
    let asked = registry.asked.lock().unwrap().join("\n");
    insta::assert_snapshot!("events", format!("{page:#}\n{asked}"));
    for wrong in [
        "status=open",
        "vendor=paypal",
        "account=a%20b",
        "cursor=x",
        "limit=0",
        "id=1",
    ] {
        let (status, body) = get(&registry, &format!("/admin/v1/webhooks?{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {body}");
    }
}

#[tokio::test]
async fn an_event_is_looked_at_again() {
    let mut registry = registry();
    let target = "/admin/v1/webhooks/stripe%3Aevt_1/replay";
    let (status, body) = ask(&registry, Method::POST, target, json!(null)).await;
    let told = json!({
        "id": "stripe:evt_1",
        "status": "applied",
        "replayed": true,
        "account": "bob",
        "words": "25.00 USD added, entry 7",
    });
    assert_eq!((status, body), (StatusCode::OK, told));
    let before = "/admin/v1/webhooks/stripe:applied/replay";
    let (_, body) = ask(&registry, Method::POST, before, json!(null)).await;
    assert_eq!(body["replayed"], false);
    let (status, _) = ask(&registry, Method::POST, target, json!({"force": true})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = get(&registry, target).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    registry.broken = true;
    let (status, _) = ask(&registry, Method::POST, target, json!(null)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_customer_is_linked_and_unlinked() {
    let registry = registry();
    let (status, page) = get(&registry, "/admin/v1/customers?account=bob&vendor=stripe").await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!("customers", format!("{page:#}"));
    let target = "/admin/v1/customers/stripe/cus%2Fb";
    let (status, linked) = ask(&registry, Method::PUT, target, json!({"account": "bob"})).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!("linked", format!("{linked:#}"));
    let (_, unlinked) = ask(&registry, Method::DELETE, target, json!(null)).await;
    assert_eq!(unlinked["account"], json!(null));
    for wrong in [
        json!({}),
        json!({"account": null}),
        json!({"account": "bob", "x": 1}),
    ] {
        let (status, body) = ask(&registry, Method::PUT, target, wrong.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {body}");
    }
    // No event can name such a customer, so a link to it would wait for nothing.
    for never in ["cus_1%20", "%09cus_1", &"x".repeat(256)] {
        let target = format!("/admin/v1/customers/stripe/{never}");
        let (status, body) = ask(&registry, Method::PUT, &target, json!({"account": "bob"})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{never}: {body}");
        assert!(
            body["detail"]
                .as_str()
                .unwrap()
                .contains("no event can name"),
            "{body}"
        );
    }
    let (status, _) = get(&registry, "/admin/v1/customers?vendor=paypal").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for none in ["/admin/v1/customers/paypal/x", "/admin/v1/customers/stripe"] {
        let (status, _) = ask(&registry, Method::DELETE, none, json!(null)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{none}");
    }
}
