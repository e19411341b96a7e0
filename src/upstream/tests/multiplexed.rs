//! HTTP/2 towards a provider.

use bytes::Bytes;
use futures_util::future::{join_all, poll_fn};
use h2::{Reason, server::SendResponse};
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    join,
    net::TcpStream,
    time::{pause, resume},
};
use tokio_rustls::server::TlsStream;

use super::{
    secure::Authority,
    server::{Server, post, read, text},
};
use crate::upstream::{FailureKind, Processed, Upstream};

type Connection = h2::server::Connection<TlsStream<TcpStream>, Bytes>;
type Received = (Request<h2::RecvStream>, SendResponse<Bytes>);

struct Provider {
    server: Server,
    authority: Authority,
}

impl Provider {
    async fn bind() -> Self {
        Self {
            server: Server::bind().await,
            authority: Authority::certify("localhost", &["h2", "http/1.1"]),
        }
    }

    fn upstream(&self) -> Upstream {
        self.authority.upstream(&self.server)
    }

    async fn stream(&self) -> TlsStream<TcpStream> {
        self.authority.accept(&self.server).await.unwrap()
    }

    async fn accept(&self) -> Connection {
        h2::server::handshake(self.stream().await).await.unwrap()
    }
}

async fn next(connection: &mut Connection) -> Received {
    connection.accept().await.unwrap().unwrap()
}

fn answer(respond: &mut SendResponse<Bytes>, body: &'static str) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from(body), true).unwrap();
}

/// Drives a connection until the client closes it.
async fn serve_out(mut connection: Connection) {
    while connection.accept().await.is_some() {}
}

#[tokio::test]
async fn calls_share_one_connection() {
    let provider = Provider::bind().await;
    let upstream = provider.upstream();
    let calls = async {
        let answers = join_all((0..5).map(|_| post(&upstream, "x"))).await;
        for answer in answers {
            assert_eq!(text(answer).await.unwrap(), "hello");
        }
        drop(upstream);
    };
    join!(calls, async {
        let mut connection = provider.accept().await;
        // All five are open before the first is answered.
        let mut open = Vec::new();
        for _ in 0..5 {
            open.push(next(&mut connection).await);
        }
        for (request, respond) in &mut open {
            assert_eq!(request.version(), Version::HTTP_2);
            assert_eq!(request.uri().scheme_str(), Some("https"));
            assert_eq!(request.uri().host(), Some("localhost"));
            assert_eq!(request.headers()["authorization"], "Bearer provider");
            assert_eq!(request.headers()["content-length"], "1");
            assert!(!request.headers().contains_key("host"));
            answer(respond, "hello");
        }
        drop(open);
        serve_out(connection).await;
    });
    provider.server.assert_no_more();
}

