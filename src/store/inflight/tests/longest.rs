use proptest::{collection::vec, option, prelude::Strategy, prop_assert, prop_assert_eq, proptest};

use super::{Bench, hold, posting_of, settled};
use crate::{
    domain::{AccountId, KeyId, ModelName, Per, PlanId, ProviderId, Timestamp, Unit},
    providers::Endpoint,
    store::{
        HeldCounter, HoldRecord, Recovered, Whose,
        inflight::{
            frame::{HEAD, HOLD},
            hold::{ENDPOINTS, endpoint_code},
        },
        read_slot,
    },
};

fn name(letter: &str, length: usize) -> String {
    letter.repeat(length)
}

/// A call whose names are as long as they may be.
pub(super) fn longest() -> HoldRecord {
    let id = |letter| name(letter, 64);
    let mut record = hold(1);
    record.account = AccountId::parse(&id("a")).unwrap();
    record.key = KeyId::parse(&id("k")).unwrap();
    record.plan = PlanId::parse(&id("p")).unwrap();
    record.provider = ProviderId::parse(&id("v")).unwrap();
    record.model = ModelName::parse(&name("m", 128)).ok();
    record.upstream_model = ModelName::parse(&name("u", 128)).ok();
    record.route = "/".into();
    // Five windows, of which the day and the month stand twice more.
    let windows = [Per::Hour, Per::Day, Per::Week, Per::Month, Per::Period];
    let again = [Per::Day, Per::Month, Per::Month];
    record.counters = windows
        .into_iter()
        .chain(again)
        .enumerate()
        .map(|(at, per)| HeldCounter {
            whose: if at < 5 { Whose::Account } else { Whose::Key },
            unit: if at % 2 == 0 {
                Unit::Tokens
            } else {
                Unit::Requests
            },
            per,
            window_start: Timestamp::from_millis(1_700_000_000_000 + per as i64),
        })
        .collect();
    record
}

/// What is found of a call that was held and, where asked for, settled; with its hold, and without.
pub(super) fn found(record: &HoldRecord, settle: bool) -> [Option<Recovered>; 2] {
    let bench = Bench::new();
    let mut place = bench.start().take().unwrap();
    place.write_hold(record).unwrap();
    if settle {
        place.settle(&posting_of(record)).unwrap();
    }
    let mut slot = bench.bytes().split_off(HEAD);
    let with = read_slot(0, &slot);
    slot[HOLD].fill(0);
    [with, read_slot(0, &slot)]
}

#[test]
fn the_longest_names_fit() {
    let record = longest();
    let [open, nothing] = found(&record, false);
    assert_eq!(open, Some(Recovered::Open(Box::new(record.clone()), None)));
    assert_eq!(nothing, None);
    let [whole, without_hold] = found(&record, true);
    assert_eq!(whole, Some(settled(posting_of(&record))));
    // Who pays and how much is known even then; the rest had no room.
    let posting = without_hold.unwrap().into_posting();
    let whole = posting_of(&record).call;
    assert_eq!(posting.call.account, record.account);
    assert_eq!(posting.call.key, record.key);
    assert_eq!(
        (posting.call.cost, posting.call.usage),
        (whole.cost, whole.usage)
    );
    assert_eq!(posting.call.plan.as_str(), "unknown");
    assert_eq!(posting.counters, []);
}

#[test]
fn a_route_that_does_not_fit_is_cut_and_nothing_else() {
    let mut record = longest();
    record.route = format!("/{}", name("r", 999)).into();
    let [open, _] = found(&record, false);
    let Some(Recovered::Open(found, None)) = open else {
        panic!("it was held: {open:?}");
    };
    assert!(record.route.starts_with(&*found.route));
    assert!(
        found.route.len() > 5 && found.route.len() < 100,
        "{}",
        found.route
    );
    let route = found.route.clone();
    assert_eq!(*found, HoldRecord { route, ..record });

    let mut short = hold(1);
    short.route = format!("/{}", name("r", 200)).into();
    let [open, _] = super::longest::found(&short, false);
    assert_eq!(open, Some(Recovered::Open(Box::new(short), None)));
}

#[test]
fn every_counter_that_there_can_be_has_room_beside_the_longest_ids() {
    let mut record = longest();
    let mut counters = Vec::new();
    for whose in [Whose::Account, Whose::Key] {
        for unit in [Unit::Requests, Unit::Tokens, Unit::Usd] {
            for per in [Per::Hour, Per::Day, Per::Week, Per::Month, Per::Period] {
                let start = 1_700_000_000_000 + i64::try_from(counters.len()).unwrap();
                counters.push(HeldCounter {
                    whose,
                    unit,
                    per,
                    window_start: Timestamp::from_millis(start),
                });
            }
        }
    }
    assert_eq!(counters.len(), 30);
    record.counters = counters.into();
    let [open, _] = found(&record, false);
    let Some(Recovered::Open(found, None)) = open else {
        panic!("it was held: {open:?}");
    };
    assert_eq!(found.counters, record.counters);
    assert_eq!(
        (&found.plan, &found.provider),
        (&record.plan, &record.provider)
    );

    let one = record.counters[0];
    record.counters = vec![one; 500].into();
    let bench = Bench::new();
    let mut place = bench.start().take().unwrap();
    let refused = place.write_hold(&record).unwrap_err().to_string();
    assert!(refused.contains("500 counters"), "{refused}");
    drop(place);
    assert_eq!(bench.found(), []);
}

#[test]
fn an_endpoint_has_one_number() {
    for (number, endpoint) in ENDPOINTS.into_iter().enumerate() {
        assert_eq!(usize::from(endpoint_code(endpoint)), number);
    }
    assert_eq!(ENDPOINTS[1], Endpoint::ChatCompletions);
}

fn a_name(longest: usize) -> impl Strategy<Value = String> {
    vec("[a-zA-Z0-9.:@/+_-]", 1..=longest).prop_map(|letters| letters.concat())
}

proptest! {
    #[test]
    fn whatever_the_names_are_they_come_back(
        ids in [a_name(64), a_name(64), a_name(64), a_name(64)],
        models in [option::of(a_name(128)), option::of(a_name(128))],
        price_version in option::of(a_name(20)),
        route in a_name(40),
    ) {
        let mut record = hold(1);
        record.account = AccountId::parse(&ids[0]).unwrap();
        record.key = KeyId::parse(&ids[1]).unwrap();
        record.plan = PlanId::parse(&ids[2]).unwrap();
        record.provider = ProviderId::parse(&ids[3]).unwrap();
        [record.model, record.upstream_model] =
            models.map(|model| model.map(|model| ModelName::parse(&model).unwrap()));
        record.price_version = price_version.map(Into::into);
        record.route = format!("/{route}").into();
        let whole = posting_of(&record);
        let [with, without] = found(&record, true);
        let with = with.unwrap().into_posting();
        prop_assert!(record.route.starts_with(&*with.call.route));
        let route = whole.call.route.clone();
        prop_assert_eq!(&with.call.upstream_model, &whole.call.upstream_model);
        let mut with = with;
        with.call.route = route;
        prop_assert_eq!(&with, &whole);
        let without = without.unwrap().into_posting();
        prop_assert_eq!(without.call.account, whole.call.account);
        prop_assert_eq!(without.call.key, whole.call.key);
        prop_assert_eq!(without.call.cost, whole.call.cost);
    }
}
