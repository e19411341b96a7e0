//! Clients that make us work for nothing. `FAREGATE_FLOOD` is the number of frames that each tries to send.

use std::time::Instant;

use super::{HEALTH, chat_head, finish, hanging, health, post, start};
use crate::harness::{
    Gateway, LIMITED, Upstream,
    h2raw::{Wire, block, code, data, flag, frame, headers, kind, ping, reset, settings, window},
    notice,
};

/// `ENHANCE_YOUR_CALM`, RFC 9113 §7.
const CALM: u32 = 11;

/// How many frames a flood has.
pub(super) fn count() -> usize {
    let said = std::env::var("FAREGATE_FLOOD").ok();
    said.map_or(3000, |said| said.parse().unwrap())
}

/// Streams of one connection after another.
fn streams() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

/// What a connection came to: what it took, and the code of its GOAWAY.
struct Ended {
    sent: usize,
    goaway: Option<u32>,
}

/// Sends `each` for stream after stream, a few at a time, until the connection ends or `most` were sent. What comes back is
/// read meanwhile, as a client would that lives long.
async fn flood(wire: &mut Wire, most: usize, each: impl Fn(u32) -> Vec<u8>) -> Ended {
    let mut streams = streams();
    let (mut sent, mut goaway) = (0, None);
    while sent < most && goaway.is_none() {
        let several: Vec<u8> = streams.by_ref().take(50).flat_map(&each).collect();
        if !wire.send(&several).await || !wire.send(&ping(b"how far?")).await {
            break;
        }
        sent += 50;
        let told = wire.find(|frame| frame.kind == kind::GOAWAY || frame.payload == b"how far?");
        match told.await {
            Some(told) if told.kind == kind::GOAWAY => goaway = Some(told.code()),
            Some(_) => {}
            None => break,
        }
    }
    if goaway.is_none() {
        goaway = wire.goaway().await;
    }
    wire.closed().await;
    Ended { sent, goaway }
}

/// Everything that a flood began is over.
async fn over(upstream: &Upstream, gateway: Gateway) {
    upstream.all_closed().await;
    gateway.nothing_held(LIMITED).await;
    finish(upstream, gateway).await;
}

/// C-02 (a): requests that are taken back at once, before anybody has looked at them.
#[tokio::test]
async fn requests_taken_back_at_once_end_their_connection() {
    let (upstream, gateway) = start().await;
    let began = Instant::now();
    let (mut tried, mut connections) = (0, 0);
    while tried < count() {
        let mut wire = Wire::open(gateway.address).await;
        let taken_back = |stream| [hanging(stream), reset(stream, code::CANCEL)].concat();
        let ended = flood(&mut wire, count(), taken_back).await;
        assert!(ended.goaway.is_some());
        assert!(ended.sent <= 200, "{}", ended.sent);
        tried += ended.sent;
        connections += 1;
        assert!(upstream.seen().len() <= 100, "{connections} connections");
    }
    notice(&format!(
        "requests taken back at once: {tried} on {connections} connections in {:?}, {} upstream",
        began.elapsed(),
        upstream.seen().len()
    ));
    over(&upstream, gateway).await;
}

/// C-02 (b): each request is taken back when it has reached the provider, a hundred of them at most.
#[tokio::test]
async fn requests_taken_back_from_the_provider_end_their_connection() {
    let (upstream, gateway) = start().await;
    let connections = (count() / 1000).max(1);
    for _ in 0..connections {
        let mut wire = Wire::open(gateway.address).await;
        let mut asked = 0;
        let mut streams = streams();
        let goaway = loop {
            let stream = streams.next().unwrap();
            wire.send(&hanging(stream)).await;
            tokio::select! {
                biased;
                () = upstream.arrival() => asked += 1,
                code = wire.goaway() => break code,
            }
            wire.send(&reset(stream, code::CANCEL)).await;
            assert!(asked < 1000, "a flood that nobody stops");
        };
        assert_eq!(goaway, Some(code::NO_ERROR));
        wire.closed().await;
        // The request that was sent behind the hundredth may have been under way, and a slow one is not counted.
        assert!((100..=150).contains(&asked), "{asked}");
        upstream.all_closed().await;
    }
    assert!(upstream.seen().len() <= 150 * connections);
    over(&upstream, gateway).await;
}

