//! Every refusal that the head and the body can bring about, as it goes over the wire.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    fixture::{answer, file, served},
    harness::{Answer, Call, Gate, Gateway, Step, Upstream, within},
};

/// One account for each cause; its key is `the-key-for-<account>`.
const ACCOUNTS: &str = "\
plans:
  open: {}
  members: {subscription: required}
  tiny: {models: [big]}
  day: {quotas: [{requests: 1, per: day}]}
  forbidden: {quotas: [{requests: 1, per: day, status: 403}]}
  later: {quotas: [{requests: 1, per: day, status: 429}]}
  discreet: {redact: amounts, quotas: [{tokens: 5, per: week}]}
  month: {quotas: [{tokens: 100, per: month}]}
  held: {quotas: [{tokens: 1000, per: period}]}
  minute: {rate_limits: {requests_per_minute: 1}}
  tokens: {rate_limits: {tokens_per_minute: 10}}
  seats: {per_key: {rate_limits: {concurrent_requests: 1}}}
payment:
  pay_url: https://billing.example.com/pay?account={account}
  portal_url: https://billing.example.com/portal?account={account}
accounts:
  - {id: open, plan: open, keys: [{id: open, key: the-key-for-open-and-longer}]}
  - {id: off, plan: open, keys: [{id: off, key: the-key-for-off-and-longer, disabled: true}]}
  - {id: elsewhere, plan: open, keys: [{id: elsewhere, key: the-key-for-elsewhere-and-longer, allowed_ips: [192.0.2.0/24]}]}
  - {id: ended, plan: open, keys: [{id: ended, key: the-key-for-ended-and-longer, expires_at: 2026-11-19T00:00:00Z}]}
  - {id: none, plan: members, keys: [{id: none, key: the-key-for-none-and-longer}]}
  - {id: incomplete, plan: members, subscription: {status: incomplete}, keys: [{id: incomplete, key: the-key-for-incomplete-and-longer}]}
  - {id: never, plan: members, subscription: {status: incomplete_expired}, keys: [{id: never, key: the-key-for-never-and-longer}]}
  - {id: unpaid, plan: members, subscription: {status: unpaid}, keys: [{id: unpaid, key: the-key-for-unpaid-and-longer}]}
  - {id: canceled, plan: members, subscription: {status: canceled}, keys: [{id: canceled, key: the-key-for-canceled-and-longer}]}
  - {id: paused, plan: members, subscription: {status: paused}, keys: [{id: paused, key: the-key-for-paused-and-longer}]}
  - {id: due, plan: members, subscription: {status: past_due, past_due_since: 2026-11-01T00:00:00Z}, keys: [{id: due, key: the-key-for-due-and-longer}]}
  - {id: over, plan: members, subscription: {status: active, ends_at: 2026-11-01T00:00:00Z}, keys: [{id: over, key: the-key-for-over-and-longer}]}
  - {id: tiny, plan: tiny, keys: [{id: tiny, key: the-key-for-tiny-and-longer}]}
  - {id: narrow, plan: open, models: [big], keys: [{id: narrow, key: the-key-for-narrow-and-longer}]}
  - {id: day, plan: day, keys: [{id: day, key: the-key-for-day-and-longer}]}
  - {id: forbidden, plan: forbidden, keys: [{id: forbidden, key: the-key-for-forbidden-and-longer}]}
  - {id: later, plan: later, keys: [{id: later, key: the-key-for-later-and-longer}]}
  - {id: discreet, plan: discreet, keys: [{id: discreet, key: the-key-for-discreet-and-longer}]}
  - {id: month, plan: month, keys: [{id: month, key: the-key-for-month-and-longer}]}
  - {id: held, plan: held, keys: [{id: held, key: the-key-for-held-and-longer}]}
  - {id: minute, plan: minute, keys: [{id: minute, key: the-key-for-minute-and-longer}]}
  - {id: tokens, plan: tokens, keys: [{id: tokens, key: the-key-for-tokens-and-longer}]}
  - {id: seats, plan: seats, keys: [{id: seats, key: the-key-for-seats-and-longer}]}
";

/// Accounts that a first call brings to their limit.
const SPENT: [&str; 5] = ["day", "forbidden", "later", "minute", "tokens"];

