use serde_json::{Value, json};

use super::{
    account, balance, bought, event, events, replay, send, shared_config, subscription, told,
};
use crate::{fixture::provider, harness::Gateway};

/// The status and words of an event that is sent.
async fn put_aside(gateway: &Gateway, event: &Value) -> String {
    assert_eq!(send(gateway, event).await, "parked");
    let id = format!("stripe:{}", event["id"].as_str().unwrap());
    told(gateway, &id).await.1
}

#[tokio::test]
async fn an_event_of_nobody_waits_until_somebody_is_there() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let mut of_new = subscription("active", "price_pro");
    of_new["customer"] = json!("cus_new");
    of_new["metadata"] = json!({"faregate_account": "new"});
    let first = event("evt_1", 0, "customer.subscription.created", of_new.clone());
    let words = put_aside(&gateway, &first).await;
    assert_eq!(
        words,
        "there is no account new; create it, then replay the event"
    );
    of_new["metadata"] = json!({});
    let second = event("evt_2", 1, "customer.subscription.updated", of_new);
    let words = put_aside(&gateway, &second).await;
    assert!(
        words.contains("customer cus_new belongs to no account"),
        "{words}"
    );
    // By its id here, and by the one that the payment provider shows.
    for id in ["stripe:evt_1", "evt_1"] {
        let again = replay(&gateway, id).await;
        assert_eq!(
            (&again["id"], &again["status"], &again["replayed"]),
            (&json!("stripe:evt_1"), &json!("parked"), &json!(true))
        );
    }

    let made = gateway
        .admin("POST", "/admin/v1/accounts")
        .json(r#"{"id":"new","plan":"basic"}"#);
    assert_eq!(made.send().await.status, 201);
    let again = replay(&gateway, "stripe:evt_1").await;
    assert_eq!(
        (&again["status"], &again["account"]),
        (&json!("applied"), &json!("new"))
    );
    // The other event is about the same subscription.
    assert_eq!(told(&gateway, "stripe:evt_2").await.0, "applied");
    let paid = account(&gateway, "new").await;
    assert_eq!(
        (&paid["plan"], &paid["subscription"]["status"]),
        (&json!("pro"), &json!("active"))
    );
    let again = replay(&gateway, "stripe:evt_1").await;
    assert_eq!(
        (&again["status"], &again["replayed"]),
        (&json!("applied"), &json!(false))
    );
    let listed = events(&gateway).await;
    assert_eq!(listed[1]["attempts"], 4, "{listed:#?}");
    let none = gateway
        .admin("POST", "/admin/v1/webhooks/stripe%3Aevt_7/replay")
        .send()
        .await;
    assert_eq!(none.status, 404, "{}", none.text());
    gateway.stop().await;
}

