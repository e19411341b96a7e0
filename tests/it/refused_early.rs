use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::mpsc};

use crate::harness::{Gateway, within};

const CHUNK: usize = 1000;
const CHUNKS: usize = 200;

/// A body that comes as the test lets it.
struct Fed(mpsc::Receiver<Bytes>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// curl 7 shows no answer of a stream that is reset while it sends, though RFC 9113 §8.1 says that it should.
#[tokio::test]
async fn an_http2_stream_goes_on_for_a_moment_after_its_refusal() {
    let gateway = Gateway::start("providers: {up: {kind: simulated}}").await;
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = within("a handshake", handshake).await.unwrap();
    tokio::spawn(connection);
    let (feed, fed) = mpsc::channel(1);
    let request = Request::post(format!("http://{}/v1/chat/completions", gateway.address))
        .header("content-length", CHUNK * CHUNKS)
        .body(Fed(fed))
        .unwrap();
    let answer = within("an answer", sender.send_request(request))
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    within("its body", answer.collect()).await.unwrap();
    // More than a window: somebody takes it.
    for _ in 0..CHUNKS {
        let sent = feed.send(Bytes::from(vec![b'x'; CHUNK]));
        within("room", sent).await.expect("the stream was reset");
    }
    drop(feed);
    gateway.stop().await;
}
