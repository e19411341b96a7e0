//! Every code in every dialect and representation, with all its fields.

use std::fmt::Write as _;

use super::{Answer, answer, budget, credit, example, links, quota, scene, subject};
use crate::{
    domain::{LimitStatus, Scope},
    providers::Dialect,
    refusal::{
        Code, Detail, LimitFacts, Refusal, Representation, page_headers, problem_page, stream_event,
    },
};
use http::HeaderMap;

#[test]
fn openai() {
    insta::assert_snapshot!(all(Dialect::OpenAi, Representation::Dialect));
}

#[test]
fn anthropic() {
    insta::assert_snapshot!(all(Dialect::Anthropic, Representation::Dialect));
}

#[test]
fn gemini() {
    insta::assert_snapshot!(all(Dialect::Gemini, Representation::Dialect));
}

#[test]
fn problem() {
    insta::assert_snapshot!(all(Dialect::OpenAi, Representation::Problem));
}

#[test]
fn html() {
    insta::assert_snapshot!(all(Dialect::OpenAi, Representation::Html));
}

#[test]
fn html_document() {
    let page = answer(
        &example(Code::QuotaExhausted),
        Dialect::OpenAi,
        Representation::Html,
    );
    insta::assert_snapshot!(page.text());
}

#[test]
fn stream_events() {
    let links = links();
    let mut out = String::new();
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        for code in [
            Code::Draining,
            Code::UpstreamDisconnected,
            Code::QuotaExhausted,
            Code::InsufficientCreditForRequest,
            Code::BudgetExceeded,
            Code::RequestExceedsLimit,
        ] {
            let event = stream_event(
                &example(code),
                &scene(&links, dialect, Representation::Dialect),
            );
            let event = std::str::from_utf8(&event).expect("UTF-8");
            writeln!(out, "=== {} {}\n{event}", dialect.as_str(), code.as_str()).expect("a string");
        }
    }
    insta::assert_snapshot!(out);
}

/// What the table of codes does not show: other statuses of a limit, figures withheld, nothing configured.
#[test]
fn variants() {
    let with_status = |status| {
        let limit = LimitFacts { status, ..quota() };
        example(Code::QuotaExhausted).limited_by(limit)
    };
    let with_budget = |change: fn(&mut LimitFacts)| {
        let mut budget = budget();
        change(&mut budget);
        example(Code::BudgetExceeded).limited_by(budget)
    };
    let redacted = |code| {
        let mut subject = subject("free", None);
        subject.redact = true;
        example(code).about(subject)
    };
    let too_large = LimitFacts {
        asked: 150_000,
        ..quota()
    };
    let explained = Detail::Explain("Lower max_tokens to 300.".into());
    let cases = [
        ("quota answered 403", with_status(LimitStatus::Forbidden)),
        (
            "quota answered 429",
            with_status(LimitStatus::TooManyRequests),
        ),
        (
            "fits no window",
            example(Code::RequestExceedsLimit).limited_by(too_large),
        ),
        (
            "with an explanation",
            example(Code::RequestExceedsLimit).with(explained),
        ),
        ("quota, redacted", redacted(Code::QuotaExhausted)),
        ("too large, redacted", redacted(Code::RequestExceedsLimit)),
        ("on hold, redacted", redacted(Code::LimitOnHold)),
        ("rate limit, redacted", redacted(Code::RateLimitExceeded)),
        (
            "concurrency, redacted",
            redacted(Code::ConcurrencyLimitExceeded),
        ),
        ("nobody known", Refusal::new(Code::QuotaExhausted)),
        (
            "budget answered 403",
            with_budget(|budget| budget.status = LimitStatus::Forbidden),
        ),
        (
            "budget answered 429, a day ahead of its reset",
            with_budget(|budget| budget.status = LimitStatus::TooManyRequests),
        ),
        (
            "budget of a key",
            with_budget(|budget| (budget.scope, budget.of_plan) = (Scope::Key, false)),
        ),
        (
            "larger than a budget",
            Refusal {
                code: Code::RequestExceedsLimit,
                ..with_budget(|budget| (budget.used, budget.asked) = (0, budget.limit + 1))
            },
        ),
        (
            "budget on hold",
            Refusal {
                code: Code::LimitOnHold,
                ..with_budget(|budget| (budget.used, budget.held) = (1, budget.limit - 1))
            },
        ),
        ("budget, redacted", redacted(Code::BudgetExceeded)),
        ("credit, redacted", redacted(Code::CreditExhausted)),
        (
            "insufficient credit, redacted",
            redacted(Code::InsufficientCreditForRequest),
        ),
        ("credit on hold, redacted", redacted(Code::CreditOnHold)),
        (
            "no output limit makes it fit",
            example(Code::InsufficientCreditForRequest).with_credit(credit(
                "0.10",
                "0.09",
                "0.42",
                Some(0),
            )),
        ),
        ("no credit known", Refusal::new(Code::CreditExhausted)),
    ];
    let mut out = String::new();
    for (name, refusal) in cases {
        let answer = answer(&refusal, Dialect::OpenAi, Representation::Dialect);
        section(&mut out, name, &answer);
    }
    insta::assert_snapshot!(out);
}

#[test]
fn problem_pages() {
    let links = links();
    let mut out = String::new();
    for representation in [Representation::Html, Representation::Dialect] {
        for code in std::iter::once("").chain(Code::ALL.into_iter().map(Code::as_str)) {
            let page = format!("/{code}");
            let (kind, body) = problem_page(&page, representation, &links).expect("a known code");
            let mut headers = HeaderMap::new();
            page_headers(kind, &mut headers);
            let body = std::str::from_utf8(&body).expect("UTF-8");
            writeln!(out, "=== /problems/{code}").expect("a string");
            if code.is_empty() {
                fields(&mut out, &headers);
            }
            writeln!(out, "{}\n", readable(body)).expect("a string");
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn no_page_for_an_unknown_code() {
    for page in ["/quota", "/Quota_exhausted", "/quota_exhausted/", "/../etc"] {
        assert_eq!(problem_page(page, Representation::Html, &links()), None);
    }
}

fn all(dialect: Dialect, representation: Representation) -> String {
    let mut out = String::new();
    for code in Code::ALL {
        let answer = answer(&example(code), dialect, representation);
        section(&mut out, code.as_str(), &answer);
    }
    out
}

fn section(out: &mut String, name: &str, answer: &Answer) {
    writeln!(out, "=== {name}\n{}", answer.rendered.status).expect("a string");
    fields(out, &answer.headers);
    writeln!(out, "\n{}\n", readable(answer.text())).expect("a string");
}

fn fields(out: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        let value = value.to_str().expect("visible ASCII");
        writeln!(out, "{name}: {value}").expect("a string");
    }
}

/// JSON with a line for each member of the outer object, HTML without what all pages share.
fn readable(body: &str) -> String {
    if let Some((_, main)) = body.split_once("<main>\n") {
        return main.replace("</main>\n</body>\n</html>\n", "");
    }
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    for letter in body.chars() {
        out.push(letter);
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 1 => out.push_str("\n "),
            _ => {}
        }
    }
    out
}
