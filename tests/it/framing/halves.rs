//! A body that goes on while it comes and then breaks: the provider never takes it for a whole one, and what it was sent
//! on is not used again.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::probe::find;
use crate::harness::{Gateway, KEY, raw, read_until, shared_config, watch_panics, within};

async fn start() -> (Gateway, TcpListener) {
    watch_panics();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = "server: {listen: \"127.0.0.1:0\", timeouts: {body_idle: 200ms}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &shared_config(&url, ""))).await;
    (gateway, listener)
}

/// An upload's head and beginning.
fn upload(framing: &str, beginning: &str) -> String {
    format!(
        "POST /raw/v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{framing}\r\n\r\n{beginning}"
    )
}

#[tokio::test]
async fn a_body_that_breaks_is_never_whole_for_the_provider() {
    let (gateway, provider) = start().await;
    for (framing, beginning, rest, status) in [
        (
            "Transfer-Encoding: chunked",
            "5\r\nfirst\r\n",
            "zz\r\nmore\r\n0\r\n\r\n",
            "400",
        ),
        (
            "Transfer-Encoding: chunked",
            "5\r\nfirst\r\n",
            "2\r\nmore\r\n0\r\n\r\n",
            "400",
        ),
        (
            "Transfer-Encoding: chunked",
            "5\r\nfirst\r\n",
            "-1\r\n",
            "400",
        ),
        (
            "Transfer-Encoding: chunked",
            "5\r\nfirst\r\n",
            "0\r\nbad trailer\r\n\r\n",
            "400",
        ),
        ("Transfer-Encoding: chunked", "5\r\nfirst\r\n", "", "408"),
        ("Content-Length: 50", "first", "more", "408"),
    ] {
        let mut client = raw(gateway.address, upload(framing, beginning).as_bytes()).await;
        let (mut upstream, _) = within("a connection", provider.accept()).await.unwrap();
        let mut sent = read_until(&mut upstream, b"first").await;
        client.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = within("an answer", client.read_to_string(&mut answer)).await;
        assert_eq!(answer.get(9..12), Some(status), "{rest:?} {answer}");
        // The connection is given up, and the body on it has no end.
        let _ = within("the end upstream", upstream.read_to_end(&mut sent)).await;
        let body = find(&sent, b"first").unwrap();
        assert!(find(&sent[body..], b"0\r\n\r\n").is_none(), "{rest:?}");
        assert!(sent.len() - body < 50, "{rest:?}");
    }
    let calls = gateway.calls(6).await;
    for call in &calls {
        assert_eq!(call["outcome"], "client_closed", "{call}");
    }
    gateway.nothing_held(KEY).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_with_half_a_body_serves_nobody_else() {
    let (gateway, provider) = start().await;
    for (framing, beginning, rest) in [
        (
            "Content-Length: 1000",
            "first",
            "GET /canary HTTP/1.1\r\n\r\n",
        ),
        (
            "Transfer-Encoding: chunked",
            "5\r\nfirst\r\n",
            "19\r\nGET /canary HTTP/1.1\r\n\r\n\r\n",
        ),
    ] {
        let mut client = raw(gateway.address, upload(framing, beginning).as_bytes()).await;
        let (mut upstream, _) = within("a connection", provider.accept()).await.unwrap();
        read_until(&mut upstream, b"first").await;
        // The provider has heard enough, and would go on with the next request.
        let early = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        upstream.write_all(early).await.unwrap();
        let answer = read_until(&mut client, b"{}").await;
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        // Whatever its client still says is a part of that body or of nothing.
        let _ = client.write_all(rest.as_bytes()).await;
        let call = gateway.call("GET", "/raw/v1/files").bearer(KEY);
        let other = tokio::spawn(call.send());
        let (mut next, _) = within("another connection", provider.accept())
            .await
            .unwrap();
        let asked = read_until(&mut next, b"\r\n\r\n").await;
        assert!(
            asked.starts_with(b"GET /v1/files HTTP/1.1\r\n"),
            "{asked:?}"
        );
        let last = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n{\"b\":1";
        next.write_all(last).await.unwrap();
        let other = within("an answer", other).await.unwrap();
        assert_eq!((other.status.as_u16(), other.text()), (200, "{\"b\":1"));
        drop((client, upstream));
    }
    gateway.calls(4).await;
    gateway.nothing_held(KEY).await;
    gateway.stop().await;
}
