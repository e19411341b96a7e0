use serde_json::{Value, json};

use super::{at, fact, parked, say, settings};
use crate::{
    domain::{SubscriptionStatus, Vendor},
    webhooks::{Fact, News, PaymentEvent, Snapshot, Verified, read},
};

const NOON: &str = "2026-11-20T12:00:00Z";

#[track_caller]
fn snapshot(event: &PaymentEvent) -> &Snapshot {
    match fact(event).1 {
        Fact::Subscription(snapshot) => snapshot,
        other => panic!("{other:?}"),
    }
}

fn paddle(kind: &str, data: Value) -> PaymentEvent {
    let body = json!({"event_id": "evt_1", "event_type": kind, "occurred_at": NOON, "data": data});
    say(Vendor::Paddle, &body).unwrap()
}

#[test]
fn paddle_tells_of_subscriptions_and_transactions() {
    let event = paddle(
        "subscription.updated",
        json!({
            "id": "sub_1", "status": "active", "customer_id": "ctm_1", "custom_data": {"faregate_account": "acme"},
            "items": [{"price": {"id": "pri_pro", "product_id": "pro_1"}}],
            "current_billing_period": {"starts_at": NOON, "ends_at": "2026-11-20T12:01:40Z"},
            "scheduled_change": {"action": "cancel", "effective_at": "2026-11-20T12:01:40Z"},
        }),
    );
    assert_eq!(event.id, "paddle:evt_1");
    assert_eq!(fact(&event).0, "paddle:sub_1");
    assert_eq!(event.party.customer.as_deref(), Some("ctm_1"));
    assert_eq!(event.party.account.as_deref(), Some("acme"));
    let said = snapshot(&event);
    assert_eq!(
        (said.period_start, said.period_end),
        (Some(at(0)), Some(at(100)))
    );
    assert_eq!(said.cancel_at, Some(at(100)));
    assert_eq!(said.plan.as_ref().unwrap().as_str(), "pro");

    let total = json!({"totals": {"grand_total": "2500"}});
    let bought = json!({
        "id": "txn_1", "status": "completed", "customer_id": "ctm_1", "currency_code": "USD", "details": total,
        "subscription_id": null,
    });
    let paid = Fact::Paid {
        order: "txn_1".to_owned(),
        nano_usd: 25_000_000_000,
    };
    assert_eq!(
        fact(&paddle("transaction.completed", bought.clone())),
        ("paddle:txn_1", &paid)
    );
    let mut euros = bought.clone();
    euros["currency_code"] = json!("EUR");
    assert!(parked(&paddle("transaction.completed", euros)).contains("EUR"));
    let mut of_subscription = bought;
    of_subscription["subscription_id"] = json!("sub_1");
    assert_eq!(
        paddle("transaction.completed", of_subscription).news,
        News::Link
    );

    let failed =
        json!({"id": "txn_2", "subscription_id": "sub_1", "origin": "subscription_recurring"});
    assert_eq!(
        fact(&paddle("transaction.payment_failed", failed)),
        ("paddle:sub_1", &Fact::RenewalDue { invoiced: None })
    );
    let refunded = json!({
        "id": "adj_1", "action": "refund", "status": "approved", "transaction_id": "txn_1",
        "currency_code": "USD", "totals": {"total": "1000"},
    });
    let refund = Fact::Refund {
        refund: "adj_1".to_owned(),
        nano_usd: 10_000_000_000,
        stands: true,
    };
    assert_eq!(
        fact(&paddle("adjustment.created", refunded)),
        ("paddle:txn_1", &refund)
    );
}

#[test]
fn what_is_sold_and_is_no_plan_of_the_file_is_told() {
    let items = json!([{"price": {"id": "pri_other", "product_id": "pro_9"}}]);
    let priced = paddle(
        "subscription.updated",
        json!({"id": "sub_1", "status": "active", "items": items}),
    );
    let nameless = paddle(
        "subscription.updated",
        json!({"id": "sub_2", "status": "active", "items": []}),
    );
    let attributes =
        json!({"variant_id": 78, "product_id": 4, "status": "active", "updated_at": NOON});
    let lemon = lemon(
        "subscription_updated",
        json!({}),
        json!({"type": "subscriptions", "id": "5", "attributes": attributes}),
    );
    for (event, words) in [
        (
            priced,
            "payment.webhooks.paddle.prices has no plan for pri_other, pro_9; the plan stays",
        ),
        (
            lemon,
            "payment.webhooks.lemonsqueezy.variants has no plan for 78, 4; the plan stays",
        ),
        (nameless, "it names no price; the plan stays"),
    ] {
        let News::Fact { remark, .. } = &event.news else {
            panic!("{event:?}");
        };
        assert_eq!(remark.as_deref(), Some(words));
    }
}

