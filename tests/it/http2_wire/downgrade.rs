//! C-10 and C-11: what HTTP/2 can carry and HTTP/1 must not. Nothing of it reaches the provider.

use super::{BODY, finish, post, start};
use crate::harness::{
    LIMITED,
    h2raw::{Wire, block, code, data, flag, headers, kind},
};

/// What a request comes to: the stream is reset as malformed, or answered with one of these.
enum Comes {
    Malformed,
    Refused(&'static [u16]),
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A chat's fields.
fn fields() -> Fields {
    let fields = post("/v1/chat/completions");
    let bytes = |(name, value): (String, String)| (name.into_bytes(), value.into_bytes());
    fields.into_iter().map(bytes).collect()
}

/// A chat with another value of a field.
fn changed(name: &str, value: &[u8]) -> Fields {
    let mut fields = fields();
    let field = fields.iter_mut().find(|(own, _)| own == name.as_bytes());
    field.unwrap().1 = value.to_vec();
    fields
}

/// A chat with one more field.
fn with(name: &str, value: &[u8]) -> Fields {
    let mut fields = fields();
    fields.push((name.as_bytes().to_vec(), value.to_vec()));
    fields
}

#[tokio::test]
async fn no_request_is_smuggled_into_the_connection_upstream() {
    use Comes::{Malformed, Refused};
    let mut two_lengths = with("content-length", b"27");
    two_lengths.extend(with("content-length", b"28").pop());
    let mut two_hosts = with("host", b"gateway.example");
    two_hosts.extend(with("host", b"gateway.example").pop());
    let mut late = fields();
    late.rotate_left(1);
    let cases: Vec<(&str, Fields, Comes)> = vec![
        ("connection", with("connection", b"close"), Malformed),
        ("keep-alive", with("keep-alive", b"1"), Malformed),
        (
            "proxy-connection",
            with("proxy-connection", b"close"),
            Malformed,
        ),
        ("upgrade", with("upgrade", b"websocket"), Malformed),
        (
            "transfer-encoding",
            with("transfer-encoding", b"chunked"),
            Malformed,
        ),
        ("te", with("te", b"gzip"), Malformed),
        ("two lengths", two_lengths, Malformed),
        (
            "no number as a length",
            with("content-length", b"+27"),
            Malformed,
        ),
        (
            "another host",
            with("host", b"elsewhere.example"),
            Refused(&[400]),
        ),
        ("two hosts", two_hosts, Refused(&[400])),
        (
            "an authority with a user",
            changed(":authority", b"user@x"),
            Refused(&[400]),
        ),
        (
            "an authority with a path",
            changed(":authority", b"x/admin"),
            Malformed,
        ),
        (
            "a path with a space",
            changed(":path", b"/v1/chat completions"),
            Malformed,
        ),
        (
            "a path with a line end",
            changed(":path", b"/v1/chat/completions HTTP/1.1\r\nx: y"),
            Malformed,
        ),
        (
            "a path with a host",
            changed(":path", b"http://x/v1/chat/completions"),
            Malformed,
        ),
        ("an empty path", changed(":path", b""), Malformed),
        (
            "a path without a slash",
            changed(":path", b"v1/chat/completions"),
            Malformed,
        ),
        ("an asterisk", changed(":path", b"*"), Refused(&[400])),
        (
            "a method with a line end",
            changed(":method", b"GET / HTTP/1.1\r\nx:"),
            Malformed,
        ),
        ("an empty method", changed(":method", b""), Malformed),
        (
            "a value with a line end",
            with("x-a", b"b\r\nx-c: d"),
            Malformed,
        ),
        (
            "a value with a line feed",
            with("x-a", b"b\nx-c: d"),
            Malformed,
        ),
        ("a value with a NUL", with("x-a", b"b\0c"), Malformed),
        (
            "a name with a line end",
            with("x-a\r\nx-b", b"c"),
            Malformed,
        ),
        ("a name with a colon", with("x-a:b", b"c"), Malformed),
        ("an empty name", with("", b"c"), Malformed),
        ("a name in upper case", with("X-A", b"b"), Malformed),
        (
            "another scheme",
            changed(":scheme", b"file"),
            Refused(&[400]),
        ),
        (
            "a scheme that is none",
            changed(":scheme", b"ht tp"),
            Malformed,
        ),
        ("a pseudo-field behind a field", late, Malformed),
        (
            "another protocol",
            with(":protocol", b"websocket"),
            Malformed,
        ),
        (
            "a length with an underscore",
            with("content_length", b"1"),
            Refused(&[400]),
        ),
        ("CONNECT", changed(":method", b"CONNECT"), Malformed),
        ("TRACE", changed(":method", b"TRACE"), Refused(&[405])),
    ];
    let (upstream, gateway) = start().await;
    let mut failed = Vec::new();
    for (name, fields, comes) in cases {
        let mut wire = Wire::open(gateway.address).await;
        let head = headers(flag::END_HEADERS, 1, &block(&fields));
        wire.send(&[head, data(flag::END_STREAM, 1, BODY.as_bytes())].concat())
            .await;
        let first = wire.find(|frame| {
            frame.kind == kind::GOAWAY
                || frame.is(kind::RST_STREAM, 1)
                || frame.is(kind::HEADERS, 1)
        });
        let Some(first) = first.await else {
            failed.push(format!("{name}: closed"));
            continue;
        };
        let right = match comes {
            Malformed => first.kind != kind::HEADERS && first.code() == code::PROTOCOL,
            Refused(statuses) => first.kind == kind::HEADERS && statuses.contains(&first.status()),
        };
        if !right {
            failed.push(format!("{name}: {first:?}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(upstream.seen().is_empty());
    assert_eq!(*upstream.connections.borrow(), 0);
    finish(&upstream, gateway).await;
}

/// Ten thousand crumbs of a cookie are too many fields, however small each is.
#[tokio::test]
async fn a_cookie_in_too_many_crumbs_is_refused() {
    let (upstream, gateway) = start().await;
    for crumbs in [101, 10_000] {
        let mut fields = fields();
        fields.extend((0..crumbs).map(|_| (b"cookie".to_vec(), b"a=b".to_vec())));
        let block = block(&fields);
        let mut frames = Vec::new();
        let mut parts = block.chunks(16_384).peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_none() {
                flag::END_HEADERS
            } else {
                0
            };
            frames.extend(if frames.is_empty() {
                headers(flags | flag::END_STREAM, 1, part)
            } else {
                crate::harness::h2raw::frame(kind::CONTINUATION, flags, 1, part)
            });
        }
        let mut wire = Wire::open(gateway.address).await;
        wire.send(&frames).await;
        let told = wire.find(|frame| frame.kind == kind::GOAWAY || frame.is(kind::HEADERS, 1));
        let told = told.await.unwrap();
        if told.kind == kind::HEADERS {
            assert_eq!(told.status(), 431, "{crumbs}");
        } else {
            assert!(crumbs > 101, "{told:?}");
        }
    }
    assert!(upstream.seen().is_empty());
    finish(&upstream, gateway).await;
}

/// C-11: a body that is not as long as its head says, whether it is read here or passed on as it comes.
#[tokio::test]
async fn a_body_of_another_length_resets_its_stream() {
    for path in ["/v1/chat/completions", "/raw/v1/x"] {
        let (upstream, gateway) = start().await;
        for (length, bodies) in [
            ("10", &[&b"0123456789ab"[..]][..]),
            ("10", &[b"01234", b"56789ab"]),
            ("10", &[b"012"]),
            ("10", &[b"012", b""]),
            ("0", &[b"x"]),
        ] {
            let mut wire = Wire::open(gateway.address).await;
            let mut fields = post(path);
            fields.push(("content-length".to_owned(), length.to_owned()));
            let mut frames = headers(flag::END_HEADERS, 1, &block(&fields));
            for (index, body) in bodies.iter().enumerate() {
                let last = index + 1 == bodies.len();
                let flags = if last { flag::END_STREAM } else { flag::NONE };
                frames.extend(data(flags, 1, body));
            }
            wire.send(&frames).await;
            let end = wire.find(|frame| frame.stream == 1 && frame.kind != kind::WINDOW_UPDATE);
            let end = end.await.unwrap();
            assert!(end.is(kind::RST_STREAM, 1), "{path} {length}: {end:?}");
            assert_eq!(end.code(), code::PROTOCOL);
            assert!(wire.lives().await);
            gateway.nothing_held(LIMITED).await;
        }
        // A head that ends the stream and promises a body.
        let mut fields = post(path);
        fields.push(("content-length".to_owned(), "5".to_owned()));
        let mut wire = Wire::open(gateway.address).await;
        wire.send(&headers(flag::WHOLE, 1, &block(&fields))).await;
        let end = wire.find(|frame| frame.stream == 1).await.unwrap();
        assert_eq!((end.kind, end.code()), (kind::RST_STREAM, code::PROTOCOL));
        drop(wire);
        // What was whole upstream is nothing; what was charged is nothing.
        assert!(upstream.seen().is_empty(), "{path}");
        let limits = gateway.limits(LIMITED).await;
        for limit in limits["limits"].as_array().unwrap() {
            assert_eq!(limit["used"], 0, "{path}: {limit}");
        }
        finish(&upstream, gateway).await;
    }
}
