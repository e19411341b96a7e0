//! Answers' bodies: whole, broken, absent.

use http::{HeaderMap, Method, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::join;

use super::server::{Answer, Server, get, post, read, send, text};
use crate::upstream::{FailureKind, Outgoing, Processed};

/// What comes of an answer after which the provider closes, or resets.
async fn answered(bytes: &str, reset: bool) -> Answer {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, peer) = join!(post(&upstream, "x"), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.send(bytes).await;
        peer
    });
    if reset {
        peer.reset();
    }
    answer
}

#[tokio::test]
async fn a_whole_body_ends() {
    for (bytes, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            "hello",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
            "hello",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello", "hello"),
        ("HTTP/1.0 200 OK\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "hello",
        ),
    ] {
        let answer = answered(bytes, false).await.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_11);
        assert_eq!(read(answer.into_body()).await.unwrap(), expected, "{bytes}");
    }
}

#[tokio::test]
async fn a_cut_body_never_ends_well() {
    const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    const IN_CHUNK: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf";
    for (bytes, reset) in [
        (LENGTH, false),
        (LENGTH, true),
        (CHUNKED, false),
        (CHUNKED, true),
        (IN_CHUNK, false),
    ] {
        let mut body = answered(bytes, reset).await.unwrap().into_body();
        let frame = body.frame().await.unwrap();
        // A reset may overtake what came before it.
        let failure = match frame {
            Ok(frame) => {
                assert_eq!(frame.into_data().unwrap(), "half");
                body.frame().await.unwrap().unwrap_err()
            }
            Err(failure) => failure,
        };
        assert_eq!(failure.kind, FailureKind::Disconnected, "{bytes}");
        assert_eq!(failure.processed, Processed::Maybe);
        assert!(body.frame().await.is_none(), "a broken body is over");
    }
}

#[tokio::test]
async fn a_chunk_that_is_none_is_an_invalid_answer() {
    let bytes = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n";
    let failure = text(answered(bytes, false).await).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidResponse);
}

#[tokio::test]
async fn what_has_no_body_has_none_and_keeps_its_connection() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    join!(
        async {
            let answer = send(&upstream, Method::HEAD, HeaderMap::new(), Outgoing::empty())
                .await
                .unwrap();
            assert_eq!(answer.headers()["content-length"], "5");
            assert!(answer.into_body().is_end_stream());
            for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
                let answer = get(&upstream).await.unwrap();
                assert_eq!(answer.status(), status);
                assert!(answer.into_body().is_end_stream());
            }
        },
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
                .await;
            peer.request().await;
            peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            peer.request().await;
            peer.send("HTTP/1.1 304 Not Modified\r\n\r\n").await;
        }
    );
    server.assert_no_more();
}

#[tokio::test]
async fn two_framings_are_read_as_one_and_end_the_connection() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    join!(
        async {
            let answer = get(&upstream).await.unwrap();
            assert!(!answer.headers().contains_key("content-length"));
            assert!(!answer.headers().contains_key("transfer-encoding"));
            assert_eq!(read(answer.into_body()).await.unwrap(), "hello");
            assert_eq!(text(get(&upstream).await).await.unwrap(), "second");
        },
        async {
            let mut first = server.accept().await;
            first.request().await;
            first
                .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
                .await;
            first.closed().await;
            let mut second = server.accept().await;
            second.request().await;
            second.answer("second").await;
        }
    );
}

#[tokio::test]
async fn more_than_the_length_says_is_dropped_with_the_connection() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    join!(
        async {
            assert_eq!(text(get(&upstream).await).await.unwrap(), "hello");
            assert_eq!(text(get(&upstream).await).await.unwrap(), "second");
        },
        async {
            let mut first = server.accept().await;
            first.request().await;
            first
                .send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more")
                .await;
            first.closed().await;
            let mut second = server.accept().await;
            second.request().await;
            second.answer("second").await;
        }
    );
}

#[tokio::test]
async fn a_length_is_passed_on() {
    let bytes = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let body = answered(bytes, false).await.unwrap().into_body();
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
}
