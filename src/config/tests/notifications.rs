//! `notifications`: who is told what happens.

use std::time::Duration;

use super::{compiled, problems, warnings};
use crate::{
    domain::NanoUsd,
    notify::{Event, LowAt, Settings},
};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn settings(text: &str) -> Settings {
    compiled(text).unwrap().notifications.unwrap()
}

#[test]
fn without_the_section_nobody_is_told() {
    assert!(compiled("").unwrap().notifications.is_none());
    let words = warnings("notifications: {}");
    assert!(words.contains("nobody is told anything"), "{words}");
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = settings(&format!(
        "notifications: {{webhooks: [{{url: \"https://example.com/hooks\", secrets: [{SECRET}]}}]}}\n\
         payment: {{pay_url: \"https://pay.example.com/\", grace_period: 2d}}"
    ));
    assert_eq!(settings.webhooks.len(), 1);
    let webhook = &settings.webhooks[0];
    assert_eq!(webhook.url.name(), "https://example.com/hooks");
    assert_eq!(webhook.keys.len(), 1);
    assert!(Event::ALL.into_iter().all(|event| webhook.wants(event)));
    assert!(settings.email.is_none());
    assert_eq!(settings.low_credit, LowAt::Percent(20));
    let days = |days: u64| Duration::from_secs(days * 86_400);
    assert_eq!(settings.renewal_notice, Some(days(3)));
    assert_eq!(settings.subscriptions.grace_period, days(2));
    assert_eq!(
        settings.links.pay_url.as_deref(),
        Some("https://pay.example.com/")
    );
    assert_eq!(settings.try_time, Duration::from_secs(20));
}

#[test]
fn what_is_written_is_meant() {
    let settings = settings(&format!(
        "notifications:
  webhooks:
    - {{url: \"http://10.1.2.3:9000/hooks?token=x\", secrets: [{SECRET}, {SECRET}], events: [\"budget.*\", credit.low]}}
  email: {{smtp: \"smtps://user:pass@smtp.example.com\", from: Faregate <billing@example.com>, to: [ops@example.com], accounts: true}}
  low_credit: 5.00
  renewal_notice: off
  allow_private_targets: [10.0.0.0/8]
accounts: [{{id: a, plan: p, email: people@a.example}}]
plans: {{p: {{}}}}
"
    ));
    let webhook = &settings.webhooks[0];
    assert_eq!(webhook.keys.len(), 2);
    let wanted = Event::ALL.into_iter().filter(|event| webhook.wants(*event));
    let wanted: Vec<_> = wanted.map(Event::as_str).collect();
    assert_eq!(wanted, ["budget.warning", "budget.exhausted", "credit.low"]);
    let email = settings.email.unwrap();
    assert_eq!(format!("{:?}", email.smtp), "smtp.example.com:465");
    assert_eq!(email.from.name.as_deref(), Some("Faregate"));
    assert_eq!(email.to[0].as_str(), "ops@example.com");
    assert!(email.accounts);
    assert_eq!(
        settings.low_credit,
        LowAt::Amount(NanoUsd::parse("5").unwrap())
    );
    assert_eq!(settings.renewal_notice, None);
}

#[test]
fn mistakes_are_named_without_a_secret() {
    let words = problems(&format!(
        "notifications:
  webhooks:
    - {{url: \"https://geheim@example.com/\", secrets: [{SECRET}]}}
    - {{url: \"http://example.com/?geheim\", secrets: [{SECRET}]}}
    - {{url: \"https://127.1/\", secrets: []}}
    - {{url: \"https://example.com/a\", secrets: [geheim, whsec_Z2VoZWlt]}}
    - {{url: \"https://example.com/b\", secrets: [{SECRET}], events: [budget, credit.lo, quota.*, notification.test]}}
    - {{url: \"https://example.com/c\", secrets: [{SECRET}]}}
    - {{url: \"https://example.com/c\", secrets: [{SECRET}]}}
    - {{secrets: [{SECRET}]}}
    - {{url: \"https://example.com/d\"}}
  email: {{smtp: \"smtp://user:geheim@smtp.example.com\", from: nobody, to: [ops, ops@example.com]}}
  low_credit: some
  renewal_notice: 3 days
  allow_private_targets: [10.0.0.0/33]
accounts: [{{id: a, plan: p, email: nobody}}]
plans: {{p: {{}}}}
"
    ));
    assert!(!words.contains("geheim"), "{words}");
    insta::assert_snapshot!(words);
}

#[test]
fn every_other_mistake_is_named_where_it_stands() {
    let mut lines = String::new();
    for text in [
        "notifications: {email: {smtp: \"smtp://localhost\", from: a@example.com}}",
        "notifications: {email: {from: a@example.com, to: [b@example.com]}}",
        "notifications: {webhooks: [{url: \"https://example.com\", secrets: []}]}",
        "notifications: {low_credit: -5, webhooks: []}",
        "notifications: {low_credit: 100%, webhooks: []}",
        "notifications: {low_credit: 0.0000000001, webhooks: []}",
        "notifications: {web_hooks: []}",
        "notifications: [x]",
    ] {
        lines += &format!("{text}\n{}\n", problems(text));
    }
    insta::assert_snapshot!(lines);
}