/// What each account asks for, and the code that it gets.
const CAUSES: [(&str, &str); 22] = [
    ("nobody", "invalid_api_key"),
    ("ended", "invalid_api_key"),
    ("off", "permission_denied"),
    ("elsewhere", "permission_denied"),
    ("none", "subscription_required"),
    ("incomplete", "subscription_incomplete"),
    ("never", "subscription_incomplete_expired"),
    ("unpaid", "subscription_unpaid"),
    ("canceled", "subscription_canceled"),
    ("paused", "subscription_paused"),
    ("due", "subscription_past_due"),
    ("over", "subscription_expired"),
    ("day", "quota_exhausted"),
    ("forbidden", "quota_exhausted"),
    ("later", "quota_exhausted"),
    ("discreet", "request_exceeds_limit"),
    ("minute", "rate_limit_exceeded"),
    ("tokens", "rate_limit_exceeded"),
    ("seats", "concurrency_limit_exceeded"),
    ("tiny", "plan_upgrade_required"),
    ("narrow", "permission_denied"),
    ("month", "request_exceeds_limit"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    OpenAi,
    Anthropic,
}

use Dialect::{Anthropic, OpenAi};

impl Dialect {
    fn path(self) -> &'static str {
        match self {
            OpenAi => "/v1/chat/completions",
            Anthropic => "/v1/messages",
        }
    }

    fn body(self, text: &str) -> String {
        let model = if self == OpenAi { "m" } else { "c" };
        format!(
            r#"{{"model":"{model}","max_tokens":500,"messages":[{{"role":"user","content":"{text}"}}]}}"#
        )
    }

    fn call(self, gateway: &Gateway, account: &str, method: &str, path: &str) -> Call {
        let key = format!("the-key-for-{account}-and-longer");
        match self {
            OpenAi => gateway.call(method, path).bearer(&key),
            Anthropic => gateway.call(method, path).header("x-api-key", &key),
        }
    }

    fn ask(self, gateway: &Gateway, account: &str, text: &str) -> Call {
        self.call(gateway, account, "POST", self.path())
            .json(&self.body(text))
    }
}

/// Mistakes in a request, with the code of their answer.
fn mistakes(gateway: &Gateway, dialect: Dialect) -> Vec<(&'static str, Call)> {
    let path = dialect.path();
    let call = |method: &str, path: &str| dialect.call(gateway, "open", method, path);
    let body = dialect.body("hi");
    let ask = || call("POST", path).json(&body);
    let other = match dialect {
        OpenAi => r#"{"model":"c","messages":[]}"#,
        Anthropic => r#"{"model":"m","max_tokens":5,"messages":[]}"#,
    };
    vec![
        (
            "ambiguous_credentials",
            ask().header("api-key", "another-key-of-nobody"),
        ),
        (
            "route_not_found",
            call("POST", &format!("{path}/nowhere")).json(&body),
        ),
        ("method_not_allowed", call("GET", path)),
        (
            "invalid_path",
            call("POST", &format!("{path}/%2e%2e/x")).json(&body),
        ),
        (
            "invalid_target",
            call("POST", &format!("{path}?q={{x}}")).json(&body),
        ),
        ("invalid_header", ask().header("expect", "the-best")),
        (
            "unsupported_content_encoding",
            ask().header("content-encoding", "gzip"),
        ),
        (
            "target_too_long",
            call("POST", &format!("{path}?q={}", "x".repeat(1000))).json(&body),
        ),
        (
            "headers_too_large",
            ask().header("x-large", &"x".repeat(3000)),
        ),
        (
            "body_too_large",
            call("POST", path).json(&dialect.body(&"x".repeat(3000))),
        ),
        ("invalid_json", call("POST", path).json("{\"model\": m}")),
        (
            "ambiguous_json",
            call("POST", path).json(&body.replacen('{', "{\"model\":\"big\",", 1)),
        ),
        (
            "model_not_found",
            call("POST", path).json(
                &body
                    .replace("\"m\"", "\"nope\"")
                    .replace("\"c\"", "\"nope\""),
            ),
        ),
        ("endpoint_not_in_dialect", call("POST", path).json(other)),
    ]
}

