//! Heads on the wire, ours and the provider's.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::join;

use super::server::{Server, get, send, settings};
use crate::upstream::{BodyError, Encoding, FailureKind, Outgoing, Processed, Upstream};

/// What a provider reads of a request with this body.
async fn seen(method: Method, body: Outgoing, end: &str) -> String {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("gate.example"));
    headers.insert("content-length", HeaderValue::from_static("999"));
    headers.insert(
        "transfer-encoding",
        HeaderValue::from_static("gzip, chunked"),
    );
    headers.insert("authorization", HeaderValue::from_static("Bearer client"));
    headers.insert("expect", HeaderValue::from_static("100-continue"));
    let (_, request) = join!(send(&upstream, method, headers, body), async {
        let mut peer = server.accept().await;
        let mut request = peer.request().await;
        let head = request.len();
        loop {
            request.truncate(head);
            request.push_str(std::str::from_utf8(peer.buffered()).unwrap());
            if request.ends_with(end) {
                break;
            }
            assert_ne!(peer.read().await, 0);
        }
        peer.answer("").await;
        request
    });
    request
        .replace(&server.authority(), "<authority>")
        .replace("\r\n", "\n")
}

#[tokio::test]
async fn every_request_has_one_framing() {
    let none = "\r\n\r\n";
    let whole = Outgoing::full(Bytes::from_static(b"{}"));
    let sized = Full::new(Bytes::from_static(b"sized")).map_err(|never| match never {});
    let frames = ["ab", "c"].map(|text| Ok::<_, BodyError>(Frame::data(Bytes::from(text))));
    let chunked = Outgoing::stream(StreamBody::new(stream::iter(frames)));
    let requests = [
        seen(Method::GET, Outgoing::empty(), none).await,
        seen(Method::POST, Outgoing::empty(), none).await,
        seen(Method::POST, whole, "{}").await,
        seen(Method::PUT, Outgoing::stream(sized), "sized").await,
        seen(Method::POST, chunked, "0\r\n\r\n").await,
    ];
    insta::assert_snapshot!(requests.join("\n---\n"));
}

#[tokio::test]
async fn the_target_is_the_base_urls_and_the_version_is_ours() {
    let server = Server::bind().await;
    let mut settings = settings("http", &server.authority());
    settings.base_url.path = "/openai/v1".to_owned();
    let upstream = Upstream::new(settings);
    let (mut head, ()) = Request::new(()).into_parts();
    head.version = Version::HTTP_10;
    let target = "/v1/models?key=secret&a=%2F";
    let (_, request) = join!(
        upstream.send(head, target, Encoding::Identity, Outgoing::empty(), || Ok(
            ()
        )),
        async {
            let mut peer = server.accept().await;
            let request = peer.request().await;
            peer.answer("").await;
            request
        }
    );
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some("GET /openai/v1/models?a=%2F HTTP/1.1"));
    assert!(lines.any(|line| line == "accept-encoding: identity"));
}

#[tokio::test]
async fn no_tunnel_is_opened() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let failure = send(
        &upstream,
        Method::CONNECT,
        HeaderMap::new(),
        Outgoing::empty(),
    )
    .await
    .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsendable);
    assert_eq!(failure.processed, Processed::No);
    server.assert_no_more();
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, ()) = join!(get(&upstream), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.send("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n").await;
    });
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "http://169.254.169.254/");
    assert!(!answer.headers().contains_key("set-cookie"));
    server.assert_no_more();
}

#[tokio::test]
async fn a_head_that_is_none_is_an_invalid_answer() {
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(40 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: 1\r\n".repeat(101));
    for bytes in [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 9999 High\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "<html>not http</html>\r\n\r\n",
        &large,
        &many,
    ] {
        let server = Server::bind().await;
        let upstream = server.upstream();
        let (answer, ()) = join!(get(&upstream), async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.send(bytes).await;
            peer.closed().await;
        });
        let kind = answer.unwrap_err().kind;
        assert_eq!(kind, FailureKind::InvalidResponse, "{bytes:.60}");
    }
}