#[test]
fn an_order_of_lemon_squeezys_test_mode_waits_where_live_ones_are_wanted() {
    let mut settings = settings();
    let mut endpoint = settings.endpoint(Vendor::LemonSqueezy).unwrap().clone();
    endpoint.livemode = Some(true);
    settings.insert(Vendor::LemonSqueezy, endpoint);
    let order = |test_mode: Value| {
        let attributes = json!({
            "customer_id": 9, "status": "paid", "currency": "USD", "total": 999, "updated_at": NOON,
            "test_mode": test_mode,
        });
        let meta =
            json!({"event_name": "order_created", "custom_data": {"faregate_credit": "true"}});
        let data = json!({"type": "orders", "id": "6", "attributes": attributes});
        let body = json!({"meta": meta, "data": data}).to_string();
        let verified = Verified::kept(Vendor::LemonSqueezy, "lemonsqueezy:msg_1", body.as_bytes());
        read(&verified, &settings).unwrap()
    };
    assert_eq!(
        parked(&order(json!(true))),
        "it is a test event, and payment.webhooks.lemonsqueezy.livemode is true"
    );
    assert_eq!(fact(&order(json!(false))).0, "lemonsqueezy:order:6");
    let none = "it does not say whether it is a live event";
    assert!(parked(&order(Value::Null)).starts_with(none));
    // A licence key says nothing of its mode, and there is nothing to wait for.
    let data = json!({"type": "license-keys", "id": "7", "attributes": {"updated_at": NOON}});
    let body = json!({"meta": {"event_name": "license_key_created"}, "data": data}).to_string();
    let verified = Verified::kept(Vendor::LemonSqueezy, "lemonsqueezy:msg_2", body.as_bytes());
    let event = read(&verified, &settings).unwrap();
    assert!(matches!(event.news, News::Ignored(_)), "{event:?}");
}

fn lemon(kind: &str, custom: Value, data: Value) -> PaymentEvent {
    let body = json!({"meta": {"event_name": kind, "custom_data": custom}, "data": data});
    say(Vendor::LemonSqueezy, &body).unwrap()
}

#[test]
fn lemon_squeezy_tells_of_subscriptions_and_marked_orders() {
    let data = |status: &str| {
        json!({"type": "subscriptions", "id": "5", "attributes": {
            "customer_id": 9, "variant_id": 77, "product_id": 3, "status": status,
            "trial_ends_at": null, "renews_at": NOON, "ends_at": "2026-11-20T12:01:40.000000Z",
            "updated_at": "2026-11-20T12:00:00.000000Z",
        }})
    };
    let account = json!({"faregate_account": "acme"});
    let event = lemon("subscription_updated", account, data("cancelled"));
    assert_eq!(fact(&event).0, "lemonsqueezy:subscription:5");
    assert_eq!(event.created, at(0));
    assert_eq!(event.party.customer.as_deref(), Some("9"));
    assert_eq!(event.party.account.as_deref(), Some("acme"));
    // What is canceled there is paid until it ends.
    let said = snapshot(&event);
    assert_eq!(
        (said.status, said.ends_at),
        (SubscriptionStatus::Active, Some(at(100)))
    );
    assert_eq!(said.plan.as_ref().unwrap().as_str(), "pro");
    for (theirs, ours) in [
        ("on_trial", SubscriptionStatus::Trialing),
        ("past_due", SubscriptionStatus::PastDue),
        ("unpaid", SubscriptionStatus::Unpaid),
        ("paused", SubscriptionStatus::Paused),
        ("expired", SubscriptionStatus::Canceled),
    ] {
        let event = lemon("subscription_updated", json!(null), data(theirs));
        assert_eq!(snapshot(&event).status, ours);
    }
    // The same bytes are the same event, others another.
    let again = lemon("subscription_updated", json!(null), data("expired"));
    let other = lemon("subscription_updated", json!(null), data("paused"));
    assert_ne!(again.id, other.id);
    assert_eq!(
        again.id,
        lemon("subscription_updated", json!(null), data("expired")).id
    );

    let order = json!({"type": "orders", "id": "5", "attributes": {
        "customer_id": 9, "status": "paid", "currency": "USD", "total": 2500, "updated_at": NOON,
    }});
    let event = lemon(
        "order_created",
        json!({"faregate_credit": "true"}),
        order.clone(),
    );
    let paid = Fact::Paid {
        order: "5".to_owned(),
        nano_usd: 25_000_000_000,
    };
    assert_eq!(fact(&event), ("lemonsqueezy:order:5", &paid));
    let plain = lemon("order_created", json!(null), order.clone());
    assert!(
        matches!(plain.news, News::Ignored(_)),
        "it may have begun a subscription"
    );
    // The mark may stand in a link, where whoever pays can write it: a plan is not paid for and credited as well.
    let mut of_plan = order.clone();
    of_plan["attributes"]["first_order_item"] = json!({"variant_id": 77, "product_id": 3});
    let of_plan = lemon("order_created", json!({"faregate_credit": "true"}), of_plan);
    assert!(matches!(of_plan.news, News::Ignored(_)), "{of_plan:?}");
    let mut refunded = order;
    refunded["attributes"]["refunded_amount"] = json!(500);
    let refunded = lemon("order_refunded", json!(null), refunded);
    assert_eq!(
        fact(&refunded).1,
        &Fact::RefundedInAll {
            nano_usd: 5_000_000_000
        }
    );
}

