use proptest::{
    prelude::{Just, ProptestConfig, Strategy},
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::{
    NOW, account, balance, bought, event, events, refunded, send, shared_config, subscription,
};
use crate::{
    fixture::provider,
    harness::{Gateway, Upstream},
};

/// A month in the life of two customers, told in fifteen events.
fn month() -> Vec<Value> {
    let of = |customer: &str, mut object: Value| {
        object["customer"] = json!(customer);
        object
    };
    let changed = |id: &str, seconds: i64, status: &str, price: &str| {
        event(
            id,
            seconds,
            "customer.subscription.updated",
            subscription(status, price),
        )
    };
    let of_b = |id: &str, seconds: i64, status: &str| {
        let mut object = of("cus_b", subscription(status, "price_basic"));
        object["id"] = json!("sub_b");
        event(id, seconds, "customer.subscription.updated", object)
    };
    let invoice = |id: &str, seconds: i64, kind: &str| {
        let object = json!({
            "id": "in_1", "customer": "cus_a", "billing_reason": "subscription_cycle", "subscription": "sub_1",
            "lines": {"data": [{"period": {"start": NOW + 86_400, "end": NOW + 172_800}}]},
        });
        event(id, seconds, kind, object)
    };
    let refund = |id: &str, seconds: i64, status: &str| {
        let object = json!({
            "id": "re_1", "payment_intent": "pi_1", "currency": "usd", "amount": 500, "status": status,
        });
        event(id, seconds, "refund.updated", object)
    };
    let session = json!({
        "id": "cs_b", "mode": "subscription", "customer": "cus_b", "metadata": {"faregate_account": "b"},
    });
    let dispute = |id: &str, seconds: i64, status: &str| {
        let object = json!({
            "id": "dp_1", "payment_intent": "pi_1", "currency": "usd", "amount": 800, "status": status,
        });
        event(id, seconds, "charge.dispute.updated", object)
    };
    vec![
        event(
            "evt_01",
            0,
            "customer.subscription.created",
            subscription("incomplete", "price_basic"),
        ),
        changed("evt_02", 0, "active", "price_basic"),
        changed("evt_03", 10, "active", "price_pro"),
        invoice("evt_04", 20, "invoice.payment_failed"),
        changed("evt_05", 20, "past_due", "price_pro"),
        changed("evt_06", 25, "past_due", "price_pro"),
        of_b("evt_07", 0, "trialing"),
        of_b("evt_08", 30, "active"),
        event("evt_09", 5, "checkout.session.completed", session),
        bought("evt_10"),
        refunded("evt_11", 40, 1000),
        refund("evt_12", 41, "succeeded"),
        refund("evt_13", 45, "failed"),
        dispute("evt_14", 50, "needs_response"),
        dispute("evt_15", 55, "lost"),
    ]
}

/// What holds after these events, and what became of each.
async fn outcome(upstream: &Upstream, order: &[Value]) -> Value {
    let gateway = Gateway::start(&shared_config(upstream, "")).await;
    for event in order {
        send(&gateway, event).await;
    }
    let mut waiting: Vec<Value> = events(&gateway).await;
    waiting.retain(|event| event["status"] != "applied");
    let (one, other) = (account(&gateway, "a").await, account(&gateway, "b").await);
    let outcome = json!({
        "a": [one["plan"], one["subscription"], balance(&gateway, "a").await],
        "b": [other["plan"], other["subscription"], balance(&gateway, "b").await],
        "waiting": waiting,
    });
    gateway.stop().await;
    outcome
}

#[test]
fn any_order_ends_in_the_same_state() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upstream = runtime.block_on(provider());
    let expected = runtime.block_on(outcome(&upstream, &month()));
    insta::assert_snapshot!("month", serde_json::to_string_pretty(&expected).unwrap());
    let shuffled = Just(month()).prop_shuffle();
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::with_cases(40)
    });
    let ran = runner.run(&shuffled, |order| {
        let found = runtime.block_on(outcome(&upstream, &order));
        let ids: Vec<&Value> = order.iter().map(|event| &event["id"]).collect();
        proptest::prop_assert_eq!(&found, &expected, "{:?}", ids);
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}
