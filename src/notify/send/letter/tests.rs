use serde_json::{Value, json};

use super::Letter;
use crate::notify::Event;

fn letter(event: Event, data: &Value) -> String {
    let at = "2026-11-20T12:00:00Z";
    let body = json!({"type": event.as_str(), "timestamp": at, "data": data});
    let Letter { subject, text } = Letter::of(&body, "msg_1");
    format!("Subject: {subject}\n\n{text}")
}

#[test]
fn every_event_has_words() {
    let subscription = json!({
        "status": "past_due", "current_period_end": "2026-12-20T00:00:00Z",
        "trial_end": "2026-11-23T00:00:00Z", "grace_until": "2026-11-27T00:00:00Z",
    });
    let data = json!({
        "account": "acme", "key": "acme-ci", "plan": "pro", "reason": "subscription_past_due",
        "limit": {"kind": "quota", "scope": "key", "unit": "tokens", "per": "day", "limit": 100000,
            "used": 80000, "resets_at": "2026-11-21T00:00:00Z"},
        "credit": {"balance": "1.25", "currency": "USD"},
        "subscription": subscription,
        "actions": [
            {"rel": "upgrade", "href": "https://pay.example.com/?account=acme"},
            {"rel": "update_payment_method"},
            {"rel": "wait", "until": "2026-11-21T00:00:00Z"},
        ],
    });
    let mut money = data.clone();
    money["limit"] = json!({"kind": "budget", "scope": "plan", "unit": "usd", "per": "period", "limit": "50.00",
        "used": "40.25", "resets_at": "2026-12-20T00:00:00Z"});
    let letters: Vec<String> = Event::ALL
        .into_iter()
        .map(|event| match event {
            Event::BudgetWarning | Event::BudgetExhausted => letter(event, &money),
            event => letter(event, &data),
        })
        .collect();
    insta::assert_snapshot!("letters", letters.join("\n==========\n"));
    for (event, letter) in Event::ALL.into_iter().zip(&letters) {
        assert!(!letter.contains(event.as_str()), "{letter}");
    }
}

#[test]
fn a_test_and_what_is_not_known_have_words_too() {
    let test = letter(Event::Test, &json!({"account": null, "plan": null}));
    assert!(test.starts_with("Subject: a test message\n"), "{test}");
}
