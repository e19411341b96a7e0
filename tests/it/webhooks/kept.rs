use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faregate::domain::Timestamp;
use serde_json::{Value, json};

use super::{
    NOW, SECRET, STANDARD_SECRET, STRIPE, balance, bought, posted, refunded, shared_config, signed,
    standard, subscription, taken,
};
use crate::{
    fixture::{CHAT, KEY, answer, file, provider, refused, served},
    harness::{Call, Daemon, Gate, Gateway, Step, TOKEN, Upstream, within},
};

#[tokio::test]
async fn a_standing_outlives_the_daemon() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!(
        "store: {{url: \"sqlite:{}\"}}\n",
        folder.path().join("f.db").display()
    );
    let yaml = format!("{store}{}", shared_config(&upstream, ""));
    let gateway = Gateway::start(&yaml).await;
    let active = super::event(
        "evt_1",
        0,
        "customer.subscription.updated",
        subscription("active", "price_pro"),
    );
    super::send(&gateway, &active).await;
    super::send(&gateway, &bought("evt_2")).await;
    gateway.stop().await;
    let gateway = Gateway::start(&yaml).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    assert_eq!(super::account(&gateway, "a").await["plan"], "pro");
    assert_eq!(super::send(&gateway, &active).await, "duplicate");
    assert_eq!(super::send(&gateway, &bought("evt_2")).await, "duplicate");
    assert_eq!(balance(&gateway, "b").await, "25.00");
    gateway.stop().await;
}

/// What a call has spent when its credit is taken back is in the store only when the call has ended: until then a lot pays
/// less of what is owed there.
#[tokio::test]
async fn a_start_loses_no_credit_to_a_lot_that_has_ended() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| {
        let mut steps = answer(seen);
        steps.insert(0, Step::Wait(opened.clone()));
        steps
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let rest = format!(
        "store: {{url: \"sqlite:{}\"}}
prices: {{m: {{input: 0, output: 0, request: 0.5}}, big: {{input: 0, output: 0}}, c: {{input: 0, output: 0}}}}
plans: {{p: {{credit: required}}}}
accounts: [{{id: a, plan: p, keys: [{{id: k, key: {KEY}}}]}}]
payment: {{webhooks: {{standard: {{secrets: [{STANDARD_SECRET}]}}}}}}
",
        folder.path().join("f.db").display()
    );
    let yaml = file(&upstream, &rest);
    let gateway = Gateway::start(&yaml).await;
    let end = Timestamp::from_millis((NOW + 1000) * 1000);
    let send = async |id: &str, kind: &str, mut data: Value| {
        data["account"] = json!("a");
        let sent = standard(&gateway, id, kind, &data).send().await;
        assert_eq!(taken(&sent), "applied");
    };
    send("1", "credit.granted", json!({"amount": "1"})).await;
    let call = tokio::spawn(gateway.chat(KEY, CHAT).send());
    upstream.arrival().await;
    send("2", "credit.refunded", json!({"amount": "1"})).await;
    assert_eq!(balance(&gateway, "a").await, "-0.50");
    let short = json!({"amount": "5", "priority": 90, "expires_at": end});
    send("3", "credit.granted", short).await;
    send("4", "credit.granted", json!({"amount": "10"})).await;
    gate.open();
    served(&within("the answer", call).await.unwrap());
    assert_eq!(balance(&gateway, "a").await, "14.50");
    gateway.pass(Duration::from_secs(1001));
    assert_eq!(balance(&gateway, "a").await, "10.00");
    let clock = gateway.clock.clone();
    gateway.stop().await;
    let gateway = Gateway::start_at(&yaml, clock).await;
    assert_eq!(balance(&gateway, "a").await, "10.00");
    gateway.stop().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_written_is_not_taken() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.db");
    let store = format!("store: {{url: \"sqlite:{}\"}}\n", file.display());
    let gateway = Gateway::start(&format!("{store}{}", shared_config(&upstream, ""))).await;
    // The daemon must not write into a file that nobody will find again.
    std::fs::rename(&file, folder.path().join("moved.db")).unwrap();
    let answer = posted(&gateway, &bought("evt_1")).send().await;
    refused(&answer, 503, "billing_unavailable");
    std::fs::rename(folder.path().join("moved.db"), &file).unwrap();
    assert_eq!(super::send(&gateway, &bought("evt_1")).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "25.00");
    // What a refund would have taken is there again, until it is written.
    std::fs::rename(&file, folder.path().join("moved.db")).unwrap();
    let back = refunded("evt_2", 5, 1000);
    refused(
        &posted(&gateway, &back).send().await,
        503,
        "billing_unavailable",
    );
    std::fs::rename(folder.path().join("moved.db"), &file).unwrap();
    assert_eq!(balance(&gateway, "b").await, "25.00");
    assert_eq!(super::send(&gateway, &back).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "15.00");
    gateway.stop().await;
}