#[tokio::test]
async fn no_more_calls_share_one_than_the_provider_allows() {
    let provider = Provider::bind().await;
    let upstream = provider.upstream();
    let calls = async {
        let first = post(&upstream, "x").await.unwrap();
        let second = post(&upstream, "x").await.unwrap();
        let third = post(&upstream, "x").await.unwrap();
        for answer in [first, second, third] {
            assert_eq!(read(answer.into_body()).await.unwrap(), "hello");
        }
        drop(upstream);
    };
    join!(calls, async {
        let mut only_one = h2::server::Builder::new();
        only_one.max_concurrent_streams(1);
        let mut connections = Vec::new();
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut connection: Connection =
                only_one.handshake(provider.stream().await).await.unwrap();
            let (_, mut respond) = next(&mut connection).await;
            streams.push(respond.send_response(Response::new(()), false).unwrap());
            // The head goes out as the connection is driven; the client's next call comes elsewhere.
            poll_fn(|cx| {
                assert!(connection.poll_closed(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            connections.push(connection);
        }
        for stream in &mut streams {
            stream
                .send_data(Bytes::from_static(b"hello"), true)
                .unwrap();
        }
        drop(streams);
        join_all(connections.into_iter().map(serve_out)).await;
    });
    provider.server.assert_no_more();
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_on_a_new_connection_once() {
    for refused_again in [false, true] {
        let provider = Provider::bind().await;
        let upstream = provider.upstream();
        let call = async {
            let answer = text(post(&upstream, "x").await).await;
            drop(upstream);
            answer
        };
        let (result, ()) = join!(call, async {
            let mut first = provider.accept().await;
            let (_, mut respond) = next(&mut first).await;
            respond.send_reset(Reason::REFUSED_STREAM);
            drop(respond);
            join!(serve_out(first), async {
                let mut second = provider.accept().await;
                let (request, mut respond) = next(&mut second).await;
                assert_eq!(request.headers()["authorization"], "Bearer provider");
                assert_eq!(request.headers()["content-length"], "1");
                if refused_again {
                    respond.send_reset(Reason::REFUSED_STREAM);
                } else {
                    answer(&mut respond, "hello");
                }
                drop((request, respond));
                serve_out(second).await;
            });
        });
        if refused_again {
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Disconnected);
            assert_eq!(failure.processed, Processed::No);
        } else {
            assert_eq!(result.unwrap(), "hello");
        }
        provider.server.assert_no_more();
    }
}

/// Frames of RFC 9113: an empty SETTINGS, its acknowledgement, and a GOAWAY (§6.8) whose last stream is 0.
const GOING_AWAY: &[u8] =
    b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[tokio::test]
async fn a_stream_above_the_last_one_of_a_goaway_is_sent_again() {
    let provider = Provider::bind().await;
    let upstream = provider.upstream();
    let call = async {
        let answer = text(post(&upstream, "x").await).await;
        drop(upstream);
        answer
    };
    let (answer, ()) = join!(call, async {
        let mut first = provider.stream().await;
        let mut seen = Vec::new();
        // DATA (type 0) with END_STREAM (flag 1) on stream 1, with the one byte of the body.
        while !seen.ends_with(b"\0\0\x01\0\x01\0\0\0\x01x") {
            assert_ne!(first.read_buf(&mut seen).await.unwrap(), 0);
        }
        first.write_all(GOING_AWAY).await.unwrap();
        first.flush().await.unwrap();
        let mut second = provider.accept().await;
        let (_, mut respond) = next(&mut second).await;
        answer(&mut respond, "hello");
        serve_out(second).await;
    });
    assert_eq!(answer.unwrap(), "hello");
    provider.server.assert_no_more();
}

#[tokio::test]
async fn a_stream_reset_otherwise_is_not_sent_again_and_leaves_its_neighbours() {
    let provider = Provider::bind().await;
    let upstream = provider.upstream();
    let calls = async {
        let (first, second) = join!(post(&upstream, "x"), post(&upstream, "x"));
        let (failure, answer) = match (first, second) {
            (Err(failure), Ok(answer)) | (Ok(answer), Err(failure)) => (failure, answer),
            both => panic!("one fails and one is answered, not {both:?}"),
        };
        assert_eq!(failure.kind, FailureKind::Disconnected);
        assert_eq!(failure.processed, Processed::Maybe);
        assert_eq!(read(answer.into_body()).await.unwrap(), "hello");
        drop(upstream);
    };
    join!(calls, async {
        let mut connection = provider.accept().await;
        let (_, mut doomed) = next(&mut connection).await;
        let (_, mut served) = next(&mut connection).await;
        doomed.send_reset(Reason::INTERNAL_ERROR);
        answer(&mut served, "hello");
        drop((doomed, served));
        serve_out(connection).await;
    });
    provider.server.assert_no_more();
}

#[tokio::test]
async fn a_connection_on_which_a_call_waited_in_vain_gets_no_other() {
    for begins in [false, true] {
        let provider = Provider::bind().await;
        let upstream = provider.upstream();
        let calls = async {
            let waited = match post(&upstream, "x").await {
                Ok(answer) => read(answer.into_body()).await.unwrap_err(),
                Err(failure) => failure,
            };
            resume();
            assert!(matches!(waited.kind, FailureKind::Timeout(_)), "{waited}");
            assert_eq!(text(post(&upstream, "x").await).await.unwrap(), "hello");
            drop(upstream);
        };
        join!(calls, async {
            let mut hung = provider.accept().await;
            let (_, mut respond) = next(&mut hung).await;
            let begun = begins.then(|| respond.send_response(Response::new(()), false).unwrap());
            pause();
            let mut fresh = tokio::select! {
                fresh = provider.accept() => fresh,
                Some(Ok(_)) = hung.accept() => panic!("the second call comes on a connection of its own"),
            };
            answer(&mut next(&mut fresh).await.1, "hello");
            drop((respond, begun, hung));
            serve_out(fresh).await;
        });
        provider.server.assert_no_more();
    }
}

#[tokio::test]
async fn a_body_dropped_early_cancels_its_stream_alone() {
    let provider = Provider::bind().await;
    let upstream = provider.upstream();
    let calls = async {
        let (first, second) = join!(post(&upstream, "x"), post(&upstream, "x"));
        let mut dropped = first.unwrap().into_body();
        dropped.frame().await.unwrap().unwrap();
        drop(dropped);
        assert_eq!(read(second.unwrap().into_body()).await.unwrap(), "half");
        drop(upstream);
    };
    join!(calls, async {
        let mut connection = provider.accept().await;
        let mut streams = Vec::new();
        for _ in 0..2 {
            let (_, mut respond) = next(&mut connection).await;
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream
                .send_data(Bytes::from_static(b"half"), false)
                .unwrap();
            streams.push(stream);
        }
        let (mut one, mut other) = (streams.remove(0), streams.remove(0));
        let (reason, survivor) = tokio::select! {
            reason = poll_fn(|cx| one.poll_reset(cx)) => (reason, &mut other),
            reason = poll_fn(|cx| other.poll_reset(cx)) => (reason, &mut one),
            _ = connection.accept() => panic!("no third call comes and nobody closes"),
        };
        assert_eq!(reason.unwrap(), Reason::CANCEL);
        survivor.send_data(Bytes::new(), true).unwrap();
        drop((one, other));
        serve_out(connection).await;
    });
    provider.server.assert_no_more();
}
