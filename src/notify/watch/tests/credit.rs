use serde_json::json;

use super::{Watched, limits};
use crate::{domain::NanoUsd, notify::LowAt};

async fn watched() -> Watched {
    let mut watched = Watched::new(limits([]), None);
    watched.publish(|roster| roster.plans[0].credit_required = true);
    assert!(watched.look().await.is_empty());
    watched
}

#[tokio::test]
async fn credit_is_low_at_a_fifth_of_the_last_top_up() {
    let mut watched = watched().await;
    watched.top_up("25");
    assert!(watched.look().await.is_empty());
    watched.spend("one", 1, "19.99");
    assert!(watched.look().await.is_empty(), "5.01 is left");
    watched.spend("one", 1, "0.01");
    let told = watched.look().await;
    let data = json!({
        "account": "acme", "plan": "pro",
        "credit": {"balance": "5.00", "currency": "USD"},
        "actions": [{"rel": "top_up", "href": "https://pay.example.com/?account=acme"}],
    });
    assert_eq!(told, [("credit.low", data)]);
    watched.spend("one", 1, "1");
    assert!(watched.look().await.is_empty(), "it was told");
    watched.spend("one", 1, "4.50");
    assert_eq!(watched.types().await, ["credit.exhausted"]);
    assert!(watched.look().await.is_empty());
    // With another top-up, less the debt, it begins again, at a fifth of that one.
    watched.top_up("10.50");
    assert!(watched.look().await.is_empty());
    watched.spend("one", 1, "7.90");
    assert_eq!(watched.types().await, ["credit.low"]);
}

#[tokio::test]
async fn credit_that_goes_at_once_is_told_once() {
    let mut watched = watched().await;
    watched.top_up("1");
    assert!(watched.look().await.is_empty());
    watched.spend("one", 1, "1.09");
    assert_eq!(watched.types().await, ["credit.exhausted"]);
    assert!(watched.look().await.is_empty());
    // A top-up that leaves little is no news: somebody has just paid it.
    watched.top_up("0.10");
    assert!(watched.look().await.is_empty());
}

#[tokio::test]
async fn an_amount_may_be_what_is_low() {
    let mut watched = watched().await;
    watched.settings.low_credit = LowAt::Amount(NanoUsd::parse("5").unwrap());
    watched.top_up("10");
    assert!(watched.look().await.is_empty());
    watched.spend("one", 1, "4.99");
    assert!(watched.look().await.is_empty());
    watched.spend("one", 1, "0.01");
    assert_eq!(watched.types().await, ["credit.low"]);
}

#[tokio::test]
async fn who_never_had_credit_or_needs_none_hears_nothing() {
    let mut watched = watched().await;
    assert!(watched.look().await.is_empty());
    watched.publish(|roster| roster.plans[0].credit_required = false);
    watched.top_up("1");
    watched.spend("one", 1, "1");
    assert!(watched.look().await.is_empty());
}
