//! Amounts: exact wherever they stand, said to whom they concern, and nowhere else.

use std::time::Duration;

use super::{
    Answer, answer, bob, budget, credit, example, links, nanos, openai, quota, scene, subject,
};
use crate::{
    domain::{LimitStatus, NanoUsd, Per, Scope, Timestamp, Unit},
    providers::Dialect,
    refusal::{
        Code, CountedPer, CreditFacts, Detail, LimitFacts, LimitKind, Refusal, Representation,
        stream_event,
    },
};
use serde_json::{Value, json};

const REPRESENTATIONS: [Representation; 3] = [
    Representation::Dialect,
    Representation::Problem,
    Representation::Html,
];

fn unaffordable(facts: CreditFacts) -> Refusal {
    Refusal::new(Code::InsufficientCreditForRequest)
        .about(bob())
        .with_credit(facts)
}

#[track_caller]
fn message(refusal: &Refusal, expected: &str) {
    let page = " https://billing.example.com/pay?account=";
    assert_eq!(
        openai(refusal).json()["message"],
        expected.replace(" PAY:", page)
    );
}

fn rels(answer: &Answer) -> Vec<String> {
    let actions = answer.json()["billing"]["actions"].clone();
    let actions = actions.as_array().expect("a list").iter();
    actions
        .map(|action| action["rel"].as_str().expect("a word").to_owned())
        .collect()
}

#[test]
fn credit_that_is_gone_says_the_balance_and_where_to_top_up() {
    message(
        &example(Code::CreditExhausted),
        "Credit used up: balance 0.00 USD of account bob. Top up at PAY:bob",
    );
    let overrun = credit("-0.0004", "0", "0", None);
    message(
        &example(Code::CreditExhausted).with_credit(overrun),
        "Credit used up: balance -0.0004 USD of account bob. Top up at PAY:bob",
    );
    message(
        &Refusal::new(Code::CreditExhausted),
        "The credit is used up. Top up at PAY:",
    );
    assert_eq!(rels(&openai(&example(Code::CreditExhausted))), ["top_up"]);
}

#[test]
fn a_call_that_costs_too_much_is_told_what_fits() {
    message(
        &example(Code::InsufficientCreditForRequest),
        "This request may cost up to 0.42 USD, but 0.10 USD of credit is left for account bob. With at most 812 output tokens it fits; top up at PAY:bob",
    );
    message(
        &unaffordable(credit("0.1", "0", "0.42", Some(1))),
        "This request may cost up to 0.42 USD, but 0.10 USD of credit is left for account bob. With at most 1 output token it fits; top up at PAY:bob",
    );
    message(
        &unaffordable(credit("0.000001", "0", "0.420000435", Some(0))),
        "This request may cost up to 0.420000435 USD, but 0.000001 USD of credit is left for account bob. No output limit makes it fit; top up at PAY:bob",
    );
    message(
        &unaffordable(credit("0.1", "0", "0.42", None)),
        "This request may cost up to 0.42 USD, but 0.10 USD of credit is left for account bob. Lower the output limit or shorten the input; top up at PAY:bob",
    );
    message(
        &unaffordable(credit("0.1", "0.07", "0.42", Some(9))),
        "This request may cost up to 0.42 USD, but 0.03 USD of credit is left for account bob, besides 0.07 USD that calls in flight hold. With at most 9 output tokens it fits; top up at PAY:bob",
    );
    message(
        &unaffordable(credit("-1", "0", "0", None)),
        "This request may cost more than the credit that is left for account bob. Lower the output limit or shorten the input; top up at PAY:bob",
    );
}

#[test]
fn a_budget_says_how_much_whose_and_until_when() {
    message(
        &example(Code::BudgetExceeded),
        "Monthly budget used: 50.00 of 50.00 USD on plan pro. It resets at 2026-12-01T00:00:00Z; upgrade at PAY:acme",
    );
    let own = |scope, per| {
        let limit = LimitFacts {
            scope,
            of_plan: false,
            per: Some(CountedPer::Window(per)),
            used: nanos("50.000123"),
            ..budget()
        };
        example(Code::BudgetExceeded).limited_by(limit)
    };
    // A larger plan does not lift what was set for a key or an account.
    let key = own(Scope::Key, Per::Day);
    message(
        &key,
        "Daily budget used: 50.000123 of 50.00 USD of this key. It resets at 2026-12-01T00:00:00Z.",
    );
    assert_eq!(rels(&openai(&key)), ["wait"]);
    let account = own(Scope::Account, Per::Period);
    message(
        &account,
        "Billing period's budget used: 50.000123 of 50.00 USD of account acme. It resets at 2026-12-01T00:00:00Z.",
    );
    assert_eq!(rels(&openai(&account)), ["wait"]);
    assert_eq!(
        rels(&openai(&example(Code::BudgetExceeded))),
        ["upgrade", "wait"]
    );
}

