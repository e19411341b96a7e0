//! HTTP/2 frame by frame: what RFC 9113 and RFC 7541 ask of a server, case by case in the order of h2spec's suite, and what
//! a hostile client may try.
//!
//! A case is bytes behind a handshake, and what follows from them. Where RFC 9113 asks for a stream error, a connection
//! error with the same code is one as well (§5.4.2); where it asks for a connection error, closing is enough (§5.4.1).

mod connection;
mod deadlines;
mod downgrade;
mod flood;
mod flow;
mod frames;
mod generic;
mod hpack;
mod memory;
mod messages;
mod streams;

use serde_json::json as value;

use crate::harness::{
    Gateway, LIMITED, Step, Upstream,
    h2raw::{Wire, block, data, flag, headers, kind},
    json, shared_config,
};

/// What a case comes to.
enum Expect {
    /// An answer with this status on stream 1, and a connection that lives.
    Answer(u16),
    /// A stream error with one of these codes, on this stream.
    Stream(u32, &'static [u32]),
    /// A connection error with one of these codes.
    Connection(&'static [u32]),
    /// Nothing but a connection that lives.
    Nothing,
}

/// Bytes and what follows from them.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    /// What is sent after stream 1 has been answered.
    then: Vec<u8>,
    expect: Expect,
}

/// Bytes that are sent at once.
fn case(name: &'static str, frames: &[Vec<u8>], expect: Expect) -> Case {
    Case {
        name,
        bytes: frames.concat(),
        then: Vec::new(),
        expect,
    }
}

/// Bytes, and more of them after the answer.
fn after(name: &'static str, frames: &[Vec<u8>], then: &[Vec<u8>], expect: Expect) -> Case {
    Case {
        then: then.concat(),
        ..case(name, frames, expect)
    }
}

impl Case {
    async fn run(&self, gateway: &Gateway) -> Result<(), String> {
        let mut wire = Wire::open(gateway.address).await;
        wire.send(&self.bytes).await;
        if !self.then.is_empty() {
            let ended = wire.find(|frame| frame.stream == 1 && frame.has(flag::END_STREAM));
            let ended = ended.await;
            ended.ok_or("no answer to begin with")?;
            wire.send(&self.then).await;
        }
        match self.expect {
            Expect::Nothing => {}
            Expect::Answer(status) => {
                let head = wire.find(|frame| {
                    [kind::HEADERS, kind::RST_STREAM, kind::GOAWAY].contains(&frame.kind)
                });
                let head = head.await.ok_or("closed")?;
                if !head.is(kind::HEADERS, 1) || head.status() != status {
                    return Err(format!("{head:?}"));
                }
            }
            Expect::Stream(stream, codes) => {
                let end = wire
                    .find(|frame| frame.is(kind::RST_STREAM, stream) || frame.kind == kind::GOAWAY)
                    .await
                    .ok_or("closed without a word")?;
                if !codes.contains(&end.code()) {
                    return Err(format!("{end:?}, code {}", end.code()));
                }
                if end.kind == kind::GOAWAY {
                    wire.closed().await;
                    return Ok(());
                }
            }
            Expect::Connection(codes) => {
                return match wire.goaway().await {
                    Some(code) if !codes.contains(&code) => Err(format!("GOAWAY {code}")),
                    _ => {
                        wire.closed().await;
                        Ok(())
                    }
                };
            }
        }
        wire.lives()
            .await
            .then_some(())
            .ok_or_else(|| "it died".to_owned())
    }
}

/// Runs cases, each on a connection of its own, and tells all that fail. In the end a call is answered.
async fn check(cases: &[Case]) {
    let (upstream, gateway) = start().await;
    let mut failed = Vec::new();
    for case in cases {
        if let Err(why) = case.run(&gateway).await {
            failed.push(format!("{}: {why}", case.name));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    finish(&upstream, gateway).await;
}

/// A gateway before a provider that answers `{}`, except below `/v1/hang`, where it says nothing.
async fn start() -> (Upstream, Gateway) {
    start_with("").await
}

async fn start_with(server: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start(|seen| {
        if seen.target.starts_with("/v1/hang") {
            vec![Step::Hang]
        } else {
            json("200 OK", "{}")
        }
    })
    .await;
    let yaml = format!("{server}{}", shared_config(&upstream.url(), ""));
    let gateway = Gateway::start(&yaml).await;
    (upstream, gateway)
}

/// What has to hold after every case: nothing is held, every attempt upstream is ours and ends, no secret is told, and the
/// next call is answered.
async fn finish(upstream: &Upstream, gateway: Gateway) {
    gateway.nothing_held(LIMITED).await;
    let answer = gateway.chat(LIMITED, BODY).send().await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "{}"));
    let health = gateway.call("GET", "/healthz").send().await;
    assert_eq!(health.status, 200);
    let last = upstream.seen().pop().unwrap();
    assert_eq!(last.json()["messages"], value!([]));
    gateway.tells_no_secret().await;
    gateway.stop().await;
}

/// A chat.
const BODY: &str = r#"{"model":"m","messages":[]}"#;

/// Fields of a question that is answered here.
const HEALTH: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/healthz"),
    (":authority", "gateway.example"),
];

/// Fields of a POST to `path` with a key.
fn post(path: &str) -> Vec<(String, String)> {
    let authorization = format!("Bearer {LIMITED}");
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gateway.example"),
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A whole question.
fn health(stream: u32) -> Vec<u8> {
    headers(flag::WHOLE, stream, &block(&HEALTH))
}

/// The head of a chat.
fn chat_head(stream: u32) -> Vec<u8> {
    let fields = post("/v1/chat/completions");
    headers(flag::END_HEADERS, stream, &block(&fields))
}

/// A whole chat.
fn chat(stream: u32) -> Vec<u8> {
    [
        chat_head(stream),
        data(flag::END_STREAM, stream, BODY.as_bytes()),
    ]
    .concat()
}

/// A whole call that the provider does not answer.
fn hanging(stream: u32) -> Vec<u8> {
    headers(flag::WHOLE, stream, &block(&post("/raw/v1/hang")))
}
