//! The life of a stream: RFC 9113 §5.1 to §5.3 (h2spec's http2/5.1 to 5.3).

use super::{BODY, Expect, HEALTH, after, case, check, finish, hanging, health, start};
use crate::harness::h2raw::{Wire, block, code, data, flag, frame, headers, kind, reset, window};

fn continuation(stream: u32) -> Vec<u8> {
    let rest = block(&[("x-more", "1")]);
    frame(kind::CONTINUATION, flag::END_HEADERS, stream, &rest)
}

#[tokio::test]
async fn idle() {
    check(&[
        case(
            "http2/5.1/1 DATA",
            &[data(flag::END_STREAM, 1, b"test")],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/5.1/2 RST_STREAM",
            &[reset(1, code::CANCEL)],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/5.1/3 WINDOW_UPDATE",
            &[window(1, 100)],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/5.1/4 CONTINUATION",
            &[continuation(1)],
            Expect::Connection(&[code::PROTOCOL]),
        ),
    ])
    .await;
}

/// RFC 9113 §5.1 asks for `STREAM_CLOSED`; the library that serves us ends the connection with `PROTOCOL_ERROR`.
pub(super) const ENDED: &[u32] = &[code::STREAM_CLOSED, code::PROTOCOL];

#[tokio::test]
async fn half_closed() {
    check(&[
        case(
            "http2/5.1/5 DATA",
            &[hanging(1), data(flag::END_STREAM, 1, b"test")],
            Expect::Stream(1, ENDED),
        ),
        case(
            "http2/5.1/6 HEADERS",
            &[hanging(1), health(1)],
            Expect::Stream(1, ENDED),
        ),
        case(
            "http2/5.1/7 CONTINUATION",
            &[hanging(1), continuation(1)],
            Expect::Connection(&[code::PROTOCOL, code::STREAM_CLOSED]),
        ),
    ])
    .await;
}

/// RFC 9113 §5.1: what comes for a stream that the client has reset, or that has ended, may be a stream or a connection error;
/// the library that serves us says `STREAM_CLOSED` of DATA and `PROTOCOL_ERROR` of HEADERS.
const TOO_LATE: &[u32] = &[code::STREAM_CLOSED, code::PROTOCOL];

#[tokio::test]
async fn closed() {
    let cancelled = [hanging(1), reset(1, code::CANCEL)].concat();
    check(&[
        case(
            "http2/5.1/8 DATA behind RST_STREAM",
            &[cancelled.clone(), data(flag::END_STREAM, 1, b"test")],
            Expect::Stream(1, TOO_LATE),
        ),
        case(
            "http2/5.1/9 HEADERS behind RST_STREAM",
            &[cancelled.clone(), health(1)],
            Expect::Stream(1, TOO_LATE),
        ),
        case(
            "http2/5.1/10 CONTINUATION behind RST_STREAM",
            &[cancelled, continuation(1)],
            Expect::Connection(TOO_LATE),
        ),
        after(
            "http2/5.1/11 DATA behind END_STREAM",
            &[health(1)],
            &[data(flag::END_STREAM, 1, b"test")],
            Expect::Stream(1, TOO_LATE),
        ),
        after(
            "http2/5.1/12 HEADERS behind END_STREAM",
            &[health(1)],
            &[health(1)],
            Expect::Connection(TOO_LATE),
        ),
        after(
            "http2/5.1/13 CONTINUATION behind END_STREAM",
            &[health(1)],
            &[continuation(1)],
            Expect::Connection(TOO_LATE),
        ),
    ])
    .await;
}

#[tokio::test]
async fn identifiers() {
    check(&[
        case(
            "http2/5.1.1/1 an even number",
            &[health(2)],
            Expect::Connection(&[code::PROTOCOL]),
        ),
        case(
            "http2/5.1.1/2 a number below the last",
            &[hanging(5), health(3)],
            Expect::Connection(&[code::PROTOCOL, code::STREAM_CLOSED]),
        ),
    ])
    .await;
}

/// Priorities are deprecated (RFC 9113 §5.3.2), and RFC 7540's rule that a stream cannot depend on itself went with them: the
/// cases 5.3.1/1 and /2 of h2spec may be errors of the stream, or nothing. The library that serves us keeps the old rule.
#[tokio::test]
async fn streams_that_depend_on_themselves() {
    let mut payload = 1_u32.to_be_bytes().to_vec();
    payload.push(15);
    let prioritised = [&payload[..], &block(&HEALTH)].concat();
    check(&[
        case(
            "http2/5.3.1/1 HEADERS",
            &[headers(flag::WHOLE | flag::PRIORITY, 1, &prioritised)],
            Expect::Stream(1, &[code::PROTOCOL]),
        ),
        case(
            "http2/5.3.1/2 PRIORITY",
            &[hanging(1), frame(kind::PRIORITY, 0, 1, &payload)],
            Expect::Stream(1, &[code::PROTOCOL]),
        ),
    ])
    .await;
}

/// C-12, http2/5.1.2: the stream beyond the hundredth is refused, which says that it may be sent again; the others go on.
#[tokio::test]
async fn no_more_than_a_hundred_streams_are_open_at_once() {
    let (upstream, gateway) = start().await;
    let mut wire = Wire::open(gateway.address).await;
    let all: Vec<u8> = (0..100)
        .flat_map(|number| hanging(number * 2 + 1))
        .collect();
    wire.send(&all).await;
    for _ in 0..100 {
        upstream.arrival().await;
    }
    wire.send(&health(201)).await;
    let refused = wire.find(|frame| frame.stream == 201).await.unwrap();
    assert!(refused.is(kind::RST_STREAM, 201), "{refused:?}");
    assert_eq!(refused.code(), code::REFUSED_STREAM);
    assert!(wire.lives().await);
    // One goes, one may come.
    wire.send(&reset(1, code::CANCEL)).await;
    let body = data(flag::END_STREAM, 203, BODY.as_bytes());
    wire.send(&[super::chat_head(203), body].concat()).await;
    assert_eq!(wire.answer(203).await, 200);
    assert_eq!(upstream.seen().len(), 101);
    drop(wire);
    gateway.records(101).await;
    finish(&upstream, gateway).await;
}