#[test]
fn one_call_may_be_more_than_a_budget() {
    let asks = |scope, used: &str, asked: &str| {
        let limit = LimitFacts {
            scope,
            of_plan: scope == Scope::Plan,
            used: nanos(used),
            asked: nanos(asked),
            ..budget()
        };
        example(Code::RequestExceedsLimit).limited_by(limit)
    };
    let fits = asks(Scope::Plan, "49.75", "0.5");
    message(
        &fits,
        "This request may cost up to 0.50 USD, but of the monthly budget of 50.00 USD on plan free only 0.25 USD is left. Lower the output limit or shorten the input; the budget resets at 2026-12-01T00:00:00Z; upgrade at PAY:acme",
    );
    assert_eq!(rels(&openai(&fits)), ["upgrade", "wait"]);
    let never = asks(Scope::Key, "0", "50.000000001");
    message(
        &never,
        "This request may cost up to 50.000000001 USD, but the whole monthly budget of this key is 50.00 USD. Lower the output limit or shorten the input.",
    );
    assert!(rels(&openai(&never)).is_empty());
}

#[test]
fn what_calls_in_flight_hold_is_waited_for() {
    message(
        &example(Code::CreditOnHold),
        "Calls in flight hold what is left of the credit of account bob: 0.08 of 0.10 USD. Try again in 5 seconds.",
    );
    let limit = LimitFacts {
        used: nanos("49"),
        held: nanos("0.9"),
        ..budget()
    };
    let held = example(Code::LimitOnHold).limited_by(limit);
    message(
        &held,
        "Calls in flight hold what is left of the monthly budget on plan free: 49.00 used and 0.90 held of 50.00 USD. Try again in 5 seconds.",
    );
    assert_eq!(openai(&held).json()["error"]["type"], "requests");
    assert_eq!(
        openai(&example(Code::CreditOnHold)).json()["error"]["type"],
        "requests"
    );
}

#[test]
fn what_has_no_price_is_named_with_whom_to_tell() {
    let refusal = example(Code::ModelNotPriced);
    message(
        &refusal,
        "Model gpt-4o-mini has no price here, and the use of account bob is counted in money. Ask who runs this gateway to add one, or use another model.",
    );
    assert_eq!(openai(&refusal).json()["error"]["param"], "model");
    let option = refusal.with(Detail::Explain(
        "Model gpt-4o-mini has no price for images; leave them out".into(),
    ));
    message(
        &option,
        "Model gpt-4o-mini has no price for images; leave them out.",
    );
    assert_eq!(openai(&option).json()["error"]["param"], Value::Null);
}

#[test]
fn money_is_a_decimal_string_with_its_currency() {
    let limit = LimitFacts {
        limit: 12_345_678_901,
        used: 1,
        held: 1_000_000_000,
        ..budget()
    };
    let facts = CreditFacts {
        max_affordable_tokens: Some(812),
        ..credit("-0.000000001", "7", "0.42", None)
    };
    let refusal = example(Code::BudgetExceeded)
        .limited_by(limit)
        .with_credit(facts);
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        for representation in [Representation::Dialect, Representation::Problem] {
            let billing = answer(&refusal, dialect, representation).json()["billing"].clone();
            assert_eq!(
                billing["limit"],
                json!({
                    "kind": "budget", "scope": "plan", "unit": "usd", "per": "month",
                    "limit": "12.345678901", "used": "0.000000001", "held": "1.00",
                    "remaining": "11.3456789", "currency": "USD",
                    "resets_at": "2026-12-01T00:00:00Z",
                })
            );
            assert_eq!(
                billing["credit"],
                json!({
                    "balance": "-0.000000001", "held": "7.00",
                    "available": "-7.000000001", "currency": "USD",
                })
            );
        }
    }
    let counted = openai(&example(Code::QuotaExhausted)).json();
    assert_eq!(counted["billing"]["limit"]["limit"], 100_000);
    assert_eq!(counted["billing"]["limit"].get("currency"), None);
    assert_eq!(counted["billing"]["credit"], Value::Null);
}

#[test]
fn the_output_that_fits_is_found_by_every_reader() {
    let refusal = example(Code::InsufficientCreditForRequest);
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        for representation in [Representation::Dialect, Representation::Problem] {
            let body = answer(&refusal, dialect, representation).json();
            assert_eq!(body["max_affordable_tokens"], 812);
            if dialect == Dialect::Gemini && representation == Representation::Dialect {
                let metadata = &body["error"]["details"][0]["metadata"];
                assert_eq!(metadata["max_affordable_tokens"], "812");
            } else {
                assert_eq!(body["billing"]["max_affordable_tokens"], 812);
            }
        }
        let page = answer(&refusal, dialect, Representation::Html);
        assert!(page.text().contains("With at most 812 output tokens"));
    }
    let zero = unaffordable(credit("0.1", "0", "0.42", Some(0)));
    assert_eq!(openai(&zero).json()["max_affordable_tokens"], 0);

    for code in Code::ALL {
        if code == Code::InsufficientCreditForRequest {
            continue;
        }
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            for representation in REPRESENTATIONS {
                let answer = answer(&example(code), dialect, representation);
                assert!(!answer.text().contains("affordable"), "{code:?}");
            }
        }
    }
}

