use std::{fs::OpenOptions, time::Duration};

use super::{Bench, SLOTS, hold, posting_of, settled};
use crate::{
    accounts::Draws,
    domain::{NanoUsd, Unit, Usage},
    store::{Checkpoint, HoldRecord, Inflight, Outcome, Place, Recovered, Unwritten},
};

const SECOND: Duration = Duration::from_secs(1);

/// 640 tokens of input, and so many of output.
fn seen(output: u64) -> Checkpoint {
    let usage = Usage {
        input: 640,
        cached_input: 512,
        output,
        ..Usage::default()
    };
    let cost = i64::try_from(output).map_or(i64::MAX, |output| 100_000 + output * 601);
    Checkpoint {
        usage,
        cost: NanoUsd::from_nanos(cost),
    }
}

fn open(number: u64, checkpoint: Option<Checkpoint>) -> Recovered {
    Recovered::Open(Box::new(hold(number)), checkpoint)
}

#[test]
fn a_kill_at_any_point_of_a_call_finds_it_as_far_as_it_was() {
    let bench = Bench::new();
    let inflight = bench.start();
    assert_eq!(bench.found(), []);

    let mut place = inflight.take().unwrap();
    assert_eq!(bench.found(), []);
    place.write_hold(&hold(1)).unwrap();
    assert_eq!(bench.found(), [open(1, None)]);
    // The clock of checkpoints starts with the first piece.
    assert!(!place.checkpoint(SECOND, 1, || seen(1)));
    assert!(!place.checkpoint(SECOND * 2 - Duration::from_millis(1), 999, || seen(999)));
    assert_eq!(bench.found(), [open(1, None)]);
    assert!(place.checkpoint(SECOND * 2, 999, || seen(999)));
    assert_eq!(bench.found(), [open(1, Some(seen(999)))]);
    assert!(!place.checkpoint(SECOND * 2, 1998, || seen(1998)));
    assert!(place.checkpoint(SECOND * 2, 1999, || seen(1999)));
    assert_eq!(bench.found(), [open(1, Some(seen(1999)))]);
    assert!(place.checkpoint(SECOND * 3, 2000, || seen(2000)));
    assert_eq!(bench.found(), [open(1, Some(seen(2000)))]);

    let posting = posting_of(&hold(1));
    place.settle(&posting).unwrap();
    assert_eq!(bench.found(), [settled(posting)]);
    place.recorded();
    assert_eq!(inflight.taken(), 0);
    // It is in the store, where the next start finds it.
    assert_eq!(bench.found(), [settled(posting_of(&hold(1)))]);

    // The next one has the same slot.
    let mut place = inflight.take().unwrap();
    place.write_hold(&hold(2)).unwrap();
    assert_eq!(bench.found(), [open(2, None)]);
    place.void();
    assert_eq!(bench.found(), []);
    assert!(bench.bytes()[4096..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_recorded_calls_left_is_wiped_and_nothing_else() {
    let bench = Bench::new();
    let inflight = bench.start();
    let places = (0..4).map(|number| {
        let mut place = inflight.take().unwrap();
        place.write_hold(&hold(number)).unwrap();
        place.settle(&posting_of(&hold(number))).unwrap();
        place
    });
    let mut places: Vec<_> = places.collect();
    drop(places.remove(1));
    places.into_iter().for_each(Place::recorded);
    assert_eq!(bench.found().len(), 4);
    inflight.wipe();
    assert_eq!(bench.found(), [settled(posting_of(&hold(1)))]);
}

#[test]
fn an_open_call_is_charged_its_input_or_what_was_seen() {
    let record = Box::new(hold(1));
    let posting = Recovered::Open(record.clone(), None).into_posting();
    let call = &posting.call;
    assert_eq!((call.outcome, call.status), (Outcome::Indeterminate, 500));
    assert_eq!((call.usage.input, call.usage.output), (800, 0));
    assert!(call.estimated && !call.overrun);
    assert_eq!(call.cost, Some(record.least));
    assert_eq!(posting.credit, Some(Draws::new()));

    let seen = seen(1001);
    let posting = Recovered::Open(record, Some(seen)).into_posting();
    assert_eq!(posting.call.usage, seen.usage);
    assert_eq!(posting.call.cost, Some(NanoUsd::from_nanos(701_601)));
    let adds = posting
        .counters
        .iter()
        .map(|change| (change.name.unit, change.add));
    let expected = [
        (Unit::Tokens, 1641),
        (Unit::Tokens, 1641),
        (Unit::Requests, 1),
        (Unit::Usd, 701_601),
    ];
    assert_eq!(adds.collect::<Vec<_>>(), expected);
}

#[test]
fn an_open_call_is_never_charged_more_than_it_held() {
    let charged = |record: &HoldRecord, checkpoint| {
        let call = Recovered::Open(Box::new(record.clone()), checkpoint).into_posting();
        (call.call.usage.total(), call.call.cost)
    };
    let mut record = hold(1);
    let most = (record.held_tokens, record.held);
    assert_eq!(charged(&record, Some(seen(u64::MAX))), most);
    record.input_estimate = 6000;
    record.least = NanoUsd::from_nanos(4_000_000);
    assert_eq!(charged(&record, None), most);

    // What has no limit holds nothing, and what has no price costs nothing.
    record.held_tokens = 0;
    record.held = None;
    assert_eq!(charged(&record, None), (6000, None));
}

#[test]
fn counters_move_as_they_were_settled_whatever_the_rule_is() {
    let bench = Bench::new();
    let inflight = bench.start();
    // Given back: nothing moves.
    let mut void = posting_of(&hold(1));
    void.call.usage = Usage::default();
    void.call.cost = None;
    void.call.outcome = Outcome::UpstreamFailed;
    void.counters.clear();
    void.credit = None;
    // Counted in another way than usage says.
    let mut odd = posting_of(&hold(2));
    odd.counters[0].add = 7;
    odd.counters[2].add = u64::MAX;
    for (number, posting) in [(1, &void), (2, &odd)] {
        let mut place = inflight.take().unwrap();
        place.write_hold(&hold(number)).unwrap();
        place.settle(posting).unwrap();
        drop(place);
    }
    assert_eq!(bench.found(), [settled(void), settled(odd)]);
}

#[test]
fn all_slots_can_be_taken_and_each_is_its_own() {
    let bench = Bench::new();
    let inflight = bench.start();
    let places = (0..u64::from(SLOTS)).map(|number| {
        let mut place = inflight.take().unwrap();
        place.write_hold(&hold(number)).unwrap();
        place
    });
    let mut places: Vec<_> = places.collect();
    assert!(inflight.take().is_none());
    assert_eq!(inflight.taken(), SLOTS as usize);
    let all: Vec<_> = (0..u64::from(SLOTS))
        .map(|number| open(number, None))
        .collect();
    assert_eq!(bench.found(), all);

    places.remove(7).void();
    let again = inflight.take().unwrap();
    assert!(inflight.take().is_none());
    let without_it: Vec<_> = all
        .into_iter()
        .filter(|call| *call != open(7, None))
        .collect();
    assert_eq!(bench.found(), without_it);
    drop(again);
}

#[test]
fn a_place_that_is_dropped_with_a_call_in_it_is_kept_for_the_next_start() {
    let bench = Bench::new();
    let inflight = bench.start();
    drop(inflight.take().unwrap());
    assert_eq!(inflight.taken(), 0);

    let mut place = inflight.take().unwrap();
    place.write_hold(&hold(1)).unwrap();
    drop(place);
    assert_eq!(inflight.taken(), 1);
    assert_eq!(bench.found(), [open(1, None)]);
    let inflight = bench.start();
    assert_eq!(inflight.taken(), 0);
    assert_eq!(bench.found(), []);
}

#[test]
fn a_settlement_without_a_hold_is_enough() {
    let bench = Bench::new();
    let mut place = bench.start().take().unwrap();
    let posting = posting_of(&hold(1));
    place.settle(&posting).unwrap();
    drop(place);
    assert_eq!(bench.found(), [settled(posting)]);
}

#[test]
fn in_memory_there_are_as_many_slots_and_nothing_is_kept() {
    let inflight = Inflight::in_memory(2);
    let mut first = inflight.take().unwrap();
    let second = inflight.take().unwrap();
    assert!(inflight.take().is_none());
    first.write_hold(&hold(1)).unwrap();
    assert!(!first.checkpoint(SECOND, 5000, || seen(5000)));
    first.settle(&posting_of(&hold(1))).unwrap();
    drop(first);
    second.void();
    assert_eq!(inflight.taken(), 0);
}

#[test]
fn what_the_disk_does_not_take_is_said_where_it_matters() {
    let bench = Bench::new();
    drop(bench.start());
    let file = OpenOptions::new().read(true).open(bench.file()).unwrap();
    let inflight = Inflight::in_file(file, bench.file(), SLOTS, false).unwrap();
    let mut place = inflight.take().unwrap();
    let refused = place.write_hold(&hold(1)).unwrap_err();
    assert!(matches!(refused, Unwritten::Disk { .. }), "{refused}");
    // Nobody knows what is in the slot, and it cannot be emptied.
    drop(place);
    assert_eq!(inflight.taken(), 1);

    let mut place = inflight.take().unwrap();
    let refused = place.settle(&posting_of(&hold(1))).unwrap_err();
    let words = refused.to_string();
    assert!(
        words.contains("faregate.db.inflight (Bad file descriptor"),
        "{words}"
    );
}

#[tokio::test]
async fn a_strict_place_waits_for_the_disk_and_a_grouped_one_does_not() {
    let bench = Bench::new();
    let (file, path) = super::scan(bench.file()).unwrap().renew(SLOTS).unwrap();
    let strict = Inflight::in_file(file, path, SLOTS, true).unwrap();
    let mut place = strict.take().unwrap();
    place.write_hold(&hold(1)).unwrap();
    let mut waiting = std::pin::pin!(place.on_disk());
    waiting.as_mut().await.unwrap();
    place.void();
    drop(strict);

    let place = bench.start().take().unwrap();
    let ready = futures_util::FutureExt::now_or_never(place.on_disk());
    assert_eq!(ready, Some(Ok(())));
}
