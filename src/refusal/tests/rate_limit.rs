//! The fields that say how much is left.

use std::{fmt::Write as _, time::Duration};

use super::now;
use crate::{
    domain::{Per, Scope, Timestamp, Unit},
    providers::Dialect,
    refusal::{
        CountedPer,
        rate_limit::{PolicyState, write},
    },
};
use http::HeaderMap;

fn per_minute(unit: Unit, quota: u64, remaining: u64) -> PolicyState {
    PolicyState {
        scope: Scope::Plan,
        unit,
        per: Some(CountedPer::Minute),
        quota,
        window_seconds: Some(60),
        remaining,
        resets_at: Some(now().plus(Duration::from_millis(1_500))),
    }
}

fn per_day(quota: u64, remaining: u64) -> PolicyState {
    PolicyState {
        per: Some(CountedPer::Window(Per::Day)),
        window_seconds: Some(86_400),
        resets_at: Some(now().plus(Duration::from_secs(12 * 3600))),
        ..per_minute(Unit::Tokens, quota, remaining)
    }
}

fn fields(policies: &[PolicyState], dialect: Dialect) -> String {
    let mut headers = HeaderMap::new();
    write(policies, dialect, now(), &mut headers);
    let mut out = String::new();
    for (name, value) in &headers {
        let value = value.to_str().expect("visible ASCII");
        writeln!(out, "{name}: {value}").expect("a string");
    }
    out
}

#[test]
fn all_policies_are_told_in_every_dialect() {
    let concurrent = PolicyState {
        per: None,
        window_seconds: None,
        resets_at: None,
        ..per_minute(Unit::Requests, 2, 1)
    };
    let key = PolicyState {
        scope: Scope::Key,
        ..per_minute(Unit::Requests, 60, 3)
    };
    let policies = [
        per_minute(Unit::Requests, 600, 4),
        key,
        per_day(100_000, 99_000),
        concurrent,
    ];
    let mut out = String::new();
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        let fields = fields(&policies, dialect);
        writeln!(out, "=== {}\n{fields}", dialect.as_str()).expect("a string");
    }
    insta::assert_snapshot!(out);
}

#[test]
fn the_limit_per_minute_is_the_vendors_limit() {
    let policies = [
        per_day(100_000, 5),
        per_minute(Unit::Tokens, 40_000, 39_000),
    ];
    let fields = fields(&policies, Dialect::OpenAi);
    assert!(fields.contains("x-ratelimit-limit-tokens: 40000\n"));
    assert!(fields.contains("x-ratelimit-remaining-tokens: 39000\n"));
}

#[test]
fn without_policies_there_are_no_fields() {
    assert_eq!(fields(&[], Dialect::OpenAi), "");
}

#[test]
fn figures_stay_within_what_a_structured_field_holds() {
    let huge = PolicyState {
        window_seconds: Some(u64::MAX),
        resets_at: Some(Timestamp::from_millis(i64::MAX)),
        ..per_minute(Unit::Requests, u64::MAX, u64::MAX)
    };
    let fields = fields(&[huge], Dialect::OpenAi);
    assert!(fields.contains("q=999999999999999;w=999999999999999\n"));
    assert!(fields.contains("r=999999999999999;t="));
}

#[test]
fn resets_are_written_as_go_writes_durations() {
    for (millis, text) in [
        (0, "0s"),
        (12, "12ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (1_050, "1.05s"),
        (1_005, "1.005s"),
        (59_999, "59.999s"),
        (60_000, "1m0s"),
        (360_000, "6m0s"),
        (3_600_000, "1h0m0s"),
        (43_201_250, "12h0m1.25s"),
        (90_000_000, "25h0m0s"),
    ] {
        let state = PolicyState {
            resets_at: Some(now().plus(Duration::from_millis(millis))),
            ..per_minute(Unit::Requests, 1, 0)
        };
        let expected = format!("x-ratelimit-reset-requests: {text}\n");
        assert!(fields(&[state], Dialect::OpenAi).contains(&expected));
    }
}

#[test]
fn a_reset_that_has_passed_is_now() {
    let state = PolicyState {
        resets_at: Some(Timestamp::from_millis(0)),
        ..per_minute(Unit::Requests, 1, 1)
    };
    assert!(fields(&[state], Dialect::OpenAi).contains("r=1;t=0\n"));
}
