use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{
    NOW, STANDARD_SECRET, balance, bought, event, events, posted, refunded, send, shared_config,
    standard, taken, told,
};
use crate::{
    fixture::{KEY, file, provider, refused},
    harness::{Gate, Gateway, Step, Upstream, json as answer, sse, verified, within},
};

#[tokio::test]
async fn two_hundred_copies_of_an_event_credit_once() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let top_up = bought("evt_1");
    let calls = (0..200).map(|_| posted(&gateway, &top_up).send());
    let answers = futures_util::future::join_all(calls).await;
    let statuses: Vec<String> = answers.iter().map(taken).collect();
    let count = |word: &str| statuses.iter().filter(|status| *status == word).count();
    assert_eq!((count("applied"), count("duplicate")), (1, 199));
    assert_eq!(balance(&gateway, "b").await, "25.00");
    assert_eq!(events(&gateway).await.len(), 1);
    // Another event about the same order adds nothing either.
    let again = json!({
        "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 2500, "currency": "usd",
        "payment_intent": "pi_1", "client_reference_id": "b",
    });
    let again = event(
        "evt_2",
        5,
        "checkout.session.async_payment_succeeded",
        again,
    );
    assert_eq!(send(&gateway, &again).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "25.00");
    let entries = gateway
        .admin("GET", "/admin/v1/ledger?account=b")
        .send()
        .await
        .value();
    assert_eq!(entries["data"].as_array().unwrap().len(), 1);
    let entry = &entries["data"][0];
    assert_eq!(
        (
            &entry["kind"],
            &entry["author"],
            &entry["id"],
            &entry["related"]
        ),
        (
            &json!("top_up"),
            &json!("webhook:stripe"),
            &json!("stripe:evt_1"),
            &json!("stripe:pi_1")
        )
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_refund_takes_what_its_payment_gave() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    send(&gateway, &bought("evt_1")).await;
    assert_eq!(send(&gateway, &refunded("evt_2", 5, 1000)).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "15.00");
    // The same refund, told once more as itself.
    let refund = json!({
        "id": "re_1", "payment_intent": "pi_1", "currency": "usd", "amount": 1000, "status": "succeeded",
    });
    assert_eq!(
        send(&gateway, &event("evt_3", 5, "refund.created", refund)).await,
        "applied"
    );
    assert_eq!(balance(&gateway, "b").await, "15.00");
    assert_eq!(send(&gateway, &refunded("evt_4", 9, 2500)).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "0.00");
    gateway.stop().await;
}

#[tokio::test]
async fn a_refund_before_its_payment_waits_for_it() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    assert_eq!(send(&gateway, &refunded("evt_2", 5, 1000)).await, "parked");
    let (_, words) = told(&gateway, "stripe:evt_2").await;
    assert!(
        words.contains("no top-up by stripe:pi_1 has come yet"),
        "{words}"
    );
    assert_eq!(balance(&gateway, "b").await, "0.00");
    assert_eq!(send(&gateway, &bought("evt_1")).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "15.00");
    let (status, words) = told(&gateway, "stripe:evt_2").await;
    assert_eq!(
        (status.as_str(), words.as_str()),
        ("applied", "applied with stripe:evt_1")
    );
    gateway.stop().await;
}

fn dispute(id: &str, seconds: i64, status: &str) -> Value {
    let object = json!({
        "id": "dp_1", "payment_intent": "pi_1", "currency": "usd", "amount": 2500, "status": status,
    });
    event(id, seconds, "charge.dispute.closed", object)
}

