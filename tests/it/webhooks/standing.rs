use std::time::Duration;

use serde_json::{Value, json};

use super::{
    NOW, STANDARD_SECRET, account, event, send, shared_config, standard, subscription, taken, told,
};
use crate::{
    fixture::{CHAT, KEY, provider, refused, served},
    harness::Gateway,
};

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn updated(id: &str, seconds: i64, object: Value) -> Value {
    event(id, seconds, "customer.subscription.updated", object)
}

#[tokio::test]
async fn a_payment_holds_from_the_next_request_on() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let chat = || gateway.chat(KEY, CHAT).send();
    refused(&chat().await, 402, "subscription_required");
    let created = event(
        "evt_1",
        0,
        "customer.subscription.created",
        subscription("incomplete", "price_basic"),
    );
    assert_eq!(send(&gateway, &created).await, "applied");
    refused(&chat().await, 402, "subscription_incomplete");
    assert_eq!(
        send(
            &gateway,
            &updated("evt_2", 1, subscription("active", "price_pro"))
        )
        .await,
        "applied"
    );
    served(&chat().await);
    // The price is a plan, and the billing period the subscription's.
    let paid = account(&gateway, "a").await;
    assert_eq!(paid["plan"], "pro");
    assert_eq!(
        paid["subscription"]["current_period_end"],
        "2026-11-21T12:00:00Z"
    );
    assert_eq!(
        send(
            &gateway,
            &updated("evt_3", 2, subscription("past_due", "price_pro"))
        )
        .await,
        "applied"
    );
    let due = chat().await;
    served(&due);
    assert_eq!(
        due.header("faregate-notice"),
        Some("past_due; grace-until=\"2026-11-27T12:00:02Z\"")
    );
    let paid = json!({
        "id": "in_1", "customer": "cus_a", "billing_reason": "subscription_cycle", "subscription": "sub_1",
        "lines": {"data": [{"period": {"start": NOW + 86_400, "end": NOW + 172_800}}]},
    });
    assert_eq!(
        send(&gateway, &event("evt_4", 3, "invoice.paid", paid)).await,
        "applied"
    );
    assert_eq!(chat().await.header("faregate-notice"), None);
    let deleted = event(
        "evt_5",
        4,
        "customer.subscription.deleted",
        subscription("canceled", "price_pro"),
    );
    assert_eq!(send(&gateway, &deleted).await, "applied");
    refused(&chat().await, 402, "subscription_canceled");
    // What is older opens nothing again.
    assert_eq!(
        send(
            &gateway,
            &updated("evt_6", 1, subscription("active", "price_pro"))
        )
        .await,
        "applied"
    );
    let (_, words) = told(&gateway, "stripe:evt_6").await;
    assert_eq!(words, "it changes nothing that holds");
    refused(&chat().await, 402, "subscription_canceled");
    gateway.stop().await;
}

#[tokio::test]
async fn a_subscription_that_ends_with_its_period_is_served_until_then() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let mut ending = subscription("active", "price_basic");
    ending["cancel_at_period_end"] = json!(true);
    send(&gateway, &updated("evt_1", 0, ending)).await;
    gateway.pass(2 * DAY - Duration::from_millis(1));
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.pass(Duration::from_millis(1));
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        402,
        "subscription_expired",
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_paid_for_the_rest_of_a_period_does_not_begin_it_anew() {
    let upstream = provider().await;
    let file = shared_config(&upstream, "").replace(
        "pro: {subscription: required}",
        "pro: {subscription: required, quotas: [{requests: 1, per: period}]}",
    );
    let gateway = Gateway::start(&file).await;
    let chat = || gateway.chat(KEY, CHAT).send();
    let bought = updated("evt_1", 0, subscription("active", "price_pro"));
    assert_eq!(send(&gateway, &bought).await, "applied");
    served(&chat().await);
    refused(&chat().await, 402, "quota_exhausted");
    // Another seat in the middle of the period: an invoice for what is left of it.
    gateway.pass(DAY / 2);
    let rest = json!({
        "id": "in_1", "customer": "cus_a", "billing_reason": "subscription_update", "subscription": "sub_1",
        "lines": {"data": [
            {"period": {"start": NOW + 43_200, "end": NOW + 86_400}},
            {"period": {"start": NOW + 43_200, "end": NOW + 86_400}},
        ]},
    });
    let paid = event("evt_2", 43_200, "invoice.paid", rest);
    assert_eq!(send(&gateway, &paid).await, "applied");
    refused(&chat().await, 402, "quota_exhausted");
    assert_eq!(
        account(&gateway, "a").await["subscription"]["current_period_start"],
        "2026-11-19T12:00:00Z"
    );
    gateway.pass(DAY / 2);
    served(&chat().await);
    gateway.stop().await;
}