#[tokio::test]
async fn a_kill_between_copies_of_an_event_credits_once() {
    let upstream = provider().await;
    let yaml = format!(
        "server: {{listen: \"127.0.0.1:0\"}}\nadmin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\n\
         store: {{url: \"sqlite:${{folder}}/f.db\"}}\nlog: {{format: json}}\n{}",
        shared_config(&upstream, "")
    );
    let mut daemon = Daemon::start(&yaml).await;
    let body = bought("evt_1").to_string();
    let post = |daemon: &Daemon| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let header = signed(SECRET, now.cast_signed(), &body);
        Call::new(daemon.address, "POST", STRIPE)
            .header("stripe-signature", &header)
            .json(&body)
    };
    for _ in 0..3 {
        // Killed at some moment while twenty copies are on their way.
        let calls: Vec<_> = (0..20)
            .map(|_| tokio::spawn(post(&daemon).try_send()))
            .collect();
        tokio::task::yield_now().await;
        daemon.signal("KILL");
        for call in calls {
            let _ = call.await.unwrap();
        }
        let (_, folder) = daemon.ended().await;
        daemon = Daemon::start_in(folder).await;
    }
    let answer = post(&daemon).send().await;
    assert!(["applied", "duplicate"].contains(&taken(&answer).as_str()));
    let sheet = Call::new(daemon.admin, "GET", "/admin/v1/accounts/b/credit").bearer(TOKEN);
    assert_eq!(sheet.send().await.value()["balance"], "25.00");
}

#[tokio::test]
async fn a_damaged_owner_is_an_error_and_nobody_gets_anything() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.db");
    let store = format!("store: {{url: \"sqlite:{}\"}}\n", file.display());
    let gateway = Gateway::start(&format!("{store}{}", shared_config(&upstream, ""))).await;
    let of = |id: &str, order: &str, object: Value| {
        let mut event = bought(id);
        let bought = event["data"]["object"].as_object_mut().unwrap();
        bought.insert("id".to_owned(), order.into());
        bought.extend(object.as_object().unwrap().clone());
        event
    };
    let named = json!({"customer": "cus_b", "metadata": {"faregate_account": "b"}});
    // It waits for another account, whoever its customer is.
    let other =
        json!({"customer": "cus_b", "payment_intent": "pi_5", "client_reference_id": "new"});
    let waits = of("evt_5", "cs_5", other);
    assert_eq!(super::send(&gateway, &waits).await, "parked");
    assert_eq!(
        super::send(&gateway, &of("evt_1", "cs_1", named.clone())).await,
        "applied"
    );
    let rows = rusqlite::Connection::open(&file).unwrap();
    let damage = |table: &str, account: &str| {
        let sql = format!("UPDATE {table} SET account = ? WHERE account IS NOT NULL");
        assert_eq!(rows.execute(&sql, [account]).unwrap(), 1);
    };
    let words =
        "column account of payment_customers \"cus_b\" is \"no account\", which is not known";
    let other = of(
        "evt_2",
        "cs_2",
        json!({"customer": "cus_b", "payment_intent": "pi_2"}),
    );
    let named_too = of(
        "evt_3",
        "cs_3",
        json!({
            "customer": "cus_b", "payment_intent": "pi_3", "metadata": {"faregate_account": "a"},
        }),
    );
    damage("payment_customers", "no account");
    for event in [&other, &named_too] {
        refused(
            &posted(&gateway, event).send().await,
            503,
            "billing_unavailable",
        );
    }
    assert_eq!(
        super::replay(&gateway, "stripe:evt_5").await["detail"],
        words
    );
    damage("payment_customers", "b");
    // Whose a payment is cannot be told by another event about it either.
    damage("payment_facts", "no account");
    let again = of(
        "evt_4",
        "cs_4",
        json!({"metadata": {"faregate_account": "a"}, "client_reference_id": null}),
    );
    refused(
        &posted(&gateway, &again).send().await,
        503,
        "billing_unavailable",
    );
    for account in ["a", "b"] {
        let expected = if account == "b" { "25.00" } else { "0.00" };
        assert_eq!(balance(&gateway, account).await, expected);
    }
    damage("payment_facts", "b");
    assert_eq!(super::send(&gateway, &other).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "50.00");
    gateway.stop().await;
}

#[tokio::test]
async fn a_damaged_vendor_is_told_as_what_it_is() {
    let upstream = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.db");
    let store = format!("store: {{url: \"sqlite:{}\"}}\n", file.display());
    let gateway = Gateway::start(&format!("{store}{}", shared_config(&upstream, ""))).await;
    assert_eq!(super::send(&gateway, &bought("evt_1")).await, "applied");
    let rows = rusqlite::Connection::open(&file).unwrap();
    rows.execute("UPDATE payment_events SET vendor = 'strip'", [])
        .unwrap();
    let again = super::replay(&gateway, "stripe:evt_1").await;
    let words = again["detail"].as_str().unwrap();
    assert!(
        words.ends_with(
            "column vendor of payment_events \"stripe:evt_1\" is \"strip\", which is not known"
        ),
        "{words}"
    );
    gateway.stop().await;
}
