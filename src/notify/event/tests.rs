use serde_json::{Value, json};

use super::{Event, LARGEST, Notice, Pattern};
use crate::domain::{AccountId, KeyId, PlanId, Timestamp};

#[test]
fn patterns_mean_what_they_say() {
    let wants = |pattern: &str| {
        let pattern = Pattern::parse(pattern).unwrap();
        let events = Event::ALL.into_iter().filter(|event| pattern.wants(*event));
        events.map(Event::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(wants("credit.low"), "credit.low");
    assert_eq!(wants("budget.*"), "budget.warning budget.exhausted");
    assert_eq!(wants("*").split(' ').count(), Event::ALL.len());
    for nonsense in [
        "",
        "budget",
        "budget*",
        "budgets.*",
        "*.warning",
        "b*",
        "credit.low ",
        ".",
    ] {
        assert_eq!(Pattern::parse(nonsense), None, "{nonsense:?}");
    }
    for pattern in ["*", "budget.*", "credit.low"] {
        assert!(
            Pattern::parse(pattern).unwrap().wants(Event::Test),
            "a test is for everybody"
        );
    }
}

fn notice(facts: Value) -> Notice {
    Notice {
        account: Some(AccountId::parse("acme").unwrap()),
        key: Some(KeyId::parse("acme-ci").unwrap()),
        plan: Some(PlanId::parse("pro").unwrap()),
        ..Notice::new(Event::QuotaWarning, facts)
    }
}

#[test]
fn a_body_has_type_timestamp_and_data() {
    let at: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let body = notice(json!({"limit": {"used": 80}})).body(at);
    let body: Value = serde_json::from_str(&body).unwrap();
    let whole = json!({
        "type": "quota.warning",
        "timestamp": "2026-11-20T12:00:00Z",
        "data": {"account": "acme", "key": "acme-ci", "plan": "pro", "limit": {"used": 80}},
    });
    assert_eq!(body, whole);
}

#[test]
fn no_link_makes_a_body_too_long() {
    let href = format!("https://pay.example.com/{}", "x".repeat(30_000));
    let facts = json!({"limit": {"used": 80}, "actions": [{"rel": "upgrade", "href": href}]});
    let body = notice(facts).body(Timestamp::default());
    assert!(body.len() <= LARGEST);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"]["limit"]["used"], 80);
}
