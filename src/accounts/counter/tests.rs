use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert_eq, prop_oneof, proptest};

use super::{Counter, CounterName, CounterRow, Owner};
use crate::{
    accounts::fixtures::at,
    domain::{AccountId, Anchor, Per, Timestamp, Unit, Window},
};

const ALL: [Per; 5] = [Per::Hour, Per::Day, Per::Week, Per::Month, Per::Period];

fn name(per: Per) -> CounterName {
    CounterName {
        owner: Owner::Account(AccountId::parse("a").unwrap()),
        unit: Unit::Requests,
        per,
    }
}

fn billing(start: &str, days: u64) -> Anchor {
    let start = at(start);
    let end = start.plus(Duration::from_secs(days * 86_400));
    Anchor::Billing(Window { start, end })
}

/// Small pseudo-random numbers without state of their own, so that a failure can be run again.
fn noise(index: u64) -> u64 {
    let mut bits = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits ^= bits >> 29;
    bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^ (bits >> 32)
}

/// Ten thousand days in steps of at most an hour, with a step back now and then: every boundary starts the count again
/// once, and nothing else does.
#[test]
fn every_boundary_resets_once_over_ten_thousand_days() {
    let days = 10_000;
    for (per, anchor) in [
        (Per::Hour, Anchor::Creation(at("2026-01-31T10:00:00Z"))),
        (Per::Day, Anchor::Creation(at("2026-01-31T10:00:00Z"))),
        (Per::Week, Anchor::Creation(at("2026-01-31T10:00:00Z"))),
        (Per::Month, Anchor::Creation(at("2026-01-31T10:00:00Z"))),
        (Per::Period, Anchor::Creation(at("2026-01-31T10:00:00Z"))),
        (Per::Period, billing("2026-01-20T06:30:00Z", 30)),
    ] {
        let start = at("2026-02-01T00:00:00Z");
        let end = start.plus(Duration::from_secs(days * 86_400));
        let mut counter = Counter::restore(name(per), None, start, anchor);
        let (mut furthest, mut boundaries, mut resets) = (start, 0_u64, 0_u64);
        let mut step = 0;
        while furthest < end {
            step += 1;
            let random = noise(step);
            let millis = i64::try_from(random % 3_600_000).unwrap() + 1;
            let now = if random.is_multiple_of(50) {
                // A clock that is put right: up to two hours back.
                Timestamp::from_millis(furthest.millis() - 2 * millis)
            } else {
                Timestamp::from_millis(furthest.millis() + millis)
            };
            if now >= per.window(furthest, anchor).end {
                boundaries += 1;
            }
            counter.used = 7;
            let generation = counter.generation;
            counter.roll(now, anchor);
            if counter.generation != generation {
                assert_eq!((counter.used, counter.held), (0, 0));
                resets += 1;
            } else {
                assert_eq!(counter.used, 7);
            }
            furthest = furthest.max(now);
            assert_eq!(counter.window, per.window(furthest, anchor), "{per} {now}");
        }
        assert_eq!(resets, boundaries, "{per}");
        assert!(boundaries >= days / 31, "{per} {boundaries}");
    }
}

#[test]
fn a_stored_count_goes_on_in_its_window_and_ends_with_it() {
    let anchor = Anchor::Creation(at("2026-01-01T00:00:00Z"));
    let row = CounterRow {
        name: name(Per::Day),
        window_start: at("2026-11-20T00:00:00Z"),
        used: 41,
    };
    let restore = |now: &str| Counter::restore(name(Per::Day), Some(&row), at(now), anchor);
    assert_eq!(restore("2026-11-20T23:59:59.999Z").used, 41);
    assert_eq!(restore("2026-11-21T00:00:00Z").used, 0);
    // The clock was put back while nobody looked: what was used stays used.
    assert_eq!(restore("2026-11-19T12:00:00Z").used, 41);
}

