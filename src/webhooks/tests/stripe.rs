use serde_json::{Value, json};

use super::{NOW, at, fact, parked, say};
use crate::{
    domain::{SubscriptionStatus, Vendor},
    webhooks::{Fact, Illegible, News, PaymentEvent, Snapshot},
};

/// An event of Stripe's about this object.
fn stripe(kind: &str, object: Value) -> PaymentEvent {
    say(Vendor::Stripe, &envelope(kind, object)).unwrap()
}

fn envelope(kind: &str, object: Value) -> Value {
    json!({
        "id": "evt_1", "object": "event", "api_version": "2026-10-28.endive", "created": NOW,
        "livemode": true, "type": kind, "data": {"object": object},
    })
}

fn subscription(rest: Value) -> Value {
    let mut whole = json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active",
        "cancel_at_period_end": false, "cancel_at": null, "ended_at": null, "trial_end": null, "metadata": {},
        "items": {"object": "list", "data": [{
            "id": "si_1", "price": {"id": "price_pro", "product": "prod_1"},
            "current_period_start": NOW, "current_period_end": NOW + 100,
        }]},
    });
    for (name, value) in rest.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

#[test]
fn a_subscription_is_read_whole() {
    let event = stripe("customer.subscription.updated", subscription(json!({})));
    assert_eq!(event.id, "stripe:evt_1");
    assert_eq!(event.created, at(0));
    assert_eq!(event.party.customer.as_deref(), Some("cus_1"));
    let (object, Fact::Subscription(snapshot)) = fact(&event) else {
        panic!("{event:?}");
    };
    assert_eq!(object, "stripe:sub_1");
    assert_eq!(
        *snapshot,
        Snapshot {
            period_start: Some(at(0)),
            period_end: Some(at(100)),
            plan: Some("pro".to_owned()).map(|id| crate::domain::PlanId::parse(&id).unwrap()),
            ..Snapshot::with_status(SubscriptionStatus::Active)
        }
    );
    // Before API 2025-03-31 the period was the subscription's own; the customer may be written out.
    let old = subscription(json!({
        "customer": {"id": "cus_9", "object": "customer"},
        "current_period_start": NOW - 50, "current_period_end": NOW + 50,
        "items": {"data": [{"plan": {"id": "price_other"}}]},
        "cancel_at_period_end": true, "trial_end": NOW + 9, "cancel_at": NOW + 10, "ended_at": NOW + 11,
        "metadata": {"faregate_account": "acme"},
    }));
    let event = stripe("customer.subscription.created", old);
    assert_eq!(event.party.customer.as_deref(), Some("cus_9"));
    assert_eq!(event.party.account.as_deref(), Some("acme"));
    assert!(!event.party.claimed);
    let (_, Fact::Subscription(snapshot)) = fact(&event) else {
        panic!("{event:?}");
    };
    assert!(snapshot.first && snapshot.cancel_at_period_end && snapshot.plan.is_none());
    assert_eq!(
        (snapshot.period_start, snapshot.period_end),
        (Some(at(-50)), Some(at(50)))
    );
    assert_eq!(
        (snapshot.trial_end, snapshot.cancel_at, snapshot.ends_at),
        (Some(at(9)), Some(at(10)), Some(at(11)))
    );
    let News::Fact { remark, .. } = &event.news else {
        panic!("{event:?}");
    };
    assert!(
        remark.as_ref().unwrap().contains("price_other"),
        "{remark:?}"
    );
}

#[test]
fn invoices_of_renewals_are_facts_and_others_are_not() {
    let invoice = |reason: &str| {
        json!({
            "id": "in_1", "customer": "cus_1", "billing_reason": reason, "created": NOW - 7,
            "parent": {"type": "subscription_details", "subscription_details": {
                "subscription": "sub_1", "metadata": {"faregate_account": "acme"}}},
            "lines": {"data": [
                {"period": {"start": NOW, "end": NOW + 100}},
                {"period": {"start": NOW - 100, "end": NOW}},
            ]},
        })
    };
    let event = stripe("invoice.paid", invoice("subscription_cycle"));
    let paid = Fact::RenewalPaid {
        from: at(0),
        until: at(100),
    };
    assert_eq!(fact(&event), ("stripe:sub_1", &paid));
    assert_eq!(event.party.account.as_deref(), Some("acme"));
    for kind in [
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.overdue",
    ] {
        let event = stripe(kind, invoice("subscription_cycle"));
        let due = Fact::RenewalDue {
            invoiced: Some(at(-7)),
        };
        assert_eq!(fact(&event), ("stripe:sub_1", &due));
        // The first invoice, or one for a change, is told by the subscription itself.
        let event = stripe(kind, invoice("subscription_create"));
        assert!(matches!(event.news, News::Ignored(_)), "{event:?}");
    }
    let older = json!({"subscription": "sub_2", "billing_reason": "subscription_cycle"});
    assert_eq!(
        fact(&stripe("invoice.payment_failed", older)).0,
        "stripe:sub_2"
    );
    let single = stripe("invoice.paid", json!({"id": "in_2", "lines": {"data": []}}));
    assert!(matches!(single.news, News::Ignored(_)), "{single:?}");
}

