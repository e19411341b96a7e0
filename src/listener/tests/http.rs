//! Both protocols without TLS, limits, permits, panics.

use std::{convert::Infallible, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    service::{Service, service_fn},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::harness::{
    NEVER, SOON, answer, get, http2, reaches, request, rest, send, serve, settings, within,
};
use crate::listener::{
    Pressure,
    accept::Acceptor,
    clocks::Clocks,
    io::{Io, Watch},
    protocol::sniff,
    session,
    stream::Stream,
};

#[expect(
    clippy::disallowed_methods,
    reason = "what the test's own service sends is small"
)]
async fn text(response: Response<Incoming>) -> String {
    let bytes = within(response.into_body().collect()).await.unwrap();
    String::from_utf8(bytes.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn http1_keeps_the_connection() {
    let running = serve(settings());
    let mut client = running.connect().await;
    for _ in 0..3 {
        get(&mut client, "/").await;
        let answer = answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("hello"), "{answer}");
        assert!(answer.contains("\r\ndate: "), "{answer}");
    }
    let peers = running.seen.peers.borrow().clone();
    let [peer] = peers.as_slice() else {
        panic!("one connection expected: {peers:?}")
    };
    assert_eq!(peer.addr, client.local_addr().unwrap());
    assert!(!peer.tls);
}

#[tokio::test]
async fn an_http1_head_may_come_in_single_bytes() {
    let running = serve(settings());
    let mut client = running.connect().await;
    client.set_nodelay(true).unwrap();
    // Begins like the preface of HTTP/2, to be told apart late.
    for byte in b"PRI / HTTP/1.1\r\nhost: test\r\n\r\n" {
        send(&mut client, [*byte]).await;
    }
    let answer = answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn pipelined_http1_requests_are_all_answered() {
    let running = serve(settings());
    let mut client = running.connect().await;
    let one = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    send(&mut client, format!("{one}{one}{last}")).await;
    assert_eq!(rest(&mut client).await.matches("hello").count(), 3);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let running = serve(settings());
    let mut client = running.connect().await;
    get(&mut client, "/never").await;
    reaches(&running.seen.calls, 1).await;
    client.shutdown().await.unwrap();
    reaches(&running.seen.over, 1).await;
}

#[tokio::test]
async fn a_broken_body_breaks_the_transfer() {
    let running = serve(settings());
    let mut client = running.connect().await;
    get(&mut client, "/broken").await;
    let rest = rest(&mut client).await;
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
    reaches(&running.seen.over, 1).await;
}

#[tokio::test]
async fn fields_above_the_limit_reach_the_service() {
    let running = serve(settings());
    let mut client = running.connect().await;
    let fields: String = (0..110).map(|n| format!("x-{n}: y\r\n")).collect();
    send(&mut client, format!("GET / HTTP/1.1\r\n{fields}\r\n")).await;
    let answer = answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_head_far_above_the_limit_is_refused() {
    let running = serve(settings());
    let mut client = running.connect().await;
    let long = "y".repeat(4 << 20);
    send(&mut client, format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n")).await;
    let rest = rest(&mut client).await;
    assert!(rest.starts_with("HTTP/1.1 431 "), "{rest}");
    assert_eq!(*running.seen.calls.borrow(), 0);
}

#[tokio::test]
async fn http2_is_served_with_prior_knowledge() {
    let running = serve(settings());
    let (mut sender, _driver) = http2(running.connect().await).await;
    for size in [0, 1, 1 << 20] {
        let response = within(sender.send_request(request("/count", vec![0; size])))
            .await
            .unwrap();
        assert_eq!(response.version(), hyper::Version::HTTP_2);
        assert_eq!(text(response).await, size.to_string());
    }
}

#[tokio::test]
async fn http2_head_above_the_limit_is_refused_on_its_stream() {
    let running = serve(settings());
    let (mut sender, _driver) = http2(running.connect().await).await;
    let mut long = request("/", "");
    let value = "y".repeat(100 << 10).parse().unwrap();
    long.headers_mut().insert("x", value);
    // The answer is a 431 or a reset, as the client's side sees its own limit; the connection stays.
    if let Ok(response) = within(sender.send_request(long)).await {
        assert_eq!(response.status(), 431);
    }
    let response = within(sender.send_request(request("/", ""))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(*running.seen.calls.borrow(), 1);
}

#[tokio::test]
async fn http2_client_that_takes_everything_back_loses_the_connection() {
    let running = serve(settings());
    let (mut sender, mut driver) = http2(running.connect().await).await;
    let mut calls = 0;
    // Each is dropped after the service has it, so that what h2 itself limits does not matter.
    while sender.ready().await.is_ok() && calls < 1_000 {
        let mut sent = std::pin::pin!(sender.send_request(request("/never", "")));
        calls += 1;
        tokio::select! {
            sent = &mut sent => assert!(sent.is_err()),
            () = reaches(&running.seen.calls, calls) => {}
            _ = driver.join_next() => break,
        }
    }
    let seen = *running.seen.calls.borrow();
    assert!((100..200).contains(&seen), "{seen} calls");
    reaches(&running.seen.over, seen).await;
}

#[tokio::test]
async fn many_answered_requests_are_no_flood() {
    let running = serve(settings());
    let (mut sender, _driver) = http2(running.connect().await).await;
    let mut client = running.connect().await;
    for _ in 0..150 {
        let response = within(sender.send_request(request("/", ""))).await.unwrap();
        assert_eq!(text(response).await, "hello");
        get(&mut client, "/").await;
        answer(&mut client).await;
    }
    assert_eq!(running.seen.peers.borrow().len(), 2);
}

#[tokio::test]
async fn connections_beyond_the_permits_wait() {
    let mut settings = settings();
    settings.connections = 1;
    let running = serve(settings);
    let mut first = running.connect().await;
    get(&mut first, "/").await;
    answer(&mut first).await;
    let mut second = running.connect().await;
    get(&mut second, "/").await;
    // The first is served while the second waits: two more answers, and still one connection.
    for _ in 0..2 {
        get(&mut first, "/").await;
        answer(&mut first).await;
    }
    assert_eq!(running.seen.peers.borrow().len(), 1);
    drop(first);
    assert!(answer(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn who_asks_for_nothing_leaves_the_last_place_to_who_does() {
    for said in [
        &b""[..],
        b"GET",
        b"PRI * HT",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut settings = settings();
        settings.connections = 1;
        settings.timeouts.head = NEVER;
        settings.closing.pressed = SOON;
        let running = serve(settings);
        let mut silent = running.connect().await;
        send(&mut silent, said).await;
        let mut second = running.connect().await;
        get(&mut second, "/").await;
        assert!(answer(&mut second).await.ends_with("hello"), "{said:?}");
    }
}

#[tokio::test]
async fn nobody_has_to_leave_once_there_is_a_place() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acceptor = Acceptor {
        address: socket.local_addr().unwrap(),
        socket,
        permits: Arc::new(Semaphore::new(1)),
        crowded: Pressure::default(),
    };
    let held = Arc::clone(&acceptor.permits).try_acquire_owned().unwrap();
    let mut next = pin!(acceptor.accept());
    assert!(next.as_mut().now_or_never().is_none());
    assert!(acceptor.crowded.is_on());
    drop(held);
    assert!(next.as_mut().now_or_never().is_none());
    assert!(!acceptor.crowded.is_on());
}

#[tokio::test]
async fn a_panic_closes_its_connection_only() {
    let running = serve(settings());
    let mut bystander = running.connect().await;
    get(&mut bystander, "/").await;
    answer(&mut bystander).await;

    let mut client = running.connect().await;
    get(&mut client, "/panic").await;
    assert_eq!(rest(&mut client).await, "");
    let (mut sender, _driver) = http2(running.connect().await).await;
    assert!(
        within(sender.send_request(request("/panic", "")))
            .await
            .is_err()
    );
    let response = within(sender.send_request(request("/", ""))).await.unwrap();
    assert_eq!(text(response).await, "hello");

    get(&mut bystander, "/").await;
    assert!(answer(&mut bystander).await.ends_with("hello"));
    running.handle.begin();
    drop((bystander, client));
    assert_eq!(running.drained().await.forced, 0);
}

#[tokio::test]
async fn a_request_that_is_there_is_read_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let request =
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 30\r\n\r\n012345678901234567890123456789";
    client.write_all(request).await.unwrap();
    let mut stream = Stream::Plain(tcp);
    let (_, prefix) = within(sniff(&mut stream)).await.unwrap().unwrap();
    assert!(prefix.len() < request.len());
    let clocks = Arc::new(Clocks::start(&settings()));
    let mut io = Io::new(stream, prefix, clocks, None, Watch::Ours);
    let mut read = vec![0; 8192];
    // Whoever was only given what was read to learn the protocol would make room for as much again.
    let length = within(io.read(&mut read)).await.unwrap();
    assert_eq!(&read[..length], request);
}

/// Each connection has such a task for as long as it is open.
#[test]
fn a_connection_takes_little_room() {
    let service = service_fn(async |_| Ok(Response::new(Full::<Bytes>::default())));
    let size = task_size(&service);
    assert!(size <= 2240, "{size} bytes");
}

fn task_size<S, B>(_: &S) -> usize
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn of<A, B, C, D, E, F, G: Future>(_: impl FnOnce(A, B, C, D, E, F) -> G) -> usize {
        size_of::<G>()
    }
    of(session::run::<S, B>)
}