async fn gateway(gate: &Gate) -> (Gateway, Upstream) {
    let gate = gate.clone();
    let upstream = Upstream::start(move |seen| {
        let mut steps = answer(seen);
        if String::from_utf8_lossy(&seen.body).contains("wait for it") {
            steps.insert(0, Step::Wait(gate.clone()));
        }
        steps
    })
    .await;
    let server = "server: {listen: \"127.0.0.1:0\", public_url: \"https://ai.example.com\", limits: {json_body: 2KiB, target: 512B, head: 2KiB}}\n";
    let gateway = Gateway::start(&format!("{server}{}", file(&upstream, ACCOUNTS))).await;
    (gateway, upstream)
}

/// A whole answer as text, without what differs in every run.
fn shown(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    let mut fields: Vec<_> = answer.headers.iter().collect();
    fields.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in fields {
        if !["date", "content-length"].contains(&name.as_str()) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let json = serde_json::from_slice::<Value>(&answer.body);
    let body = json.map_or_else(
        |_| answer.text().to_owned(),
        |body| serde_json::to_string_pretty(&body).unwrap(),
    );
    // Every page has the same style, which is looked at elsewhere.
    let body = match (body.find("<style>"), body.find("</style>")) {
        (Some(start), Some(end)) => format!("{}…{}", &body[..start + 7], &body[end..]),
        _ => body,
    };
    let id = answer.header("x-request-id").unwrap();
    format!("{text}\n{}\n", body.trim_end()).replace(id, "<id>")
}

fn code(answer: &Answer) -> String {
    let body = answer.value();
    let code = [
        &body["error"]["code"],
        &body["error"]["details"]["error_code"],
        &body["code"],
    ];
    code.into_iter()
        .find_map(Value::as_str)
        .unwrap_or_else(|| panic!("{body}"))
        .to_owned()
}

/// Brings about every cause and gives all answers as one text.
async fn all(dialect: Dialect, accept: Option<&str>) -> String {
    let gate = Gate::default();
    let (gateway, upstream) = gateway(&gate).await;
    for account in SPENT {
        served(&dialect.ask(&gateway, account, "hi").send().await);
    }
    let waiting: Vec<_> = ["held", "seats"]
        .map(|account| tokio::spawn(dialect.ask(&gateway, account, "wait for it").send()))
        .into_iter()
        .collect();
    for _ in 0..SPENT.len() + waiting.len() {
        upstream.arrival().await;
    }
    let mut asked: Vec<(&str, &str, Call)> = CAUSES
        .into_iter()
        .chain([("held", "limit_on_hold")])
        .map(|(account, code)| (account, code, dialect.ask(&gateway, account, "hi")))
        .collect();
    asked.extend(
        mistakes(&gateway, dialect)
            .into_iter()
            .map(|(code, call)| ("open", code, call)),
    );
    let mut text = String::new();
    for (account, expected, call) in asked {
        let call = match accept {
            Some(accept) => call.header("accept", accept),
            None => call,
        };
        let answer = call.send().await;
        if answer.header("content-type") != Some("text/html; charset=utf-8") {
            assert_eq!(code(&answer), expected, "{account}: {}", answer.text());
        } else {
            assert!(
                answer.text().contains(expected),
                "{account}: {}",
                answer.text()
            );
        }
        writeln!(text, "=== {expected} ({account})\n{}", shown(&answer)).unwrap();
    }
    for call in waiting {
        gate.open();
        served(&within("a call that waited", call).await.unwrap());
    }
    gateway.stop().await;
    text
}

#[tokio::test]
async fn every_code_is_told_in_openais_dialect() {
    insta::assert_snapshot!(all(OpenAi, None).await);
}

#[tokio::test]
async fn every_code_is_told_in_anthropics_dialect() {
    insta::assert_snapshot!(all(Anthropic, None).await);
}

#[tokio::test]
async fn every_code_is_told_as_problem_json() {
    insta::assert_snapshot!(all(OpenAi, Some("application/problem+json")).await);
}

#[tokio::test]
async fn every_code_is_told_as_a_page_for_a_browser() {
    let chrome =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
    insta::assert_snapshot!(all(OpenAi, Some(chrome)).await);
}

#[tokio::test]
async fn an_sdk_that_takes_anything_gets_its_dialect() {
    let (gateway, _upstream) = gateway(&Gate::default()).await;
    for accept in [
        "application/json",
        "*/*",
        "application/json, text/html;q=0.5",
        "text/event-stream",
        "text/html;q=0",
    ] {
        let answer = OpenAi
            .ask(&gateway, "nobody", "hi")
            .header("accept", accept)
            .send()
            .await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{accept}"
        );
    }
    gateway.stop().await;
}
