use std::time::Duration;

use faregate::domain::{Clock, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{arrived, hooks, message, receiver, test, verified, webhook};
use crate::{
    fixture::{CHAT, KEY, file, planned, provider, served},
    harness::{Gateway, Upstream},
};

const PAY: &str = "payment: {pay_url: \"https://pay.example.com/?account={account}\"}\n";

fn types(bodies: &[Value]) -> Vec<&str> {
    bodies
        .iter()
        .map(|body| body["type"].as_str().unwrap())
        .collect()
}

async fn chat(gateway: &Gateway) {
    served(&gateway.chat(KEY, CHAT).send().await);
}

#[tokio::test]
async fn a_quota_is_told_at_80_percent_and_when_it_is_used_in_each_window() {
    let (upstream, receiver) = (provider().await, receiver(&["200 OK"]).await);
    let plan = planned(&upstream, "{quotas: [{requests: 5, per: day}]}");
    let yaml = format!("{plan}{PAY}{}", hooks(&[webhook(&receiver, "")]));
    let gateway = Gateway::start(&yaml).await;
    for _ in 0..4 {
        chat(&gateway).await;
    }
    gateway.app().notifier().look();
    let bodies = arrived(&receiver, 1).await;
    let data = json!({
        "account": "a", "plan": "p",
        "limit": {"kind": "quota", "scope": "plan", "unit": "requests", "per": "day", "limit": 5, "used": 4,
            "resets_at": "2026-11-21T00:00:00Z"},
        "actions": [{"rel": "upgrade", "href": "https://pay.example.com/?account=a"},
            {"rel": "wait", "until": "2026-11-21T00:00:00Z"}],
    });
    let warning =
        json!({"type": "quota.warning", "timestamp": "2026-11-20T12:00:00Z", "data": data});
    assert_eq!(bodies, [warning]);
    gateway.app().notifier().look();
    chat(&gateway).await;
    gateway.app().notifier().look();
    arrived(&receiver, 2).await;
    gateway.pass(Duration::from_secs(86_400));
    for _ in 0..4 {
        chat(&gateway).await;
    }
    gateway.app().notifier().look();
    let bodies = arrived(&receiver, 3).await;
    assert_eq!(
        types(&bodies),
        ["quota.warning", "quota.exhausted", "quota.warning"]
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_restart_tells_nothing_twice_and_forgets_nothing() {
    let (upstream, receiver) = (provider().await, receiver(&["200 OK"]).await);
    let folder = TempDir::new().unwrap();
    let store = format!(
        "store: {{url: \"sqlite:{}/faregate.db\"}}\n",
        folder.path().display()
    );
    let plan = planned(&upstream, "{quotas: [{requests: 5, per: day}]}");
    let yaml = format!("{store}{plan}{}", hooks(&[webhook(&receiver, "")]));
    let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let clock = Clock::manual(start);
    let gateway = Gateway::start_at(&yaml, clock.clone()).await;
    for _ in 0..4 {
        chat(&gateway).await;
    }
    gateway.app().notifier().look();
    message(&gateway, |message| message["status"] == "delivered").await;
    gateway.stop().await;

    // However often it looks, before this call or after it, the warning is not repeated.
    let gateway = Gateway::start_at(&yaml, clock).await;
    gateway.app().notifier().look();
    chat(&gateway).await;
    gateway.app().notifier().look();
    let bodies = arrived(&receiver, 2).await;
    assert_eq!(types(&bodies), ["quota.warning", "quota.exhausted"]);
    gateway.stop().await;
}

/// A file whose account has this subscription and address.
fn subscribed(upstream: &Upstream, receiver: &Upstream, subscription: &str) -> String {
    let rest = format!(
        "plans: {{p: {{subscription: required}}}}\n\
         accounts: [{{id: a, plan: p, subscription: {subscription}, keys: [{{id: k, key: {KEY}}}]}}]\n"
    );
    format!(
        "{}{PAY}{}",
        file(upstream, &rest),
        hooks(&[webhook(receiver, "")])
    )
}

#[tokio::test]
async fn access_is_told_when_it_ends_and_when_it_is_back() {
    let (upstream, receiver) = (provider().await, receiver(&["200 OK"]).await);
    let yaml = |subscription| subscribed(&upstream, &receiver, subscription);
    let active = yaml("{status: active}");
    let past_due = yaml("{status: past_due, past_due_since: 2026-11-20T12:00:00Z}");
    let mut gateway = Gateway::start(&active).await;
    chat(&gateway).await;
    gateway.reload(&past_due).await;
    arrived(&receiver, 1).await;
    gateway.pass(Duration::from_secs(6 * 86_400));
    gateway.app().notifier().look();
    arrived(&receiver, 2).await;
    gateway.pass(Duration::from_secs(86_400));
    gateway.app().notifier().look();
    let bodies = arrived(&receiver, 3).await;
    assert_eq!(bodies[2]["data"]["reason"], "subscription_past_due");
    gateway.reload(&active).await;
    let bodies = arrived(&receiver, 4).await;
    let expected = [
        "payment.failed",
        "subscription.grace_ending",
        "access.suspended",
        "access.restored",
    ];
    assert_eq!(types(&bodies), expected);
    gateway.stop().await;
}

#[tokio::test]
async fn a_webhook_is_told_what_it_asked_for() {
    let (upstream, all, some) = (
        provider().await,
        receiver(&["200 OK"]).await,
        receiver(&["200 OK"]).await,
    );
    let plan = planned(&upstream, "{quotas: [{requests: 5, per: day}]}");
    let webhooks = [
        webhook(&all, ""),
        webhook(&some, ", events: [quota.exhausted, \"budget.*\"]"),
    ];
    let gateway = Gateway::start(&format!("{plan}{}", hooks(&webhooks))).await;
    for _ in 0..4 {
        chat(&gateway).await;
    }
    gateway.app().notifier().look();
    arrived(&all, 1).await;
    chat(&gateway).await;
    gateway.app().notifier().look();
    arrived(&all, 2).await;
    let bodies = arrived(&some, 1).await;
    assert_eq!(types(&bodies), ["quota.exhausted"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_reload_changes_who_is_told() {
    let (old, new) = (
        receiver(&["500 Internal Server Error"]).await,
        receiver(&["200 OK"]).await,
    );
    let mut gateway = Gateway::start(&hooks(&[webhook(&old, "")])).await;
    test(&gateway).await;
    let waiting = message(&gateway, |message| message["attempts"] == 1).await;
    gateway.reload(&hooks(&[webhook(&new, "")])).await;
    let given_up = message(&gateway, |message| message["status"] == "failed").await;
    assert_eq!(given_up["id"], waiting["id"]);
    assert_eq!(
        given_up["last_error"],
        "the configuration has no such target any more"
    );
    test(&gateway).await;
    arrived(&new, 1).await;
    // Without the section nobody is told anything.
    gateway.reload("log: {format: auto}\n").await;
    let answer = gateway
        .admin("POST", "/admin/v1/notifications/test")
        .send()
        .await;
    assert_eq!(answer.value(), json!({"messages": 0}));
    gateway.reload(&hooks(&[webhook(&new, "")])).await;
    test(&gateway).await;
    arrived(&new, 2).await;
    gateway.stop().await;
    assert_eq!(old.seen().len(), 1);
    old.seen().iter().for_each(|seen| drop(verified(seen)));
}

#[tokio::test]
async fn budgets_and_credit_are_told_in_exact_dollars() {
    let (upstream, receiver) = (provider().await, receiver(&["200 OK"]).await);
    let rest = format!(
        "prices: {{m: {{input: 0, output: 0}}}}\n\
         routes: [{{path: /, price_per_request: 0.01}}]\n\
         plans: {{p: {{credit: required, models: [m]}}}}\n\
         accounts: [{{id: a, plan: p, credit: 0.05, keys: [{{id: k, key: {KEY}, budgets: [{{usd: 0.05, per: day}}]}}]}}]\n"
    );
    let hooks = hooks(&[webhook(&receiver, "")]);
    let gateway = Gateway::start(&format!("{}{PAY}{hooks}", file(&upstream, &rest))).await;
    let told = async |count| {
        gateway.app().notifier().look();
        let mut bodies = arrived(&receiver, count).await.split_off(count - 2);
        // One look finds both; which of them arrives first is nobody's promise.
        bodies.sort_by_key(|body| body["type"].to_string());
        bodies
    };
    for _ in 0..4 {
        chat(&gateway).await;
    }
    let low = told(2).await;
    assert_eq!(types(&low), ["budget.warning", "credit.low"]);
    let limit = json!({"kind": "budget", "scope": "key", "unit": "usd", "per": "day", "limit": "0.05",
        "used": "0.04", "resets_at": "2026-11-21T00:00:00Z"});
    assert_eq!(
        (&low[0]["data"]["key"], &low[0]["data"]["limit"]),
        (&json!("k"), &limit)
    );
    let credit = json!({"balance": "0.01", "currency": "USD"});
    assert_eq!(low[1]["data"]["credit"], credit);
    let top_up = json!([{"rel": "top_up", "href": "https://pay.example.com/?account=a"}]);
    assert_eq!(low[1]["data"]["actions"], top_up);
    chat(&gateway).await;
    let used = told(4).await;
    assert_eq!(types(&used), ["budget.exhausted", "credit.exhausted"]);
    assert_eq!(used[1]["data"]["credit"]["balance"], "0.00");
    gateway.stop().await;
}
