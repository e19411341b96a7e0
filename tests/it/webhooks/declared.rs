use serde_json::{Value, json};

use super::{house, send, standing::updated, subscription, told};
use crate::{
    fixture::{CHAT, KEY, provider, refused, served},
    harness::{Gateway, Upstream},
};

/// A file that states the subscription of account `a`, or leaves it out.
fn stating(upstream: &Upstream, status: Option<&str>) -> String {
    let plain = house(upstream, "");
    let Some(status) = status else {
        return plain;
    };
    let stated = format!("plan: basic, subscription: {{status: {status}}}, stripe");
    plain.replace("plan: basic, stripe", &stated)
}

/// A subscription of account `c`, which it names.
fn of_c(status: &str, price: &str) -> Value {
    let mut object = subscription(status, price);
    object["id"] = json!("sub_c");
    object["customer"] = json!("cus_c");
    object["metadata"] = json!({"faregate_account": "c"});
    object
}

/// Creates account `c` on this plan, without a subscription, and a key of it.
async fn create_c(gateway: &Gateway, plan: &str) -> String {
    let made = json!({"id": "c", "plan": plan}).to_string();
    let made = gateway.admin("POST", "/admin/v1/accounts").json(&made);
    assert_eq!(made.send().await.status, 201);
    let key = gateway
        .admin("POST", "/admin/v1/keys")
        .json(r#"{"id":"kc","account":"c"}"#);
    key.send().await.value()["key"].as_str().unwrap().to_owned()
}

async fn say(gateway: &Gateway, method: &str, path: &str, body: &Value) {
    let path = format!("/admin/v1/accounts/c{path}");
    let call = gateway.admin(method, &path).json(&body.to_string());
    served(&call.send().await);
}

#[tokio::test]
async fn a_newer_event_holds_over_what_the_file_said_since() {
    let upstream = provider().await;
    let mut gateway = Gateway::start(&stating(&upstream, Some("canceled"))).await;
    let active = || subscription("active", "price_basic");
    send(&gateway, &updated("evt_1", 0, active())).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.reload(&stating(&upstream, Some("unpaid"))).await;
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        402,
        "subscription_unpaid",
    );
    // It says what events said before, and it says it anew.
    let newer = updated("evt_2", 60, active());
    assert_eq!(send(&gateway, &newer).await, "applied");
    served(&gateway.chat(KEY, CHAT).send().await);
    let (_, words) = told(&gateway, "stripe:evt_2").await;
    assert_eq!(words, "the subscription is active, on plan basic");
    gateway.stop().await;
}

#[tokio::test]
async fn a_newer_event_holds_over_what_an_administrator_said_since() {
    let upstream = provider().await;
    let gateway = Gateway::start(&house(&upstream, "")).await;
    let key = create_c(&gateway, "basic").await;
    let active = || of_c("active", "price_basic");
    send(&gateway, &updated("evt_1", 0, active())).await;
    served(&gateway.chat(&key, CHAT).send().await);
    say(
        &gateway,
        "PUT",
        "/subscription",
        &json!({"status": "unpaid"}),
    )
    .await;
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_unpaid",
    );
    send(&gateway, &updated("evt_2", 60, active())).await;
    served(&gateway.chat(&key, CHAT).send().await);
    gateway.stop().await;
}