#[test]
fn money_stays_out_of_the_rate_limit_fields() {
    for code in [
        Code::BudgetExceeded,
        Code::RequestExceedsLimit,
        Code::LimitOnHold,
    ] {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            let refusal = example(code).limited_by(budget());
            let answer = answer(&refusal, dialect, Representation::Dialect);
            for name in answer.headers.keys() {
                assert!(!name.as_str().contains("ratelimit"), "{name}");
            }
        }
    }
}

/// The code of what paid, and no facts: that is how a stream is cut.
#[test]
fn a_cut_answer_says_that_it_was_cut() {
    let last = |refusal: &Refusal| {
        let links = links();
        let scene = scene(&links, Dialect::OpenAi, Representation::Dialect);
        let event = stream_event(refusal, &scene);
        let data = event.strip_prefix(b"data: ").expect("data");
        let value: Value = serde_json::from_slice(data).expect("JSON");
        let message = value["error"]["message"].as_str().expect("a text");
        message.replace("https://billing.example.com/pay?account=", "PAY:")
    };
    for (code, expected) in [
        (
            Code::InsufficientCreditForRequest,
            "The answer was cut off: it passed the output that was paid for. What arrived is charged; top up at PAY:",
        ),
        (
            Code::BudgetExceeded,
            "The answer was cut off: it passed the output that was held for it in a budget. What arrived is charged; upgrade at PAY:",
        ),
        (
            Code::RequestExceedsLimit,
            "The answer was cut off: it passed the output that was held for it in a quota. What arrived is counted; upgrade at PAY:",
        ),
    ] {
        assert_eq!(last(&Refusal::new(code)), expected);
    }
    let own = LimitFacts {
        scope: Scope::Key,
        of_plan: false,
        ..budget()
    };
    assert_eq!(
        last(&example(Code::BudgetExceeded).limited_by(own)),
        "The answer was cut off: it passed the output that was held for it in the monthly budget of this key. What arrived is charged."
    );
    assert_eq!(
        last(&example(Code::RequestExceedsLimit)),
        "The answer was cut off: it passed the output that was held for it in the daily token quota on plan free. What arrived is counted; upgrade at PAY:acme"
    );
}

#[test]
fn who_is_redacted_sees_no_figure_anywhere() {
    let mut subject = subject("free", None);
    subject.redact = true;
    let quota = LimitFacts {
        limit: 777_777,
        used: 666_666,
        held: 55_555,
        asked: 444_444,
        ..quota()
    };
    let budget = LimitFacts {
        kind: LimitKind::Budget,
        unit: Unit::Usd,
        ..quota
    };
    let credit = CreditFacts {
        balance: NanoUsd::from_nanos(666_666),
        held: NanoUsd::from_nanos(55_555),
        asked: NanoUsd::from_nanos(444_444),
        max_affordable_tokens: Some(222_222),
    };
    let explained = Detail::Explain("Ask for 333333.".into());
    for code in Code::ALL {
        let plain = Refusal::new(code)
            .about(subject.clone())
            .with(explained.clone());
        for refusal in [
            plain.clone().limited_by(quota),
            plain.clone().limited_by(budget).with_credit(credit),
            plain.with_credit(credit),
        ] {
            for representation in REPRESENTATIONS {
                for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
                    let answer = answer(&refusal, dialect, representation);
                    let all = format!("{} {:?}", answer.text(), answer.headers);
                    for figure in ["777777", "666666", "55555", "444444", "333333", "222222"] {
                        assert!(!all.contains(figure), "{code:?} says {figure}: {all}");
                    }
                    assert!(!all.contains("affordable"), "{code:?}: {all}");
                    assert_eq!(answer.header("ratelimit"), None);
                    assert_eq!(answer.header("x-ratelimit-limit-tokens"), None);
                }
            }
        }
    }
}

#[test]
fn the_ends_of_what_can_be_kept_are_no_panic() {
    let most = LimitFacts {
        limit: u64::MAX,
        used: u64::MAX,
        held: u64::MAX,
        asked: u64::MAX,
        resets_at: Some(Timestamp::from_millis(i64::MAX)),
        ..quota()
    };
    let money = LimitFacts {
        kind: LimitKind::Budget,
        status: LimitStatus::TooManyRequests,
        ..most
    };
    let (least, largest) = (NanoUsd::from_nanos(i64::MIN), NanoUsd::MAX);
    for code in Code::ALL {
        for limit in [most, money] {
            for (balance, held) in [(least, largest), (largest, least)] {
                let credit = CreditFacts {
                    balance,
                    held,
                    asked: largest,
                    max_affordable_tokens: Some(u64::MAX),
                };
                let refusal = example(code)
                    .limited_by(limit)
                    .with_credit(credit)
                    .retry_after(Duration::MAX);
                for representation in REPRESENTATIONS {
                    answer(&refusal, Dialect::OpenAi, representation);
                }
                assert_eq!(
                    openai(&refusal).json()["error"]["code"],
                    code.as_str(),
                    "{code:?}"
                );
            }
        }
    }
}
