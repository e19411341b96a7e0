//! The sentences, where the exact words matter.

use std::time::Duration;

use super::{example, links, now, openai, quota, scene};
use crate::{
    domain::Scope,
    providers::Dialect,
    refusal::{
        Code, CountedPer, Detail, LimitFacts, LimitKind, Links, Refusal, Representation, render,
    },
};
use http::HeaderMap;

#[track_caller]
fn check(refusal: &Refusal, expected: &str) {
    assert_eq!(openai(refusal).json()["message"], expected);
}

fn message_without_pages(refusal: &Refusal) -> String {
    let links = Links {
        pay_url: None,
        portal_url: None,
        ..links()
    };
    let scene = scene(&links, Dialect::OpenAi, Representation::Dialect);
    let body = render(refusal, &scene, &mut HeaderMap::new()).body;
    let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    value["message"].as_str().expect("a text").to_owned()
}

#[test]
fn a_used_quota_says_how_much_until_when_and_where() {
    check(
        &example(Code::QuotaExhausted),
        "Daily token quota used: 100000 of 100000 on plan free. It resets at 2026-11-21T00:00:00Z; upgrade at https://billing.example.com/pay?account=acme",
    );
}

#[test]
fn the_holder_of_a_limit_is_named() {
    let scoped = |scope| example(Code::QuotaExhausted).limited_by(LimitFacts { scope, ..quota() });
    for (scope, words) in [
        (Scope::Key, "of 100000 of this key."),
        (Scope::Account, "of 100000 of account acme."),
        (Scope::Plan, "of 100000 on plan free."),
    ] {
        let message = message_without_pages(&scoped(scope));
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_larger_plan_is_offered_for_a_plans_quota_alone() {
    for (scope, of_plan) in [
        (Scope::Key, false),
        (Scope::Key, true),
        (Scope::Account, false),
        (Scope::Plan, true),
    ] {
        let limit = LimitFacts {
            scope,
            of_plan,
            ..quota()
        };
        for code in [Code::QuotaExhausted, Code::RequestExceedsLimit] {
            let refusal = example(code).limited_by(limit);
            let answer = openai(&refusal).json();
            let actions = answer["billing"]["actions"].as_array().expect("a list");
            let offered = actions.iter().any(|action| action["rel"] == "upgrade");
            assert_eq!(offered, of_plan, "{answer:#}");
            let message = message_without_pages(&refusal);
            assert_eq!(message.contains("a larger plan"), offered, "{message}");
        }
    }
}

#[test]
fn without_pages_the_sentence_still_says_what_helps() {
    assert_eq!(
        message_without_pages(&example(Code::QuotaExhausted)),
        "Daily token quota used: 100000 of 100000 on plan free. It resets at 2026-11-21T00:00:00Z; a larger plan lifts this."
    );
    assert_eq!(
        message_without_pages(&example(Code::SubscriptionRequired)),
        "Plan pro needs a subscription and account acme has none. Ask who runs this gateway how to subscribe."
    );
}

#[test]
fn a_request_that_fits_no_window_is_not_told_to_wait() {
    let limit = LimitFacts {
        used: 0,
        asked: 100_001,
        ..quota()
    };
    let refusal = example(Code::RequestExceedsLimit).limited_by(limit);
    let answer = openai(&refusal);
    let actions = &answer.json()["billing"]["actions"];
    assert_eq!(actions.as_array().map(Vec::len), Some(1));
    assert_eq!(actions[0]["rel"], "upgrade");
    check(
        &refusal,
        "This request may take 100001 tokens, but the whole daily token quota on plan free is 100000. Lower the output limit or shorten the input; upgrade at https://billing.example.com/pay?account=acme",
    );

    let fits = LimitFacts {
        asked: 100_000,
        used: 1,
        ..quota()
    };
    let answer = openai(&refusal.limited_by(fits));
    assert_eq!(answer.json()["billing"]["actions"][1]["rel"], "wait");
}

#[test]
fn an_explanation_takes_the_place_of_the_plain_cause() {
    let refusal = Refusal::new(Code::InvalidPath).with(Detail::Say("No dot segments, please"));
    check(&refusal, "No dot segments, please.");
}

#[test]
fn an_expired_key_is_told_apart_only_when_its_end_is_given() {
    check(
        &Refusal::new(Code::InvalidApiKey).with(Detail::Since(now())),
        "The API key expired at 2026-11-20T12:00:00Z. Create a new key.",
    );
}

#[test]
fn one_of_something_is_not_several() {
    let minute = |most| {
        let limit = LimitFacts {
            kind: LimitKind::RateLimit,
            per: Some(CountedPer::Minute),
            limit: most,
            used: most,
            resets_at: None,
            ..quota()
        };
        message_without_pages(&example(Code::RateLimitExceeded).limited_by(limit))
    };
    let (one, two) = (minute(1), minute(2));
    assert!(
        one.starts_with("Rate limit reached: 1 token per minute on plan free."),
        "{one}"
    );
    assert!(
        two.starts_with("Rate limit reached: 2 tokens per minute on plan free."),
        "{two}"
    );
}

#[test]
fn a_long_wait_is_an_instant_and_a_short_one_seconds() {
    let wait = |seconds| {
        message_without_pages(
            &Refusal::new(Code::RateLimitExceeded).retry_after(Duration::from_millis(seconds)),
        )
    };
    assert_eq!(
        wait(900),
        "The rate limit is reached. Try again in 1 second."
    );
    assert_eq!(
        wait(1_100),
        "The rate limit is reached. Try again in 2 seconds."
    );
    assert_eq!(
        wait(90_500),
        "The rate limit is reached. Try again at 2026-11-20T12:01:31Z."
    );
}

#[test]
fn every_message_is_whole() {
    for code in Code::ALL {
        for refusal in [Refusal::new(code), example(code)] {
            let message = message_without_pages(&refusal);
            assert!(message.ends_with('.'), "{message}");
            assert!(message.starts_with(|first: char| first.is_ascii_uppercase()));
            for wrong in ["..", "  ", ";.", ".;", " ."] {
                assert!(!message.contains(wrong), "{message}");
            }
        }
    }
}
