//! Deadlines on tokio's clock, which is stopped once nothing more is to be expected from the network: from then on it
//! jumps from timer to timer.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    join,
    sync::oneshot,
    time::{Duration, Instant, advance, pause, resume, sleep},
};

use super::server::{Server, get, post, read, send, settings, text};
use crate::upstream::{Deadline, FailureKind, Outgoing, Processed, Upstream};

#[tokio::test]
async fn no_answer_comes() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, ()) = join!(post(&upstream, "x"), async {
        let mut peer = server.accept().await;
        peer.request().await;
        pause();
        peer.closed().await;
    });
    let failure = answer.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout(Deadline::FirstByte));
    assert_eq!(failure.processed, Processed::Maybe);
}

#[tokio::test]
async fn the_whole_call_is_the_shorter_deadline() {
    let server = Server::bind().await;
    let mut settings = settings("http", &server.authority());
    settings.timeouts.total = Duration::from_secs(60);
    let upstream = Upstream::new(settings);
    let (answer, ()) = join!(get(&upstream), async {
        let mut peer = server.accept().await;
        peer.request().await;
        pause();
        peer.closed().await;
    });
    let kind = answer.unwrap_err().kind;
    assert_eq!(kind, FailureKind::Timeout(Deadline::Total));
}

#[tokio::test]
async fn an_answer_falls_silent() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, mut peer) = join!(get(&upstream), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\n\r\nhalf").await;
        peer
    });
    let mut body = answer.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    pause();
    let failure = body.frame().await.unwrap().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout(Deadline::Idle));
    resume();
    peer.closed().await;
}

#[tokio::test]
async fn a_trickle_may_go_on_until_the_whole_call_is_too_long() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let started = Instant::now();
    let (failure, ()) = join!(
        async { text(get(&upstream).await).await.unwrap_err() },
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            pause();
            // A minute at a time: the clock may jump past a frame that is on its way, but not past five.
            while started.elapsed() < Duration::from_secs(3600) {
                sleep(Duration::from_secs(60)).await;
                peer.send("1\r\nx\r\n").await;
            }
            peer.closed().await;
        }
    );
    assert_eq!(failure.kind, FailureKind::Timeout(Deadline::Total));
}

#[tokio::test]
async fn a_reader_that_pauses_is_not_the_providers_silence() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, mut peer) = join!(get(&upstream), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha")
            .await;
        peer
    });
    let mut body = answer.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    pause();
    advance(Duration::from_secs(1000)).await;
    resume();
    let (rest, ()) = join!(read(body), peer.send("lf"));
    assert_eq!(rest.unwrap(), "lf");
}

#[tokio::test]
async fn an_upload_that_the_client_owes_us_is_not_the_providers_delay() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (more, rest) = oneshot::channel();
    let upload = Outgoing::stream(StreamBody::new(stream::once(async {
        Ok(Frame::data(rest.await.unwrap()))
    })));
    let (answer, ()) = join!(
        send(&upstream, Method::POST, HeaderMap::new(), upload),
        async {
            let mut peer = server.accept().await;
            peer.request().await;
            pause();
            advance(Duration::from_secs(1000)).await;
            resume();
            more.send(Bytes::from_static(b"late")).unwrap();
            while !peer.buffered().ends_with(b"0\r\n\r\n") {
                peer.read().await;
            }
            peer.answer("thanks").await;
        }
    );
    assert_eq!(text(answer).await.unwrap(), "thanks");
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_is_a_slow_connection() {
    let server = Server::bind().await;
    let upstream = Upstream::new(settings("https", &server.authority()));
    let (answer, ()) = join!(post(&upstream, "x"), async {
        let mut peer = server.accept().await;
        peer.read().await;
        pause();
        peer.closed().await;
    });
    let failure = answer.unwrap_err();
    assert_eq!(failure.kind, FailureKind::ConnectTimeout);
    assert_eq!(failure.processed, Processed::No);
}

#[tokio::test]
async fn idle_connections_are_closed_in_the_end() {
    let server = Server::bind().await;
    let upstream = server.upstream();
    let (answer, mut peer) = join!(get(&upstream), async {
        let mut peer = server.accept().await;
        peer.request().await;
        peer.answer("x").await;
        peer
    });
    text(answer).await.unwrap();
    pause();
    peer.closed().await;
}
