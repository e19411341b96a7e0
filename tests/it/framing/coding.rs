//! `Transfer-Encoding`: `chunked`, alone.

use super::probe::{Probe, check, must, start, written};
use crate::harness::raw_until_close;

/// Codings whose last is not `chunked`: nobody knows where the body ends.
#[rustfmt::skip] // A line for each request.
pub(super) const ENDLESS: &[Probe] = &[
    must("another word", b"{P}Transfer-Encoding: xchunked\r\n\r\n{D}{S}", "400"),
    must("a longer word", b"{P}Transfer-Encoding: chunkedx\r\n\r\n{D}{S}", "400"),
    must("identity", b"{P}Transfer-Encoding: identity\r\n\r\n{D}{S}", "400"),
    must("gzip", b"{P}Transfer-Encoding: gzip\r\n\r\n{D}{S}", "400"),
    must("chunked, then identity", b"{P}Transfer-Encoding: chunked, identity\r\n\r\n{D}{S}", "400"),
    must("chunked, then gzip", b"{P}Transfer-Encoding: chunked, gzip\r\n\r\n{D}{S}", "400"),
    must("chunked, then nothing", b"{P}Transfer-Encoding: chunked,\r\n\r\n{D}{S}", "400"),
    must("chunked, then identity on a line of its own", b"{P}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{D}{S}", "400"),
    must("empty", b"{P}Transfer-Encoding: \r\n\r\n{D}{S}", "400"),
    must("with a parameter", b"{P}Transfer-Encoding: chunked;q=1\r\n\r\n{D}{S}", "400"),
    must("in quotes", b"{P}Transfer-Encoding: \"chunked\"\r\n\r\n{D}{S}", "400"),
    must("in brackets", b"{P}Transfer-Encoding: [chunked]\r\n\r\n{D}{S}", "400"),
    must("parted by a space", b"{P}Transfer-Encoding: chunked chunked\r\n\r\n{D}{S}", "400"),
    must("parted by a semicolon", b"{P}Transfer-Encoding: gzip;chunked\r\n\r\n{D}{S}", "400"),
    must("gzip and a length", b"{P}Content-Length: {L}\r\nTransfer-Encoding: gzip\r\n\r\n{C}{S}", "400"),
];

/// Codings of which `chunked` is only the last.
#[rustfmt::skip] // A line for each request.
pub(super) const MORE: &[Probe] = &[
    must("gzip, then chunked", b"{P}Transfer-Encoding: gzip, chunked\r\n\r\n{D}{S}", "501"),
    must("identity, then chunked", b"{P}Transfer-Encoding: identity, chunked\r\n\r\n{D}{S}", "501"),
    must("nothing, then chunked", b"{P}Transfer-Encoding: , chunked\r\n\r\n{D}{S}", "501"),
    must("chunked twice", b"{P}Transfer-Encoding: chunked, chunked\r\n\r\n{D}{S}", "501"),
    must("chunked twice, on two lines", b"{P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}", "501"),
    must("identity and chunked, on two lines", b"{P}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}", "501"),
    must("a nonsense, then chunked", b"{P}Transfer-Encoding: \x01, chunked\r\n\r\n{D}{S}", "400"),
    must("gzip, then chunked, on an upload", b"{U}Transfer-Encoding: gzip, chunked\r\n\r\n{D}{S}", "501"),
    must("gzip, then chunked, and a length", b"{P}Content-Length: 3\r\nTransfer-Encoding: gzip, chunked\r\n\r\n{D}{S}", "501"),
    must("gzip, then chunked, without a key", b"POST /v1/chat/completions HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n{D}{S}", "501"),
];

