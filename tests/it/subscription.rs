use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    fixture::{CHAT, MESSAGE, file, provider, refused, served},
    harness::{Answer, Daemon, Gateway, TOKEN, faregate, write},
};

const DAY: Duration = Duration::from_secs(86_400);

/// A file with one account and one key for each subscription; the key of the n-th is `a-key-of-account-<n>-of-all`.
fn accounts(plan: &str, subscriptions: &[&str]) -> String {
    let mut rest = format!(
        "plans: {{p: {plan}}}\n\
         payment: {{pay_url: \"https://pay.example.com/{{account}}\", portal_url: \"https://portal.example.com/{{account}}\"}}\n\
         accounts:\n"
    );
    for (index, subscription) in subscriptions.iter().enumerate() {
        let stated = if subscription.is_empty() {
            String::new()
        } else {
            format!("subscription: {subscription}, ")
        };
        rest += &format!(
            "  - {{id: a{index}, plan: p, {stated}keys: [{{id: k{index}, key: a-key-of-account-{index}-of-all}}]}}\n"
        );
    }
    rest
}

async fn chat(gateway: &Gateway, index: usize) -> Answer {
    let key = format!("a-key-of-account-{index}-of-all");
    gateway.chat(&key, CHAT).send().await
}

#[tokio::test]
async fn every_status_has_its_answer() {
    let upstream = provider().await;
    let cases = [
        ("", Some(("subscription_required", "subscribe"))),
        ("{status: trialing}", None),
        ("{status: active}", None),
        (
            "{status: past_due, past_due_since: 2026-11-20T00:00:00Z}",
            None,
        ),
        (
            "{status: past_due, past_due_since: 2026-11-13T12:00:00Z}",
            Some(("subscription_past_due", "update_payment_method")),
        ),
        (
            "{status: incomplete}",
            Some(("subscription_incomplete", "update_payment_method")),
        ),
        (
            "{status: incomplete_expired}",
            Some(("subscription_incomplete_expired", "renew")),
        ),
        (
            "{status: unpaid}",
            Some(("subscription_unpaid", "update_payment_method")),
        ),
        (
            "{status: canceled}",
            Some(("subscription_canceled", "renew")),
        ),
        (
            "{status: paused}",
            Some(("subscription_paused", "update_payment_method")),
        ),
        (
            "{status: active, ends_at: 2026-11-19T12:00:00Z}",
            Some(("subscription_expired", "renew")),
        ),
    ];
    let stated: Vec<&str> = cases.iter().map(|(stated, _)| *stated).collect();
    let required = file(&upstream, &accounts("{subscription: required}", &stated));
    let gateway = Gateway::start(&required).await;
    for (index, (stated, refusal)) in cases.into_iter().enumerate() {
        let answer = chat(&gateway, index).await;
        let Some((code, action)) = refusal else {
            served(&answer);
            continue;
        };
        refused(&answer, 402, code);
        let body = answer.value();
        assert_eq!(body["billing"]["actions"][0]["rel"], action, "{stated}");
        let page = if action == "update_payment_method" {
            "portal"
        } else {
            "pay"
        };
        let page = format!("https://{page}.example.com/a{index}");
        assert_eq!(body["billing"]["actions"][0]["href"], page, "{stated}");
        let link = format!("<https://pay.example.com/a{index}>; rel=\"payment\"");
        assert_eq!(answer.header("link"), Some(link.as_str()));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(answer.header("retry-after"), None);
    }
    let forwarded = upstream.seen().len();
    assert_eq!(forwarded, 3);
    gateway.stop().await;

    // A plan that does not ask for a subscription does not look at it.
    let gateway = Gateway::start(&file(&upstream, &accounts("{}", &stated))).await;
    for index in 0..stated.len() {
        let answer = chat(&gateway, index).await;
        served(&answer);
        assert_eq!(answer.header("faregate-notice"), None);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn grace_is_told_until_it_ends() {
    let upstream = provider().await;
    let stated = "{status: past_due, past_due_since: 2026-11-20T00:00:00Z}";
    let rest = accounts("{subscription: required}", &[stated]);
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    let answer = chat(&gateway, 0).await;
    served(&answer);
    assert_eq!(
        answer.header("faregate-notice"),
        Some("past_due; grace-until=\"2026-11-27T00:00:00Z\"")
    );
    let limits = gateway.limits("a-key-of-account-0-of-all").await;
    assert_eq!(
        limits["subscription"]["grace_until"],
        "2026-11-27T00:00:00Z"
    );
    gateway.pass(6 * DAY + DAY / 2 - Duration::from_millis(1));
    served(&chat(&gateway, 0).await);
    gateway.pass(Duration::from_millis(1));
    refused(&chat(&gateway, 0).await, 402, "subscription_past_due");
    // A payment arrives.
    let body = json!({"subscription": {"status": "active"}}).to_string();
    let readonly = gateway
        .admin("PATCH", "/admin/v1/accounts/a0")
        .json(&body)
        .send()
        .await;
    assert_eq!(readonly.status, 409, "{}", readonly.text());
    gateway.stop().await;
}

#[tokio::test]
async fn a_due_payment_without_a_date_counts_from_when_it_was_first_seen() {
    let upstream = provider().await;
    let rest = accounts("{subscription: required}", &["{status: past_due}"]);
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    assert_eq!(
        chat(&gateway, 0).await.header("faregate-notice"),
        Some("past_due; grace-until=\"2026-11-27T12:00:00Z\"")
    );
    gateway.pass(7 * DAY);
    refused(&chat(&gateway, 0).await, 402, "subscription_past_due");
    gateway.stop().await;
}

#[tokio::test]
async fn dates_close_after_the_leeway_and_a_silent_provider_closes_nothing() {
    let upstream = provider().await;
    let period =
        "current_period_start: 2026-11-01T00:00:00Z, current_period_end: 2026-12-01T00:00:00Z";
    let stated = [
        "{status: active, ends_at: 2026-12-01T00:00:00Z}".to_owned(),
        "{status: active, cancel_at: 2026-12-01T00:00:00Z}".to_owned(),
        format!("{{status: active, cancel_at_period_end: true, {period}}}"),
        "{status: trialing, trial_end: 2026-12-01T00:00:00Z}".to_owned(),
        // From here on nothing closes.
        format!("{{status: active, {period}}}"),
        "{status: active, trial_end: 2026-12-01T00:00:00Z}".to_owned(),
        format!("{{status: trialing, {period}}}"),
    ];
    let stated: Vec<&str> = stated.iter().map(String::as_str).collect();
    let rest = accounts("{subscription: required}", &stated);
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    // To 2026-12-01T23:59:59.999Z, the last instant of the leeway.
    gateway.pass(11 * DAY + DAY / 2 - Duration::from_millis(1));
    for index in 0..stated.len() {
        served(&chat(&gateway, index).await);
    }
    gateway.pass(Duration::from_millis(1));
    for (index, stated) in stated.iter().enumerate() {
        let answer = chat(&gateway, index).await;
        if index < 4 {
            refused(&answer, 402, "subscription_expired");
        } else {
            assert_eq!(answer.status, 200, "{stated}: {}", answer.text());
        }
    }
    gateway.pass(1000 * DAY);
    for index in 4..stated.len() {
        served(&chat(&gateway, index).await);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_period_in_the_past_rolls_its_window() {
    let upstream = provider().await;
    let stated = "{status: active, current_period_start: 2026-10-01T06:00:00Z, current_period_end: 2026-10-31T06:00:00Z}";
    let plan = "{subscription: required, quotas: [{requests: 1, per: period}]}";
    let gateway = Gateway::start(&file(&upstream, &accounts(plan, &[stated]))).await;
    served(&chat(&gateway, 0).await);
    let spent = chat(&gateway, 0).await;
    refused(&spent, 402, "quota_exhausted");
    // Thirty days on from the thirty days that were said.
    assert_eq!(
        spent.value()["billing"]["limit"]["resets_at"],
        "2026-11-30T06:00:00Z"
    );
    let end = || async {
        let page = gateway.limits("a-key-of-account-0-of-all").await;
        page["subscription"]["current_period_end"].clone()
    };
    assert_eq!(end().await, "2026-11-30T06:00:00Z");
    gateway.pass(9 * DAY + 18 * Duration::from_secs(3600) - Duration::from_millis(1));
    refused(&chat(&gateway, 0).await, 402, "quota_exhausted");
    gateway.pass(Duration::from_millis(1));
    served(&chat(&gateway, 0).await);
    refused(&chat(&gateway, 0).await, 402, "quota_exhausted");
    assert_eq!(end().await, "2026-12-30T06:00:00Z");
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_admin_api_says_holds_from_the_next_request_on() {
    let upstream = provider().await;
    let rest = "plans: {p: {subscription: required, quotas: [{requests: 3, per: period}]}}\n";
    let gateway = Gateway::start(&file(&upstream, rest)).await;
    let made = gateway
        .admin("POST", "/admin/v1/accounts")
        .json(r#"{"id":"a","plan":"p"}"#)
        .send()
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = gateway.make_key(r#"{"account":"a"}"#).await;
    let set = |stated: Value| {
        let call = gateway.admin("PUT", "/admin/v1/accounts/a/subscription");
        call.json(&stated.to_string()).send()
    };
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_required",
    );
    served(&set(json!({"status": "active"})).await);
    served(&gateway.chat(&key, CHAT).send().await);
    served(&set(json!({"status": "unpaid"})).await);
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_unpaid",
    );
    // Due since now, and stating it again does not start the grace again.
    served(&set(json!({"status": "past_due"})).await);
    gateway.pass(DAY);
    served(&set(json!({"status": "past_due"})).await);
    let due = gateway.chat(&key, CHAT).send().await;
    assert_eq!(
        due.header("faregate-notice"),
        Some("past_due; grace-until=\"2026-11-27T12:00:00Z\"")
    );
    // A billing period that began before the present window keeps its count, one that begins later starts again.
    let period = |start: &str, end: &str| json!({"status": "active", "current_period_start": start, "current_period_end": end});
    served(&set(period("2026-11-15T00:00:00Z", "2026-12-15T00:00:00Z")).await);
    let used = gateway.limits(&key).await["limits"][0].clone();
    assert_eq!(
        (&used["used"], &used["resets_at"]),
        (&json!(2), &json!("2026-12-15T00:00:00Z"))
    );
    served(&set(period("2026-11-21T00:00:00Z", "2026-12-21T00:00:00Z")).await);
    let used = gateway.limits(&key).await["limits"][0].clone();
    assert_eq!(
        (&used["used"], &used["resets_at"]),
        (&json!(0), &json!("2026-12-21T00:00:00Z"))
    );
    served(
        &gateway
            .admin("DELETE", "/admin/v1/accounts/a/subscription")
            .send()
            .await,
    );
    refused(
        &gateway.chat(&key, CHAT).send().await,
        402,
        "subscription_required",
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_tells_about_the_key_is_never_a_402() {
    let upstream = provider().await;
    let rest = accounts(
        "{subscription: required, quotas: [{requests: 0, per: day}]}",
        &["{status: canceled}", "{status: active}"],
    );
    let gateway = Gateway::start(&file(&upstream, &rest)).await;
    for index in 0..2 {
        let key = format!("a-key-of-account-{index}-of-all");
        for path in ["/v1/models", "/v1/models/m", "/v1/faregate/limits"] {
            served(&gateway.call("GET", path).bearer(&key).send().await);
        }
    }
    // Counting tokens is a call to the provider: it needs a subscription, and no quota.
    let count = |index: usize| {
        let key = format!("a-key-of-account-{index}-of-all");
        let call = gateway.call("POST", "/v1/messages/count_tokens");
        call.header("x-api-key", &key).json(MESSAGE).send()
    };
    let closed = count(0).await;
    assert_eq!(closed.status, 402, "{}", closed.text());
    assert_eq!(closed.value()["error"]["type"], "billing_error");
    served(&count(1).await);
    refused(&chat(&gateway, 0).await, 402, "subscription_canceled");
    refused(&chat(&gateway, 1).await, 402, "quota_exhausted");
    gateway.stop().await;
}

/// Whether it is the daemon that is asked, or its store.
#[tokio::test]
async fn since_when_a_payment_is_due_is_shown_while_the_daemon_runs_and_after() {
    let admin = |address: &str| format!("admin: {{listen: \"{address}\", token: {TOKEN}}}\n");
    let rest = "server: {listen: \"127.0.0.1:0\"}
log: {format: json}
store: {url: \"sqlite:${folder}/faregate.db\"}
plans: {p: {subscription: required}}
accounts: [{id: a, plan: p, subscription: {status: past_due}}]
";
    let daemon = Daemon::start(&format!("{rest}{}", admin("127.0.0.1:0"))).await;
    // The command finds the daemon by its file.
    let found = admin(&daemon.admin.to_string());
    write(daemon.folder.path(), &format!("{rest}{found}"));
    let shown = |folder: &Path| -> Value {
        let output = faregate(folder, "accounts show a --json");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let running = shown(daemon.folder.path());
    assert!(running["subscription"]["past_due_since"].is_string());
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    assert_eq!(shown(folder.path()), running);
}
