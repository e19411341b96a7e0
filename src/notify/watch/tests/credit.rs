use serde_json::json;

use super::{House, limits};
use crate::{domain::NanoUsd, notify::LowAt};

async fn house() -> House {
    let mut house = House::new(limits([]), None);
    house.publish(|roster| roster.plans[0].credit_required = true);
    assert!(house.look().await.is_empty());
    house
}

#[tokio::test]
async fn credit_is_low_at_a_fifth_of_the_last_top_up() {
    let mut house = house().await;
    house.top_up("25");
    assert!(house.look().await.is_empty());
    house.spend("one", 1, "19.99");
    assert!(house.look().await.is_empty(), "5.01 is left");
    house.spend("one", 1, "0.01");
    let told = house.look().await;
    let data = json!({
        "account": "acme", "plan": "pro",
        "credit": {"balance": "5.00", "currency": "USD"},
        "actions": [{"rel": "top_up", "href": "https://pay.example.com/?account=acme"}],
    });
    assert_eq!(told, [("credit.low", data)]);
    house.spend("one", 1, "1");
    assert!(house.look().await.is_empty(), "it was told");
    house.spend("one", 1, "4.50");
    assert_eq!(house.types().await, ["credit.exhausted"]);
    assert!(house.look().await.is_empty());
    // With another top-up, less the debt, it begins again, at a fifth of that one.
    house.top_up("10.50");
    assert!(house.look().await.is_empty());
    house.spend("one", 1, "7.90");
    assert_eq!(house.types().await, ["credit.low"]);
}

#[tokio::test]
async fn credit_that_goes_at_once_is_told_once() {
    let mut house = house().await;
    house.top_up("1");
    assert!(house.look().await.is_empty());
    house.spend("one", 1, "1.09");
    assert_eq!(house.types().await, ["credit.exhausted"]);
    assert!(house.look().await.is_empty());
    // A top-up that leaves little is no news: somebody has just paid it.
    house.top_up("0.10");
    assert!(house.look().await.is_empty());
}

#[tokio::test]
async fn an_amount_may_be_what_is_low() {
    let mut house = house().await;
    house.settings.low_credit = LowAt::Amount(NanoUsd::parse("5").unwrap());
    house.top_up("10");
    assert!(house.look().await.is_empty());
    house.spend("one", 1, "4.99");
    assert!(house.look().await.is_empty());
    house.spend("one", 1, "0.01");
    assert_eq!(house.types().await, ["credit.low"]);
}

#[tokio::test]
async fn who_never_had_credit_or_needs_none_hears_nothing() {
    let mut house = house().await;
    assert!(house.look().await.is_empty());
    house.publish(|roster| roster.plans[0].credit_required = false);
    house.top_up("1");
    house.spend("one", 1, "1");
    assert!(house.look().await.is_empty());
}
