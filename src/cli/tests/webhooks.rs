//! `faregate webhooks …` beside a stopped daemon.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    clock,
    stopped::{CONFIG, directory_with},
    type_in,
};
use crate::{
    accounts::Accounts,
    app::{Declared, EventApplier},
    config,
    domain::Vendor,
    store::{Arrived, ParsedEvent, Store},
    webhooks::{self, Verified},
};

fn event(id: &str, kind: &str, object: Value) -> Value {
    json!({"id": id, "type": kind, "created": 1_795_176_000, "livemode": true, "data": {"object": object}})
}

/// Events that came when there was no account yet.
async fn come(file: &Path, events: &[Value]) {
    let config = config::load(file, &super::Variables::default()).unwrap();
    let settings = config.gateway.webhooks;
    let (store, loaded) = Store::open(&config.store, clock()).unwrap();
    let applier = EventApplier {
        accounts: &Arc::new(Accounts::new(clock(), Vec::new()).with_credit(&loaded.credit)),
        store: &store,
        settings: &settings,
        declared: Arc::new(Declared::default()),
    };
    for event in events {
        let payload = Bytes::from(event.to_string());
        let read = webhooks::read(&Verified::kept(Vendor::Stripe, "", &payload), &settings);
        let arrived = Arrived {
            event: ParsedEvent::of(Vendor::Stripe, read).unwrap(),
            payload,
            replayed: false,
        };
        applier.apply(arrived).await.unwrap();
    }
    store.close().await;
}

#[test]
fn events_are_listed_and_replayed() {
    let endpoint =
        "payment: {webhooks: {stripe: {secrets: [whsec_of_this_test_alone]}}}\n".to_owned();
    let (directory, file) = directory_with(&(CONFIG.to_owned() + &endpoint));
    let clock = clock();
    let session = json!({
        "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 2500, "currency": "usd",
        "payment_intent": "pi_1", "metadata": {"faregate_account": "acme"},
    });
    let events = [
        event("evt_1", "checkout.session.completed", session),
        event("evt_2", "invoice.voided", json!({"id": "in_1"})),
        event(
            "evt_3",
            "charge.refunded",
            json!({"payment_intent": "pi_2", "currency": "usd", "amount_refunded": 5}),
        ),
    ];
    let none = type_in(&file, "webhooks list", &clock).to_string();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(come(&file, &events));
    let mut page = format!("$ faregate webhooks list\n{none}\n");
    for line in [
        "webhooks list",
        "webhooks list --status parked --json --limit 1",
        "webhooks replay stripe:evt_1",
        "webhooks replay stripe:evt_1",
        "webhooks replay stripe:evt_3",
        "webhooks replay stripe:evt_7",
        "webhooks list --account acme",
        "webhooks customers",
        "webhooks link stripe cus_1 nobody",
        "webhooks link stripe cus_1 acme",
        "webhooks customers --account acme --json",
        "webhooks unlink stripe cus_1",
        "webhooks unlink stripe cus_1",
        "credit list acme",
        "ledger verify",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock));
    }
    insta::assert_snapshot!("events", super::settled(&page, directory.path()));
}