fn standard(kind: &str, data: Value) -> Result<PaymentEvent, String> {
    let body = json!({"type": kind, "timestamp": NOON, "data": data});
    say(Vendor::Standard, &body).map_err(|error| error.to_string())
}

#[test]
fn everybody_else_speaks_our_words() {
    let data = json!({
        "account": "acme", "status": "past_due", "plan": "pro", "past_due_since": NOON,
        "current_period_start": NOON, "current_period_end": "2026-11-20T12:01:40Z",
        "trial_end": null, "cancel_at": "2026-11-20T12:01:40Z", "cancel_at_period_end": true, "ends_at": null,
    });
    let event = standard("subscription.updated", data).unwrap();
    assert_eq!(event.id, "standard:msg_1");
    assert_eq!(event.party.account.as_deref(), Some("acme"));
    assert_eq!(fact(&event).0, "standard:subscription-of:acme");
    let said = snapshot(&event);
    assert_eq!(said.status, SubscriptionStatus::PastDue);
    assert_eq!(
        (said.past_due_since, said.cancel_at),
        (Some(at(0)), Some(at(100)))
    );
    assert!(said.cancel_at_period_end);

    let granted = json!({
        "account": "bob", "amount": "25.00", "currency": "USD", "expires_at": "2027-01-01T00:00:00Z",
        "priority": 3, "reason": "welcome",
    });
    let event = standard("credit.granted", granted).unwrap();
    let (
        object,
        Fact::Grant {
            nano_usd,
            priority,
            reason,
            expires_at,
        },
    ) = fact(&event)
    else {
        panic!("{event:?}");
    };
    assert_eq!(
        (object, *nano_usd, *priority),
        ("standard:grant:msg_1", 25_000_000_000, 3)
    );
    assert!(reason.is_some() && expires_at.is_some());
    let refunded = json!({"account": "bob", "amount": "0.000000001"});
    let event = standard("credit.refunded", refunded).unwrap();
    let taken = Fact::Taken {
        nano_usd: 1,
        reason: None,
    };
    assert_eq!(fact(&event), ("standard:refund:msg_1", &taken));
    let euros = json!({"account": "bob", "amount": "25.00", "currency": "EUR"});
    assert!(parked(&standard("credit.granted", euros).unwrap()).contains("EUR"));
    let unknown = standard("credit.spent", json!({"account": "bob"})).unwrap();
    assert!(matches!(unknown.news, News::Ignored(_)));
}

#[test]
fn our_own_words_are_checked() {
    let credit = |data: Value| standard("credit.granted", data).unwrap_err();
    for (data, words) in [
        (json!({"amount": "1"}), "data.account is missing"),
        (json!({"account": "a"}), "data.amount is missing"),
        (
            json!({"account": "a", "amount": 25}),
            "data.amount is not a string",
        ),
        (
            json!({"account": "x".repeat(256), "amount": "1"}),
            "data.account is longer than 255 bytes",
        ),
        (json!({"account": "a", "amount": "0"}), "above zero"),
        (json!({"account": "a", "amount": "-1"}), "above zero"),
        (
            json!({"account": "a", "amount": "1.0000000001"}),
            "9 decimals",
        ),
        (
            json!({"account": "a", "amount": "1", "priority": 101}),
            "from 0 to 100",
        ),
        (
            json!({"account": "a", "amount": "1", "expires_at": "soon"}),
            "data.expires_at",
        ),
    ] {
        let said = credit(data);
        assert!(said.contains(words), "{said}");
    }
    let subscription = |data: Value| standard("subscription.updated", data).unwrap_err();
    for (data, words) in [
        (json!({"account": "a"}), "data.status is missing"),
        (json!({"account": "a", "status": "live"}), "one of trialing"),
        (
            json!({"account": "a", "status": "active", "plan": "a b"}),
            "data.plan",
        ),
        (
            json!({"account": "a", "status": "active", "current_period_start": NOON}),
            "or neither",
        ),
        (
            json!({"account": "a", "status": "active", "cancel_at_period_end": "yes"}),
            "true or false",
        ),
    ] {
        let said = subscription(data);
        assert!(said.contains(words), "{said}");
    }
}
