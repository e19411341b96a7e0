//! Which connection a call gets, what is sent again and what never is.

use futures_util::stream;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    join,
    time::{Duration, Instant, pause},
};

use super::server::{Server, get, post, read, send, settings, text};
use crate::upstream::{BodyError, Encoding, FailureKind, Outgoing, Processed, Upstream};

#[tokio::test]
async fn calls_in_turn_share_a_connection() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    join!(
        async {
            for body in ["one", "two", "three"] {
                assert_eq!(text(post(&upstream, body).await).await.unwrap(), body);
            }
        },
        async {
            let mut peer = server.accept().await;
            for body in ["one", "two", "three"] {
                assert!(peer.request().await.ends_with(body));
                peer.answer(body).await;
            }
        }
    );
    server.assert_no_more();
}

#[tokio::test]
async fn calls_at_the_same_time_do_not() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (first, second, mut peers) = join!(post(&upstream, "a"), post(&upstream, "b"), async {
        let mut peers = [server.accept().await, server.accept().await];
        for peer in &mut peers {
            let request = peer.request().await;
            peer.answer(&request[request.len() - 1..]).await;
        }
        peers
    });
    assert_eq!(text(first).await.unwrap(), "a");
    assert_eq!(text(second).await.unwrap(), "b");
    // Both are idle now, and the one that was given back last is used first.
    for _ in 0..3 {
        let (answer, ()) = join!(post(&upstream, "c"), async {
            peers[1].request().await;
            peers[1].answer("c").await;
        });
        assert_eq!(text(answer).await.unwrap(), "c");
    }
    server.assert_no_more();
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_used() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let mut previous = None;
    for body in ["one", "two", "three"] {
        // Nothing runs between this and the next call that could notice.
        drop(previous.take());
        let (answer, ()) = join!(
            async { text(post(&upstream, body).await).await.unwrap() },
            async {
                let mut peer = server.accept().await;
                assert!(peer.request().await.ends_with(body));
                peer.answer(body).await;
                previous = Some(peer);
            }
        );
        assert_eq!(answer, body);
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_its_provider_closes_it() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let mut peer = join!(
        async { assert_eq!(text(get(&upstream).await).await.unwrap(), "first") },
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.answer("first").await;
            peer
        }
    )
    .1;
    // In the clock of our timers, which jumps to the next of them.
    pause();
    let idle = Instant::now();
    peer.finish().await;
    peer.closed().await;
    assert!(idle.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_nobody_asked_for_is_nobodys_answer() {
    for poison in [
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON",
        "\r\n",
        "x",
    ] {
        let server = Server::bind().await;
        let upstream = server.upstream();
        let (answer, ()) = join!(
            async {
                text(post(&upstream, "first tenant").await).await.unwrap();
                text(post(&upstream, "second tenant").await).await
            },
            async {
                let mut first = server.accept().await;
                first.request().await;
                first.answer("first").await;
                first.send(poison).await;
                let mut second = server.accept().await;
                second.request().await;
                second.answer("second").await;
                first.closed().await;
            }
        );
        assert_eq!(answer.unwrap(), "second");
    }
}

#[tokio::test]
async fn a_call_that_was_sent_is_not_sent_again() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (fresh, ()) = join!(post(&upstream, "a"), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.reset();
    });
    let failure = fresh.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert_eq!(failure.processed, Processed::Maybe);

    let (reused, ()) = join!(
        async {
            text(post(&upstream, "b").await).await.unwrap();
            post(&upstream, "c").await
        },
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.answer("b").await;
            peer.request().await;
        }
    );
    let failure = reused.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert_eq!(failure.processed, Processed::Maybe);
    server.assert_no_more();
}