#[tokio::test]
async fn a_dispute_holds_the_credit_back_until_it_is_won() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    send(&gateway, &bought("evt_1")).await;
    send(&gateway, &dispute("evt_2", 5, "needs_response")).await;
    assert_eq!(balance(&gateway, "b").await, "0.00");
    send(&gateway, &dispute("evt_3", 9, "won")).await;
    assert_eq!(balance(&gateway, "b").await, "25.00");
    send(&gateway, &dispute("evt_4", 7, "under_review")).await;
    assert_eq!(balance(&gateway, "b").await, "25.00", "it is older");
    // Nothing was paid twice: whoever adds the top-ups up has what came in.
    let ledger = gateway
        .admin("GET", "/admin/v1/ledger?account=b")
        .send()
        .await;
    let ledger = ledger.value();
    let kinds = ledger["data"].as_array().unwrap().iter();
    let kinds: Vec<_> = kinds.map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["adjustment", "adjustment", "top_up"]);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_spent_is_owed_when_the_payment_goes_back() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    send(&gateway, &bought("evt_1")).await;
    let spent = gateway.admin("POST", "/admin/v1/accounts/b/credit");
    let spent = spent
        .json(r#"{"amount":"-20.00","kind":"adjustment"}"#)
        .send()
        .await;
    assert_eq!(spent.status, 201, "{}", spent.text());
    send(&gateway, &refunded("evt_2", 5, 2500)).await;
    assert_eq!(balance(&gateway, "b").await, "-20.00");
    gateway.stop().await;
}

fn grant(id: &str, seconds: i64, kind: &str, voided: bool) -> Value {
    let object = json!({
        "id": "credgr_1", "customer": "cus_a", "category": "promotional", "priority": 10,
        "amount": {"monetary": {"currency": "usd", "value": 500}},
        "expires_at": NOW + 1000, "voided_at": voided.then_some(NOW + seconds),
    });
    event(id, seconds, kind, object)
}

#[tokio::test]
async fn a_grant_is_spent_first_and_what_is_left_can_be_withdrawn() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    send(
        &gateway,
        &grant("evt_1", 0, "billing.credit_grant.created", false),
    )
    .await;
    let path = "/admin/v1/accounts/a/credit";
    let sheet = gateway.admin("GET", path).send().await.value();
    let lot = &sheet["lots"][0];
    assert_eq!(
        (&lot["remaining"], &lot["priority"], &lot["expires_at"]),
        (&json!("5.00"), &json!(10), &json!("2026-11-20T12:16:40Z"))
    );
    let more = gateway
        .admin("POST", path)
        .json(r#"{"amount":"10.00"}"#)
        .send()
        .await;
    assert_eq!(more.status, 201);
    let spent = gateway
        .admin("POST", path)
        .json(r#"{"amount":"-3.00","kind":"adjustment"}"#);
    assert_eq!(spent.send().await.status, 201);
    send(
        &gateway,
        &grant("evt_2", 5, "billing.credit_grant.updated", true),
    )
    .await;
    // Two of its five dollars were left; what was bought stays.
    assert_eq!(balance(&gateway, "a").await, "10.00");
    let (_, words) = told(&gateway, "stripe:evt_2").await;
    assert!(words.starts_with("2.00 USD taken"), "{words}");
    let sheet = gateway.admin("GET", path).send().await.value();
    let lots = sheet["lots"].as_array().unwrap();
    assert_eq!((lots.len(), &lots[0]["remaining"]), (1, &json!("10.00")));
    gateway.stop().await;
}

#[tokio::test]
async fn what_goes_back_of_a_payment_is_not_taken_of_a_grant() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    let grant = |voided: Option<i64>| {
        json!({
            "id": "credgr_1", "amount": {"monetary": {"currency": "usd", "value": 700}}, "priority": 10,
            "customer": "cus_b", "voided_at": voided, "metadata": {"faregate_account": "b"},
        })
    };
    send(&gateway, &bought("evt_1")).await;
    let given = event("evt_2", 2, "billing.credit_grant.created", grant(None));
    assert_eq!(send(&gateway, &given).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "32.00");
    // The grant would be spent first, and it has an end: it stays as it is.
    assert_eq!(send(&gateway, &refunded("evt_3", 5, 1000)).await, "applied");
    let credit = gateway.admin("GET", "/admin/v1/accounts/b/credit");
    let lots = credit.send().await.value()["lots"].clone();
    let left: Vec<_> = lots
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| &lot["remaining"])
        .collect();
    assert_eq!(left, ["7.00", "15.00"]);
    // When both are gone nothing is left, in whichever order they go.
    assert_eq!(send(&gateway, &refunded("evt_4", 6, 2500)).await, "applied");
    let voided = event(
        "evt_5",
        7,
        "billing.credit_grant.updated",
        grant(Some(NOW + 7)),
    );
    assert_eq!(send(&gateway, &voided).await, "applied");
    assert_eq!(balance(&gateway, "b").await, "0.00");
    gateway.stop().await;
}

