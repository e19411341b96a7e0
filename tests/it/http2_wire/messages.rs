//! Requests: RFC 9113 §8 (h2spec's http2/8).

use super::{BODY, Case, Expect, HEALTH, case, chat_head, check, post};
use crate::harness::h2raw::{block, code, data, flag, frame, headers, kind};

const MALFORMED: Expect = Expect::Stream(1, &[code::PROTOCOL]);

/// A question with other fields.
fn asks(name: &'static str, fields: &[(&str, &str)]) -> Case {
    case(name, &[headers(flag::WHOLE, 1, &block(fields))], MALFORMED)
}

/// A question without one of its fields.
fn without(name: &'static str, left_out: &str) -> Case {
    let fields: Vec<_> = HEALTH
        .into_iter()
        .filter(|(name, _)| *name != left_out)
        .collect();
    asks(name, &fields)
}

/// A question with more fields.
fn with(name: &'static str, more: &[(&str, &str)]) -> Case {
    asks(name, &[&HEALTH, more].concat())
}

#[tokio::test]
async fn fields() {
    let [method, rest @ ..] = HEALTH;
    let late = [&rest[..], &[("x-test", "ok"), method]].concat();
    let trailers = |fields: &[(&str, &str)]| headers(flag::WHOLE, 1, &block(fields));
    let mut no_path = HEALTH;
    no_path[2].1 = "";
    check(&[
        case(
            "http2/8.1/1 a second head that does not end the stream",
            &[
                chat_head(1),
                headers(flag::END_HEADERS, 1, &block(&[("x-test", "ok")])),
            ],
            MALFORMED,
        ),
        with("http2/8.1.2/1 upper case in a name", &[("X-TEST", "ok")]),
        with(
            "http2/8.1.2.1/1 a pseudo-field that nobody knows",
            &[(":test", "ok")],
        ),
        with(
            "http2/8.1.2.1/2 the pseudo-field of an answer",
            &[(":status", "200")],
        ),
        // The library that serves us leaves it out instead, and trailers go nowhere from here.
        case(
            "http2/8.1.2.1/3 a pseudo-field among trailers",
            &[
                chat_head(1),
                data(flag::NONE, 1, BODY.as_bytes()),
                trailers(&[(":method", "GET")]),
            ],
            Expect::Answer(200),
        ),
        asks("http2/8.1.2.1/4 a pseudo-field behind a field", &late),
        with(
            "http2/8.1.2.2/1 Connection",
            &[("connection", "keep-alive")],
        ),
        with(
            "http2/8.1.2.2/2 TE that wants more than trailers",
            &[("te", "gzip")],
        ),
        asks("http2/8.1.2.3/1 an empty path", &no_path),
        without("http2/8.1.2.3/2 no method", ":method"),
        without("http2/8.1.2.3/3 no scheme", ":scheme"),
        without("http2/8.1.2.3/4 no path", ":path"),
        with("http2/8.1.2.3/5 two methods", &[HEALTH[0]]),
        with("http2/8.1.2.3/6 two schemes", &[HEALTH[1]]),
        with("http2/8.1.2.3/7 two paths", &[HEALTH[2]]),
    ])
    .await;
}

#[tokio::test]
async fn lengths_and_pushes() {
    let mut fields = post("/v1/chat/completions");
    fields.push(("content-length".to_owned(), "1".to_owned()));
    let head = headers(flag::END_HEADERS, 1, &block(&fields));
    check(&[
        case(
            "http2/8.1.2.6/1 more DATA than Content-Length says",
            &[head.clone(), data(flag::END_STREAM, 1, b"test")],
            MALFORMED,
        ),
        case(
            "http2/8.1.2.6/2 the same in two frames",
            &[
                head,
                data(flag::NONE, 1, b"t"),
                data(flag::END_STREAM, 1, b"est"),
            ],
            MALFORMED,
        ),
        case(
            "http2/8.2/1 PUSH_PROMISE by a client",
            &[frame(
                kind::PUSH_PROMISE,
                flag::END_HEADERS,
                1,
                &[&2_u32.to_be_bytes()[..], &block(&HEALTH)].concat(),
            )],
            Expect::Connection(&[code::PROTOCOL]),
        ),
    ])
    .await;
}
