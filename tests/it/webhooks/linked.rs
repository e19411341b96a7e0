//! Customers that were linked to the wrong account.

use serde_json::{Value, json};

use super::{
    account, balance, bought, event, events, refunded, send, shared_config, subscription, told,
};
use crate::{
    fixture::provider,
    harness::{Answer, Gateway, Upstream},
};

/// Accounts without a customer in the file.
fn free_config(upstream: &Upstream) -> String {
    shared_config(upstream, "").replace(", stripe_customer: cus_a", "")
}

async fn link(gateway: &Gateway, customer: &str, account: &str) -> Answer {
    let path = format!("/admin/v1/customers/stripe/{customer}");
    let body = json!({ "account": account }).to_string();
    gateway.admin("PUT", &path).json(&body).send().await
}

async fn unlink(gateway: &Gateway, customer: &str) -> Answer {
    let path = format!("/admin/v1/customers/stripe/{customer}");
    gateway.admin("DELETE", &path).send().await
}

/// The plan and the status of an account.
async fn shown(gateway: &Gateway, id: &str) -> (Value, Value) {
    let shown = account(gateway, id).await;
    let status = shown["subscription"]["status"].clone();
    (shown["plan"].clone(), status)
}

/// A checkout in which whoever pays says whose customer `cus_x` is.
fn says(id: &str, account: &str) -> Value {
    let session = json!({
        "id": "cs_x", "mode": "subscription", "customer": "cus_x", "client_reference_id": account,
    });
    event(id, 0, "checkout.session.completed", session)
}

fn of_x(id: &str, seconds: i64, status: &str) -> Value {
    let mut object = subscription(status, "price_pro");
    object["customer"] = json!("cus_x");
    event(id, seconds, "customer.subscription.updated", object)
}