/// `chunked` with something around it.
#[rustfmt::skip] // A line for each request.
pub(super) const SPELLED: &[Probe] = &[
    must("plain", b"{P}Transfer-Encoding: chunked\r\n\r\n{D}", "200 +"),
    must("in other letters", b"{P}tRANSFER-ENCODING: CHUNked\r\n\r\n{D}", "200 +"),
    must("with white space around it", b"{P}Transfer-Encoding: \t chunked \t\r\n\r\n{D}", "200 +"),
    must("without a space before it", b"{P}Transfer-Encoding:chunked\r\n\r\n{D}", "200 +"),
    must("a vertical tab before it", b"{P}Transfer-Encoding: \x0bchunked\r\n\r\n{D}{S}", "400"),
    must("a vertical tab behind it", b"{P}Transfer-Encoding: chunked\x0b\r\n\r\n{D}{S}", "400"),
    must("a form feed before it", b"{P}Transfer-Encoding: \x0cchunked\r\n\r\n{D}{S}", "400"),
    must("NUL behind it", b"{P}Transfer-Encoding: chunked\0\r\n\r\n{D}{S}", "400"),
    must("a no-break space before it", b"{P}Transfer-Encoding: \xa0chunked\r\n\r\n{D}{S}", "400"),
    must("a no-break space behind it", b"{P}Transfer-Encoding: chunked\xa0\r\n\r\n{D}{S}", "400"),
    must("a carriage return before it", b"{P}Transfer-Encoding: \rchunked\r\n\r\n{D}{S}", "400"),
    must("a space in front of the colon", b"{P}Transfer-Encoding : chunked\r\n\r\n{D}{S}", "400"),
    must("a tab in front of the colon", b"{P}Transfer-Encoding\t: chunked\r\n\r\n{D}{S}", "400"),
    must("on a line of its own", b"{P}Transfer-Encoding:\r\n chunked\r\n\r\n{D}{S}", "400"),
    must("behind another field's line", b"{P}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n{D}{S}", "400"),
    must("behind a bare carriage return", b"{P}X-A: b\rTransfer-Encoding: chunked\r\n\r\n{D}{S}", "400"),
    // The body that it announces is not read, so nothing behind this head is.
    must("with an underscore", b"{P}Transfer_Encoding: chunked\r\n\r\n{D}{S}", "400"),
    must("with an underscore, beside a length", b"{P}Transfer_Encoding: chunked\r\nContent-Length: {L}\r\n\r\n{C}{S}", "400"),
];

/// Versions that know no codings, and requests that have no use for one.
#[rustfmt::skip] // A line for each request.
pub(super) const VERSIONS: &[Probe] = &[
    must("in HTTP/1.0", b"POST /v1/chat/completions HTTP/1.0\r\n{H}{K}Transfer-Encoding: chunked\r\n\r\n{D}{S}", "400"),
    must("in HTTP/1.0 that is kept", b"POST /v1/chat/completions HTTP/1.0\r\n{H}{K}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}", "400"),
    // Without a length there is no body, whatever follows.
    must("no framing in HTTP/1.0, and bytes", b"POST /v1/chat/completions HTTP/1.0\r\n{H}{K}\r\n{C}{S}", "400"),
    must("no framing in HTTP/1.0, bytes, on an upload", b"POST /raw/v1/files HTTP/1.0\r\n{H}{K}\r\n{S}", "200"),
    must("a length in HTTP/1.0", b"POST /v1/chat/completions HTTP/1.0\r\n{H}{K}Content-Length: {L}\r\n\r\n{C}", "200"),
    must("chunks on a GET", b"{G}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "200 +"),
    must("chunks on a GET that is passed on", b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "200 +"),
    must("chunks on a HEAD", b"HEAD /v1/models HTTP/1.1\r\n{H}{K}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 +"),
];

#[tokio::test]
async fn a_coding_without_an_end_is_refused() {
    check(&[ENDLESS]).await;
}

#[tokio::test]
async fn chunked_is_the_only_coding() {
    check(&[MORE]).await;
}

#[tokio::test]
async fn chunked_is_spelled_plainly() {
    check(&[SPELLED]).await;
}

#[tokio::test]
async fn codings_are_of_http_1_1() {
    check(&[VERSIONS]).await;
}

/// Bytes behind a head of HTTP/1.0 that announces none are no body: what is passed on has none.
#[tokio::test]
async fn without_a_length_http_1_0_has_no_body() {
    let (gateway, upstream) = start().await;
    let upload = VERSIONS
        .iter()
        .find(|probe| probe.name.ends_with("on an upload"));
    let answer = raw_until_close(gateway.address, &written(upload.unwrap().bytes)).await;
    assert_eq!(answer.get(9..12), Some("200"), "{answer}");
    let seen = upstream.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body, b"");
    let framing = (
        seen[0].headers.get("content-length").map(String::as_str),
        seen[0].headers.get("transfer-encoding"),
    );
    assert_eq!(framing, (Some("0"), None));
    gateway.stop().await;
}
