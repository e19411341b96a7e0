//! Payment events: lists, and replays.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ask, get, house};

#[tokio::test]
async fn events_are_listed_by_what_became_of_them() {
    let house = house();
    let target = "/admin/v1/webhooks?status=parked&vendor=stripe&account=bob&limit=5&cursor=9";
    let (status, page) = get(&house, target).await;
    assert_eq!(status, StatusCode::OK);
    let asked = house.asked.lock().unwrap().join("\n");
    insta::assert_snapshot!("events", format!("{page:#}\n{asked}"));
    for wrong in [
        "status=open",
        "vendor=paypal",
        "account=a%20b",
        "cursor=x",
        "limit=0",
        "id=1",
    ] {
        let (status, body) = get(&house, &format!("/admin/v1/webhooks?{wrong}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {body}");
    }
}

#[tokio::test]
async fn an_event_is_looked_at_again() {
    let mut house = house();
    let target = "/admin/v1/webhooks/stripe%3Aevt_1/replay";
    let (status, body) = ask(&house, Method::POST, target, json!(null)).await;
    let told = json!({
        "id": "stripe:evt_1",
        "status": "applied",
        "replayed": true,
        "account": "bob",
        "words": "25.00 USD added, entry 7",
    });
    assert_eq!((status, body), (StatusCode::OK, told));
    let before = "/admin/v1/webhooks/stripe:applied/replay";
    let (_, body) = ask(&house, Method::POST, before, json!(null)).await;
    assert_eq!(body["replayed"], false);
    let (status, _) = ask(&house, Method::POST, target, json!({"force": true})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = get(&house, target).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    house.broken = true;
    let (status, _) = ask(&house, Method::POST, target, json!(null)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
