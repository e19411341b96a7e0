//! Budgets: how many allocations the way of a request may cost, and how large its futures may be.
//!
//! Every figure is exact. One that has become smaller fails as well as one that has become larger, so the number and
//! the reasons beside it always say how things are; whoever raises one has to say why.
//!
//! Allocations are counted on the thread that measures. The gateway runs whole on that thread; the client, the
//! provider and the store's writer have threads of their own and are not counted.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; its helpers are tests as well"
)]

#[path = "../it/harness/checks.rs"]
mod checks;
mod peers;

use std::{
    fmt::Write as _,
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use checks::Checks;
use faregate::{
    app::App,
    config::{self, Config, ProcessEnvironment},
    domain::Clock,
    gateway::{Gateway, ReplyBody},
    refusal::Code,
    telemetry::AccessLog,
};
use peers::{Client, Provider};
use tokio::runtime::Runtime;

/// Requests of one measurement. Queues and buffers that grow now and then are shared out over them.
const REQUESTS: u64 = 200;

const CHAT: &str =
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":20}"#;

fn yaml(provider: &str) -> String {
    format!(
        r#"
server: {{listen: "127.0.0.1:0", limits: {{wrong_keys_at_once: 1000000}}}}
store: {{url: "sqlite::memory:"}}
providers:
  up: {{kind: openai, base_url: "{provider}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, model: real-m, context_window: 1000, max_output_tokens: 500}}
plans:
  open:
    rate_limits: {{requests_per_minute: 1000000, tokens_per_minute: 1000000000, concurrent_requests: 100}}
    quotas: [{{tokens: 1000000000, per: day}}, {{requests: 1000000, per: month}}]
  bare: {{}}
  members: {{subscription: required}}
  spent: {{quotas: [{{requests: 0, per: day}}]}}
  slow: {{rate_limits: {{requests_per_minute: 1}}}}
accounts:
  - {{id: open, plan: open, keys: [{{id: open, key: the-key-of-an-open-account}}]}}
  - {{id: bare, plan: bare, keys: [{{id: bare, key: the-key-of-a-bare-account}}]}}
  - {{id: unpaid, plan: members, subscription: {{status: canceled}}, keys: [{{id: unpaid, key: the-key-of-an-unpaid-account}}]}}
  - {{id: spent, plan: spent, keys: [{{id: spent, key: the-key-of-a-spent-account}}]}}
  - {{id: slow, plan: slow, keys: [{{id: slow, key: the-key-of-a-slow-account}}]}}
"#
    )
}

fn configuration(provider: &str) -> Config {
    config::parse(
        &yaml(provider),
        Path::new("alloc.yaml"),
        &ProcessEnvironment,
    )
    .unwrap()
}

fn clock() -> Clock {
    Clock::manual("2026-11-20T12:00:00Z".parse().unwrap())
}

// === The checks ===

fn checks() -> Checks {
    Checks::new(configuration("http://127.0.0.1:9"), &clock(), CHAT)
}

/// What the checks of a head allocate, and what they answer, the second time: the first may set up a thread's own state.
fn check(checks: &Checks, key: Option<&str>) -> (u64, Option<Code>) {
    let head = Checks::head(key);
    let mut answer = checks.admit(&head).map_err(|refusal| refusal.code).err();
    let measured = measure(|| {
        answer = checks.admit(&head).map_err(|refusal| refusal.code).err();
    });
    (measured.count_total, answer)
}

#[test]
fn the_counter_counts() {
    let measured = measure(|| drop(std::hint::black_box(vec![1_u8])));
    assert_eq!(measured.count_total, 1);
}

#[test]
fn the_checks_of_a_head_allocate_nothing() {
    let checks = checks();
    // What the checks pass on is held by count: the key by its `Arc`, ids too.
    assert_eq!(
        check(&checks, Some("the-key-of-an-open-account")),
        (0, None)
    );
    assert_eq!(check(&checks, Some("the-key-of-a-bare-account")), (0, None));
}

#[test]
fn refusals_of_a_head_allocate_nothing() {
    let checks = checks();
    for (key, code) in [
        (None, Code::InvalidApiKey),
        (Some("a-key-that-nobody-has"), Code::InvalidApiKey),
        (
            Some("the-key-of-an-unpaid-account"),
            Code::SubscriptionCanceled,
        ),
        (Some("the-key-of-a-spent-account"), Code::QuotaExhausted),
        (Some("the-key-of-a-slow-account"), Code::RateLimitExceeded),
    ] {
        assert_eq!(check(&checks, key), (0, Some(code)), "{key:?}");
    }
}

#[test]
fn reserving_allocates_one_box() {
    let checks = checks();
    let head = Checks::head(Some("the-key-of-an-open-account"));
    // A store that cannot be written refuses, and a refusal costs no reservation.
    assert!(checks.store.health().is_writable());
    let hold = || {
        let permitted = checks.permit(checks.admit(&head).unwrap()).unwrap();
        let mut held = None;
        let measured = measure(|| {
            let reserving = pin!(checks.reserve(permitted));
            match reserving.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(reserved)) => held = Some(reserved),
                other => panic!("{other:?}"),
            }
        });
        (measured.count_total, held)
    };
    drop(hold());
    // The reservation itself. It moves through the exchange and the answer's body, and stays a pointer there.
    assert_eq!(hold().0, 1);
}

// === Over the wire ===

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Runs a gateway in front of `provider` on this thread, lets a client ask on one connection, and gives what each of
/// `REQUESTS` requests allocated, rounded.
fn over_the_wire(provider: &Provider, request: &str, expected: &str) -> u64 {
    let runtime = runtime();
    let start = App::start(configuration(&provider.url()), clock(), AccessLog::silent());
    let app = runtime.block_on(start).unwrap();
    let client = Client::connect(app.address(), provider);
    // Buffers grow, connections are made, and what is to be used up is.
    let client = runtime.block_on(client.ask(request, "", 50));
    let mut client = Some(client);
    let measured = measure(|| {
        let asking = client.take().unwrap();
        client = Some(runtime.block_on(asking.ask(request, expected, REQUESTS)));
    });
    drop(client);
    runtime.block_on(app.stop());
    (measured.count_total + REQUESTS / 2) / REQUESTS
}

fn post(key: &str, body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// hyper's share of a request with a body, before anything of ours runs:
/// 2: parsing a head where more than 100 fields are allowed (our limit is 100, and refuses with a body what is above);
/// 1: the channel of the body.
const HYPER_SERVES: u64 = 3;

#[test]
fn a_refused_request_over_the_wire() {
    let provider = Provider::answering("unused");
    // Ours is nothing: fields go into the request's own map, texts and the body into a block that is used again.
    const OURS: u64 = 0;
    for (key, status) in [
        ("a-key-that-nobody-has", "401"),
        ("the-key-of-an-unpaid-account", "402"),
        ("the-key-of-a-spent-account", "402"),
        ("the-key-of-a-slow-account", "429"),
    ] {
        let allocated = over_the_wire(&provider, &post(key, CHAT), status);
        assert_eq!(allocated, HYPER_SERVES + OURS, "{status} for {key}");
    }
}

#[test]
fn a_forwarded_call_keeps_its_budget_over_the_wire() {
    const ANSWER: &str =
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
    // 1: the model's name; 1: the body with the provider's name of it; 1: the reservation;
    // 1: the exchange, which may outlive its client; 1: the answer's body, polled in place. The answer's fields go into the
    // request's own map.
    const OURS: u64 = 5;
    let cases = [
        // The stored counters that the call moves.
        ("the-key-of-an-open-account", 1),
        ("the-key-of-a-bare-account", 0),
    ];
    for (key, limits) in cases {
        let provider = Provider::answering(ANSWER);
        let allocated = over_the_wire(&provider, &post(key, CHAT), "200");
        assert_eq!(allocated, HYPER_SERVES + OURS + limits, "{key}");
    }
}

#[test]
fn a_chunk_of_a_stream_allocates_nothing() {
    const STREAM: &str =
        r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = post("the-key-of-an-open-account", STREAM);
    let few = over_the_wire(&Provider::streaming(20), &request, "200");
    let many = over_the_wire(&Provider::streaming(120), &request, "200");
    assert_eq!(many.saturating_sub(few), 0, "{few} and {many}");
}

// === Sizes ===

fn future_size<A, B, C, D, F: Future>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn futures_and_bodies_are_small() {
    // It is moved into the connection's task, which has one for each stream of HTTP/2: a stack page, the price that
    // a call is admitted at, and what is counted of it where the model's window is tight.
    let answer = future_size(Gateway::answer);
    assert!(answer <= 3488, "{answer} bytes");
    // hyper moves it from the answer into the connection. What grows with a call is behind the one pointer in it.
    let body = size_of::<ReplyBody>();
    assert!(body <= 704, "{body} bytes");
}

// === The file ===

#[test]
fn a_key_in_a_large_file_keeps_its_budget() {
    let mut text = String::from("plans: {p: {}}\naccounts:\n");
    for account in 0..1000 {
        writeln!(text, "  - id: account-{account:03}\n    plan: p\n    keys:").unwrap();
        for key in 0..10 {
            let digest = format!("{:064x}", account * 10 + key);
            writeln!(
                text,
                "      - {{id: key-{account:03}{key}, key_hash: sha256:{digest}}}"
            )
            .unwrap();
        }
    }
    let path = Path::new("alloc.yaml");
    let compiled = measure(|| drop(config::parse(&text, path, &ProcessEnvironment).unwrap()));
    // Most are the parser's.
    assert_eq!(compiled.count_total / 10_000, 32);
    // The tree of all of them, which each account leaves once it has been read, and the text.
    assert_eq!(compiled.bytes_max / 10_000, 411);
}
