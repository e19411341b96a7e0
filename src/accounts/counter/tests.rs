use std::time::Duration;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

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
        let mut counter = Counter::restore(name(per), &[], start, anchor);
        let (mut furthest, mut boundaries, mut resets) = (start, 0_u64, 0_u64);
        let mut step = 0;
        while furthest < end {
            step += 1;
            let random = noise(step);
            let millis = i64::try_from(random % 3_600_000).unwrap() + 1;
            let now = if random.is_multiple_of(50) {
                // A clock that is put right: up to an hour back.
                Timestamp::from_millis(furthest.millis() - millis)
            } else {
                Timestamp::from_millis(furthest.millis() + millis)
            };
            if now >= per.window(furthest, anchor).end {
                boundaries += 1;
            }
            counter.used += 7;
            counter.roll(now, anchor);
            if counter.used == 0 {
                assert_eq!(counter.held, 0);
                resets += 1;
            }
            furthest = furthest.max(now);
            let [present, latest] = [now, furthest].map(|at| per.window(at, anchor).start);
            assert!(
                (present..=latest).contains(&counter.window.start),
                "{per} {now}"
            );
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
    let rows = [row];
    let restore = |now: &str| Counter::restore(name(Per::Day), &rows, at(now), anchor);
    assert_eq!(restore("2026-11-20T23:59:59.999Z").used, 41);
    assert_eq!(restore("2026-11-21T00:00:00Z").used, 0);
    // The clock was put back while nobody looked: what was used stays used.
    assert_eq!(restore("2026-11-19T12:00:00Z").used, 41);
}

#[test]
fn a_period_that_only_changes_its_end_keeps_its_count() {
    let month = billing("2026-11-20T00:00:00Z", 30);
    let mut counter = Counter::restore(name(Per::Period), &[], at("2026-11-25T00:00:00Z"), month);
    counter.used = 9;
    counter.roll(
        at("2026-11-25T00:00:00Z"),
        billing("2026-11-20T00:00:00Z", 365),
    );
    assert_eq!(counter.used, 9);
    assert_eq!(counter.window.end, at("2027-11-20T00:00:00Z"));
    // The renewal says what the rolled window said already.
    let mut counter = Counter::restore(name(Per::Period), &[], at("2026-12-20T00:00:00Z"), month);
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

    /// However the clock moves, the window is the one that it shows, or one that had begun less than a day later; and a
    /// window that was the present one or the one before does not begin again.
    #[test]
    fn a_clock_that_jumps_brings_no_window_back(steps in steps()) {
        let anchor = Anchor::Creation(at("2026-01-31T10:00:00Z"));
        for per in ALL {
            let mut now = at("2026-02-01T00:00:00Z");
            let mut counter = Counter::restore(name(per), &[], now, anchor);
            // What was used in the window before the present one, when it was left.
            let mut left = (Timestamp::from_millis(0), 0);
            for step in &steps {
                counter.used += 1;
                now = Timestamp::from_millis(now.millis() + step);
                let (before, used) = (counter.window, counter.used);
                counter.roll(now, anchor);
                let is = (counter.window, counter.used);
                if is.0 == before {
                    let believed = now.millis() >= before.start.millis() - 86_400_000;
                    prop_assert!(before.contains(now) || now < before.start && believed);
                    prop_assert_eq!(is.1, used);
                    continue;
                }
                prop_assert_eq!(is.0, per.window(now, anchor));
                let known = if is.0.start == left.0 { left.1 } else { 0 };
                let later = is.0.start > before.start;
                let most = if later { known } else { known + used };
                prop_assert!((known..=most).contains(&is.1));
                prop_assert!(later || is.1 >= used);
                left = (before.start, used);
            }
        }
    }
}

/// A start between two windows that are stored, and one that finds the clock ahead and sees it put right.
#[test]
fn what_a_clock_ahead_began_is_known_after_a_start() {
    let anchor = Anchor::Creation(at("2026-01-31T10:00:00Z"));
    let row = |start, used| CounterRow {
        name: name(Per::Day),
        window_start: at(start),
        used,
    };
    let stored = [
        row("2026-11-22T00:00:00Z", 4),
        row("2026-11-21T00:00:00Z", 90),
    ];
    for started in ["2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"] {
        let mut counter = Counter::restore(name(Per::Day), &stored, at(started), anchor);
        counter.roll(at("2026-11-21T12:00:00Z"), anchor);
        assert_eq!(
            (counter.window.end, counter.used),
            (at("2026-11-22T00:00:00Z"), 94)
        );
        counter.roll(at("2026-11-22T00:00:00Z"), anchor);
        assert_eq!(counter.used, 4);
        counter.roll(at("2026-11-23T00:00:00Z"), anchor);
        assert_eq!(counter.used, 0);
    }
}

/// The next year's window, which a clock showed for a moment, is neither waited for nor lost.
#[test]
fn a_call_under_way_while_the_clock_is_put_right_counts_in_its_own_window() {
    let anchor = billing("2026-03-01T00:00:00Z", 365);
    let (now, ahead) = (at("2026-11-21T12:30:00Z"), at("2027-11-21T12:30:00Z"));
    let mut counter = Counter::restore(name(Per::Period), &[], now, anchor);
    let began = counter.window.start;
    counter.held = 7;
    counter.roll(ahead, anchor);
    let next = counter.window.start;
    counter.held = 5;
    counter.roll(now, anchor);
    assert_eq!((counter.window.start, counter.held), (began, 7));
    counter.replace(began, (0, 7), (6, 0));
    counter.replace(next, (0, 5), (3, 0));
    assert_eq!((counter.used, counter.held), (6, 0));
    counter.roll(ahead, anchor);
    assert_eq!(
        (counter.window.start, counter.used, counter.held),
        (next, 3, 0)
    );
}

#[test]
fn a_clock_that_was_a_year_ahead_for_a_moment_stops_no_window() {
    let anchor = Anchor::Creation(at("2026-01-31T10:00:00Z"));
    let now = at("2026-11-21T12:30:00Z");
    for per in ALL {
        let mut counter = Counter::restore(name(per), &[], now, anchor);
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
    let (begun, rows) = (row.window_start, [row]);
    let counter = Counter::restore(name(Per::Period), &rows, now, anchor);
    assert_eq!((counter.window.start, counter.used), (begun, 4));
    assert_eq!(counter.window.end, at("2026-12-15T00:00:00Z"));
    let next = at("2026-12-15T00:00:00Z");
    let counter = Counter::restore(name(Per::Period), &rows, next, anchor);
    assert_eq!(counter.used, 0);
}
