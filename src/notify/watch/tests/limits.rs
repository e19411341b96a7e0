use serde_json::json;

use super::{Watched, account, first_key, limits, quota};
use crate::domain::{Mode, NanoUsd, Per, Unit};

fn daily(limit: u64) -> Watched {
    Watched::new(limits([quota(Unit::Tokens, Per::Day, limit)]), None)
}

#[tokio::test]
async fn a_quota_is_spoken_of_at_80_percent_and_when_it_is_used() {
    let mut watched = daily(1000);
    assert!(watched.look().await.is_empty());
    watched.call("one", 799);
    assert!(watched.look().await.is_empty(), "799 of 1000");
    watched.call("two", 1);
    let told = watched.look().await;
    let data = json!({
        "account": "acme", "plan": "pro",
        "limit": {"kind": "quota", "scope": "plan", "unit": "tokens", "per": "day", "limit": 1000, "used": 800,
            "resets_at": "2026-11-21T00:00:00Z"},
        "actions": [
            {"rel": "upgrade", "href": "https://pay.example.com/?account=acme"},
            {"rel": "wait", "until": "2026-11-21T00:00:00Z"},
        ],
    });
    assert_eq!(told, [("quota.warning", data)]);
    watched.call("one", 150);
    assert!(watched.look().await.is_empty(), "it was told");
    watched.call("one", 50);
    assert_eq!(watched.types().await, ["quota.exhausted"]);
    assert!(watched.look().await.is_empty());
}

#[tokio::test]
async fn each_window_is_told_by_itself() {
    let mut watched = daily(100);
    for day in [
        "2026-11-20T12:00:00Z",
        "2026-11-21T12:00:00Z",
        "2026-11-22T00:00:00Z",
    ] {
        watched.at(day);
        assert!(watched.look().await.is_empty(), "{day}");
        watched.call("one", 80);
        assert_eq!(watched.types().await, ["quota.warning"], "{day}");
        assert!(watched.look().await.is_empty(), "{day}");
    }
}

#[tokio::test]
async fn what_is_used_at_once_is_told_once() {
    let mut watched = daily(100);
    watched.call("one", 100);
    assert_eq!(watched.types().await, ["quota.exhausted"]);
    assert!(watched.look().await.is_empty(), "no warning afterwards");
}

#[tokio::test]
async fn another_limit_is_another_matter() {
    let mut watched = daily(100);
    watched.call("one", 100);
    assert_eq!(watched.types().await, ["quota.exhausted"]);
    let raised = |limit| limits([quota(Unit::Tokens, Per::Day, limit)]);
    watched.publish(|roster| roster.plans[0].limits = raised(200));
    assert!(watched.look().await.is_empty(), "half of it is there again");
    watched.call("one", 60);
    assert_eq!(watched.types().await, ["quota.warning"]);
    // Back to the old one, of which everything was told.
    watched.publish(|roster| roster.plans[0].limits = raised(100));
    assert!(watched.look().await.is_empty());
}

#[tokio::test]
async fn a_key_is_named_where_the_limit_is_its_own() {
    let mut watched = Watched::new(limits([]), None);
    watched.publish(|roster| {
        roster.plans[0].per_key = limits([quota(Unit::Requests, Per::Hour, 5)]);
        first_key(roster).own.limits = limits([quota(Unit::Requests, Per::Hour, 4)]);
        account(roster).limits = limits([quota(Unit::Requests, Per::Month, 5)]);
    });
    for _ in 0..4 {
        watched.call("one", 0);
    }
    let mut told = watched.look().await;
    told.sort_by_key(|(event, data)| (*event, data["limit"]["limit"].as_u64()));
    let figures: Vec<_> = told
        .iter()
        .map(|(event, data)| {
            let limit = &data["limit"];
            (
                *event,
                data["key"].as_str(),
                limit["scope"].as_str().unwrap(),
                limit["limit"].as_u64().unwrap(),
            )
        })
        .collect();
    let one = Some("one");
    assert_eq!(figures.len(), 3, "{figures:?}");
    assert!(figures.contains(&("quota.exhausted", one, "key", 4)));
    assert!(figures.contains(&("quota.warning", one, "key", 5)));
    assert!(figures.contains(&("quota.warning", None, "account", 5)));
    assert!(watched.look().await.is_empty());
}