#[tokio::test]
async fn a_grant_ends_when_its_newest_event_says_in_any_order() {
    let upstream = provider().await;
    let lasting = |id: &str, seconds: i64, kind: &str, end: i64| {
        let mut event = grant(id, seconds, kind, false);
        event["data"]["object"]["expires_at"] = json!(NOW + end);
        event
    };
    let created = lasting("evt_1", 0, "billing.credit_grant.created", 1000);
    let longer = lasting("evt_2", 5, "billing.credit_grant.updated", 2000);
    for order in [[&created, &longer], [&longer, &created]] {
        let gateway = Gateway::start(&shared_config(&upstream, "")).await;
        for event in order {
            assert_eq!(send(&gateway, event).await, "applied");
        }
        assert_eq!(balance(&gateway, "a").await, "5.00");
        // What is said again changes nothing.
        let again = lasting("evt_3", 6, "billing.credit_grant.updated", 2000);
        assert_eq!(send(&gateway, &again).await, "applied");
        let (_, words) = told(&gateway, "stripe:evt_3").await;
        assert_eq!(words, "its 5.00 USD were added before");
        gateway.pass(Duration::from_secs(1001));
        assert_eq!(balance(&gateway, "a").await, "5.00");
        gateway.pass(Duration::from_secs(1000));
        assert_eq!(balance(&gateway, "a").await, "0.00");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_grant_that_was_withdrawn_before_it_came_adds_nothing() {
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    send(
        &gateway,
        &grant("evt_2", 5, "billing.credit_grant.updated", true),
    )
    .await;
    send(
        &gateway,
        &grant("evt_1", 0, "billing.credit_grant.created", false),
    )
    .await;
    assert_eq!(balance(&gateway, "a").await, "0.00");
    gateway.stop().await;
}

/// A stream whose usage waits for the gate: a hundred tokens of output.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |_| {
        let mut steps = sse(&[
            "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":100}}\n\n",
            "data: [DONE]\n\n",
        ]);
        steps.insert(2, Step::Wait(gate.clone()));
        steps
    })
    .await
}

#[tokio::test]
async fn what_a_call_gives_back_to_a_withdrawn_grant_is_withdrawn_too() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("faregate.db").display().to_string();
    let yaml = shared_config(&upstream, "")
        .replace("free: {}", "free: {}, paid: {credit: required}")
        .replace("plan: basic, stripe", "plan: paid, stripe")
        + "prices: {m: {input: 0, output: 1000}, big: {input: 0, output: 0}, c: {input: 0, output: 0}}\n"
        + &format!("store: {{url: \"sqlite:{store}\"}}\n");
    let gateway = Gateway::start(&yaml).await;
    let granted = grant("evt_1", 0, "billing.credit_grant.created", false);
    assert_eq!(send(&gateway, &granted).await, "applied");
    let body = r#"{"model":"m","stream":true,"max_tokens":500,"messages":[]}"#;
    let mut stream = gateway.chat(KEY, body).open().await.into_body();
    within("a frame", stream.frame()).await.unwrap().unwrap();
    let withdrawn = grant("evt_2", 5, "billing.credit_grant.updated", true);
    assert_eq!(send(&gateway, &withdrawn).await, "applied");
    // Half a dollar is held.
    assert_eq!(balance(&gateway, "a").await, "0.50");
    gate.open();
    within("the stream ended", stream.collect()).await.unwrap();
    gateway.nothing_held(KEY).await;
    refused(
        &gateway.chat(KEY, body).send().await,
        402,
        "credit_exhausted",
    );
    assert_eq!(balance(&gateway, "a").await, "0.00");
    let path = "/admin/v1/accounts/a/credit";
    let sheet = gateway.admin("GET", path).send().await.value();
    assert_eq!(sheet["lots"], json!([]));
    gateway.calls(1).await;
    gateway.stop().await;

    let gateway = Gateway::start(&yaml).await;
    assert_eq!(balance(&gateway, "a").await, "0.00");
    gateway.stop().await;
    let yaml = "store: {url: \"sqlite:faregate.db\"}\n";
    std::fs::write(folder.path().join("faregate.yaml"), yaml).unwrap();
    verified(folder.path());
}

