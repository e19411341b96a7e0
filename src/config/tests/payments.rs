use super::{compiled, problems, warnings};
use crate::domain::Vendor;

const BASE: &str = "providers: {o: {kind: openai}}\nplans: {pro: {}}\n";

fn with(webhooks: &str) -> String {
    format!("{BASE}payment: {{webhooks: {{{webhooks}}}}}\n")
}

#[test]
fn endpoints_are_those_with_a_secret() {
    let config = compiled(&with(
        "stripe: {secrets: [whsec_0123456789abcdef, '', short], prices: {price_1: pro}, livemode: true, top_up: false,
          tolerance: 60s},
        paddle: {secrets: ['${NOT_SET:-}']}, lemonsqueezy: {secrets: []},
        standard: {secrets: [whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=]}",
    ))
    .unwrap();
    let endpoint = |vendor| config.gateway.webhooks.endpoint(vendor);
    let stripe = endpoint(Vendor::Stripe).unwrap();
    assert_eq!((stripe.keys.len(), stripe.tolerance.as_secs()), (1, 60));
    assert_eq!((stripe.livemode, stripe.top_up), (Some(true), false));
    assert_eq!(stripe.plans["price_1"].as_str(), "pro");
    assert!(endpoint(Vendor::Paddle).is_none() && endpoint(Vendor::LemonSqueezy).is_none());
    assert_eq!(endpoint(Vendor::Standard).unwrap().tolerance.as_secs(), 300);
    let none = compiled(BASE).unwrap();
    assert!(
        Vendor::ALL
            .iter()
            .all(|vendor| none.gateway.webhooks.endpoint(*vendor).is_none())
    );
}

#[test]
fn a_secret_that_signs_nothing_is_told() {
    insta::assert_snapshot!(warnings(&with(
        "stripe: {secrets: [whsec_0123456789abcdef, short]}, paddle: {secrets: ['${NOT_SET:-}', '    ']},
        lemonsqueezy: {secrets: []}, standard: {secrets: [whsec_c2hvcnQ=]}"
    )));
}

#[test]
fn mistakes_about_payments_are_told() {
    insta::assert_snapshot!(problems(&format!(
        "{BASE}accounts:
  - {{id: a, plan: pro, stripe_customer: cus_1, customers: {{paddle: ctm_1}}}}
  - {{id: b, plan: pro, stripe_customer: cus_1, customers: {{paddle: ctm_1, chargebee: x}}}}
  - {{id: c, plan: pro, stripe_customer: \"cus_2\\n\", customers: {{paddle: {}}}}}
payment:
  webhooks:
    stripe: {{secrets: whsec_0123456789abcdef, prices: {{price_1: prof, price_2: [], price_3: }}, tolerance: 0s}}
    paddle: {{prices: [pri_1]}}
    standard: {{secrets: ['${{NOT_SET}}'], prices: {{}}}}
    square: {{secrets: [x]}}
",
        "x".repeat(256)
    )));
}

#[test]
fn customers_belong_to_accounts() {
    let config = compiled(&format!(
        "{BASE}accounts: [{{id: a, plan: pro, stripe_customer: cus_1, customers: {{lemonsqueezy: 12}}}}]"
    ))
    .unwrap();
    let customers = &config.roster.customers;
    let of = |vendor, customer: &str| customers.get(&(vendor, customer.to_owned()));
    assert_eq!(of(Vendor::Stripe, "cus_1").unwrap().as_str(), "a");
    assert_eq!(of(Vendor::LemonSqueezy, "12").unwrap().as_str(), "a");
    assert_eq!(customers.len(), 2);
}

#[test]
fn a_payment_that_is_due_since_nobody_knows_when_is_told() {
    let stating = |rest: &str| {
        let stated = format!("{{status: past_due{rest}}}");
        warnings(&format!(
            "plans: {{p: {{}}}}\naccounts: [{{id: a, plan: p, subscription: {stated}}}]"
        ))
    };
    assert_eq!(
        stating(""),
        "/etc/test/faregate.yaml:2:52: accounts[0].subscription.status: is past_due without past_due_since, so \
         payment.grace_period counts from when the account was first seen\n  hint: write past_due_since: when the \
         payment failed"
    );
    for rest in [
        ", past_due_since: 2026-11-20T00:00:00Z",
        ", current_period_start: 2026-11-01T00:00:00Z, current_period_end: 2026-12-01T00:00:00Z",
    ] {
        assert_eq!(stating(rest), "");
    }
}
