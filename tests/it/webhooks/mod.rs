//! A payment provider beside the gateway: it signs what it says, and says it in any order.

mod credit;
mod declared;
mod doors;
mod kept;
mod linked;
mod order;
mod parked;
mod standing;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    fixture::file,
    harness::{Answer, Call, Gateway, Upstream},
};

/// What Stripe signs with.
const SECRET: &str = "whsec_of_the_stripe_endpoint";

/// 2026-11-20T12:00:00Z, when gateways of tests start.
const NOW: i64 = 1_795_176_000;

const STRIPE: &str = "/faregate/webhooks/stripe";

/// Accounts `a` (customer `cus_a`, a key) and `b`, plans with and without a subscription, and Stripe's endpoint.
fn shared_config(upstream: &Upstream, more: &str) -> String {
    file(
        upstream,
        &format!(
            "plans: {{free: {{}}, basic: {{subscription: required}}, pro: {{subscription: required}}}}
accounts:
  - {{id: a, plan: basic, stripe_customer: cus_a, keys: [{{id: k, key: the-key-of-account-a-0001}}]}}
  - {{id: b, plan: free}}
payment: {{webhooks: {{stripe: {{secrets: [{SECRET}], prices: {{price_basic: basic, price_pro: pro}}{more}}}}}}}
"
        ),
    )
}

fn hmac(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Stripe's field over a body.
fn signed(secret: &str, at: i64, body: &str) -> String {
    let time = at.to_string();
    let mac = hmac(secret.as_bytes(), &[time.as_bytes(), b".", body.as_bytes()]);
    format!("t={time},v1={}", hex(&mac))
}

/// An event of Stripe's on its way, signed now by the gateway's clock.
fn posted(gateway: &Gateway, event: &Value) -> Call {
    let body = event.to_string();
    let now = gateway.clock.now().unix_seconds();
    gateway
        .call("POST", STRIPE)
        .header("stripe-signature", &signed(SECRET, now, &body))
        .json(&body)
}

/// Sends an event; it is taken.
async fn send(gateway: &Gateway, event: &Value) -> String {
    let answer = posted(gateway, event).send().await;
    taken(&answer)
}

/// What became of an event.
#[track_caller]
fn taken(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.value();
    assert_eq!(body["received"], true);
    body["status"].as_str().unwrap().to_owned()
}

fn event(id: &str, seconds: i64, kind: &str, object: Value) -> Value {
    json!({
        "id": id, "object": "event", "created": NOW + seconds, "livemode": true, "type": kind,
        "data": {"object": object},
    })
}

/// A subscription of customer `cus_a`.
fn subscription(status: &str, price: &str) -> Value {
    json!({
        "id": "sub_1", "customer": "cus_a", "status": status, "metadata": {},
        "items": {"data": [{
            "price": {"id": price}, "current_period_start": NOW - 86_400, "current_period_end": NOW + 86_400,
        }]},
    })
}

/// A top-up of 25 dollars for account `b`, by payment `pi_1`.
fn bought(id: &str) -> Value {
    let session = json!({
        "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 2500, "currency": "usd",
        "payment_intent": "pi_1", "client_reference_id": "b",
    });
    event(id, 0, "checkout.session.completed", session)
}

/// All that went back of payment `pi_1` so far, in cents.
fn refunded(id: &str, seconds: i64, cents: i64) -> Value {
    let charge = json!({
        "id": "ch_1", "payment_intent": "pi_1", "currency": "usd", "amount_refunded": cents,
    });
    event(id, seconds, "charge.refunded", charge)
}

/// The balance of an account in the store.
async fn balance(gateway: &Gateway, account: &str) -> String {
    let path = format!("/admin/v1/accounts/{account}/credit");
    let answer = gateway.admin("GET", &path).send().await;
    answer.value()["balance"].as_str().unwrap().to_owned()
}

/// An account as the admin API shows it.
async fn account(gateway: &Gateway, id: &str) -> Value {
    let path = format!("/admin/v1/accounts/{id}");
    gateway.admin("GET", &path).send().await.value()
}

/// All events, newest first.
async fn events(gateway: &Gateway) -> Vec<Value> {
    let answer = gateway.admin("GET", "/admin/v1/webhooks").send().await;
    answer.value()["data"].as_array().unwrap().clone()
}

/// What the list says of an event.
async fn told(gateway: &Gateway, id: &str) -> (String, String) {
    let events = events(gateway).await;
    let found = events.iter().find(|event| event["id"] == id);
    let event = found.unwrap_or_else(|| panic!("no {id} in {events:#?}"));
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("words"))
}

async fn replay(gateway: &Gateway, id: &str) -> Value {
    let path = format!("/admin/v1/webhooks/{}/replay", id.replace(':', "%3A"));
    gateway.admin("POST", &path).send().await.value()
}

/// The secret of the endpoint for Standard Webhooks, as the file has it.
const STANDARD_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// An event by Standard Webhooks on its way.
fn standard(gateway: &Gateway, id: &str, kind: &str, data: &Value) -> Call {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let now = gateway.clock.now();
    let body = json!({"type": kind, "timestamp": now, "data": data}).to_string();
    let time = now.unix_seconds().to_string();
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body.as_bytes()];
    let signature = STANDARD.encode(hmac(b"0123456789abcdef0123456789abcdef", &parts));
    let call = gateway.call("POST", "/faregate/webhooks/standard");
    call.header("webhook-id", id)
        .header("webhook-timestamp", &time)
        .header("webhook-signature", &format!("v1,{signature}"))
        .json(&body)
}
