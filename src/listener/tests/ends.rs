//! Connections that have lived long enough: by age, by requests, and because others are short of them.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

use super::harness::{SOON, answer, get, reaches, rest, send, serve, settings, within};
use crate::listener::{
    Pressure, Settings,
    clocks::{Clocks, jittered},
};

fn aged() -> Settings {
    let mut settings = settings();
    settings.timeouts.connection_age = Some(SOON);
    settings
}

#[test]
fn ages_differ_by_a_tenth() {
    let hour = Duration::from_secs(3600);
    assert_eq!(jittered(hour, 0), Duration::from_secs(3240));
    let most = jittered(hour, 1023);
    assert!(most > Duration::from_secs(3959) && most < Duration::from_secs(3960));
    assert_eq!(jittered(hour, 1024), jittered(hour, 0));
    // And not all alike, in the end.
    let retires = |_| Clocks::start(&aged()).retires().unwrap();
    let mut ages: Vec<_> = (0..64).map(retires).collect();
    ages.dedup();
    assert!(ages.len() > 1);
    assert!(Clocks::start(&settings()).retires().is_none());
}

#[tokio::test]
async fn an_idle_connection_closes_at_its_age() {
    let running = serve(aged());
    let mut client = running.connect().await;
    get(&mut client, "/").await;
    // Whether it was still young enough for an answer is the machine's to say; it closes.
    rest(&mut client).await;
}

#[tokio::test]
async fn a_request_under_way_outlives_its_connections_age() {
    let running = serve(aged());
    let mut client = running.connect().await;
    let mut idle = running.connect().await;
    get(&mut client, "/wait").await;
    reaches(&running.seen.calls, 1).await;
    get(&mut idle, "/").await;
    rest(&mut idle).await;
    // A connection that was opened later is too old by now, the first one too.
    running.seen.go.notify_one();
    let answered = rest(&mut client).await;
    assert!(answered.ends_with("waited"), "{answered}");
}

#[tokio::test]
async fn http2_says_goaway_at_its_age_and_finishes_its_streams() {
    let running = serve(aged());
    let io = TokioIo::new(running.connect().await);
    let (mut sender, mut connection) = within(hyper::client::conn::http2::handshake::<
        _,
        _,
        Empty<Bytes>,
    >(TokioExecutor::new(), io))
    .await
    .unwrap();
    let mut request = || {
        let request = Request::get("http://test/wait").body(Empty::new()).unwrap();
        sender.send_request(request)
    };
    let asked = request();
    let mut driven = JoinSet::new();
    driven.spawn(async move { poll_fn(|cx| Pin::new(&mut connection).poll(cx)).await });
    reaches(&running.seen.calls, 1).await;
    // The server ends the connection by itself, once the stream is over, which is after its age.
    let mut idle = running.connect().await;
    get(&mut idle, "/").await;
    rest(&mut idle).await;
    running.seen.go.notify_one();
    let answered = within(asked).await.unwrap();
    let body = within(answered.into_body().frame()).await.unwrap();
    assert_eq!(body.unwrap().into_data().unwrap(), "waited");
    let ended = within(driven.join_next()).await.unwrap();
    ended.unwrap().unwrap();
    assert!(within(request()).await.is_err());
}

#[tokio::test]
async fn an_http1_connection_closes_after_its_last_request() {
    let mut three = settings();
    three.connection_requests = 3;
    three.closing.linger = SOON;
    let running = serve(three);
    let mut client = running.connect().await;
    for _ in 0..2 {
        get(&mut client, "/").await;
        assert!(answer(&mut client).await.ends_with("hello"));
    }
    get(&mut client, "/wait").await;
    reaches(&running.seen.calls, 3).await;
    running.seen.go.notify_one();
    let last = rest(&mut client).await;
    assert!(last.contains("connection: close\r\n"), "{last}");
    assert!(last.ends_with("waited"), "{last}");

    // What was sent behind the last one is not answered, and does not destroy the answers before it.
    let mut client = running.connect().await;
    let five = "GET / HTTP/1.1\r\nhost: test\r\n\r\n".repeat(5);
    send(&mut client, five).await;
    let answers = rest(&mut client).await;
    assert_eq!(answers.matches("hello").count(), 3, "{answers}");
    assert_eq!(*running.seen.calls.borrow(), 6);
}

#[tokio::test]
async fn idle_connections_close_early_while_they_are_short() {
    let pressure = Pressure::default();
    let mut pressed = settings();
    pressed.closing.pressed = SOON;
    let running = super::harness::serve_under(pressed, pressure.clone());
    let mut idle = running.connect().await;
    get(&mut idle, "/").await;
    assert!(answer(&mut idle).await.ends_with("hello"));
    let mut busy = running.connect().await;
    get(&mut busy, "/wait").await;
    reaches(&running.seen.calls, 2).await;

    pressure.set(true);
    assert_eq!(rest(&mut idle).await, "");
    running.seen.go.notify_one();
    let answered = answer(&mut busy).await;
    assert!(answered.ends_with("waited"), "{answered}");
    assert_eq!(rest(&mut busy).await, "");

    // It comes again, and is noticed again, by one that was idle meanwhile.
    pressure.set(false);
    let mut idle = running.connect().await;
    get(&mut idle, "/").await;
    assert!(answer(&mut idle).await.ends_with("hello"));
    pressure.set(true);
    assert_eq!(rest(&mut idle).await, "");
}