#[tokio::test]
async fn what_refuses_nobody_or_everybody_is_no_news() {
    let mut shadow = quota(Unit::Tokens, Per::Day, 100);
    shadow.mode = Mode::Shadow;
    let mut watched = Watched::new(limits([shadow]), None);
    watched.call("one", 100);
    assert!(watched.look().await.is_empty(), "a shadow");
    let mut watched = daily(0);
    assert!(watched.look().await.is_empty(), "allows none");
    watched.publish(|roster| roster.plans[0].limits = limits([quota(Unit::Tokens, Per::Day, 100)]));
    watched.call("one", 100);
    watched.publish(|roster| {
        for key in &mut roster.keys {
            let key = std::sync::Arc::make_mut(key);
            key.own.revoked_at = Some(key.created_at);
        }
    });
    assert!(watched.look().await.is_empty(), "nobody can use it");
}

#[tokio::test]
async fn people_are_written_to_where_their_account_says() {
    let mut watched = daily(100);
    watched.call("one", 100);
    let found = watched.found().await;
    let told: Vec<_> = found.into_iter().filter_map(|found| found.notice).collect();
    let email = told[0].email.as_ref().unwrap();
    assert_eq!(email.as_str(), "billing@acme.example");
    watched.publish(|roster| account(roster).email = None);
    let found = watched.found().await;
    assert!(
        found
            .iter()
            .filter_map(|found| found.notice.as_ref())
            .all(|notice| notice.email.is_none())
    );
}

#[tokio::test]
async fn a_budget_is_spoken_of_in_dollars() {
    let dollars = |amount: &str| u64::try_from(NanoUsd::parse(amount).unwrap().nanos()).unwrap();
    let mut watched = Watched::new(limits([quota(Unit::Usd, Per::Period, dollars("50"))]), None);
    watched.publish(|roster| {
        first_key(roster).own.limits = limits([quota(Unit::Usd, Per::Day, dollars("40"))]);
    });
    watched.spend("one", 10, "39.999999999");
    let told = watched.look().await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].0, "budget.warning");
    assert_eq!(told[0].1["key"], "one");
    let limit = json!({"kind": "budget", "scope": "key", "unit": "usd", "per": "day", "limit": "40.00",
        "used": "39.999999999", "resets_at": "2026-11-21T00:00:00Z"});
    assert_eq!(told[0].1["limit"], limit);
    // A larger plan does not lift what was set for the key.
    assert_eq!(
        told[0].1["actions"],
        json!([{"rel": "wait", "until": "2026-11-21T00:00:00Z"}])
    );
    watched.spend("two", 10, "0.000000001");
    let told = watched.look().await;
    assert_eq!((told.len(), told[0].0), (1, "budget.warning"));
    assert_eq!(told[0].1["limit"]["used"], "40.00");
    assert_eq!(told[0].1["actions"][0]["rel"], "upgrade");
    watched.spend("two", 10, "10.01");
    assert_eq!(watched.types().await, ["budget.exhausted"]);
}

#[tokio::test]
async fn a_larger_plan_is_not_offered_for_the_quota_of_a_key() {
    let mut watched = Watched::new(limits([]), None);
    watched.publish(|roster| {
        first_key(roster).own.limits = limits([quota(Unit::Tokens, Per::Day, 100)]);
    });
    watched.call("one", 100);
    let told = watched.look().await;
    assert_eq!((told.len(), told[0].0), (1, "quota.exhausted"));
    let wait = json!([{"rel": "wait", "until": "2026-11-21T00:00:00Z"}]);
    assert_eq!(told[0].1["actions"], wait);
}
