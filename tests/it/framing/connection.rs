//! What a connection carries: several requests, expectations, upgrades, and fields that end with the hop.

use super::probe::{Probe, check, must};

/// Requests behind each other.
#[rustfmt::skip] // A line for each request.
pub(super) const PIPELINED: &[Probe] = &[
    must("two", b"{G}\r\n{G}\r\n", "200 200 +"),
    must("two chats", b"{P}Content-Length: {L}\r\n\r\n{C}{P}Content-Length: {L}\r\n\r\n{C}", "200 200 +"),
    must("the second without a key", b"{G}\r\nGET /v1/models HTTP/1.1\r\n{H}\r\n", "200 401 +"),
    must("the second is none", b"{G}\r\nnonsense\r\n\r\n", "200 400"),
    must("a chat, then an upload", b"{P}Content-Length: {L}\r\n\r\n{C}{U}Transfer-Encoding: chunked\r\n\r\n{D}", "200 200 +"),
    must("behind one that closes", b"{G}Connection: close\r\n\r\n{S}", "200"),
    must("behind one that closes, with a body", b"{P}Connection: close\r\nContent-Length: {L}\r\n\r\n{C}{S}", "200"),
    must("behind one that both keeps and closes", b"{G}Connection: keep-alive\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n{S}", "200"),
    must("behind a HEAD", b"HEAD /v1/models HTTP/1.1\r\n{H}{K}\r\n{G}\r\n", "200 200 +"),
    must("an empty line between", b"{G}\r\n\r\n{G}\r\n", "200 200 +"),
];

/// Expectations.
#[rustfmt::skip] // A line for each request.
pub(super) const EXPECTED: &[Probe] = &[
    must("to go on, with the body at once", b"{P}Expect: 100-continue\r\nContent-Length: {L}\r\n\r\n{C}", "200 +|100 200 +"),
    must("to go on, with chunks at once", b"{P}Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n{D}", "200 +|100 200 +"),
    must("to go on, without a body", b"{G}Expect: 100-continue\r\n\r\n", "200 +|200"),
    // The refused body is not waited for, and what comes is not taken for a request.
    must("to go on, refused, with the body at once", b"POST /v1/chat/completions HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: {N}\r\n\r\n{S}", "401|401 +"),
    must("to go on, refused, without the body", b"POST /v1/chat/completions HTTP/1.1\r\n{H}Expect: 100-continue\r\nContent-Length: {N}\r\n\r\n", "401"),
    must("to go on, nowhere", b"POST /v1/nowhere HTTP/1.1\r\n{H}{K}Expect: 100-continue\r\nContent-Length: {N}\r\n\r\n", "404"),
    must("another word before it", b"{P}Expect: y 100-continue\r\nContent-Length: {L}\r\n\r\n{C}", "400"),
    must("another thing", b"{P}Expect: a-miracle\r\nContent-Length: {L}\r\n\r\n{C}", "400"),
    must("two", b"{P}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: {L}\r\n\r\n{C}", "400"),
    must("two in one line", b"{P}Expect: 100-continue, 100-continue\r\nContent-Length: {L}\r\n\r\n{C}", "400"),
    must("empty", b"{P}Expect:\r\nContent-Length: {L}\r\n\r\n{C}", "400"),
    must("in HTTP/1.0", b"POST /v1/chat/completions HTTP/1.0\r\n{H}{K}Expect: 100-continue\r\nContent-Length: {L}\r\n\r\n{C}", "200|100 200"),
];

/// Upgrades, none of which we do.
#[rustfmt::skip] // A line for each request.
pub(super) const UPGRADED: &[Probe] = &[
    must("to anything, a request behind it", b"{G}Connection: Upgrade\r\nUpgrade: foo\r\n\r\nGET /v1/models HTTP/1.1\r\n{H}\r\n", "200 401 +"),
    must("to anything, a smuggled request as body", b"{G}Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: {N}\r\n\r\n{S}", "200 +"),
    must("to a websocket", b"GET /raw/v1/realtime HTTP/1.1\r\n{H}{K}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "200 +"),
    must("to a websocket with a body", b"{P}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {L}\r\n\r\n{C}{S}", "400"),
    must("to a websocket with chunks", b"{P}Connection: Upgrade\r\nUpgrade: WebSocket\r\nTransfer-Encoding: chunked\r\n\r\n{D}{S}", "400"),
    must("to HTTP/2", b"{G}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "200 +"),
    must("to HTTP/2, passed on", b"{U}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {L}\r\n\r\n{C}", "200 +"),
    must("to HTTP/2, its preface behind it", b"{G}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "200|200 400"),
    must("to TLS", b"{G}Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n", "200 +"),
    must("a tunnel that is one", b"CONNECT gateway.test:443 HTTP/1.1\r\nHost: gateway.test:443\r\nUpgrade: websocket\r\n\r\n{S}", "405"),
];

/// Fields that end here, and credentials.
#[rustfmt::skip] // A line for each request.
pub(super) const HOPS: &[Probe] = &[
    must("the key is named", b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}Connection: Authorization, X-Api-Key\r\n\r\n", "200 +"),
    must("the other key is named", b"GET /raw/v1/files HTTP/1.1\r\n{H}X-Api-Key: nobody\r\nConnection: X-Api-Key\r\n\r\n", "401 +"),
    must("ours are named", b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}Connection: X-Request-Id, Host, Accept-Encoding\r\n\r\n", "200 +"),
    must("the length is named", b"{U}Connection: Content-Length\r\nContent-Length: {L}\r\n\r\n{C}", "200 +"),
    must("the coding is named", b"{U}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n{D}", "200 +"),
    must("nonsense is named", b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}Connection: \xff, , ;, a b, Connection\r\nConnection: ,\r\n\r\n", "200 +"),
    must("all that end here", b"{U}Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: canary\r\nProxy-Authenticate: canary\r\nTE: trailers, canary\r\nTrailer: X-Sum\r\nContent-Length: {L}\r\n\r\n{C}", "200 +"),
    must("two credentials", b"{G}Authorization: Bearer other\r\n\r\n", "400 +"),
    must("two kinds of credentials", b"{G}X-Api-Key: other\r\n\r\n", "400 +"),
    must("a second credential in the query", b"GET /v1/models?key=other HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
];

#[tokio::test]
async fn requests_come_one_after_the_other() {
    check(&[PIPELINED]).await;
}

#[tokio::test]
async fn an_expectation_is_met_or_refused() {
    check(&[EXPECTED]).await;
}

#[tokio::test]
async fn nothing_is_upgraded() {
    check(&[UPGRADED]).await;
}

#[tokio::test]
async fn what_is_of_the_hop_ends_here() {
    check(&[HOPS]).await;
}
