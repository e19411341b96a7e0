//! Preface, frames, header blocks and extensions: RFC 9113 §3.4, §4 and §5.4 to §5.5 (h2spec's http2/3.5, 4, 5.4, 5.5).

use tokio::net::TcpStream;

use super::{BODY, Expect, HEALTH, case, chat, chat_head, check, finish, health, start};
use crate::harness::h2raw::{
    PREFACE, Wire, block, code, data, flag, frame, headers, kind, ping, settings,
};

/// A type of frame that nobody knows.
const UNKNOWN: u8 = 0x16;

/// RFC 9113 §4.2 asks for `FRAME_SIZE_ERROR` in most of what has a wrong length; the library that serves us says
/// `PROTOCOL_ERROR` to some. Either ends the connection.
pub(super) const WRONG_SIZE: Expect = Expect::Connection(&[code::FRAME_SIZE, code::PROTOCOL]);

#[tokio::test]
async fn the_preface() {
    let (upstream, gateway) = start().await;
    // http2/3.5/1: ours is SETTINGS, before anything is asked.
    let mut wire = Wire::new(TcpStream::connect(gateway.address).await.unwrap());
    wire.send(&[PREFACE, &settings(&[])].concat()).await;
    let first = wire.next().await.unwrap();
    assert!(first.is(kind::SETTINGS, 0) && !first.has(flag::ACK));
    let told: Vec<(u16, u32)> = first
        .payload
        .chunks(6)
        .map(|setting| {
            let (name, value) = setting.split_at(2);
            let name = u16::from_be_bytes(name.try_into().unwrap());
            (name, u32::from_be_bytes(value.try_into().unwrap()))
        })
        .collect();
    // Streams at once, the window of each, and the list of fields, of which twice the head's limit is read.
    for setting in [(3, 100), (4, 64 << 10), (6, 32 << 10)] {
        assert!(told.contains(&setting), "{told:?}");
    }
    assert!(wire.lives().await);
    drop(wire);

    // http2/3.5/2: what begins like the preface and is none, or is none from the start.
    let mut broken = PREFACE.to_vec();
    broken[20] = b'X';
    for preface in [&broken[..], b"INVALID CONNECTION PREFACE\r\n\r\n"] {
        let mut wire = Wire::new(TcpStream::connect(gateway.address).await.unwrap());
        wire.send(preface).await;
        wire.closed().await;
    }
    // Behind the preface comes SETTINGS, and nothing else (RFC 9113 §3.4). The library that serves us reads on instead.
    let mut wire = Wire::new(TcpStream::connect(gateway.address).await.unwrap());
    wire.send(&[PREFACE, &ping(b"too soon"), &health(1)].concat())
        .await;
    assert!(wire.answer(1).await == 200 && wire.lives().await);
    drop(wire);
    finish(&upstream, gateway).await;
}

#[tokio::test]
async fn frames_of_any_kind() {
    let mut flagged = ping(b"4.1 two.");
    flagged[4] = 0x16;
    let mut reserved = ping(b"4.1 3...");
    reserved[5] = 0x80;
    let large = vec![b' '; 16_385];
    let fits = vec![b' '; 16_384 - BODY.len()];
    let body = [BODY.as_bytes(), &fits].concat();
    let mut wide = HEALTH.map(|(name, value)| (name.to_owned(), value.to_owned()));
    wide[2].1 = format!("/healthz?{}", "x".repeat(16_384));
    check(&[
        case(
            "http2/4.1/1 a type that nobody knows",
            &[frame(UNKNOWN, 0, 0, b"12345678"), health(1)],
            Expect::Answer(200),
        ),
        case(
            "http2/4.1/2 flags that nobody knows",
            &[flagged, health(1)],
            Expect::Answer(200),
        ),
        case(
            "http2/4.1/3 the reserved bit",
            &[reserved, health(1)],
            Expect::Answer(200),
        ),
        case(
            "http2/4.2/1 DATA of 16,384 bytes",
            &[chat_head(1), data(flag::END_STREAM, 1, &body)],
            Expect::Answer(200),
        ),
        case(
            "http2/4.2/2 DATA of more",
            &[chat_head(1), data(flag::END_STREAM, 1, &large)],
            WRONG_SIZE,
        ),
        case(
            "http2/4.2/3 HEADERS of more",
            &[headers(flag::WHOLE, 1, &block(&wide))],
            WRONG_SIZE,
        ),
    ])
    .await;
}

#[tokio::test]
async fn header_blocks() {
    let whole = block(&HEALTH);
    let (first, rest) = whole.split_at(9);
    let begin = headers(flag::END_STREAM, 1, first);
    let broken = Expect::Connection(&[code::COMPRESSION, code::PROTOCOL]);
    check(&[
        // An indexed field beyond all tables.
        case(
            "http2/4.3/1 a block that is none",
            &[headers(flag::WHOLE, 1, &[0xff, 0xff, 0xff, 0xff, 0x0f])],
            broken,
        ),
        case(
            "http2/4.3/2 PRIORITY within a block",
            &[
                begin.clone(),
                frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 255]),
            ],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/4.3/3 another stream's HEADERS within a block",
            &[begin.clone(), health(3)],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/5.5/1 an extension's frame",
            &[frame(UNKNOWN, 0xff, 1, b"12345678"), health(1)],
            Expect::Answer(200),
        ),
        case(
            "http2/5.5/2 an extension's frame within a block",
            &[
                begin,
                frame(UNKNOWN, 0, 1, b"12345678"),
                frame(kind::CONTINUATION, flag::END_HEADERS, 1, rest),
            ],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/5.4.1/1 after a connection error the connection ends",
            &[frame(kind::PING, 0, 1, b"5.4.1...")],
            Expect::Connection(&[code::PROTOCOL]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_goaway_says_how_far_we_came() {
    let (upstream, gateway) = start().await;
    let mut wire = Wire::open(gateway.address).await;
    wire.send(&chat(5)).await;
    assert_eq!(wire.answer(5).await, 200);
    // http2/5.4.1/2: PING on a stream.
    wire.send(&frame(kind::PING, 0, 5, b"5.4.1/2.")).await;
    let goaway = wire
        .find(|frame| frame.kind == kind::GOAWAY)
        .await
        .expect("GOAWAY before the end");
    assert_eq!(goaway.code(), code::PROTOCOL);
    assert_eq!(goaway.payload[..4], 5_u32.to_be_bytes());
    wire.closed().await;
    assert_eq!(upstream.seen().len(), 1);
    finish(&upstream, gateway).await;
}