/// The price of a request is spent when its call begins, and comes back where its provider fails.
#[tokio::test]
async fn what_a_request_cost_comes_back_to_its_grant_as_that_is_by_then() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |_| {
        let mut steps = answer("500 Internal Server Error", "{}");
        steps.insert(0, Step::Wait(opened.clone()));
        steps
    })
    .await;
    let mut longer = grant("evt_2", 5, "billing.credit_grant.updated", false);
    longer["data"]["object"]["expires_at"] = json!(NOW + 2000);
    let withdrawn = grant("evt_2", 5, "billing.credit_grant.updated", true);
    for (update, meanwhile, after) in [(longer, "4.50", "5.00"), (withdrawn, "0.00", "0.00")] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("faregate.db").display().to_string();
        let yaml = shared_config(&upstream, "")
            .replace("free: {}", "free: {}, paid: {credit: required}")
            .replace("plan: basic, stripe", "plan: paid, stripe")
            + "prices: {m: {input: 0, output: 0, request: 0.5}, big: {input: 0, output: 0}, c: {input: 0, output: 0}}\n"
            + &format!("store: {{url: \"sqlite:{store}\"}}\n");
        let gateway = Gateway::start(&yaml).await;
        let granted = grant("evt_1", 0, "billing.credit_grant.created", false);
        assert_eq!(send(&gateway, &granted).await, "applied");
        let call = tokio::spawn(gateway.chat(KEY, r#"{"model":"m"}"#).send());
        upstream.arrival().await;
        assert_eq!(send(&gateway, &update).await, "applied");
        assert_eq!(balance(&gateway, "a").await, meanwhile);
        gate.open();
        assert_eq!(within("the answer", call).await.unwrap().status, 500);
        // The grant would have ended by now.
        gateway.pass(Duration::from_secs(1001));
        assert_eq!(balance(&gateway, "a").await, after);
        let clock = gateway.clock.clone();
        gateway.stop().await;
        let gateway = Gateway::start_at(&yaml, clock).await;
        assert_eq!(balance(&gateway, "a").await, after);
        gateway.stop().await;
        let yaml = "store: {url: \"sqlite:faregate.db\"}\n";
        std::fs::write(folder.path().join("faregate.yaml"), yaml).unwrap();
        verified(folder.path());
    }
}

