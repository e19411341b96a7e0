//! The request line and the host: method, target, version, and who is asked.

use super::probe::{Probe, check, must, takes};

const CUT: &str =
    "the URL type cuts a fragment off before anybody sees it: the request is the one without";

/// Versions, and what parts the words of the line.
#[rustfmt::skip] // A line for each request.
pub(super) const VERSIONS: &[Probe] = &[
    must("1.2", b"GET /v1/models HTTP/1.2\r\n{H}{K}\r\n", "400|505"),
    must("1.01", b"GET /v1/models HTTP/1.01\r\n{H}{K}\r\n", "400|505"),
    must("01.1", b"GET /v1/models HTTP/01.1\r\n{H}{K}\r\n", "400|505"),
    must("2.0", b"GET /v1/models HTTP/2.0\r\n{H}{K}\r\n", "400|505"),
    must("9.9", b"GET /v1/models HTTP/9.9\r\n{H}{K}\r\n", "400|505"),
    must("a negative one", b"GET /v1/models HTTP/-1.1\r\n{H}{K}\r\n", "400|505"),
    must("in small letters", b"GET /v1/models http/1.1\r\n{H}{K}\r\n", "400|505"),
    must("another protocol", b"GET /v1/models ICY/1.1\r\n{H}{K}\r\n", "400|505"),
    must("another parting", b"GET /v1/models HTTP:1.1\r\n{H}{K}\r\n", "400|505"),
    must("none", b"GET /v1/models\r\n{H}{K}\r\n", "400|505"),
    must("HTTP/0.9", b"GET /v1/models\r\n", "400|505"),
    must("a space behind it", b"GET /v1/models HTTP/1.1 \r\n{H}{K}\r\n", "400"),
    must("a word behind it", b"GET /v1/models HTTP/1.1 x\r\n{H}{K}\r\n", "400"),
    must("two spaces before the target", b"GET  /v1/models HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("two spaces behind the target", b"GET /v1/models  HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a tab before the target", b"GET\t/v1/models HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a tab behind the target", b"GET /v1/models\tHTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a vertical tab", b"GET\x0b/v1/models HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("no method", b"/v1/models HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("no target", b"GET HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("an empty target", b"GET  HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("HTTP/1.0", b"GET /v1/models HTTP/1.0\r\n{K}\r\n", "200"),
    must("a server's words", b"HTTP/1.1 200 OK\r\n\r\n", "400"),
    must("TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "400|-"),
    must("half an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "400"),
];

/// Methods.
#[rustfmt::skip] // A line for each request.
pub(super) const METHODS: &[Probe] = &[
    must("a tunnel", b"CONNECT gateway.test:443 HTTP/1.1\r\nHost: gateway.test:443\r\n\r\n", "405"),
    must("a tunnel, a request behind it", b"CONNECT gateway.test:443 HTTP/1.1\r\nHost: gateway.test:443\r\n{K}\r\n{S}", "405"),
    must("a tunnel with a body", b"CONNECT gateway.test:443 HTTP/1.1\r\nHost: gateway.test:443\r\n{K}Content-Length: {N}\r\n\r\n{S}", "405"),
    must("a tunnel to a path", b"CONNECT /raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "405"),
    must("an echo", b"TRACE /v1/models HTTP/1.1\r\n{H}{K}\r\n", "405 +"),
    must("an echo on a provider's route", b"TRACE /raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "405 +"),
    must("an unknown one", b"BREW /v1/models HTTP/1.1\r\n{H}{K}\r\n", "405 +"),
    must("one in small letters", b"get /v1/models HTTP/1.1\r\n{H}{K}\r\n", "405 +"),
    must("one with a bracket", b"GE(T /v1/models HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("one with another byte", b"G\xcbT /v1/models HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a hundred letters", b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /v1/models HTTP/1.1\r\n{H}{K}\r\n", "405 +"),
    must("an override", b"{G}X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: DELETE\r\n\r\n", "200 +"),
];

/// Targets.
#[rustfmt::skip] // A line for each request.
pub(super) const TARGETS: &[Probe] = &[
    must("a backslash", b"GET /v1\\models HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("a quote", b"GET /v1/\"models HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("braces", b"GET /raw/{a} HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("angle brackets", b"GET /raw/<a> HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("a caret", b"GET /raw/^ HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("UTF-8", b"GET /raw/\xc3\xa4 HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("bytes that are not UTF-8", b"GET /raw/\xff HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("an overlong slash", b"GET /raw\xc0\xafcanary HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a control character", b"GET /raw/\x01 HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("NUL", b"GET /raw/\0 HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a delete", b"GET /raw/\x7f HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a space", b"GET /raw/a b HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("an asterisk", b"GET * HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("an asterisk with OPTIONS", b"OPTIONS * HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    takes("a fragment", b"GET /v1/models#/../canary HTTP/1.1\r\n{H}{K}\r\n", "200 +", CUT),
    takes("a fragment behind a query", b"GET /raw/v1/files?a#canary HTTP/1.1\r\n{H}{K}\r\n", "200 +", CUT),
    must("two slashes", b"GET //canary.test/raw HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("dots", b"GET /raw/../canary HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("escaped dots", b"GET /raw/%2e%2E/canary HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("an escaped slash", b"GET /raw%2fcanary HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("an escaped NUL", b"GET /raw/%00 HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("escaped line ends", b"GET /raw/%0d%0aX:y HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("escaped line ends in a query", b"GET /raw/x?a=%0d%0aX:%20y HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("the same in capitals", b"GET /v1/models?a=%0D%0A HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("an escaped NUL in a query", b"GET /raw/x?a=b%00 HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("an escaped line feed in a query", b"GET /raw/x?a=%0a%0d HTTP/1.1\r\n{H}{K}\r\n", "200 +"),
    must("no slash", b"GET raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("a query alone", b"GET ?a HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("a host and a port", b"GET gateway.test:80 HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
    must("a whole URL", b"GET http://gateway.test/raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "200 +"),
    must("a whole URL without a path", b"GET http://gateway.test HTTP/1.1\r\n{H}{K}\r\n", "404 +"),
    must("a whole URL with a query alone", b"GET http://gateway.test?a HTTP/1.1\r\n{H}{K}\r\n", "404 +"),
    must("a whole URL of another host", b"GET http://canary.test/raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("a whole URL of another port", b"GET http://gateway.test:81/raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("a whole URL with a user", b"GET http://u@gateway.test/raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("a whole URL with an empty host", b"GET http:///raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400"),
    must("a whole URL without a host field", b"GET http://gateway.test/raw/v1/files HTTP/1.1\r\n{K}\r\n", "400 +"),
    must("a URL of TLS, without TLS", b"GET https://gateway.test/raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("a URL of a file", b"GET file://gateway.test/raw/v1/files HTTP/1.1\r\n{H}{K}\r\n", "400 +"),
    must("a URL of a script", b"GET javascript:alert(1) HTTP/1.1\r\n{H}{K}\r\n", "400 +|400"),
];

/// Hosts.
#[rustfmt::skip] // A line for each request.
pub(super) const HOSTS: &[Probe] = &[
    must("none", b"GET /v1/models HTTP/1.1\r\n{K}\r\n", "400 +"),
    must("empty", b"GET /v1/models HTTP/1.1\r\nHost:\r\n{K}\r\n", "400 +"),
    must("white space", b"GET /v1/models HTTP/1.1\r\nHost: \t\r\n{K}\r\n", "400 +"),
    must("two", b"GET /v1/models HTTP/1.1\r\n{H}Host: canary.test\r\n{K}\r\n", "400 +"),
    must("two that are equal", b"GET /v1/models HTTP/1.1\r\n{H}{H}{K}\r\n", "400 +"),
    must("two in one line", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test,canary.test\r\n{K}\r\n", "400 +"),
    must("two parted by a space", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test canary.test\r\n{K}\r\n", "400 +"),
    must("a user", b"GET /v1/models HTTP/1.1\r\nHost: u@gateway.test\r\n{K}\r\n", "400 +"),
    must("a path", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test/canary\r\n{K}\r\n", "400 +"),
    must("a query", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test?canary\r\n{K}\r\n", "400 +"),
    must("a fragment", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test#canary\r\n{K}\r\n", "400 +"),
    must("a scheme", b"GET /v1/models HTTP/1.1\r\nHost: http://gateway.test\r\n{K}\r\n", "400 +"),
    must("other bytes", b"GET /v1/models HTTP/1.1\r\nHost: g\xe4teway.test\r\n{K}\r\n", "400 +"),
    must("NUL", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test\0\r\n{K}\r\n", "400"),
    must("a backslash", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test\\canary\r\n{K}\r\n", "400 +"),
    must("a space in front of the colon", b"GET /v1/models HTTP/1.1\r\nHost : gateway.test\r\n{K}\r\n", "400"),
    must("one on a line that goes on", b"GET /v1/models HTTP/1.1\r\nHost: gateway.test\r\n .canary\r\n{K}\r\n", "400"),
    must("of somebody else", b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", "401 +"),
    must("forwarded", b"GET /raw/v1/files HTTP/1.1\r\n{H}{K}X-Forwarded-Host: canary\r\nForwarded: host=canary\r\nX-Host: gateway.test\r\n\r\n", "200 +"),
];

#[tokio::test]
async fn a_request_line_has_three_words() {
    check(&[VERSIONS]).await;
}

#[tokio::test]
async fn methods_are_known_or_refused() {
    check(&[METHODS]).await;
}

#[tokio::test]
async fn a_target_is_a_plain_path() {
    check(&[TARGETS]).await;
}

#[tokio::test]
async fn there_is_one_plain_host() {
    check(&[HOSTS]).await;
}
