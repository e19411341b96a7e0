//! What else was agreed, which explains a call that a killed process left.

use super::{hold, longest::found, posting_of, settled};
use crate::{
    accounts::PlanVersion,
    domain::{Feature, Features, ServiceTier},
    prices::{Factor, Pico},
    store::{Agreed, HoldRecord, Posting, Recovered},
};

fn agreed() -> Agreed {
    let mut features = Features::NONE;
    features.insert(Feature::WebSearch);
    features.insert(Feature::Other);
    Agreed {
        output_limit: 2100,
        written: true,
        answers: 2,
        factor: Factor::parse("1.25").unwrap(),
        per_request: Pico::parse("0.005").unwrap(),
        service_tier: ServiceTier::parse("sixteen_letters_"),
        features,
        plan_version: Some(PlanVersion::from_bytes([1, 2, 3, 0xff])),
    }
}

/// With its hold and without, a settled call is the same but for what was agreed.
fn check(agreed: Agreed) {
    let record = HoldRecord {
        agreed: Some(agreed),
        ..hold(1)
    };
    let [open, _] = found(&record, false);
    assert_eq!(open, Some(Recovered::Open(Box::new(record.clone()), None)));
    let [whole, without_hold] = found(&record, true);
    let posting = posting_of(&record);
    assert_eq!(whole, Some(settled(posting.clone())));
    let mut call = posting.call.clone();
    call.agreed = None;
    assert_eq!(without_hold, Some(settled(Posting { call, ..posting })));
    let posting = open.map(Recovered::into_posting);
    assert_eq!(
        posting.and_then(|posting| posting.call.agreed),
        Some(agreed)
    );
}

#[test]
fn it_is_read_as_it_was_written() {
    check(agreed());
    for tier in [None, Some(ServiceTier::UNKNOWN), ServiceTier::parse("flex")] {
        check(Agreed {
            output_limit: 0,
            written: false,
            answers: 1,
            factor: Factor::MAX,
            per_request: Pico::MAX,
            service_tier: tier,
            features: Features::NONE,
            plan_version: None,
        });
    }
}

#[test]
fn names_come_before_it() {
    let route = format!("/{}", "r".repeat(900)).into();
    let record = HoldRecord {
        agreed: Some(agreed()),
        route,
        ..super::longest::longest()
    };
    let [open, _] = found(&record, false);
    let Some(Recovered::Open(found, None)) = open else {
        panic!("it was held: {open:?}");
    };
    assert_eq!(found.agreed, None);
    assert_eq!(found.model, record.model);
}