#[tokio::test]
async fn a_checkout_tells_whose_customer_it_was() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let mut of_b = subscription("active", "price_pro");
    of_b["customer"] = json!("cus_b");
    put_aside(
        &gateway,
        &event("evt_1", 0, "customer.subscription.created", of_b.clone()),
    )
    .await;
    let invoice = json!({
        "id": "in_1", "customer": "cus_b", "billing_reason": "subscription_cycle", "subscription": "sub_1",
    });
    put_aside(
        &gateway,
        &event("evt_2", 5, "invoice.payment_failed", invoice),
    )
    .await;
    let session = json!({
        "id": "cs_1", "mode": "subscription", "customer": "cus_b", "client_reference_id": "b", "subscription": "sub_1",
    });
    assert_eq!(
        send(
            &gateway,
            &event("evt_3", 1, "checkout.session.completed", session)
        )
        .await,
        "applied"
    );
    for id in ["stripe:evt_1", "stripe:evt_2"] {
        assert_eq!(told(&gateway, id).await.0, "applied");
    }
    let paid = account(&gateway, "b").await;
    assert_eq!(
        (&paid["plan"], &paid["subscription"]["status"]),
        (&json!("pro"), &json!("past_due"))
    );
    // Whoever pays may write any account into a link; that makes nobody its customer beside another.
    let session = json!({"id": "cs_2", "mode": "subscription", "customer": "cus_x", "client_reference_id": "b"});
    let words = put_aside(
        &gateway,
        &event("evt_4", 9, "checkout.session.completed", session),
    )
    .await;
    assert!(words.contains("has another customer already"), "{words}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_together_credits_nobody() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, ", livemode: true")).await;
    let change = |id: &str, name: &str, value: Value| {
        let mut event = bought(id);
        event["data"]["object"][name] = value;
        event
    };
    let words = put_aside(&gateway, &change("evt_1", "currency", json!("eur"))).await;
    assert!(words.contains("EUR"), "{words}");
    // The customer of a pays, and the order says b.
    let words = put_aside(&gateway, &change("evt_2", "customer", json!("cus_a"))).await;
    assert_eq!(
        words,
        "it names account b, and its customer belongs to account a"
    );
    // Somebody else's customer pays, and the order says a.
    let mut other = change("evt_3", "customer", json!("cus_x"));
    other["data"]["object"]["client_reference_id"] = json!("a");
    let words = put_aside(&gateway, &other).await;
    assert_eq!(
        words,
        "it is of customer cus_x, and account a is customer cus_a"
    );
    let mut test = bought("evt_4");
    test["livemode"] = json!(false);
    let words = put_aside(&gateway, &test).await;
    assert!(words.contains("it is a test event"), "{words}");
    let words = put_aside(
        &gateway,
        &change("evt_5", "client_reference_id", json!("no such")),
    )
    .await;
    assert!(words.contains("the account that it names"), "{words}");
    let words = put_aside(
        &gateway,
        &change("evt_6", "client_reference_id", json!(null)),
    )
    .await;
    assert_eq!(words, "it names neither a customer nor an account");
    for id in ["a", "b"] {
        assert_eq!(balance(&gateway, id).await, "0.00");
    }
    let listed = gateway
        .admin("GET", "/admin/v1/webhooks?status=parked&limit=4")
        .send()
        .await
        .value();
    assert_eq!(listed["data"].as_array().unwrap().len(), 4);
    let rest = format!(
        "/admin/v1/webhooks?cursor={}",
        listed["next_cursor"].as_str().unwrap()
    );
    let rest = gateway.admin("GET", &rest).send().await.value();
    assert_eq!(rest["data"].as_array().unwrap().len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_read_otherwise_by_another_file_can_be_replayed() {
    let upstream = provider().await;
    let mut gateway = Gateway::start(&shared_config(&upstream, ", top_up: false")).await;
    assert_eq!(send(&gateway, &bought("evt_1")).await, "ignored");
    assert_eq!(send(&gateway, &bought("evt_1")).await, "duplicate");
    gateway.reload(&shared_config(&upstream, "")).await;
    let again = replay(&gateway, "stripe:evt_1").await;
    assert_eq!(again["status"], "applied");
    assert_eq!(balance(&gateway, "b").await, "25.00");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_credit_by_another_file_is_none_when_its_customer_is_known() {
    let upstream = provider().await;
    let mut gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let mut of_new = bought("evt_1");
    of_new["data"]["object"]["customer"] = json!("cus_new");
    of_new["data"]["object"]["client_reference_id"] = json!(null);
    put_aside(&gateway, &of_new).await;
    gateway
        .reload(&shared_config(&upstream, ", top_up: false"))
        .await;
    let again = replay(&gateway, "stripe:evt_1").await;
    assert_eq!(again["status"], "ignored");
    let link = json!({
        "id": "cs_2", "mode": "subscription", "customer": "cus_new", "metadata": {"faregate_account": "b"},
    });
    let link = event("evt_2", 1, "checkout.session.completed", link);
    assert_eq!(send(&gateway, &link).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "0.00");
    gateway.stop().await;
}

#[tokio::test]
async fn a_price_that_is_sold_as_a_plan_later_is_one_when_its_event_is_replayed() {
    let upstream = provider().await;
    let yaml = shared_config(&upstream, "");
    let mut gateway = Gateway::start(&yaml).await;
    let bought = subscription("active", "price_new");
    let bought = event("evt_1", 0, "customer.subscription.created", bought);
    assert_eq!(send(&gateway, &bought).await, "applied");
    let (_, words) = told(&gateway, "stripe:evt_1").await;
    assert!(words.contains("no plan for price_new"), "{words}");
    assert_eq!(account(&gateway, "a").await["plan"], "basic");
    gateway
        .reload(&yaml.replace("price_pro: pro", "price_pro: pro, price_new: pro"))
        .await;
    // Its provider sends it again, and means nothing by it.
    assert_eq!(send(&gateway, &bought).await, "duplicate");
    for news in [true, false] {
        let again = replay(&gateway, "evt_1").await;
        assert_eq!(
            (&again["status"], &again["replayed"]),
            (&json!("applied"), &json!(news)),
            "{again}"
        );
        assert_eq!(account(&gateway, "a").await["plan"], "pro");
    }
    let (_, words) = told(&gateway, "stripe:evt_1").await;
    assert!(!words.contains("no plan"), "{words}");
    // What somebody has said since holds.
    let newer = event(
        "evt_2",
        9,
        "customer.subscription.updated",
        subscription("canceled", "price_new"),
    );
    assert_eq!(send(&gateway, &newer).await, "applied");
    replay(&gateway, "evt_1").await;
    assert_eq!(
        account(&gateway, "a").await["subscription"]["status"],
        "canceled"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn money_of_a_replayed_event_is_credited_once() {
    let upstream = provider().await;
    let mut gateway = Gateway::start(&shared_config(&upstream, "")).await;
    assert_eq!(send(&gateway, &bought("evt_1")).await, "applied");
    gateway
        .reload(&shared_config(&upstream, ", top_up: false"))
        .await;
    let again = replay(&gateway, "evt_1").await;
    assert_eq!(
        (&again["status"], &again["replayed"]),
        (&json!("applied"), &json!(false))
    );
    assert_eq!(balance(&gateway, "b").await, "25.00");
    gateway.stop().await;
}
