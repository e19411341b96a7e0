//! Chunks: sizes, lines, extensions, trailers. Whatever is tolerated here is framed anew for the provider.

use super::probe::{Probe, check, must, start, takes};
use crate::harness::{KEY, raw_until_close, unharmed};

const DROPPED: &str = "extensions are never passed on, so nobody can read them differently";
const TRIMMED: &str = "white space behind a size has one meaning, and sizes are written anew";
const SWALLOWED: &str =
    "the parser takes what follows for trailers, up to an empty line, and trailers end here";

/// Sizes, on a chat, whose body is read here.
#[rustfmt::skip] // A line for each request.
pub(super) const SIZES: &[Probe] = &[
    must("hexadecimal, spelled out", b"{P}Transfer-Encoding: chunked\r\n\r\n0x{X}\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("plus", b"{P}Transfer-Encoding: chunked\r\n\r\n+{X}\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("minus", b"{P}Transfer-Encoding: chunked\r\n\r\n-{X}\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("minus one", b"{P}Transfer-Encoding: chunked\r\n\r\n-1\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a space before it", b"{P}Transfer-Encoding: chunked\r\n\r\n {X}\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a tab before it", b"{P}Transfer-Encoding: chunked\r\n\r\n\t{X}\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("an underscore within", b"{P}Transfer-Encoding: chunked\r\n\r\n3_9\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a letter that is no digit", b"{P}Transfer-Encoding: chunked\r\n\r\n3g\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("two, parted by a space", b"{P}Transfer-Encoding: chunked\r\n\r\n3 9\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("in quotes", b"{P}Transfer-Encoding: chunked\r\n\r\n\"39\"\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("none", b"{P}Transfer-Encoding: chunked\r\n\r\n\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a fraction", b"{P}Transfer-Encoding: chunked\r\n\r\n39.0\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("NUL behind it", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\0\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("2^64", b"{P}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("2^64 + 57", b"{P}Transfer-Encoding: chunked\r\n\r\n10000000000000039\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("2^64 - 1", b"{P}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{C}\r\n0\r\n\r\n{S}", "408"),
    must("noughts before it", b"{P}Transfer-Encoding: chunked\r\n\r\n0000000000000000{X}\r\n{C}\r\n000\r\n\r\n", "200 +"),
    takes("a space behind it", b"{P}Transfer-Encoding: chunked\r\n\r\n{X} \r\n{C}\r\n0\r\n\r\n", "200 +", TRIMMED),
    takes("a tab behind it", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\t\r\n{C}\r\n0 \r\n\r\n", "200 +", TRIMMED),
];

/// Lines and data.
#[rustfmt::skip] // A line for each request.
pub(super) const LINES: &[Probe] = &[
    must("more data than the size says", b"{P}Transfer-Encoding: chunked\r\n\r\n5\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("less data than the size says", b"{P}Transfer-Encoding: chunked\r\n\r\nff\r\n{C}\r\n0\r\n\r\n", "408"),
    must("no line end behind the data", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}0\r\n\r\n{S}", "400"),
    must("a line feed alone behind the data", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\n0\r\n\r\n{S}", "400"),
    must("a carriage return alone behind the data", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r0\r\n\r\n{S}", "400"),
    must("a line feed alone behind the size", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a carriage return alone behind the size", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r{C}\r\n0\r\n\r\n{S}", "400"),
    must("two carriage returns behind the size", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a line feed alone behind the last size", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\n\n{S}", "400"),
    takes("a line feed alone at the end", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\n\n{S}", "200 +", SWALLOWED),
    must("no last chunk", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n", "408"),
    must("no last line", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\n", "408"),
    must("no chunk at all", b"{P}Transfer-Encoding: chunked\r\n\r\n", "408"),
    must("a body that is not in chunks", b"{P}Transfer-Encoding: chunked\r\n\r\n{C}{S}", "400"),
    must("a request behind the last chunk", b"{P}Transfer-Encoding: chunked\r\n\r\n{D}GET /v1/models HTTP/1.1\r\n{H}\r\n", "200 401 +"),
    must("many small chunks", b"{P}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n\"\r\n1\r\nm\r\n1\r\no\r\n1\r\nd\r\n1\r\ne\r\n1\r\nl\r\n1\r\n\"\r\n1\r\n:\r\n1\r\n\"\r\n1\r\nm\r\n1\r\n\"\r\n1\r\n}\r\n0\r\n\r\n", "200 +"),
];

/// Extensions.
#[rustfmt::skip] // A line for each request.
pub(super) const EXTENSIONS: &[Probe] = &[
    takes("a name", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};a\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    takes("a name and a value", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};a=b;c=\"d\"\r\n{C}\r\n0;e\r\n\r\n", "200 +", DROPPED),
    takes("nothing but a semicolon", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    takes("a control character", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};\x01a\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    takes("NUL", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};\0a\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    takes("no token", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};a@b(c)\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    takes("other bytes", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};\xff\xfe\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    takes("an open quote", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};a=\"b\r\n{C}\r\n0\r\n\r\n", "200 +", DROPPED),
    must("a line feed within", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};a\nX\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("a carriage return within", b"{P}Transfer-Encoding: chunked\r\n\r\n{X};a\rX\r\n{C}\r\n0\r\n\r\n{S}", "400"),
    must("on a chunk of an upload", b"{U}Transfer-Encoding: chunked\r\n\r\n{X};a=b\r\n{C}\r\n0\r\n\r\n", "200 +"),
];

/// Trailers: never fields, never passed on.
#[rustfmt::skip] // A line for each request.
pub(super) const TRAILERS: &[Probe] = &[
    must("a length", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nContent-Length: 5\r\n\r\n", "200 +"),
    must("a coding", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", "200 +"),
    must("a host", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nHost: canary.test\r\n\r\n", "200 +"),
    must("a credential where there is one", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nX-Api-Key: canary\r\n\r\n", "200 +"),
    must("a credential where there is none", b"POST /v1/chat/completions HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\n{K}\r\n", "401|401 +"),
    must("on an upload", b"{U}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n{X}\r\n{C}\r\n0\r\nX-Sum: canary\r\nAuthorization: Bearer canary\r\n\r\n", "200 +"),
    must("no name", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\n: canary\r\n\r\n{S}", "400"),
    must("a space in front of the colon", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nX-Sum : canary\r\n\r\n{S}", "400"),
    must("NUL", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nX-Sum: a\0\r\n\r\n{S}", "400"),
    must("no end", b"{P}Transfer-Encoding: chunked\r\n\r\n{X}\r\n{C}\r\n0\r\nX-Sum: a\r\n", "408"),
];

#[tokio::test]
async fn a_size_is_written_in_hexadecimal_digits() {
    check(&[SIZES]).await;
}

#[tokio::test]
async fn chunks_are_as_long_as_they_say() {
    check(&[LINES]).await;
}

#[tokio::test]
async fn extensions_end_here() {
    check(&[EXTENSIONS]).await;
}

#[tokio::test]
async fn trailers_end_here() {
    check(&[TRAILERS]).await;
}

/// What the parser keeps of it is bounded, on a body that is read and on one that is passed on.
#[tokio::test]
async fn extensions_and_trailers_have_bounds() {
    let (gateway, upstream) = start().await;
    let mut told = String::new();
    for path in ["/v1/chat/completions", "/raw/v1/files"] {
        for body in [
            format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(64 << 10)),
            "1;aaaaaaaaaaaaaaaa\r\n \r\n".repeat(4 << 10) + "0\r\n\r\n",
            format!("2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "a".repeat(64 << 10)),
            format!("2\r\n{{}}\r\n0\r\n{}\r\n", "X: a\r\n".repeat(4 << 10)),
        ] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            let answer = raw_until_close(gateway.address, (head + &body).as_bytes()).await;
            let start: String = body.chars().take(20).collect();
            assert!(
                answer.starts_with("HTTP/1.1 400 "),
                "{path} {start:?} {answer}"
            );
            assert!(
                answer.contains("invalid_framing"),
                "{path} {start:?} {answer}"
            );
            told.push_str(&answer);
        }
    }
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}
