//! Lines of a head: their ends, the names and the values of fields.

use super::probe::{Probe, check, must, takes};

const FEED: &str =
    "the parser takes a line feed for a line's end; the head is written anew for the provider";
const EMPTY: &str =
    "RFC 9112 §2.2 asks to ignore an empty line before a request, and the parser ignores several";

/// Ends of lines.
#[rustfmt::skip] // A line for each request.
pub(super) const ENDS: &[Probe] = &[
    takes("line feeds alone", b"GET /v1/models HTTP/1.1\nHost: gateway.test\n{K}\n", "200 +", FEED),
    takes("a line feed behind the request line", b"GET /v1/models HTTP/1.1\n{H}{K}\r\n", "200 +", FEED),
    takes("a line feed behind a field", b"GET /v1/models HTTP/1.1\r\nX-A: b\n{H}{K}\r\n", "200 +", FEED),
    takes("a line feed at the end", b"GET /v1/models HTTP/1.1\r\n{H}{K}\n", "200 +", FEED),
    takes("a line feed behind a length, a body", b"{P}Content-Length: {L}\n\r\n{C}", "200 +", FEED),
    takes("a line feed behind a coding", b"{P}Transfer-Encoding: chunked\n\r\n{D}", "200 +", FEED),
    takes("a line feed between a field and a coding", b"{P}X-A: b\nTransfer-Encoding: chunked\r\n\r\n{D}", "200 +", FEED),
    takes("a line feed between a length and a coding", b"{P}Content-Length: 3\nTransfer-Encoding: chunked\r\n\r\n{D}{S}", "200", FEED),
    must("a carriage return behind the request line", b"GET /v1/models HTTP/1.1\r{H}{K}\r\n", "400"),
    must("a carriage return behind a field", b"{G}X-A: b\rX-B: c\r\n\r\n", "400"),
    must("a carriage return at the end", b"{G}\r{S}", "400"),
    must("two carriage returns", b"{G}X-A: b\r\r\n\r\n", "400"),
    must("a carriage return in a name", b"{G}X\r-A: b\r\n\r\n", "400"),
    takes("an empty line before it", b"\r\n{G}\r\n", "200 +", EMPTY),
    takes("five empty lines before it", b"\r\n\r\n\r\n\r\n\r\n{G}\r\n", "200 +", EMPTY),
    takes("line feeds before it", b"\n\n{G}\r\n", "200 +", EMPTY),
    must("a carriage return before it", b"\r{G}\r\n", "400"),
    must("a space before it", b" {G}\r\n", "400"),
    must("NUL before it", b"\0{G}\r\n", "400"),
    must("no end", b"{G}", "-"),
    must("half a line", b"GET /v1/mod", "-"),
];

/// Lines that go on, or belong to nothing.
#[rustfmt::skip] // A line for each request.
pub(super) const FOLDED: &[Probe] = &[
    must("a space before a line", b"{G}X-A: b\r\n c\r\n\r\n", "400"),
    must("a tab before a line", b"{G}X-A: b\r\n\tc\r\n\r\n", "400"),
    must("a space before the first line", b"GET /v1/models HTTP/1.1\r\n {H}{K}\r\n", "400"),
    must("a tab before the first line", b"GET /v1/models HTTP/1.1\r\n\t{H}{K}\r\n", "400"),
    must("a line of white space", b"{G}X-A: b\r\n \r\n\r\n", "400"),
    must("a host on two lines", b"GET /v1/models HTTP/1.1\r\nHost:\r\n gateway.test\r\n{K}\r\n", "400"),
    must("a line without a colon", b"{G}X-A\r\n\r\n", "400"),
    must("another request line", b"{G}GET / HTTP/1.1\r\n\r\n", "400"),
    must("a status line", b"{G}HTTP/1.1 200 OK\r\n\r\n", "400"),
];

