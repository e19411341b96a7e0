use std::time::Duration;

use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Anchor, Per, Window};
use crate::domain::Timestamp;

const ALL: [Per; 5] = [Per::Hour, Per::Day, Per::Week, Per::Month, Per::Period];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn billing(start: &str, end: &str) -> Anchor {
    Anchor::Billing(Window {
        start: at(start),
        end: at(end),
    })
}

#[track_caller]
fn check(per: Per, anchor: Anchor, now: &str, start: &str, end: &str) {
    let window = per.window(at(now), anchor);
    assert_eq!(
        (window.start.to_string(), window.end.to_string()),
        (at(start).to_string(), at(end).to_string()),
        "{per} around {now}"
    );
}

#[test]
fn calendar_windows_are_those_of_utc() {
    let any = Anchor::Creation(at("2026-01-01T00:00:00Z"));
    let cases = [
        // The last instant of one window and the first of the next.
        (
            Per::Hour,
            "2026-11-20T12:59:59.999Z",
            "2026-11-20T12:00:00Z",
            "2026-11-20T13:00:00Z",
        ),
        (
            Per::Hour,
            "2026-11-20T13:00:00Z",
            "2026-11-20T13:00:00Z",
            "2026-11-20T14:00:00Z",
        ),
        (
            Per::Day,
            "2026-11-20T23:59:59.999Z",
            "2026-11-20T00:00:00Z",
            "2026-11-21T00:00:00Z",
        ),
        (
            Per::Day,
            "2026-11-21T00:00:00Z",
            "2026-11-21T00:00:00Z",
            "2026-11-22T00:00:00Z",
        ),
        // An ISO week begins on Monday, whatever the year does meanwhile.
        (
            Per::Week,
            "2026-11-22T23:59:59.999Z",
            "2026-11-16T00:00:00Z",
            "2026-11-23T00:00:00Z",
        ),
        (
            Per::Week,
            "2027-01-01T12:00:00Z",
            "2026-12-28T00:00:00Z",
            "2027-01-04T00:00:00Z",
        ),
        (
            Per::Month,
            "2028-02-29T12:00:00Z",
            "2028-02-01T00:00:00Z",
            "2028-03-01T00:00:00Z",
        ),
        (
            Per::Month,
            "2026-12-31T23:59:59.999Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
        // Before the epoch the arithmetic is the same.
        (
            Per::Day,
            "1969-12-31T23:00:00Z",
            "1969-12-31T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ),
        (
            Per::Week,
            "1969-12-31T23:00:00Z",
            "1969-12-29T00:00:00Z",
            "1970-01-05T00:00:00Z",
        ),
    ];
    for (per, now, start, end) in cases {
        check(per, any, now, start, end);
    }
}

#[test]
fn a_billing_period_rolls_on_by_its_own_length() {
    let period = billing("2026-11-20T06:00:00Z", "2026-12-20T06:00:00Z");
    check(
        Per::Period,
        period,
        "2026-11-20T06:00:00Z",
        "2026-11-20T06:00:00Z",
        "2026-12-20T06:00:00Z",
    );
    check(
        Per::Period,
        period,
        "2026-12-20T06:00:00Z",
        "2026-12-20T06:00:00Z",
        "2027-01-20T06:00:00Z",
    );
    check(
        Per::Period,
        period,
        "2026-11-20T05:59:59Z",
        "2026-10-20T06:00:00Z",
        "2026-11-20T06:00:00Z",
    );
    // Two weeks, and thirty days that are no month.
    check(
        Per::Period,
        billing("2026-11-20T06:00:00Z", "2026-12-04T06:00:00Z"),
        "2027-01-20T06:00:00Z",
        "2027-01-15T06:00:00Z",
        "2027-01-29T06:00:00Z",
    );
    check(
        Per::Period,
        billing("2026-10-01T06:00:00Z", "2026-10-31T06:00:00Z"),
        "2026-12-01T00:00:00Z",
        "2026-11-30T06:00:00Z",
        "2026-12-30T06:00:00Z",
    );
    // A period of no length is none: a month has to do.
    let empty = billing("2026-11-20T06:00:00Z", "2026-11-20T06:00:00Z");
    check(
        Per::Period,
        empty,
        "2026-11-25T00:00:00Z",
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    );
}

/// The payment provider bills on the same day of each month, and its next word is of a period that began there.
#[test]
fn a_billing_period_of_months_rolls_on_by_months() {
    let rolls = |day: &str, months: &[&str]| {
        let at = |month: &&str| match month.len() {
            7 => format!("{month}-{day}T06:30:00Z"),
            _ => format!("{month}T06:30:00Z"),
        };
        let ends: Vec<String> = months.iter().map(at).collect();
        // From each of them, whichever was said last.
        for said in ends.windows(2) {
            for around in ends.windows(2) {
                let period = billing(&said[0], &said[1]);
                check(Per::Period, period, &around[0], &around[0], &around[1]);
            }
        }
    };
    let year = [
        "2027-10", "2027-11", "2027-12", "2028-01", "2028-02", "2028-03", "2028-04", "2028-05",
        "2028-06", "2028-07", "2028-08", "2028-09", "2028-10", "2028-11",
    ];
    rolls("15", &year);
    rolls("28", &year);
    // Each of these ends says the day: the 31st, of a year with a leap day and of one without.
    rolls(
        "31",
        &[
            "2027-12",
            "2028-01",
            "2028-02-29",
            "2028-03",
            "2028-04-30",
            "2028-05",
        ],
    );
    rolls("31", &["2027-01", "2027-02-28", "2027-03"]);
    rolls("30", &["2027-01", "2027-02-28", "2027-03", "2027-04"]);
    // A quarter and years.
    rolls("30", &["2027-11", "2028-02-29", "2028-05", "2028-08"]);
    rolls("01", &["2026-03", "2027-03", "2028-03", "2029-03"]);
}

#[test]
fn months_from_creation_keep_the_day_where_the_month_has_it() {
    let created = Anchor::Creation(at("2026-01-31T10:00:00Z"));
    check(
        Per::Period,
        created,
        "2026-02-28T09:59:59Z",
        "2026-01-31T10:00:00Z",
        "2026-02-28T10:00:00Z",
    );
    check(
        Per::Period,
        created,
        "2026-02-28T10:00:00Z",
        "2026-02-28T10:00:00Z",
        "2026-03-31T10:00:00Z",
    );
    check(
        Per::Period,
        created,
        "2028-02-29T10:00:00Z",
        "2028-02-29T10:00:00Z",
        "2028-03-31T10:00:00Z",
    );
    // A clock that went back before the creation.
    check(
        Per::Period,
        created,
        "2025-12-31T10:00:00Z",
        "2025-12-31T10:00:00Z",
        "2026-01-31T10:00:00Z",
    );
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for millis in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
        let now = Timestamp::from_millis(millis);
        for per in ALL {
            for anchor in [
                Anchor::Creation(now),
                Anchor::Creation(at("2026-01-31T10:00:00Z")),
                billing("2026-11-20T06:00:00Z", "2026-12-20T06:00:00Z"),
            ] {
                let window = per.window(now, anchor);
                assert!(window.start <= window.end, "{per} {now} {window:?}");
            }
        }
    }
}

#[test]
fn words_are_read_back() {
    for per in ALL {
        assert_eq!(Per::parse(per.as_str()), Some(per));
    }
    assert_eq!(Per::parse("minute"), None);
}

fn anchors() -> impl Strategy<Value = Anchor> {
    // 2000 to 2100.
    let instant = || (946_684_800_000_i64..4_102_444_800_000).prop_map(Timestamp::from_millis);
    let length = prop_oneof![
        Just(86_400_000_u64),
        Just(30 * 86_400_000),
        Just(365 * 86_400_000),
        1_000_u64..100_000_000_000
    ];
    prop_oneof![
        instant().prop_map(Anchor::Creation),
        (instant(), 1_i32..40).prop_map(|(end, months)| {
            let start = end.to_jiff().to_zoned(jiff::tz::TimeZone::UTC);
            let start = start
                .saturating_sub(jiff::ToSpan::months(months))
                .timestamp();
            let start = Timestamp::from_millis(start.as_millisecond());
            Anchor::Billing(Window { start, end })
        }),
        (instant(), length).prop_map(|(start, length)| Anchor::Billing(Window {
            start,
            end: start.plus(Duration::from_millis(length)),
        })),
    ]
}

proptest! {
    /// Windows lie side by side: every instant is in exactly one.
    #[test]
    fn windows_tile_the_time(
        now in 946_684_800_000_i64..4_102_444_800_000,
        anchor in anchors(),
    ) {
        for per in ALL {
            let window = per.window(Timestamp::from_millis(now), anchor);
            prop_assert!(window.contains(Timestamp::from_millis(now)), "{per} {window:?}");
            prop_assert_eq!(per.window(window.start, anchor), window);
            let last = Timestamp::from_millis(window.end.millis() - 1);
            prop_assert_eq!(per.window(last, anchor), window);
            let next = per.window(window.end, anchor);
            prop_assert_eq!(next.start, window.end, "{}", per);
        }
    }
}