/// C-03: what makes us reset a stream ourselves, while its call is under way.
#[tokio::test]
async fn resets_that_the_client_makes_us_send() {
    const MOST: u32 = i32::MAX.cast_unsigned();
    /// What is sent on a stream that waits for the provider.
    type Offence = fn(u32) -> Vec<u8>;
    const OFFENCES: [(&str, Offence); 5] = [
        ("DATA behind the end", |stream| {
            [hanging(stream), data(flag::END_STREAM, stream, b"x")].concat()
        }),
        ("HEADERS behind the end", |stream| {
            [hanging(stream), health(stream)].concat()
        }),
        ("a window too large", |stream| {
            [hanging(stream), window(stream, MOST), window(stream, MOST)].concat()
        }),
        ("a stream that depends on itself", |stream| {
            let itself = [&stream.to_be_bytes()[..], &[1]].concat();
            [hanging(stream), frame(kind::PRIORITY, 0, stream, &itself)].concat()
        }),
        ("more DATA than Content-Length says", |stream| {
            let mut fields = post("/raw/v1/hang");
            fields.push(("content-length".to_owned(), "1".to_owned()));
            let head = headers(flag::END_HEADERS, stream, &block(&fields));
            [head, data(flag::NONE, stream, b"four")].concat()
        }),
    ];
    for (name, each) in OFFENCES {
        let (upstream, gateway) = start().await;
        let mut wire = Wire::open(gateway.address).await;
        let ended = flood(&mut wire, count(), each).await;
        assert!(ended.goaway.is_some(), "{name}");
        assert!(ended.sent <= 250, "{name}: {}", ended.sent);
        assert!(upstream.seen().len() <= 200, "{name}");
        over(&upstream, gateway).await;
    }
}

/// C-05: a head may come in six frames, and in no more than that.
#[tokio::test]
async fn heads_without_end() {
    let (upstream, gateway) = start().await;
    let whole = block(&HEALTH);
    let (first, rest) = whole.split_at(5);
    let begin = headers(flag::END_STREAM, 1, first);
    let more = frame(kind::CONTINUATION, flag::NONE, 1, b"");
    let end = frame(kind::CONTINUATION, flag::END_HEADERS, 1, rest);
    let mut wire = Wire::open(gateway.address).await;
    wire.send(&[&begin[..], &more.repeat(5), &end].concat())
        .await;
    assert_eq!(wire.answer(1).await, 200);
    drop(wire);
    let mut wire = Wire::open(gateway.address).await;
    wire.send(&[&begin[..], &more.repeat(6), &end].concat())
        .await;
    assert_eq!(wire.goaway().await, Some(CALM));
    wire.closed().await;
    finish(&upstream, gateway).await;
}

/// C-06: frames that ask for nothing.
#[tokio::test]
async fn frames_for_nothing_end_their_connection() {
    let floods: [(&str, Vec<u8>); 6] = [
        ("empty DATA", data(flag::NONE, 1, b"")),
        ("PING", ping(b"12345678")),
        ("SETTINGS", settings(&[])),
        ("PRIORITY", frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 0, 1])),
        ("a type that nobody knows", frame(0x16, 0, 0, b"")),
        ("SETTINGS of many", settings(&[(4, 65_535); 100])),
    ];
    for (name, each) in floods {
        let (upstream, gateway) = start().await;
        let mut wire = Wire::open(gateway.address).await;
        // A call under way, whose body has not ended.
        wire.send(&chat_head(1)).await;
        let ended = flood(&mut wire, count(), |_| each.clone()).await;
        let expected = if name == "empty DATA" {
            CALM
        } else {
            code::NO_ERROR
        };
        assert_eq!(ended.goaway, Some(expected), "{name}");
        assert!(ended.sent <= 1100, "{name}: {}", ended.sent);
        assert!(upstream.seen().is_empty());
        over(&upstream, gateway).await;
    }
}