#[tokio::test]
async fn a_new_connection_that_closes_at_once_is_not_tried_twice() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, ()) = join!(post(&upstream, "a"), async {
        server.accept().await.reset();
    });
    let kind = answer.unwrap_err().kind;
    assert!(matches!(
        kind,
        FailureKind::Disconnected | FailureKind::Unreachable
    ));
    server.assert_no_more();
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let server = Server::bind().await;
    let authority = server.authority();
    drop(server);
    let upstream = Upstream::new(settings("http", &authority));
    let failure = post(&upstream, "a").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.processed, Processed::No);
}

#[tokio::test]
async fn a_name_that_stands_for_several_addresses_is_tried_through() {
    let server = Server::bind().await;
    let port = server.authority().rsplit_once(':').unwrap().1.to_owned();
    let upstream = Upstream::new(settings("http", &format!("localhost:{port}")));
    let (answer, request) = join!(get(&upstream), async {
        let mut peer = server.accept().await;
        let request = peer.request().await;
        peer.answer("").await;
        request
    });
    answer.unwrap();
    assert!(request.contains(&format!("\r\nhost: localhost:{port}\r\n")));
}

#[tokio::test]
async fn a_body_dropped_early_closes_its_connection() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, mut peer) = join!(post(&upstream, "a"), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await;
        peer
    });
    let mut body = answer.unwrap().into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "half"
    );
    drop(body);
    peer.closed().await;

    let (answer, ()) = join!(post(&upstream, "b"), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.answer("b").await;
    });
    assert_eq!(text(answer).await.unwrap(), "b");
}

#[tokio::test]
async fn a_call_dropped_before_its_answer_closes_its_connection() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let mut peer = tokio::select! {
        _ = post(&upstream, "a") => panic!("nothing was answered"),
        peer = async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer
        } => peer,
    };
    peer.closed().await;
}

#[tokio::test]
async fn an_early_answer_ends_the_upload() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let endless = Outgoing::stream(StreamBody::new(stream::pending()));
    join!(
        async {
            let answer = send(&upstream, Method::POST, HeaderMap::new(), endless).await;
            assert_eq!(text(answer).await.unwrap(), "too large");
        },
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.answer("too large").await;
            peer.closed().await;
        }
    );
}

#[tokio::test]
async fn a_clients_broken_body_is_the_clients_failure() {
    for error in [
        BodyError::TooSlow,
        BodyError::TooLarge,
        BodyError::Malformed,
        BodyError::Disconnected,
    ] {
        let server = Server::bind().await;
        let upstream = server.upstream();
        let broken = Outgoing::stream(StreamBody::new(stream::iter([
            Ok(http_body::Frame::data("half".into())),
            Err(error),
        ])));
        let (answer, ()) = join!(
            send(&upstream, Method::POST, HeaderMap::new(), broken),
            async {
                let mut peer = server.accept().await;
                peer.closed().await;
                assert!(!peer.buffered().ends_with(b"0\r\n\r\n"), "it looked whole");
            }
        );
        let failure = answer.unwrap_err();
        assert_eq!(failure.kind, FailureKind::ClientBody(error));
    }
}

#[tokio::test]
async fn a_body_that_breaks_after_the_head_of_the_answer_is_the_clients_failure_too() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let broken = Outgoing::stream(StreamBody::new(stream::once(async {
        told.await.unwrap();
        Err(BodyError::Disconnected)
    })));
    let (answer, mut peer) = join!(
        send(&upstream, Method::POST, HeaderMap::new(), broken),
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
                .await;
            peer
        }
    );
    tell.send(()).unwrap();
    let failure = read(answer.unwrap().into_body()).await.unwrap_err();
    assert_eq!(
        failure.kind,
        FailureKind::ClientBody(BodyError::Disconnected)
    );
    peer.closed().await;
}

#[tokio::test]
async fn the_future_of_a_call_is_small_and_may_change_threads() {
    fn sized<T: Send>(value: &T) -> usize {
        size_of_val(value)
    }
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (head, ()) = Request::new(()).into_parts();
    let call = upstream.send(head, "/", Encoding::AsAsked, Outgoing::empty(), || Ok(()));
    let size = sized(&call);
    assert!(size <= 2560, "{size} bytes");
}