fn session(rest: Value) -> Value {
    let mut whole = json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_status": "paid",
        "amount_total": 2500, "currency": "usd", "payment_intent": "pi_1", "customer": "cus_1",
        "client_reference_id": "bob", "metadata": {},
    });
    for (name, value) in rest.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

#[test]
fn a_paid_checkout_is_a_top_up() {
    let event = stripe("checkout.session.completed", session(json!({})));
    let paid = Fact::Paid {
        order: "cs_1".to_owned(),
        nano_usd: 25_000_000_000,
    };
    assert_eq!(fact(&event), ("stripe:pi_1", &paid));
    assert_eq!(event.party.account.as_deref(), Some("bob"));
    assert!(
        event.party.claimed,
        "whoever pays may have changed the link"
    );
    let later = stripe(
        "checkout.session.async_payment_succeeded",
        session(json!({})),
    );
    assert_eq!(fact(&later), ("stripe:pi_1", &paid));
    for (rest, words) in [
        (json!({"payment_status": "unpaid"}), "nothing is paid yet"),
        (json!({"amount_total": 0}), "nothing was to be paid"),
        (
            json!({"metadata": {"faregate_credit": "false"}}),
            "not credit",
        ),
    ] {
        let event = stripe("checkout.session.completed", session(rest));
        let News::Ignored(why) = &event.news else {
            panic!("{event:?}");
        };
        assert!(why.contains(words), "{why}");
    }
    let event = stripe(
        "checkout.session.completed",
        session(json!({"mode": "subscription"})),
    );
    assert_eq!(event.news, News::Link);
    let euros = stripe(
        "checkout.session.completed",
        session(json!({"currency": "eur"})),
    );
    assert!(parked(&euros).contains("EUR"));
    // Anything but a whole number of cents is no amount.
    for wrong in [
        json!(25.5),
        json!(-1),
        json!("25.00"),
        json!(null),
        json!(i64::MAX),
    ] {
        let body = envelope(
            "checkout.session.completed",
            session(json!({"amount_total": wrong})),
        );
        let odd = say(Vendor::Stripe, &body).unwrap_err();
        assert!(matches!(odd, Illegible::Odd { .. }), "{odd:?}");
        assert!(odd.to_string().contains("amount_total"), "{odd}");
    }
}

#[test]
fn what_goes_back_names_its_payment() {
    let charge =
        json!({"id": "ch_1", "payment_intent": "pi_1", "currency": "usd", "amount_refunded": 1000});
    let event = stripe("charge.refunded", charge);
    let nano_usd = 10_000_000_000;
    assert_eq!(
        fact(&event),
        ("stripe:pi_1", &Fact::RefundedInAll { nano_usd })
    );
    for (status, stands) in [
        ("pending", true),
        ("succeeded", true),
        ("failed", false),
        ("canceled", false),
    ] {
        let refund = json!({
            "id": "re_1", "payment_intent": "pi_1", "currency": "usd", "amount": 1000, "status": status,
        });
        let event = stripe("refund.updated", refund);
        let refund = "re_1".to_owned();
        assert_eq!(
            fact(&event).1,
            &Fact::Refund {
                refund,
                nano_usd,
                stands
            }
        );
    }
    for (status, held_back) in [
        ("needs_response", true),
        ("under_review", true),
        ("lost", true),
        ("won", false),
        ("warning_needs_response", false),
        ("warning_closed", false),
    ] {
        let object = json!({
            "id": "dp_1", "payment_intent": "pi_1", "currency": "usd", "amount": 1000, "status": status,
        });
        let event = stripe("charge.dispute.closed", object);
        let dispute = "dp_1".to_owned();
        assert_eq!(
            fact(&event).1,
            &Fact::Dispute {
                dispute,
                nano_usd,
                held_back
            }
        );
    }
    let nameless = stripe(
        "charge.refunded",
        json!({"currency": "usd", "amount_refunded": 1}),
    );
    assert!(parked(&nameless).contains("payment_intent"));
}

