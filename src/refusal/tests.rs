//! Every answer as a client sees it. The instants, names and addresses are the same in all of them.

mod accept;
mod escape;
mod golden;
mod messages;
mod money;
mod rate_limit;
mod rules;

use std::time::Duration;

use super::{
    Code, CountedPer, CreditFacts, Detail, LimitFacts, LimitKind, Links, Refusal, Rendered,
    Representation, Scene, Subject, render,
};
use crate::{
    domain::{
        AccountId, LimitStatus, ModelName, NanoUsd, Per, PlanId, RequestId, Scope,
        SubscriptionStatus, Timestamp, Unit,
    },
    providers::Dialect,
};
use http::HeaderMap;

/// Noon; the daily window ends twelve hours later.
fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("an instant")
}

fn midnight() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().expect("an instant")
}

fn links() -> Links {
    Links {
        public_url: "https://ai.example.com".into(),
        pay_url: Some("https://billing.example.com/pay?account={account}".into()),
        portal_url: Some("https://billing.example.com/portal?account={account}".into()),
    }
}

fn request_id() -> RequestId {
    "019a4f3c-7e10-7abc-8def-0123456789ab"
        .parse()
        .expect("an id")
}

fn scene(links: &Links, dialect: Dialect, representation: Representation) -> Scene<'_> {
    Scene {
        dialect,
        representation,
        request_id: request_id(),
        links,
        now: now(),
    }
}

fn subject(plan: &str, subscription: Option<SubscriptionStatus>) -> Subject {
    Subject {
        account: AccountId::parse("acme").expect("a name"),
        plan: PlanId::parse(plan).expect("a name"),
        subscription,
        redact: false,
    }
}

fn quota() -> LimitFacts {
    LimitFacts {
        kind: LimitKind::Quota,
        scope: Scope::Plan,
        of_plan: true,
        unit: Unit::Tokens,
        per: Some(CountedPer::Window(Per::Day)),
        limit: 100_000,
        used: 100_000,
        held: 0,
        asked: 0,
        resets_at: Some(midnight()),
        status: LimitStatus::PaymentRequired,
    }
}

fn requests_per_minute() -> LimitFacts {
    LimitFacts {
        kind: LimitKind::RateLimit,
        unit: Unit::Requests,
        per: Some(CountedPer::Minute),
        limit: 20,
        used: 20,
        resets_at: None,
        ..quota()
    }
}

fn usd(text: &str) -> NanoUsd {
    NanoUsd::parse(text).expect("an amount")
}

fn nanos(text: &str) -> u64 {
    u64::try_from(usd(text).nanos()).expect("no debt")
}

/// Fifty dollars a month, all spent.
fn budget() -> LimitFacts {
    LimitFacts {
        kind: LimitKind::Budget,
        unit: Unit::Usd,
        per: Some(CountedPer::Window(Per::Month)),
        limit: nanos("50"),
        used: nanos("50"),
        resets_at: Some("2026-12-01T00:00:00Z".parse().expect("an instant")),
        ..quota()
    }
}

fn credit(balance: &str, held: &str, asked: &str, affordable: Option<u64>) -> CreditFacts {
    CreditFacts {
        balance: usd(balance),
        held: usd(held),
        asked: usd(asked),
        max_affordable_tokens: affordable,
    }
}

/// Who pays from credit.
fn bob() -> Subject {
    Subject {
        account: AccountId::parse("bob").expect("a name"),
        ..subject("pay_as_you_go", None)
    }
}

