//! Messages to people.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ask, get, message, registry, rejections};
use crate::store::NotificationStatus;

#[tokio::test]
async fn messages_are_listed_with_their_bodies() {
    let registry = registry();
    let path = "/admin/v1/notifications?status=failed&account=acme&limit=2";
    let (status, list) = get(&registry, path).await;
    assert_eq!(status, StatusCode::OK);
    let asked = registry.asked.lock().unwrap().join("\n");
    insta::assert_snapshot!("notifications", format!("{asked}\n{list:#}"));
}

#[tokio::test]
async fn a_message_that_was_given_up_can_be_sent_again() {
    let registry = registry();
    let path = |status| format!("/admin/v1/notifications/{}/retry", message(status).id);
    let failed = path(NotificationStatus::Failed);
    let (status, row) = ask(&registry, Method::POST, &failed, json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&row["status"], &row["attempts"]),
        (&json!("pending"), &json!(0))
    );
    let delivered = path(NotificationStatus::Delivered);
    let cases = [
        (Method::POST, delivered.as_str(), json!(null)),
        (
            Method::POST,
            "/admin/v1/notifications/msg_1/retry",
            json!(null),
        ),
        (Method::POST, failed.as_str(), json!({"now": true})),
        (Method::GET, failed.as_str(), json!(null)),
        (Method::POST, "/admin/v1/notifications", json!({})),
        (Method::GET, "/admin/v1/notifications/test", json!(null)),
        (
            Method::GET,
            "/admin/v1/notifications?status=lost",
            json!(null),
        ),
    ];
    insta::assert_snapshot!("notification_mistakes", rejections(&registry, &cases).await);
}

#[tokio::test]
async fn a_test_goes_to_everybody() {
    let (status, said) = ask(
        &registry(),
        Method::POST,
        "/admin/v1/notifications/test",
        json!(null),
    )
    .await;
    assert_eq!((status, said), (StatusCode::OK, json!({"messages": 3})));
}