#[tokio::test]
async fn events_hold_until_the_file_says_something_else() {
    let upstream = provider().await;
    let stated = |status: &str| {
        shared_config(&upstream, "").replace(
            "plan: basic, stripe",
            &format!("plan: basic, subscription: {{status: {status}}}, stripe"),
        )
    };
    let mut gateway = Gateway::start(&stated("incomplete")).await;
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        402,
        "subscription_incomplete",
    );
    send(
        &gateway,
        &updated("evt_1", 0, subscription("active", "price_pro")),
    )
    .await;
    served(&gateway.chat(KEY, CHAT).send().await);
    // The same file, read again, changes nothing.
    gateway.reload(&stated("incomplete")).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.reload(&stated("paused")).await;
    refused(
        &gateway.chat(KEY, CHAT).send().await,
        402,
        "subscription_paused",
    );
    // Another standing says nothing of the plan that was bought.
    assert_eq!(account(&gateway, "a").await["plan"], "pro");
    send(
        &gateway,
        &updated("evt_2", 5, subscription("trialing", "price_basic")),
    )
    .await;
    served(&gateway.chat(KEY, CHAT).send().await);
    assert_eq!(account(&gateway, "a").await["plan"], "basic");
    gateway.stop().await;
}

#[tokio::test]
async fn an_administrator_may_say_something_else() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let made = gateway
        .admin("POST", "/admin/v1/accounts")
        .json(r#"{"id":"c","plan":"basic"}"#);
    assert_eq!(made.send().await.status, 201);
    let mut of_c = subscription("active", "price_pro");
    of_c["customer"] = json!("cus_c");
    of_c["metadata"] = json!({"faregate_account": "c"});
    assert_eq!(
        send(&gateway, &updated("evt_1", 0, of_c.clone())).await,
        "applied"
    );
    let paid = account(&gateway, "c").await;
    assert_eq!(
        (&paid["plan"], &paid["subscription"]["status"]),
        (&json!("pro"), &json!("active"))
    );
    let said = gateway.admin("PUT", "/admin/v1/accounts/c/subscription");
    served(&said.json(r#"{"status":"unpaid"}"#).send().await);
    let paid = account(&gateway, "c").await;
    assert_eq!(
        (&paid["plan"], &paid["subscription"]["status"]),
        (&json!("pro"), &json!("unpaid"))
    );
    // The customer is known now, whether or not its events name the account.
    of_c["metadata"] = json!({});
    of_c["status"] = json!("trialing");
    assert_eq!(send(&gateway, &updated("evt_2", 9, of_c)).await, "applied");
    assert_eq!(
        account(&gateway, "c").await["subscription"]["status"],
        "trialing"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn of_two_subscriptions_the_better_holds() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let mut second = subscription("active", "price_pro");
    second["id"] = json!("sub_2");
    send(
        &gateway,
        &updated("evt_1", 0, subscription("active", "price_basic")),
    )
    .await;
    send(&gateway, &updated("evt_2", 1, second)).await;
    assert_eq!(
        account(&gateway, "a").await["plan"],
        "pro",
        "the larger id of two equals"
    );
    let deleted = event(
        "evt_3",
        2,
        "customer.subscription.deleted",
        subscription("canceled", "price_basic"),
    );
    send(&gateway, &deleted).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_price_that_is_no_plan_is_told() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    send(
        &gateway,
        &updated("evt_1", 0, subscription("active", "price_basic")),
    )
    .await;
    let other = updated("evt_2", 1, subscription("active", "price_new"));
    assert_eq!(send(&gateway, &other).await, "applied");
    assert_eq!(
        told(&gateway, "stripe:evt_2").await.1,
        "it changes nothing that holds; payment.webhooks.stripe.prices has no plan for price_new; the plan stays"
    );
    assert_eq!(account(&gateway, "a").await["plan"], "basic");
    gateway.stop().await;
}

#[tokio::test]
async fn a_subscription_to_something_else_leaves_the_plan_as_it_is() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let bought = updated("evt_1", 0, subscription("active", "price_pro"));
    send(&gateway, &bought).await;
    assert_eq!(account(&gateway, "a").await["plan"], "pro");
    let mut newsletter = subscription("active", "price_newsletter");
    newsletter["id"] = json!("sub_2");
    newsletter["items"]["data"][0]["current_period_end"] = json!(NOW + 10 * 86_400);
    send(&gateway, &updated("evt_2", 1, newsletter)).await;
    assert_eq!(account(&gateway, "a").await["plan"], "pro");
    gateway.stop().await;
}

#[tokio::test]
async fn a_plan_that_is_not_in_the_file_is_told() {
    let upstream = provider().await;
    let more = format!("}}, standard: {{secrets: [{STANDARD_SECRET}]");
    let gateway = Gateway::start(&shared_config(&upstream, &more)).await;
    for (plan, words) in [
        ("pro", "the subscription is active, on plan pro"),
        (
            "gold",
            "the subscription is active, on plan gold; the file has no plan gold, so the declared one is in force",
        ),
    ] {
        let data = json!({"account": "a", "status": "active", "plan": plan});
        let event = standard(&gateway, plan, "subscription.updated", &data);
        assert_eq!(taken(&event.send().await), "applied");
        assert_eq!(told(&gateway, &format!("standard:{plan}")).await.1, words);
        gateway.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(account(&gateway, "a").await["plan"], "basic");
    gateway.stop().await;
}