/// A refusal as whoever makes it would.
fn example(code: Code) -> Refusal {
    use SubscriptionStatus as Status;

    let refusal = Refusal::new(code);
    let free = || subject("free", Some(Status::Active));
    let pro = |status| subject("pro", status);
    let model = || Detail::Model(ModelName::parse("gpt-4o-mini").expect("a name"));
    let since = Detail::Since("2026-11-13T00:00:00Z".parse().expect("an instant"));
    match code {
        Code::QuotaExhausted => refusal.about(free()).limited_by(quota()),
        Code::RequestExceedsLimit => refusal.about(free()).limited_by(LimitFacts {
            used: 99_700,
            asked: 5_000,
            ..quota()
        }),
        Code::LimitOnHold => refusal.about(free()).limited_by(LimitFacts {
            used: 60_000,
            held: 40_000,
            asked: 900,
            ..quota()
        }),
        Code::BudgetExceeded => refusal
            .about(subject("pro", Some(Status::Active)))
            .limited_by(budget()),
        Code::CreditExhausted => refusal
            .about(bob())
            .with_credit(credit("0", "0", "0", None)),
        Code::InsufficientCreditForRequest => {
            refusal
                .about(bob())
                .with_credit(credit("0.10", "0", "0.42", Some(812)))
        }
        Code::CreditOnHold => refusal
            .about(bob())
            .with_credit(credit("0.1", "0.08", "0.03", None)),
        Code::ModelNotPriced => refusal.about(bob()).with(model()),
        Code::RateLimitExceeded => refusal
            .about(free())
            .limited_by(requests_per_minute())
            .retry_after(Duration::from_millis(2_040)),
        Code::ConcurrencyLimitExceeded => refusal.about(free()).limited_by(LimitFacts {
            kind: LimitKind::Concurrency,
            per: None,
            limit: 2,
            used: 2,
            ..requests_per_minute()
        }),
        Code::PlanUpgradeRequired => refusal.about(free()).with(model()),
        Code::PermissionDenied => refusal.about(free()).with(Detail::Say(
            "This key is disabled; ask the account's owner to enable it",
        )),
        Code::ModelNotFound => refusal.about(free()).with(model()),
        Code::EndpointNotInDialect => refusal.about(free()).with(Detail::Explain(
            "Model claude-haiku is served at /v1/messages".into(),
        )),
        Code::SubscriptionRequired => refusal.about(pro(None)),
        Code::SubscriptionIncomplete => refusal.about(pro(Some(Status::Incomplete))),
        Code::SubscriptionIncompleteExpired => refusal.about(pro(Some(Status::IncompleteExpired))),
        Code::SubscriptionUnpaid => refusal.about(pro(Some(Status::Unpaid))),
        Code::SubscriptionCanceled => refusal.about(pro(Some(Status::Canceled))).with(since),
        Code::SubscriptionPaused => refusal.about(pro(Some(Status::Paused))),
        Code::SubscriptionPastDue => refusal.about(pro(Some(Status::PastDue))).with(since),
        Code::SubscriptionExpired => refusal.about(pro(Some(Status::Active))).with(since),
        Code::MethodNotAllowed => refusal.with(Detail::Allow("GET, HEAD")),
        Code::BodyTooLarge => refusal.with(Detail::Bytes(33_554_432)),
        Code::TargetTooLong => refusal.with(Detail::Bytes(8_192)),
        Code::HeadersTooLarge => refusal.with(Detail::Bytes(16_384)),
        Code::InvalidJson => refusal.with(Detail::Explain(
            "The body is not valid JSON at line 1 column 18; send one JSON object".into(),
        )),
        Code::UpstreamOverloaded => refusal.about(free()).retry_after(Duration::from_secs(7)),
        _ => refusal,
    }
}

fn answer(refusal: &Refusal, dialect: Dialect, representation: Representation) -> Answer {
    let links = links();
    let mut headers = HeaderMap::new();
    let scene = scene(&links, dialect, representation);
    let rendered = render(refusal, &scene, &mut headers);
    Answer { rendered, headers }
}

fn openai(refusal: &Refusal) -> Answer {
    answer(refusal, Dialect::OpenAi, Representation::Dialect)
}

struct Answer {
    rendered: Rendered,
    headers: HeaderMap,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.rendered.body).expect("UTF-8")
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.rendered.body).expect("JSON")
    }

    fn status(&self) -> u16 {
        self.rendered.status.as_u16()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("visible ASCII"))
    }
}