#[tokio::test]
async fn what_calls_hold_of_a_withdrawn_grant_is_spent_in_its_turn() {
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    // Six dollars are held, of which the call takes one and a fifth.
    let yaml = shared_config(&upstream, "")
        .replace("free: {}", "free: {}, paid: {credit: required}")
        .replace("plan: basic, stripe", "plan: paid, stripe")
        + "prices: {m: {input: 0, output: 12000}, big: {input: 0, output: 0}, c: {input: 0, output: 0}}\n";
    let gateway = Gateway::start(&yaml).await;
    let granted = grant("evt_1", 0, "billing.credit_grant.created", false);
    assert_eq!(send(&gateway, &granted).await, "applied");
    let later = r#"{"amount": "5", "priority": 20}"#;
    let path = "/admin/v1/accounts/a/credit";
    let added = gateway.admin("POST", path).json(later).send().await;
    assert_eq!(added.status, 201, "{}", added.text());
    let body = r#"{"model":"m","stream":true,"max_tokens":500,"messages":[]}"#;
    let mut stream = gateway.chat(KEY, body).open().await.into_body();
    within("a frame", stream.frame()).await.unwrap().unwrap();
    let withdrawn = grant("evt_2", 5, "billing.credit_grant.updated", true);
    assert_eq!(send(&gateway, &withdrawn).await, "applied");
    assert_eq!(balance(&gateway, "a").await, "6.00");
    gate.open();
    within("the stream ended", stream.collect()).await.unwrap();
    gateway.nothing_held(KEY).await;
    // The dollar of the grant goes first, as it would have without the withdrawal.
    assert_eq!(balance(&gateway, "a").await, "4.80");
    gateway.stop().await;
}

#[tokio::test]
async fn a_grant_that_is_raised_ends_as_a_whole() {
    let upstream = provider().await;
    let of = |id: &str, seconds: i64, cents: i64, end: i64| {
        let mut event = grant(id, seconds, "billing.credit_grant.updated", false);
        event["data"]["object"]["amount"]["monetary"]["value"] = json!(cents);
        event["data"]["object"]["expires_at"] = json!(NOW + end);
        event
    };
    let gateway = Gateway::start(&shared_config(&upstream, "")).await;
    for event in [
        of("evt_1", 0, 500, 1000),
        // So much more, under the same terms; then more that lasts longer, and then less.
        of("evt_2", 1, 700, 1000),
        of("evt_3", 2, 1000, 2000),
        of("evt_4", 3, 900, 3000),
    ] {
        assert_eq!(send(&gateway, &event).await, "applied");
    }
    let (_, words) = told(&gateway, "stripe:evt_4").await;
    assert_eq!(
        words,
        "1.00 USD taken, entry 6; what is left, 9.00 USD, is entry 7 now"
    );
    let sheet = gateway.admin("GET", "/admin/v1/accounts/a/credit");
    let sheet = sheet.send().await.value();
    let ends = sheet["lots"].as_array().unwrap().iter();
    let ends: Vec<_> = ends
        .map(|lot| (&lot["expires_at"], &lot["priority"]))
        .collect();
    assert!(
        ends.iter()
            .all(|lot| *lot == (&json!("2026-11-20T12:50:00Z"), &json!(10))),
        "{ends:?}"
    );
    assert_eq!(balance(&gateway, "a").await, "9.00");
    gateway.pass(Duration::from_secs(3001));
    assert_eq!(balance(&gateway, "a").await, "0.00");
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_owed_leaves_the_balance_as_it_is() {
    let upstream = provider().await;
    let rest = format!(
        "plans: {{free: {{}}}}
accounts: [{{id: b, plan: free}}]
payment: {{webhooks: {{standard: {{secrets: [{STANDARD_SECRET}]}}}}}}
"
    );
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    let take = async |id: &str, amount: &str| {
        let data = json!({"account": "b", "amount": amount});
        taken(
            &standard(&gateway, id, "credit.refunded", &data)
                .send()
                .await,
        )
    };
    assert_eq!(take("msg_1", "2.00").await, "applied");
    assert_eq!(take("msg_2", "9223372036.854775807").await, "failed");
    assert_eq!(balance(&gateway, "b").await, "-2.00");
    let data = json!({"account": "b", "amount": "5.00"});
    let given = standard(&gateway, "msg_3", "credit.granted", &data);
    assert_eq!(taken(&given.send().await), "applied");
    assert_eq!(balance(&gateway, "b").await, "3.00");
    gateway.stop().await;
}