#[tokio::test]
async fn a_customer_of_the_wrong_account_becomes_the_right_ones() {
    let upstream = provider().await;
    let gateway = Gateway::start(&free_config(&upstream)).await;
    assert_eq!(send(&gateway, &says("evt_1", "b")).await, "applied");
    assert_eq!(send(&gateway, &of_x("evt_2", 1, "active")).await, "applied");
    let mut paid = bought("evt_3");
    paid["data"]["object"]["customer"] = json!("cus_x");
    assert_eq!(send(&gateway, &paid).await, "applied");
    assert_eq!(shown(&gateway, "b").await, (json!("pro"), json!("active")));
    let before = shown(&gateway, "a").await;

    let linked = link(&gateway, "cus_x", "a").await;
    assert_eq!(linked.status, 200, "{}", linked.text());
    let linked = linked.value();
    assert_eq!(
        (&linked["account"], &linked["before"]),
        (&json!("a"), &json!("b"))
    );
    assert_eq!(shown(&gateway, "a").await, (json!("pro"), json!("active")));
    assert_eq!(shown(&gateway, "b").await, (json!("free"), json!(null)));
    let listed = gateway
        .admin("GET", "/admin/v1/customers")
        .send()
        .await
        .value();
    assert_eq!(listed["data"][0]["account"], "a", "{listed}");

    // What comes later is the right one's, but the money stays and goes back where it is.
    assert_eq!(send(&gateway, &of_x("evt_4", 2, "unpaid")).await, "applied");
    assert_eq!(shown(&gateway, "a").await, (json!("pro"), json!("unpaid")));
    assert_eq!(shown(&gateway, "b").await, (json!("free"), json!(null)));
    assert_eq!(balance(&gateway, "b").await, "25.00");
    let mut back = refunded("evt_5", 3, 1000);
    back["data"]["object"]["customer"] = json!("cus_x");
    assert_eq!(send(&gateway, &back).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "15.00");

    let unlinked = unlink(&gateway, "cus_x").await;
    assert_eq!(unlinked.status, 200, "{}", unlinked.text());
    assert_eq!(unlinked.value()["before"], "a");
    assert_eq!(shown(&gateway, "a").await, before);
    assert_eq!(unlink(&gateway, "cus_x").await.status, 404);
    assert_eq!(send(&gateway, &of_x("evt_6", 4, "active")).await, "parked");
    let (_, words) = told(&gateway, "stripe:evt_6").await;
    assert!(words.contains("`faregate webhooks link`"), "{words}");

    // Whoever pays says it once more; an operator says otherwise, and what has waited is applied.
    let linked = link(&gateway, "cus_x", "a").await.value();
    assert_eq!(linked["replayed"][0]["id"], "stripe:evt_6", "{linked}");
    assert_eq!(told(&gateway, "stripe:evt_6").await.0, "applied");
    assert_eq!(shown(&gateway, "a").await, (json!("pro"), json!("active")));
    assert_eq!(send(&gateway, &says("evt_7", "b")).await, "parked");
    let again = link(&gateway, "cus_x", "a").await.value();
    assert_eq!(
        (&again["before"], &again["replayed"]),
        (&json!("a"), &json!([]))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn two_customers_change_places() {
    let upstream = provider().await;
    let gateway = Gateway::start(&free_config(&upstream)).await;
    let of_y = |id: &str, seconds: i64, status: &str| {
        let mut event = of_x(id, seconds, status);
        event["data"]["object"]["id"] = json!("sub_y");
        event["data"]["object"]["customer"] = json!("cus_y");
        event
    };
    let mut says_y = says("evt_2", "a");
    says_y["data"]["object"]["customer"] = json!("cus_y");
    for event in [
        says("evt_1", "b"),
        says_y,
        of_x("evt_3", 1, "active"),
        of_y("evt_4", 1, "past_due"),
    ] {
        assert_eq!(send(&gateway, &event).await, "applied", "{event}");
    }
    assert_eq!(link(&gateway, "cus_x", "a").await.status, 200);
    assert_eq!(link(&gateway, "cus_y", "b").await.status, 200);
    assert_eq!(shown(&gateway, "a").await.1, "active");
    assert_eq!(shown(&gateway, "b").await.1, "past_due");
    assert_eq!(send(&gateway, &of_y("evt_5", 2, "active")).await, "applied");
    assert_eq!(shown(&gateway, "b").await.1, "active");
    gateway.stop().await;
}

#[tokio::test]
async fn credit_that_waited_for_its_customer_is_credited_once() {
    let upstream = provider().await;
    let gateway = Gateway::start(&free_config(&upstream)).await;
    let mut paid = bought("evt_1");
    paid["data"]["object"]["customer"] = json!("cus_x");
    paid["data"]["object"]["client_reference_id"] = json!(null);
    assert_eq!(send(&gateway, &paid).await, "parked");
    for _ in 0..2 {
        assert_eq!(link(&gateway, "cus_x", "b").await.status, 200);
        assert_eq!(balance(&gateway, "b").await, "25.00");
    }
    assert_eq!(events(&gateway).await[0]["status"], "applied");
    gateway.stop().await;
}

#[tokio::test]
async fn the_file_has_the_last_word_on_its_customers() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    for (customer, account, status, said) in [
        ("cus_a", "b", 409, "is account a"),
        ("cus_x", "a", 409, "account a is customer \"cus_a\""),
        ("cus_x", "nobody", 404, "There is no account \"nobody\""),
    ] {
        let answer = link(&gateway, customer, account).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let detail = answer.value()["detail"].clone();
        assert!(detail.as_str().unwrap().contains(said), "{detail}");
    }
    let refused = unlink(&gateway, "cus_a").await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(link(&gateway, "cus_a", "a").await.status, 200);
    let path = "/admin/v1/customers/paypal/x";
    assert_eq!(gateway.admin("DELETE", path).send().await.status, 404);
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_seller_says_after_an_operator_is_heard() {
    let upstream = provider().await;
    let gateway = Gateway::start(&free_config(&upstream)).await;
    let named = |id: &str, seconds: i64| {
        let mut event = of_x(id, seconds, "active");
        event["data"]["object"]["metadata"] = json!({"faregate_account": "b"});
        event
    };
    assert_eq!(send(&gateway, &named("evt_1", 0)).await, "applied");
    // The account is another one's, and the metadata still says the old one: a person has to look.
    assert_eq!(link(&gateway, "cus_x", "a").await.status, 200);
    assert_eq!(send(&gateway, &named("evt_2", 1)).await, "parked");
    assert_eq!(shown(&gateway, "a").await.1, "active");
    assert_eq!(shown(&gateway, "b").await.1, json!(null));
    // Nobody's customer is whose the metadata says.
    assert_eq!(unlink(&gateway, "cus_x").await.status, 200);
    assert_eq!(shown(&gateway, "a").await.1, json!(null));
    assert_eq!(send(&gateway, &named("evt_3", 2)).await, "applied");
    assert_eq!(shown(&gateway, "b").await.1, "active");
    assert_eq!(told(&gateway, "stripe:evt_2").await.0, "applied");
    gateway.stop().await;
}

#[tokio::test]
async fn what_events_say_does_not_become_what_was_declared() {
    let upstream = provider().await;
    let gateway = Gateway::start(&free_config(&upstream)).await;
    let made = gateway.admin("POST", "/admin/v1/accounts");
    let made = made.json(r#"{"id":"c","plan":"free"}"#).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(send(&gateway, &says("evt_1", "c")).await, "applied");
    assert_eq!(send(&gateway, &of_x("evt_2", 1, "active")).await, "applied");
    assert_eq!(shown(&gateway, "c").await, (json!("pro"), json!("active")));
    // Who writes to an account in between has said nothing of its plan.
    let patched = gateway.admin("PATCH", "/admin/v1/accounts/c");
    let patched = patched.json(r#"{"email":"c@example.com"}"#).send().await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(shown(&gateway, "c").await, (json!("pro"), json!("active")));
    assert_eq!(unlink(&gateway, "cus_x").await.status, 200);
    assert_eq!(shown(&gateway, "c").await, (json!("free"), json!(null)));
    gateway.stop().await;
}
