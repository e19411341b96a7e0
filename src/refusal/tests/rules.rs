//! When a client is told to try again, and with which status.

use std::time::Duration;

use super::{answer, budget, example, links, now, openai, quota, requests_per_minute, scene};
use crate::{
    domain::LimitStatus,
    providers::Dialect,
    refusal::{Code, LimitFacts, Links, Refusal, Representation, render},
};
use http::{HeaderMap, HeaderValue};

/// `Retry-After`, `retry-after-ms`, `x-should-retry` and the body's `retryable`.
fn told(refusal: &Refusal) -> (Option<String>, Option<String>, Option<String>, bool) {
    let answer = openai(refusal);
    let field = |name| answer.header(name).map(str::to_owned);
    (
        field("retry-after"),
        field("retry-after-ms"),
        field("x-should-retry"),
        answer.json()["retryable"].as_bool().expect("a boolean"),
    )
}

#[track_caller]
fn check(refusal: &Refusal, seconds: Option<&str>, millis: Option<&str>, stop: bool) {
    let stop_word = stop.then(|| "false".to_owned());
    let expected = (
        seconds.map(str::to_owned),
        millis.map(str::to_owned),
        stop_word,
        !stop,
    );
    assert_eq!(told(refusal), expected, "{:?}", refusal.code);
}

#[test]
fn a_rate_limit_says_when_up_to_a_minute() {
    let wait = |millis| {
        Refusal::new(Code::RateLimitExceeded)
            .limited_by(requests_per_minute())
            .retry_after(Duration::from_millis(millis))
    };
    check(&wait(0), Some("1"), Some("1"), false);
    check(&wait(1), Some("1"), Some("1"), false);
    check(&wait(1_000), Some("1"), Some("1000"), false);
    check(&wait(1_001), Some("2"), Some("1001"), false);
    check(&wait(59_001), Some("60"), Some("59001"), false);
    check(&wait(60_000), Some("60"), Some("60000"), false);
    check(&wait(60_001), None, None, true);
    check(&wait(u64::MAX), None, None, true);
    let nanos = Refusal::new(Code::RateLimitExceeded).retry_after(Duration::from_nanos(1_500_000));
    check(&nanos, Some("1"), Some("2"), false);
}

#[test]
fn what_is_held_is_free_within_half_a_minute() {
    let hold = |seconds| example(Code::LimitOnHold).retry_after(Duration::from_secs(seconds));
    check(&hold(7), Some("7"), None, false);
    check(&hold(30), Some("30"), None, false);
    check(&hold(31), Some("30"), None, false);
    check(&example(Code::LimitOnHold), Some("5"), None, false);
    let credit = |seconds| example(Code::CreditOnHold).retry_after(Duration::from_secs(seconds));
    check(&credit(7), Some("7"), None, false);
    check(&credit(31), Some("30"), None, false);
    check(&example(Code::CreditOnHold), Some("5"), None, false);
}

#[test]
fn a_quota_or_budget_answered_429_waits_only_for_a_near_reset() {
    for (code, limit) in [
        (Code::QuotaExhausted, quota()),
        (Code::BudgetExceeded, budget()),
        (Code::RequestExceedsLimit, budget()),
    ] {
        let resets = |seconds: u64, asked| {
            let limit = LimitFacts {
                status: LimitStatus::TooManyRequests,
                resets_at: Some(now().plus(Duration::from_secs(seconds))),
                asked,
                ..limit
            };
            example(code).limited_by(limit)
        };
        check(&resets(12, 1), Some("12"), None, false);
        check(&resets(60, 1), Some("60"), None, false);
        check(&resets(61, 1), None, None, true);
        check(&resets(12, limit.limit + 1), None, None, true);
    }
}

#[test]
fn no_402_says_when() {
    for code in Code::ALL {
        let refusal = example(code).retry_after(Duration::from_secs(3));
        if code.status() == 402 {
            check(&refusal, None, None, true);
        }
    }
}

#[test]
fn sdks_are_stopped_by_every_4xx_but_408_and_a_short_429() {
    for code in Code::ALL {
        let refusal = Refusal::new(code).retry_after(Duration::from_secs(2));
        let answer = openai(&refusal);
        let stop = match answer.status() {
            408 | 429 => false,
            400..500 => true,
            _ => code == Code::UpstreamUnavailable,
        };
        let expected = stop.then_some("false");
        assert_eq!(answer.header("x-should-retry"), expected, "{code:?}");
        if code != Code::UnsupportedTransferCoding {
            assert_eq!(answer.json()["retryable"], !stop, "{code:?}");
        }
        if stop {
            assert_eq!(answer.header("retry-after"), None, "{code:?}");
        }
    }
}