/// Names of fields.
#[rustfmt::skip] // A line for each request.
pub(super) const NAMES: &[Probe] = &[
    must("none", b"{G}: b\r\n\r\n", "400"),
    must("a space behind it", b"{G}X-A : b\r\n\r\n", "400"),
    must("a tab behind it", b"{G}X-A\t: b\r\n\r\n", "400"),
    must("a space within", b"{G}X A: b\r\n\r\n", "400"),
    must("NUL within", b"{G}X\0A: b\r\n\r\n", "400"),
    must("a bracket within", b"{G}X(A: b\r\n\r\n", "400"),
    must("a slash within", b"{G}X/A: b\r\n\r\n", "400"),
    must("a quote within", b"{G}X\"A: b\r\n\r\n", "400"),
    must("an at sign within", b"{G}X@A: b\r\n\r\n", "400"),
    must("another byte within", b"{G}X\xe4A: b\r\n\r\n", "400"),
    must("a delete within", b"{G}X\x7fA: b\r\n\r\n", "400"),
    must("signs that are allowed", b"{G}X!#$%&'*+-.^`|~1: b\r\n\r\n", "200 +"),
    must("an underscore", b"{U}X_A: b\r\nContent-Length: 0\r\n\r\n", "200 +"),
    must("a length with an underscore", b"{P}Content_Length: {L}\r\n\r\n{C}{S}", "400"),
    must("a length and one with an underscore", b"{P}Content-Length: {L}\r\nCONTENT_LENGTH: 0\r\n\r\n{C}{S}", "400"),
    must("a host with an underscore", b"{G}Ho_st: canary\r\n\r\n", "200 +"),
    must("a key with an underscore", b"GET /v1/models HTTP/1.1\r\n{H}X_Api_Key: a\r\n\r\n", "401 +"),
];

/// Values of fields.
#[rustfmt::skip] // A line for each request.
pub(super) const VALUES: &[Probe] = &[
    must("NUL", b"{G}X-A: b\0c\r\n\r\n", "400"),
    must("a bell", b"{G}X-A: b\x07c\r\n\r\n", "400"),
    must("an escape", b"{G}X-A: \x1b[31mred\r\n\r\n", "400"),
    must("a vertical tab", b"{G}X-A: b\x0bc\r\n\r\n", "400"),
    must("a form feed", b"{G}X-A: b\x0cc\r\n\r\n", "400"),
    must("a delete", b"{G}X-A: b\x7fc\r\n\r\n", "400"),
    must("a carriage return", b"{G}X-A: b\rc\r\n\r\n", "400"),
    must("a tab", b"{G}X-A: b\tc\r\n\r\n", "200 +"),
    must("other bytes", b"{U}X-A: \xc3\xa4\xff\r\nContent-Length: 0\r\n\r\n", "200 +"),
    must("empty", b"{U}X-A:\r\nContent-Length: 0\r\n\r\n", "200 +"),
    must("white space alone", b"{G}X-A: \t \r\n\r\n", "200 +"),
    must("the same field often", b"{G}Accept: a/b\r\nAccept: c/d\r\nAccept: e/f\r\n\r\n", "200 +"),
    must("cookies", b"{U}Cookie: a=canary; b=\"c; d=\r\nCookie: =;;,\r\nContent-Length: 0\r\n\r\n", "200 +"),
    must("a cookie with NUL", b"{G}Cookie: a=\0\r\n\r\n", "400"),
    must("a cookie with a line end", b"{G}Cookie: a=b\r\n=c\r\n\r\n", "400"),
    must("other cookies", b"{U}Cookie: \xffcanary=\xff\r\nContent-Length: 0\r\n\r\n", "200 +"),
];

#[tokio::test]
async fn lines_have_one_end() {
    check(&[ENDS]).await;
}

#[tokio::test]
async fn no_line_goes_on_in_the_next() {
    check(&[FOLDED]).await;
}

#[tokio::test]
async fn names_are_tokens() {
    check(&[NAMES]).await;
}

#[tokio::test]
async fn values_are_visible() {
    check(&[VALUES]).await;
}
