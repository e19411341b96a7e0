use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use crate::domain::{LimitStatus, Limits, Mode, Per, Quota, RateLimits, Unit};

use super::{limits_from_json, limits_to_json};

#[test]
fn what_is_written_has_the_shape_of_the_configuration_file() {
    let limits = Limits {
        rates: RateLimits {
            requests_per_minute: 20.try_into().ok(),
            ..RateLimits::default()
        },
        quotas: vec![Quota {
            unit: Unit::Tokens,
            per: Per::Day,
            limit: 100_000,
            status: LimitStatus::PaymentRequired,
            mode: Mode::Enforce,
        }],
    };
    assert_eq!(
        limits_to_json(&limits),
        json!({
            "rate_limits": {"requests_per_minute": 20},
            "quotas": [{"tokens": 100_000, "per": "day", "status": 402, "mode": "enforce"}],
        })
    );
    assert_eq!(limits_to_json(&Limits::default()), json!({}));
}

#[test]
fn a_quota_may_leave_out_status_and_mode() {
    let limits = limits_from_json(&json!({"quotas": [{"requests": 0, "per": "month"}]})).unwrap();
    let [quota] = limits.quotas[..] else {
        panic!("one quota was written: {limits:?}");
    };
    assert_eq!(quota.status, LimitStatus::PaymentRequired);
    assert_eq!(quota.mode, Mode::Enforce);
    assert_eq!(
        (quota.unit, quota.per, quota.limit),
        (Unit::Requests, Per::Month, 0)
    );
}

#[test]
fn a_mistake_is_explained_with_its_place() {
    let mistakes = [
        json!([]),
        json!({"budget": []}),
        json!({"budgets": [{"tokens": 1, "per": "day"}]}),
        json!({"budgets": [{"per": "day"}]}),
        json!({"budgets": [{"usd": 1.5, "per": "day"}]}),
        json!({"budgets": [{"usd": "-1", "per": "day"}]}),
        json!({"budgets": [{"usd": "0.0000000001", "per": "day"}]}),
        json!({"budgets": [{"usd": 1, "per": "day"}, {"usd": "2", "per": "day"}]}),
        json!({"rate_limits": 5}),
        json!({"rate_limits": {"requests_per_second": 5}}),
        json!({"rate_limits": {"requests_per_minute": 0}}),
        json!({"rate_limits": {"requests_per_minute": 5_000_000_000_u64}}),
        json!({"rate_limits": {"tokens_per_minute": "many"}}),
        json!({"rate_limits": {"concurrent_requests": 1.5}}),
        json!({"quotas": {}}),
        json!({"quotas": [7]}),
        json!({"quotas": [{"tokens": 1, "per": "year"}]}),
        json!({"quotas": [{"tokens": -1, "per": "day"}]}),
        json!({"quotas": [{"tokens": 1}]}),
        json!({"quotas": [{"per": "day"}]}),
        json!({"quotas": [{"tokens": 1, "requests": 1, "per": "day"}]}),
        json!({"quotas": [{"tokens": 1, "per": "day", "status": 404}]}),
        json!({"quotas": [{"tokens": 1, "per": "day", "mode": "off"}]}),
        json!({"quotas": [{"usd": 1, "per": "day"}]}),
        json!({"quotas": [{"tokens": 1, "per": "day"}, {"tokens": 2, "per": "day"}]}),
    ];
    let words: Vec<String> = mistakes
        .iter()
        .map(|json| limits_from_json(json).expect_err("each of these is a mistake"))
        .collect();
    insta::assert_snapshot!(words.join("\n"));
}

fn quota() -> impl Strategy<Value = Quota> {
    let unit = prop_oneof![Just(Unit::Requests), Just(Unit::Tokens), Just(Unit::Usd)];
    let per = prop_oneof![
        Just(Per::Hour),
        Just(Per::Day),
        Just(Per::Week),
        Just(Per::Month),
        Just(Per::Period)
    ];
    let status = prop_oneof![
        Just(LimitStatus::PaymentRequired),
        Just(LimitStatus::Forbidden),
        Just(LimitStatus::TooManyRequests)
    ];
    let mode = prop_oneof![Just(Mode::Enforce), Just(Mode::Shadow)];
    (unit, per, 0..=i64::MAX as u64, status, mode).prop_map(|(unit, per, limit, status, mode)| {
        Quota {
            unit,
            per,
            limit,
            status,
            mode,
        }
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let rates =
        (any::<u32>(), any::<u64>(), any::<u32>()).prop_map(|(calls, tokens, open)| RateLimits {
            requests_per_minute: calls.try_into().ok(),
            tokens_per_minute: tokens.try_into().ok(),
            concurrent_requests: open.try_into().ok(),
        });
    (rates, prop::collection::vec(quota(), 0..8)).prop_map(|(rates, mut quotas)| {
        quotas.sort_by_key(|quota| (quota.unit, quota.per));
        quotas.dedup_by_key(|quota| (quota.unit, quota.per));
        Limits { rates, quotas }
    })
}

proptest! {
    #[test]
    fn reading_gives_back_what_was_written(limits in limits()) {
        let text = limits_to_json(&limits).to_string();
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(limits_from_json(&read), Ok(limits));
    }
}