#[test]
fn credit_grants_have_an_end_and_a_priority() {
    let grant = |rest: Value| {
        let mut whole = json!({
            "id": "credgr_1", "customer": "cus_1", "name": "welcome", "category": "promotional", "priority": 10,
            "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 500}},
            "effective_at": NOW - 5, "expires_at": NOW + 500, "voided_at": null,
        });
        for (name, value) in rest.as_object().unwrap() {
            whole[name] = value.clone();
        }
        whole
    };
    let event = stripe("billing.credit_grant.created", grant(json!({})));
    let given = Fact::Grant {
        nano_usd: 5_000_000_000,
        expires_at: Some(at(500)),
        priority: 10,
        reason: Some("welcome".to_owned()),
    };
    assert_eq!(fact(&event), ("stripe:credgr_1", &given));
    let voided = grant(json!({"voided_at": NOW}));
    assert_eq!(
        fact(&stripe("billing.credit_grant.updated", voided)).1,
        &Fact::GrantVoided
    );
    let ended = grant(json!({"expires_at": NOW}));
    assert_eq!(
        fact(&stripe("billing.credit_grant.updated", ended)).1,
        &Fact::GrantVoided
    );
    let later = stripe(
        "billing.credit_grant.created",
        grant(json!({"effective_at": NOW + 9})),
    );
    assert!(parked(&later).contains("begins at"));
    let foreign = grant(json!({"amount": {"monetary": {"currency": "gbp", "value": 500}}}));
    assert!(parked(&stripe("billing.credit_grant.created", foreign)).contains("GBP"));
}

#[test]
fn everything_else_is_ignored_with_a_reason() {
    for kind in [
        "invoice.voided",
        "invoice.marked_uncollectible",
        "invoice.upcoming",
        "checkout.session.expired",
        "checkout.session.async_payment_failed",
        "entitlements.active_entitlement_summary.updated",
        "billing.meter.created",
        "subscription_schedule.updated",
        "customer.created",
    ] {
        let event = stripe(kind, json!({"id": "x"}));
        let News::Ignored(why) = &event.news else {
            panic!("{event:?}");
        };
        assert!(!why.is_empty() && event.kind == kind);
    }
    let thin = json!({
        "id": "evt_2", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
        "created": "2026-11-20T12:00:00.000Z", "livemode": true,
    });
    let event = say(Vendor::Stripe, &thin).unwrap();
    assert!(matches!(event.news, News::Ignored(_)));
}

#[test]
fn a_body_that_cannot_be_read_is_named_if_it_has_a_name() {
    for nameless in [
        json!([]),
        json!({"type": "invoice.paid"}),
        json!({"id": ""}),
        json!({"id": 7}),
    ] {
        let odd = say(Vendor::Stripe, &nameless).unwrap_err();
        assert!(matches!(odd, Illegible::Nameless(_)), "{odd:?}");
    }
    for body in [
        json!({"id": "evt_1"}),
        json!({"id": "evt_1", "type": "invoice.paid"}),
        json!({"id": "evt_1", "type": "invoice.paid", "created": -1}),
        json!({"id": "evt_1", "type": "invoice.paid", "created": 1.5}),
        // No calendar has a day for it, so it could not be kept.
        json!({"id": "evt_1", "type": "invoice.paid", "created": 253_402_207_201_i64}),
        envelope(
            "billing.credit_grant.created",
            json!({
                "id": "credgr_1", "priority": 101,
                "amount": {"monetary": {"currency": "usd", "value": 500}},
            }),
        ),
        envelope(
            "billing.credit_grant.created",
            json!({
                "id": "credgr_1", "priority": "high",
                "amount": {"monetary": {"currency": "usd", "value": 500}},
            }),
        ),
        envelope(
            "customer.subscription.updated",
            json!({"id": "sub_1", "status": "sleeping"}),
        ),
        envelope("customer.subscription.updated", json!({"status": "active"})),
    ] {
        let odd = say(Vendor::Stripe, &body).unwrap_err();
        let Illegible::Odd { id, .. } = &odd else {
            panic!("{odd:?}");
        };
        assert_eq!(id, "stripe:evt_1");
    }
}

#[test]
fn of_several_intervals_the_plans_own_is_the_billing_period() {
    // A monthly plan with something that is paid by the year.
    let both = subscription(json!({"items": {"data": [
        {"price": {"id": "price_seat"}, "current_period_start": NOW - 50, "current_period_end": NOW + 1000},
        {"price": {"id": "price_pro"}, "current_period_start": NOW, "current_period_end": NOW + 100},
    ]}}));
    let event = stripe("customer.subscription.updated", both);
    let (_, Fact::Subscription(snapshot)) = fact(&event) else {
        panic!("{event:?}");
    };
    assert_eq!(
        (snapshot.period_start, snapshot.period_end),
        (Some(at(0)), Some(at(100)))
    );
    let paid = Fact::RenewalPaid {
        from: at(0),
        until: at(100),
    };
    let seat = json!({"period": {"start": NOW, "end": NOW + 1000}});
    let period = json!({"start": NOW, "end": NOW + 100});
    for plan in [
        json!({"period": &period, "pricing": {"price_details": {"price": "price_pro", "product": "prod_1"}}}),
        json!({"period": &period, "price": {"id": "price_pro"}}),
    ] {
        let lines = json!({"subscription": "sub_1", "lines": {"data": [&seat, plan]}});
        let event = stripe("invoice.paid", lines);
        assert_eq!(fact(&event), ("stripe:sub_1", &paid));
    }
}