#[test]
fn a_period_that_only_changes_its_end_keeps_its_count() {
    let month = billing("2026-11-20T00:00:00Z", 30);
    let mut counter = Counter::restore(name(Per::Period), None, at("2026-11-25T00:00:00Z"), month);
    counter.used = 9;
    counter.roll(
        at("2026-11-25T00:00:00Z"),
        billing("2026-11-20T00:00:00Z", 365),
    );
    assert_eq!(counter.used, 9);
    assert_eq!(counter.window.end, at("2027-11-20T00:00:00Z"));
    // The renewal says what the rolled window said already.
    let mut counter = Counter::restore(name(Per::Period), None, at("2026-12-20T00:00:00Z"), month);
    counter.used = 9;
    counter.roll(
        at("2026-12-21T00:00:00Z"),
        billing("2026-12-20T00:00:00Z", 31),
    );
    assert_eq!(counter.used, 9);
    assert_eq!(counter.window.end, at("2027-01-20T00:00:00Z"));
    // A new period starts again, once.
    counter.roll(
        at("2027-01-20T00:00:00Z"),
        billing("2027-01-20T00:00:00Z", 31),
    );
    assert_eq!(counter.used, 0);
}

fn steps() -> impl Strategy<Value = Vec<i64>> {
    let hour = 3_600_000_i64;
    let step = prop_oneof![
        4 => 1..hour,
        2 => 1..40 * 24 * hour,
        1 => -3 * 24 * hour..0,
        1 => Just(0_i64),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However the clock moves, the window is the one of the furthest instant seen, or of now where that is more than a
    /// window and a day before it, and a count is lost only with a window that came after its own.
    #[test]
    fn a_clock_that_jumps_brings_no_window_back(steps in steps()) {
        let anchor = Anchor::Creation(at("2026-01-31T10:00:00Z"));
        for per in ALL {
            let mut now = at("2026-02-01T00:00:00Z");
            let mut counter = Counter::restore(name(per), None, now, anchor);
            let (mut furthest, mut used) = (now, 0);
            for step in &steps {
                now = Timestamp::from_millis(now.millis() + step);
                let before = counter.window;
                counter.roll(now, anchor);
                let shown = per.window(furthest, anchor).start;
                let last = per.window(Timestamp::from_millis(shown.millis() - 86_400_000), anchor);
                furthest = if now < last.start { now } else { furthest.max(now) };
                prop_assert_eq!(counter.window, per.window(furthest, anchor));
                used = if counter.window.start <= before.start { used } else { 0 };
                prop_assert_eq!(counter.used, used);
                counter.used += 1;
                used += 1;
            }
        }
    }
}

#[test]
fn a_clock_that_was_a_year_ahead_for_a_moment_stops_no_window() {
    let anchor = Anchor::Creation(at("2026-01-31T10:00:00Z"));
    let now = at("2026-11-21T12:30:00Z");
    for per in ALL {
        let mut counter = Counter::restore(name(per), None, now, anchor);
        counter.roll(at("2027-11-21T12:30:00Z"), anchor);
        counter.used = 5;
        counter.roll(now, anchor);
        let present = per.window(now, anchor);
        assert_eq!((counter.window, counter.used), (present, 5), "{per}");
        counter.roll(present.end, anchor);
        assert_eq!(counter.used, 0, "{per}");
    }
}

/// A subscription that was linked after its account was seen began before the window that is stored: the store goes on
/// with the row that it has, and not with another one that nobody reads.
#[test]
fn what_was_stored_goes_on_in_its_own_window() {
    let row = CounterRow {
        name: name(Per::Period),
        window_start: at("2026-11-21T13:46:00Z"),
        used: 4,
    };
    let anchor = billing("2026-11-15T00:00:00Z", 30);
    let now = at("2026-11-22T00:00:00Z");
    let counter = Counter::restore(name(Per::Period), Some(&row), now, anchor);
    assert_eq!((counter.window.start, counter.used), (row.window_start, 4));
    assert_eq!(counter.window.end, at("2026-12-15T00:00:00Z"));
    let next = at("2026-12-15T00:00:00Z");
    let counter = Counter::restore(name(Per::Period), Some(&row), next, anchor);
    assert_eq!(counter.used, 0);
}
