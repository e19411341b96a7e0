//! Clients that leave a stream of two hundred chunks: at every boundary, with every policy, in every dialect.
//!
//! What each call costs is a formula here, not what the gateway says.

use std::{collections::HashMap, sync::Arc};

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{adds_up, budgets, credit, kept, priced};
use crate::{
    fixture::KEY,
    harness::{Call, Gate, Gateway, Step, Upstream, piece, sse, within},
};

const DOLLAR: i64 = 1_000_000_000;
const CHUNKS: usize = 200;
/// What the provider says in the end that it read and wrote.
const SAID: (i64, i64) = (50, 397);
/// Streams at once: fewer than may be read on after their clients have left.
const AT_ONCE: usize = 50;

/// A stream, and what a client that leaves behind so many chunks of it owes.
struct Dialect {
    path: &'static str,
    model: &'static str,
    /// Billionths of a dollar for a token read and a token written.
    prices: (i64, i64),
    chunks: fn() -> Vec<String>,
    /// (input, output) tokens, `None` of them where the provider has said nothing, and whether they are an estimate.
    seen: fn(usize) -> (Option<i64>, i64, bool),
}

fn eight(at: usize) -> String {
    format!("word{at:04}")
}

/// 198 pieces of eight bytes, the usage, `[DONE]`.
fn chat() -> Vec<String> {
    let piece = |at| {
        let text = eight(at);
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let mut chunks: Vec<_> = (0..CHUNKS - 2).map(piece).collect();
    let (input, output) = SAID;
    chunks.push(format!(
        "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}}}\n\n"
    ));
    chunks.push("data: [DONE]\n\n".to_owned());
    chunks
}

/// Two tokens of ours for each piece, until the usage has come.
fn chat_seen(chunks: usize) -> (Option<i64>, i64, bool) {
    if chunks >= CHUNKS - 1 {
        return (Some(SAID.0), SAID.1, false);
    }
    (None, 2 * chunks as i64, true)
}

/// The beginning, 198 pieces, and an end that has the usage.
fn responses() -> Vec<String> {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let mut chunks = vec![event("response.created", r#","response":{"usage":null}"#)];
    chunks.extend((0..CHUNKS - 2).map(|at| {
        let delta = format!(r#","delta":"{}""#, eight(at));
        event("response.output_text.delta", &delta)
    }));
    let (input, output) = SAID;
    let usage = format!(
        r#","response":{{"status":"completed","usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#
    );
    chunks.push(event("response.completed", &usage));
    chunks
}

fn responses_seen(chunks: usize) -> (Option<i64>, i64, bool) {
    if chunks == CHUNKS {
        return (Some(SAID.0), SAID.1, false);
    }
    (None, 2 * chunks.saturating_sub(1) as i64, true)
}

/// The beginning with the input's usage, a block of 195 pieces, the output's usage, the end.
fn messages() -> Vec<String> {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let (input, output) = SAID;
    let start = format!(r#","message":{{"usage":{{"input_tokens":{input},"output_tokens":1}}}}"#);
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    let mut chunks = vec![
        event("message_start", &start),
        event("content_block_start", block),
    ];
    chunks.extend((0..CHUNKS - 5).map(|at| {
        let text = eight(at);
        let delta = format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#);
        event("content_block_delta", &delta)
    }));
    chunks.push(event("content_block_stop", r#","index":0"#));
    let usage =
        format!(r#","delta":{{"stop_reason":"end_turn"}},"usage":{{"output_tokens":{output}}}"#);
    chunks.push(event("message_delta", &usage));
    chunks.push(event("message_stop", ""));
    chunks
}

fn messages_seen(chunks: usize) -> (Option<i64>, i64, bool) {
    match chunks {
        0 => (None, 0, true),
        // The figure that the output begins with is the provider's word.
        1 | 2 => (Some(SAID.0), 1, true),
        chunks if chunks < CHUNKS - 1 => {
            (Some(SAID.0), 2 * (chunks - 2).min(CHUNKS - 5) as i64, true)
        }
        _ => (Some(SAID.0), SAID.1, false),
    }
}

const DIALECTS: [Dialect; 3] = [
    Dialect {
        path: "/v1/chat/completions",
        model: "m",
        prices: (1000, 4000),
        chunks: chat,
        seen: chat_seen,
    },
    Dialect {
        path: "/v1/responses",
        model: "m",
        prices: (1000, 4000),
        chunks: responses,
        seen: responses_seen,
    },
    Dialect {
        path: "/v1/messages",
        model: "c",
        prices: (3000, 15_000),
        chunks: messages,
        seen: messages_seen,
    },
];

impl Dialect {
    /// A call whose client will leave behind so many chunks; every body is as long as every other.
    fn body(&self, chunks: usize) -> String {
        json!({
            "model": self.model, "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 450, "max_output_tokens": 450, "leaves_after": format!("{chunks:03}"),
        })
        .to_string()
    }

    /// A provider that sends what the client will read, and the rest when that call's gate is opened.
    async fn upstream(&self, gates: Arc<Vec<Gate>>) -> Upstream {
        let chunks = (self.chunks)();
        assert_eq!(chunks.len(), CHUNKS);
        let steps = sse(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
        Upstream::start(move |seen| {
            let after: usize = seen.json()["leaves_after"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            let mut steps = steps.clone();
            // The head comes first.
            steps.insert(1 + after, Step::Wait(gates[after].clone()));
            steps
        })
        .await
    }

    /// The cost by hand, and the outcome.
    fn owes(&self, chunks: usize, drains: bool) -> (i64, bool, &'static str) {
        let (input, output, estimated) = if drains {
            (Some(SAID.0), SAID.1, false)
        } else {
            (self.seen)(chunks)
        };
        let input = input.unwrap_or_else(|| (self.body(chunks).len() as i64 + 3) / 4);
        let cost = input * self.prices.0 + output * self.prices.1;
        let outcome = match chunks {
            CHUNKS => "completed",
            _ => "client_closed",
        };
        (cost, estimated, outcome)
    }
}

/// Reads so many bytes and leaves; the request's id.
async fn leave(call: Call, bytes: usize) -> String {
    let response = call.open().await;
    assert_eq!(response.status(), 200);
    let id = response.headers()["x-request-id"].to_str().unwrap();
    let id = id.to_owned();
    let mut body = response.into_body();
    let mut read = 0;
    while read < bytes {
        let frame = within("a frame", body.frame()).await.unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
    assert_eq!(read, bytes);
    id
}

/// All rows by the request's id, once there are so many.
async fn rows(gateway: &Gateway, count: usize) -> HashMap<String, Value> {
    within("the calls were recorded", async {
        loop {
            let page = gateway
                .admin("GET", "/admin/v1/calls?limit=1000")
                .send()
                .await;
            let rows = page.value()["data"].as_array().unwrap().clone();
            if rows.len() >= count {
                assert_eq!(rows.len(), count);
                let id = |row: &Value| row["request_id"].as_str().unwrap().to_owned();
                return rows.into_iter().map(|row| (id(&row), row)).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// A client leaves at every boundary; each leaves one row, whose cost is what was worked out by hand.
async fn every_boundary(dialect: &Dialect, policy: &str) {
    let gates: Arc<Vec<Gate>> = Arc::new((0..=CHUNKS).map(|_| Gate::default()).collect());
    let upstream = dialect.upstream(Arc::clone(&gates)).await;
    let folder = TempDir::new().unwrap();
    let plan = "credit: required, budgets: [{usd: 5, per: day}]";
    let options = format!("api_key: sk-upstream, on_client_disconnect: {policy}");
    let yaml = priced(&upstream, plan, "credit: 10")
        .replace("api_key: sk-upstream", &options)
        .replace("api_key: sk-claude", &options.replace("upstream", "claude"));
    let gateway = Gateway::start(&kept(&yaml, &folder)).await;
    let mut ids = HashMap::new();
    let sent = (dialect.chunks)();
    let boundaries: Vec<usize> = (0..=CHUNKS).collect();
    for some in boundaries.chunks(AT_ONCE) {
        let mut clients = JoinSet::new();
        for &chunks in some {
            let call = Call::new(gateway.address, "POST", dialect.path).bearer(KEY);
            let call = call.json(&dialect.body(chunks));
            // A frame of the client's may be part of a chunk; the bytes of all before the gate are not.
            let bytes = sent[..chunks].iter().map(String::len).sum();
            clients.spawn(async move { (chunks, leave(call, bytes).await) });
        }
        while let Some(left) = clients.join_next().await {
            let (chunks, id) = left.unwrap();
            ids.insert(id, chunks);
        }
        // The record of a request is written when the gateway has seen that its client is gone.
        gateway.records(ids.len()).await;
        if policy == "drain" {
            some.iter().for_each(|chunks| gates[*chunks].open());
        }
        rows(&gateway, ids.len()).await;
    }
    upstream_is_left(&upstream, policy).await;
    gateway.nothing_held(KEY).await;
    let mut sum = 0;
    for (id, row) in rows(&gateway, CHUNKS + 1).await {
        let chunks = ids[&id];
        let (cost, estimated, outcome) = dialect.owes(chunks, policy == "drain");
        let told = (
            row["cost_nano_usd"].as_i64().unwrap(),
            row["estimated"].as_bool().unwrap(),
            row["outcome"].as_str().unwrap(),
        );
        let (path, tokens) = (dialect.path, &row["tokens"]);
        assert_eq!(
            told,
            (cost, estimated, outcome),
            "{path} {policy} after {chunks}: {tokens}"
        );
        assert_eq!(row["overrun"], false);
        sum += cost;
    }
    assert_eq!(credit(&gateway).await, (10 * DOLLAR - sum, 0));
    assert_eq!(budgets(&gateway).await, [("plan".to_owned(), sum, 0)]);
    gateway.stop().await;
    adds_up(&folder, CHUNKS as u64 + 1);
}

/// Nothing goes on at the provider for clients that were cancelled.
async fn upstream_is_left(upstream: &Upstream, policy: &str) {
    assert_eq!(upstream.seen().len(), CHUNKS + 1);
    if policy == "cancel" {
        upstream.all_closed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_is_left_anywhere_costs_what_was_seen() {
    every_boundary(&DIALECTS[0], "cancel").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_is_read_on_costs_what_the_provider_bills() {
    every_boundary(&DIALECTS[0], "drain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_is_left_anywhere_costs_what_was_seen() {
    every_boundary(&DIALECTS[1], "cancel").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_is_read_on_costs_what_the_provider_bills() {
    every_boundary(&DIALECTS[1], "drain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_left_anywhere_costs_what_was_seen() {
    every_boundary(&DIALECTS[2], "cancel").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_read_on_costs_what_the_provider_bills() {
    every_boundary(&DIALECTS[2], "drain").await;
}

/// Whatever their bodies say, these are no answers to what the client asked.
#[tokio::test]
async fn who_leaves_while_a_providers_own_trouble_is_read_pays_nothing() {
    for status in ["403 Forbidden", "429 Too Many Requests"] {
        let upstream = Upstream::start(move |_| {
            let fields = "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            let head = format!("HTTP/1.1 {status}\r\n{fields}");
            vec![
                Step::Send(head.into_bytes()),
                piece("{\"error\":"),
                Step::Hang,
            ]
        })
        .await;
        let plan = "credit: required, quotas: [{requests: 10, per: day}]";
        let yaml = priced(&upstream, plan, "credit: 1");
        let yaml = format!("{yaml}routes: [{{path: /, price_per_request: 0.005}}]\n");
        let gateway = Gateway::start(&yaml).await;
        let body = r#"{"model":"m","stream":true,"max_tokens":10}"#;
        let call = tokio::spawn(gateway.chat(KEY, body).open());
        within("the head of the answer", async {
            let heads = "faregate_upstream_first_byte_seconds_count{provider=\"up\"} 1\n";
            let metrics = async || gateway.admin("GET", "/metrics").send().await;
            while !metrics().await.text().contains(heads) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        call.abort();
        upstream.all_closed().await;
        let row = gateway.calls(1).await.remove(0);
        assert_eq!(row["outcome"], "client_closed", "{status}");
        assert_eq!(row["cost_nano_usd"], 0, "{status}");
        assert_eq!(credit(&gateway).await, (DOLLAR, 0), "{status}");
        let limits = gateway.limits(KEY).await["limits"].clone();
        assert_eq!(limits[0]["used"], 0, "{status}: {limits}");
        gateway.stop().await;
    }
}
