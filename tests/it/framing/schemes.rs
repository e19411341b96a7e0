//! A target that is a whole URL names the scheme of its connection.

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    harness::{Gateway, KEY, Upstream, raw, shared_config, unharmed, watch_panics, within},
    tls::Authority,
};

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

/// Asks for a file by a whole URL; gives the status.
async fn asks(mut stream: impl AsyncRead + AsyncWrite + Unpin, scheme: &str) -> String {
    let request = format!(
        "GET {scheme}://gateway.test/raw/v1/files HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {KEY}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // How TLS ends does not matter.
    let _ = within("an answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer[9..12].to_vec()).unwrap()
}

#[tokio::test]
async fn a_url_has_the_scheme_of_its_connection() {
    watch_panics();
    let authority = Authority::new();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&(authority.server() + &shared_config(&upstream.url(), ""))).await;
    for (scheme, status) in [
        ("https", "200"),
        ("HTTPS", "200"),
        ("http", "400"),
        ("ftp", "400"),
    ] {
        let stream = authority.connect(gateway.address, &["http/1.1"]).await;
        assert_eq!(asks(stream, scheme).await, status, "{scheme} with TLS");
    }
    // Over HTTP/2 every target has a scheme, and some clients always name the same.
    for (scheme, status) in [("https", 200), ("http", 200), ("ftp", 400)] {
        let stream = authority.connect(gateway.address, &["h2"]).await;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("{scheme}://127.0.0.1/raw/v1/files"))
            .header("authorization", format!("Bearer {KEY}"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = within("an answer", sender.send_request(request)).await;
        assert_eq!(answer.unwrap().status(), status, "{scheme} over HTTP/2");
    }
    gateway.stop().await;

    for (more, https) in [("", "400"), (", trusted_proxies: [127.0.0.1/32]", "200")] {
        let server = format!("server: {{listen: \"127.0.0.1:0\"{more}}}\n");
        let gateway = Gateway::start(&(server + &shared_config(&upstream.url(), ""))).await;
        for (scheme, status) in [("http", "200"), ("https", https), ("file", "400")] {
            let stream = raw(gateway.address, b"").await;
            assert_eq!(
                asks(stream, scheme).await,
                status,
                "{scheme} without TLS {more}"
            );
        }
        gateway.stop().await;
    }
    let last = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&last.url(), "")).await;
    assert_eq!(asks(raw(gateway.address, b"").await, "http").await, "200");
    unharmed(&gateway, &last, "").await;
    gateway.stop().await;
}
