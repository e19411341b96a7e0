//! What events say, and what follows from all of them in whatever order they come.

mod credit;
mod stripe;
mod subscriptions;
mod vendors;

use serde_json::Value;

use super::{
    Dated, Endpoint, Fact, Illegible, News, PaymentEvent, Settings, SigningKey, Verified, read,
};
use crate::domain::{PlanId, Secret, Timestamp, Vendor};

/// 2026-11-20T12:00:00Z.
const NOW: i64 = 1_795_176_000;

fn settings() -> Settings {
    let secret = Secret::new("a-secret-of-more-than-16-bytes".to_owned());
    let key = SigningKey::text(&secret).unwrap();
    let mut settings = Settings::default();
    for vendor in Vendor::ALL {
        let mut endpoint = Endpoint::new(vec![key.clone()]);
        let pro = PlanId::parse("pro").unwrap();
        let theirs = ["price_pro", "pri_pro", "77"];
        endpoint.plans = theirs.map(|price| (price.to_owned(), pro.clone())).into();
        settings.insert(vendor, endpoint);
    }
    settings
}

/// What a body says that `vendor` has signed.
fn say(vendor: Vendor, body: &Value) -> Result<PaymentEvent, Illegible> {
    let body = body.to_string();
    read(
        &Verified::kept(vendor, "standard:msg_1", body.as_bytes()),
        &settings(),
    )
}

/// The fact in an event.
#[track_caller]
fn fact(event: &PaymentEvent) -> (&str, &Fact) {
    match &event.news {
        News::Fact { object, fact, .. } => (object, fact),
        other => panic!("{other:?}"),
    }
}

/// Why an event is put aside.
#[track_caller]
fn parked(event: &PaymentEvent) -> &str {
    match &event.news {
        News::Parked(words) => words,
        other => panic!("{other:?}"),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis((NOW + seconds) * 1000)
}

fn dated(seconds: i64, event: &str, fact: Fact) -> Dated {
    Dated {
        at: at(seconds),
        event: event.to_owned(),
        fact,
    }
}