#[test]
fn an_overloaded_or_leaving_gateway_asks_for_a_second() {
    check(&Refusal::new(Code::Overloaded), Some("1"), None, false);
    check(&Refusal::new(Code::Draining), Some("1"), None, false);
    check(
        &Refusal::new(Code::BillingUnavailable),
        Some("5"),
        None,
        false,
    );
}

#[test]
fn a_provider_that_asks_for_an_hour_is_not_repeated() {
    let hour = Refusal::new(Code::UpstreamOverloaded).retry_after(Duration::from_secs(3600));
    check(&hour, None, None, false);
}

#[test]
fn a_quota_or_budget_may_ask_for_another_status() {
    for (status, number, openai_type, anthropic_type) in [
        (
            LimitStatus::PaymentRequired,
            402,
            "insufficient_quota",
            "billing_error",
        ),
        (
            LimitStatus::Forbidden,
            403,
            "insufficient_quota",
            "permission_error",
        ),
        (
            LimitStatus::TooManyRequests,
            429,
            "insufficient_quota",
            "rate_limit_error",
        ),
    ] {
        for (code, limit) in [
            (Code::QuotaExhausted, quota()),
            (Code::BudgetExceeded, budget()),
            (Code::RequestExceedsLimit, quota()),
            (Code::RequestExceedsLimit, budget()),
        ] {
            let limit = LimitFacts { status, ..limit };
            let refusal = example(code).limited_by(limit);
            let answer = openai(&refusal);
            assert_eq!(answer.status(), number);
            assert_eq!(answer.json()["status"], number);
            assert_eq!(answer.json()["error"]["type"], openai_type);
            // Who cannot pay is not sent to the till.
            assert_eq!(answer.header("link").is_some(), number == 402);
            let anthropic = super::answer(&refusal, Dialect::Anthropic, Representation::Dialect);
            assert_eq!(anthropic.json()["error"]["type"], anthropic_type);
        }
        for limit in [quota(), budget()] {
            let held = example(Code::LimitOnHold).limited_by(LimitFacts { status, ..limit });
            assert_eq!(openai(&held).status(), 429);
        }
    }
}

#[test]
fn every_402_links_to_the_till_when_there_is_one() {
    let closed = Links {
        pay_url: None,
        portal_url: None,
        ..links()
    };
    for code in Code::ALL {
        let link = openai(&example(code)).header("link").map(str::to_owned);
        assert_eq!(link.is_some(), code.status() == 402, "{code:?}");

        let mut headers = HeaderMap::new();
        let scene = scene(&closed, Dialect::OpenAi, Representation::Dialect);
        render(&example(code), &scene, &mut headers);
        assert_eq!(headers.get("link"), None, "{code:?}");
    }
}

#[test]
fn a_401_has_a_challenge_and_a_405_the_methods() {
    let unknown = openai(&example(Code::InvalidApiKey));
    assert_eq!(unknown.header("www-authenticate"), Some("Bearer"));
    let method = openai(&example(Code::MethodNotAllowed));
    assert_eq!(method.header("allow"), Some("GET, HEAD"));
}

#[test]
fn anthropic_gets_the_request_id_under_its_own_name_too() {
    let id = "019a4f3c-7e10-7abc-8def-0123456789ab";
    let anthropic = answer(
        &example(Code::QuotaExhausted),
        Dialect::Anthropic,
        Representation::Dialect,
    );
    assert_eq!(anthropic.header("request-id"), Some(id));
    assert_eq!(anthropic.header("x-request-id"), Some(id));
    assert_eq!(
        openai(&example(Code::QuotaExhausted)).header("request-id"),
        None
    );
}

#[test]
fn what_the_map_holds_already_stays() {
    let mut headers = HeaderMap::new();
    headers.insert("vary", HeaderValue::from_static("Origin"));
    headers.insert(
        "access-control-allow-origin",
        HeaderValue::from_static("https://app.example.com"),
    );
    let links = links();
    let scene = scene(&links, Dialect::OpenAi, Representation::Dialect);
    render(&example(Code::QuotaExhausted), &scene, &mut headers);
    let vary: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Origin", "Accept"]);
    assert!(headers.contains_key("access-control-allow-origin"));
}
