use std::time::Duration;

use serde_json::{Value, json};

use super::{account, event, replay, send, shared_config, standing::updated, subscription, told};
use crate::{
    fixture::{CHAT, KEY, provider, refused, served},
    harness::{Gateway, Upstream},
};

/// A file that states the subscription of account `a`, or leaves it out.
fn stating(upstream: &Upstream, status: Option<&str>) -> String {
    let plain = shared_config(upstream, "");
    let Some(status) = status else {
        return plain;
    };
    let stated = format!("plan: basic, subscription: {{status: {status}}}, stripe");
    plain.replace("plan: basic, stripe", &stated)
}

/// A file with a store that outlives the gateway.
fn kept(folder: &tempfile::TempDir, yaml: &str) -> String {
    let file = folder.path().join("f.db");
    format!("store: {{url: \"sqlite:{}\"}}\n{yaml}", file.display())
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
    gateway.make_key(r#"{"id":"kc","account":"c"}"#).await
}

async fn say(gateway: &Gateway, method: &str, path: &str, body: &Value) {
    let path = format!("/admin/v1/accounts/c{path}");
    let call = gateway.admin(method, &path).json(&body.to_string());
    served(&call.send().await);
}

/// Plan and status of account `c`.
async fn shown(gateway: &Gateway) -> (Value, Value) {
    let shown = account(gateway, "c").await;
    (
        shown["plan"].clone(),
        shown["subscription"]["status"].clone(),
    )
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
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
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

#[tokio::test]
async fn a_changed_block_ends_what_events_said_for_good() {
    let upstream = provider().await;
    for between in [Some("unpaid"), None] {
        let folder = tempfile::tempdir().unwrap();
        let stated = |status| kept(&folder, &stating(&upstream, status));
        let mut gateway = Gateway::start(&stated(Some("canceled"))).await;
        let active = || subscription("active", "price_basic");
        send(&gateway, &updated("evt_1", 0, active())).await;
        gateway.reload(&stated(between)).await;
        assert_eq!(gateway.chat(KEY, CHAT).send().await.status, 402);
        gateway.reload(&stated(Some("canceled"))).await;
        let canceled = |gateway: &Gateway| gateway.chat(KEY, CHAT).send();
        refused(&canceled(&gateway).await, 402, "subscription_canceled");
        gateway.stop().await;
        let gateway = Gateway::start(&stated(Some("canceled"))).await;
        refused(&canceled(&gateway).await, 402, "subscription_canceled");
        send(&gateway, &updated("evt_2", 60, active())).await;
        served(&gateway.chat(KEY, CHAT).send().await);
        gateway.stop().await;
        // The change is seen by a start as well.
        let gateway = Gateway::start(&stated(between)).await;
        assert_eq!(gateway.chat(KEY, CHAT).send().await.status, 402);
        gateway.stop().await;
        let gateway = Gateway::start(&stated(Some("canceled"))).await;
        refused(&canceled(&gateway).await, 402, "subscription_canceled");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn an_administrator_may_say_what_was_declared_before() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = kept(&folder, &shared_config(&upstream, ""));
    let gateway = Gateway::start(&yaml).await;
    let key = create_c(&gateway, "free").await;
    let active = || of_c("active", "price_pro");
    send(&gateway, &updated("evt_1", 0, active())).await;
    assert_eq!(shown(&gateway).await, (json!("pro"), json!("active")));
    // Who writes to an account is no word about its standing.
    say(&gateway, "PATCH", "", &json!({"email": "c@example.com"})).await;
    assert_eq!(shown(&gateway).await, (json!("pro"), json!("active")));
    say(&gateway, "PATCH", "", &json!({"plan": "free"})).await;
    assert_eq!(shown(&gateway).await, (json!("free"), json!("active")));
    let none = gateway.admin("DELETE", "/admin/v1/accounts/c/subscription");
    served(&none.send().await);
    assert_eq!(shown(&gateway).await, (json!("free"), Value::Null));
    assert_eq!(replay(&gateway, "stripe:evt_1").await["replayed"], false);
    assert_eq!(shown(&gateway).await, (json!("free"), Value::Null));
    gateway.stop().await;

    let gateway = Gateway::start(&yaml).await;
    assert_eq!(shown(&gateway).await, (json!("free"), Value::Null));
    let newer = || updated("evt_2", 60, active());
    send(&gateway, &newer()).await;
    assert_eq!(shown(&gateway).await, (json!("pro"), json!("active")));
    // The same plan, in words: it is the administrator's now.
    say(&gateway, "PATCH", "", &json!({"plan": "pro"})).await;
    gateway.pass(Duration::from_secs(120));
    send(
        &gateway,
        &updated("evt_3", 90, of_c("canceled", "price_pro")),
    )
    .await;
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_canceled",
    );
    gateway.stop().await;
}

#[tokio::test]
async fn the_standing_before_an_event_can_be_said_again() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = kept(&folder, &shared_config(&upstream, ""));
    let gateway = Gateway::start(&yaml).await;
    let key = create_c(&gateway, "basic").await;
    let canceled = json!({"status": "canceled"});
    say(&gateway, "PUT", "/subscription", &canceled).await;
    send(&gateway, &updated("evt_1", 0, of_c("active", "price_pro"))).await;
    served(&gateway.chat(&key, CHAT).send().await);
    say(&gateway, "PUT", "/subscription", &canceled).await;
    // The plan that was bought is another matter.
    assert_eq!(shown(&gateway).await, (json!("pro"), json!("canceled")));
    let chat = |gateway: &Gateway| gateway.chat(&key, CHAT).send();
    refused(&chat(&gateway).await, 402, "subscription_canceled");
    gateway.stop().await;
    let gateway = Gateway::start(&yaml).await;
    assert_eq!(shown(&gateway).await, (json!("pro"), json!("canceled")));
    refused(&chat(&gateway).await, 402, "subscription_canceled");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_older_than_the_last_word_changes_nothing() {
    let upstream = provider().await;
    let mut gateway = Gateway::start(&stating(&upstream, Some("canceled"))).await;
    let key = create_c(&gateway, "basic").await;
    let of_a = || subscription("active", "price_basic");
    let of_c = || of_c("active", "price_basic");
    send(&gateway, &updated("evt_a1", 10, of_a())).await;
    send(&gateway, &updated("evt_c1", 10, of_c())).await;
    gateway.pass(Duration::from_secs(60));
    gateway.reload(&stating(&upstream, Some("unpaid"))).await;
    let unpaid = json!({"status": "unpaid"});
    say(&gateway, "PUT", "/subscription", &unpaid).await;
    // They come late, and tell of what was before.
    for (number, seconds) in [(2, 5), (3, 10), (4, 30)] {
        let (a, c) = (format!("evt_a{number}"), format!("evt_c{number}"));
        assert_eq!(
            send(&gateway, &updated(&a, seconds, of_a())).await,
            "applied"
        );
        assert_eq!(
            send(&gateway, &updated(&c, seconds, of_c())).await,
            "applied"
        );
        for key in [KEY, &key] {
            let answer = gateway.chat(key, CHAT).send().await;
            refused(&answer, 402, "subscription_unpaid");
        }
    }
    let (_, words) = told(&gateway, "stripe:evt_c4").await;
    assert_eq!(
        words,
        "it changes nothing that holds: something else was declared after it"
    );
    send(&gateway, &updated("evt_a5", 61, of_a())).await;
    send(&gateway, &updated("evt_c5", 61, of_c())).await;
    for key in [KEY, &key] {
        served(&gateway.chat(key, CHAT).send().await);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn another_subscription_brings_back_none_that_was_overruled() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let key = create_c(&gateway, "basic").await;
    send(&gateway, &updated("evt_1", 0, of_c("active", "price_pro"))).await;
    let canceled = json!({"status": "canceled"});
    say(&gateway, "PUT", "/subscription", &canceled).await;
    let second = |status: &str| {
        let mut object = of_c(status, "price_basic");
        object["id"] = json!("sub_b");
        object
    };
    send(&gateway, &updated("evt_2", 60, second("incomplete"))).await;
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_incomplete",
    );
    send(&gateway, &updated("evt_3", 90, second("active"))).await;
    served(&gateway.chat(&key, CHAT).send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_closes_an_account_though_that_cannot_be_written() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let stated = |status| kept(&folder, &stating(&upstream, Some(status)));
    let mut gateway = Gateway::start(&stated("canceled")).await;
    let active = || subscription("active", "price_basic");
    send(&gateway, &updated("evt_1", 0, active())).await;
    let (file, moved) = (folder.path().join("f.db"), folder.path().join("moved.db"));
    std::fs::rename(&file, &moved).unwrap();
    gateway.reload(&stated("unpaid")).await;
    assert_eq!(
        account(&gateway, "a").await["subscription"]["status"],
        "unpaid"
    );
    gateway.reload(&stated("canceled")).await;
    assert_eq!(
        account(&gateway, "a").await["subscription"]["status"],
        "canceled"
    );
    std::fs::rename(&moved, &file).unwrap();
    // Now it is written.
    gateway.reload(&stated("canceled")).await;
    gateway.stop().await;
    let gateway = Gateway::start(&stated("canceled")).await;
    let answer = gateway.chat(KEY, CHAT).send().await;
    refused(&answer, 402, "subscription_canceled");
    gateway.stop().await;
}

#[tokio::test]
async fn an_event_that_waited_is_as_old_as_it_is() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let key = create_c(&gateway, "basic").await;
    send(
        &gateway,
        &updated("evt_1", 0, of_c("active", "price_basic")),
    )
    .await;
    let mut stranger = subscription("active", "price_basic");
    stranger["customer"] = json!("cus_d");
    let parked = updated("evt_2", 30, stranger);
    assert_eq!(send(&gateway, &parked).await, "parked");
    gateway.pass(Duration::from_secs(60));
    let unpaid = json!({"status": "unpaid"});
    say(&gateway, "PUT", "/subscription", &unpaid).await;
    let session = json!({
        "id": "cs_d", "mode": "subscription", "customer": "cus_d", "metadata": {"faregate_account": "c"},
    });
    let link = event("evt_3", 90, "checkout.session.completed", session);
    assert_eq!(send(&gateway, &link).await, "applied");
    // Whose it is became known later than what it tells.
    assert_eq!(replay(&gateway, "stripe:evt_2").await["status"], "applied");
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_unpaid",
    );
    gateway.stop().await;
}
