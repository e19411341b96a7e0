use super::{Watched, account, limits};
use crate::domain::{Subscription, SubscriptionStatus, Timestamp, Window};

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn status(status: SubscriptionStatus) -> Subscription {
    Subscription::with_status(status)
}

fn active() -> Subscription {
    Subscription {
        period: Some(Window {
            start: instant("2026-11-20T00:00:00Z"),
            end: instant("2026-12-20T00:00:00Z"),
        }),
        ..status(SubscriptionStatus::Active)
    }
}

fn past_due() -> Subscription {
    Subscription {
        past_due_since: Some(instant("2026-11-20T12:00:00Z")),
        ..status(SubscriptionStatus::PastDue)
    }
}

async fn watched(subscription: Subscription) -> Watched {
    let mut watched = Watched::new(limits([]), Some(subscription));
    watched.look().await;
    watched
}

#[tokio::test]
async fn the_life_of_a_payment_that_fails() {
    let mut watched = watched(active()).await;
    assert!(watched.look().await.is_empty());
    watched.state(past_due());
    let told = watched.look().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "payment.failed");
    insta::assert_snapshot!("payment_failed", format!("{:#}", told[0].1));
    assert!(watched.look().await.is_empty());
    // Grace ends on the 27th at noon.
    watched.at("2026-11-26T11:59:59Z");
    assert!(watched.look().await.is_empty());
    watched.at("2026-11-26T12:00:00Z");
    assert_eq!(watched.types().await, ["subscription.grace_ending"]);
    assert!(watched.look().await.is_empty());
    watched.at("2026-11-27T12:00:00Z");
    let told = watched.look().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "access.suspended");
    insta::assert_snapshot!("suspended", format!("{:#}", told[0].1));
    watched.state(status(SubscriptionStatus::Canceled));
    assert!(watched.look().await.is_empty(), "still suspended");
    watched.state(active());
    assert_eq!(watched.types().await, ["access.restored"]);
    assert!(watched.look().await.is_empty());
    // The next failure is another one.
    watched.state(Subscription {
        past_due_since: Some(instant("2026-12-01T00:00:00Z")),
        ..past_due()
    });
    watched.at("2026-12-01T00:00:00Z");
    assert_eq!(watched.types().await, ["payment.failed"]);
}

#[tokio::test]
async fn a_trial_is_spoken_of_three_days_before_its_end() {
    let trialing = |end: &str| Subscription {
        trial_end: Some(instant(end)),
        ..status(SubscriptionStatus::Trialing)
    };
    let mut watched = watched(trialing("2026-12-01T00:00:00Z")).await;
    watched.at("2026-11-27T23:59:59Z");
    assert!(watched.look().await.is_empty());
    watched.at("2026-11-28T00:00:00Z");
    assert_eq!(watched.types().await, ["subscription.trial_ending"]);
    assert!(watched.look().await.is_empty());
    // A longer trial ends another time.
    watched.state(trialing("2026-12-08T00:00:00Z"));
    assert!(watched.look().await.is_empty());
    watched.at("2026-12-06T00:00:00Z");
    assert_eq!(watched.types().await, ["subscription.trial_ending"]);
    // With the leeway of a day it closes on the 9th.
    watched.at("2026-12-08T12:00:00Z");
    assert!(watched.look().await.is_empty());
    watched.at("2026-12-09T00:00:00Z");
    let told = watched.look().await;
    assert_eq!(told[0].0, "access.suspended");
    assert_eq!(told[0].1["reason"], "subscription_expired");
}

#[tokio::test]
async fn a_renewal_is_spoken_of_in_each_period_where_there_is_one() {
    let mut watched = watched(active()).await;
    watched.at("2026-12-16T23:59:59Z");
    assert!(watched.look().await.is_empty());
    watched.at("2026-12-17T00:00:00Z");
    let told = watched.look().await;
    assert_eq!(told[0].0, "subscription.renewal_upcoming");
    assert_eq!(
        told[0].1["subscription"]["current_period_end"],
        "2026-12-20T00:00:00Z"
    );
    assert!(watched.look().await.is_empty());
    // The payment provider is silent; the period goes on by its own length of a month.
    watched.at("2027-01-16T23:00:00Z");
    assert!(watched.look().await.is_empty());
    watched.at("2027-01-17T00:00:00Z");
    assert_eq!(watched.types().await, ["subscription.renewal_upcoming"]);
}

#[tokio::test]
async fn what_ends_does_not_renew() {
    let end = instant("2026-12-20T00:00:00Z");
    let ending = [
        Subscription {
            cancel_at_period_end: true,
            ..active()
        },
        Subscription {
            cancel_at: Some(end),
            ..active()
        },
        Subscription {
            ends_at: Some(end),
            ..active()
        },
    ];
    for subscription in ending {
        let mut watched = watched(subscription).await;
        watched.at("2026-12-18T00:00:00Z");
        assert!(watched.look().await.is_empty());
    }
    let mut watched = watched(active()).await;
    watched.settings.renewal_notice = None;
    watched.at("2026-12-18T00:00:00Z");
    assert!(watched.look().await.is_empty(), "nobody wants to know");
}

#[tokio::test]
async fn who_was_refused_when_we_first_looked_hears_nothing_of_it() {
    for subscription in [
        status(SubscriptionStatus::Canceled),
        status(SubscriptionStatus::Incomplete),
        Subscription {
            past_due_since: Some(instant("2026-01-01T00:00:00Z")),
            ..past_due()
        },
    ] {
        let mut watched = Watched::new(limits([]), Some(subscription));
        assert!(watched.look().await.is_empty());
        assert!(watched.look().await.is_empty());
        watched.state(active());
        assert_eq!(watched.types().await, ["access.restored"]);
    }
}

#[tokio::test]
async fn each_reason_has_its_word_and_what_lifts_it() {
    let mut lines = String::new();
    let closed = [
        SubscriptionStatus::Incomplete,
        SubscriptionStatus::IncompleteExpired,
        SubscriptionStatus::Unpaid,
        SubscriptionStatus::Canceled,
        SubscriptionStatus::Paused,
    ];
    for word in closed {
        let mut watched = watched(active()).await;
        watched.state(status(word));
        let (event, data) = watched.look().await.pop().unwrap();
        lines += &format!("{event} {} {}\n", data["reason"], data["actions"]);
    }
    let mut watched = watched(active()).await;
    watched.publish(|roster| account(roster).subscription = None);
    let (_, data) = watched.look().await.pop().unwrap();
    lines += &format!("{} {}\n", data["reason"], data["actions"]);
    watched.publish(|roster| account(roster).disabled = true);
    assert!(watched.look().await.is_empty(), "still suspended");
    watched.state(active());
    assert!(watched.look().await.is_empty(), "still disabled");
    watched.publish(|roster| account(roster).disabled = false);
    assert_eq!(watched.types().await, ["access.restored"]);
    watched.publish(|roster| account(roster).disabled = true);
    let (_, data) = watched.look().await.pop().unwrap();
    lines += &format!("{} {}\n", data["reason"], data["actions"]);
    insta::assert_snapshot!("reasons", lines);
}

#[tokio::test]
async fn a_plan_that_needs_no_subscription_suspends_nobody() {
    let mut watched = watched(active()).await;
    watched.publish(|roster| roster.plans[0].subscription_required = false);
    watched.state(past_due());
    assert_eq!(watched.types().await, ["payment.failed"]);
    watched.at("2026-12-19T00:00:00Z");
    assert!(watched.look().await.is_empty());
}
