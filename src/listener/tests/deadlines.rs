//! Clients that stop in the middle.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::{
    SOON, answer, get, http2, reaches, request, rest, send, serve, settings, within,
};
use crate::listener::Settings;

fn hasty(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = settings();
    change(&mut settings);
    settings
}

/// Sends `bytes` and expects to be closed without an answer.
async fn check_closed(settings: Settings, bytes: &[u8]) {
    let running = serve(settings);
    let mut client = running.connect().await;
    send(&mut client, bytes).await;
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(*running.seen.calls.borrow(), 0);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_closed() {
    check_closed(hasty(|s| s.timeouts.head = SOON), b"").await;
}

#[tokio::test]
async fn half_a_head_is_closed() {
    check_closed(hasty(|s| s.timeouts.head = SOON), b"GET / HTTP/1.1\r\nho").await;
}

#[tokio::test]
async fn half_a_preface_is_closed() {
    check_closed(hasty(|s| s.timeouts.head = SOON), b"PRI * HT").await;
}

#[tokio::test]
async fn a_preface_without_a_request_is_closed() {
    let running = serve(hasty(|s| s.timeouts.head = SOON));
    let (_sender, mut driver) = http2(running.connect().await).await;
    // How it ends does not matter here.
    let _ = within(driver.join_next()).await;
}

#[tokio::test]
async fn a_head_without_its_continuation_is_closed() {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS, empty; HEADERS of stream 1 with one indexed field and without END_HEADERS.
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);
    let running = serve(hasty(|s| s.timeouts.head = SOON));
    let mut client = running.connect().await;
    send(&mut client, bytes).await;
    let mut answered = Vec::new();
    while let Ok(1..) = within(client.read_buf(&mut answered)).await {}
    assert_eq!(*running.seen.calls.borrow(), 0);
}

/// Deadlines for a head that is to be in time. On a slow machine the first may be too short, never the last.
const LADDER: [Duration; 4] = [
    SOON,
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

#[tokio::test]
async fn half_a_second_head_is_closed() {
    for deadline in LADDER {
        let running = serve(hasty(|s| s.timeouts.head = deadline));
        let mut client = running.connect().await;
        get(&mut client, "/").await;
        let mut answer = [0; 1];
        // The rest of the answer comes with what follows; what counts is that the first head was in time.
        let Ok(1) = within(client.read(&mut answer)).await else {
            continue;
        };
        reaches(&running.seen.over, 1).await;
        send(&mut client, "GET / HT").await;
        assert!(rest(&mut client).await.ends_with("hello"));
        assert_eq!(*running.seen.calls.borrow(), 1);
        return;
    }
    panic!("never in time");
}

#[tokio::test]
async fn a_request_under_way_has_no_head_deadline() {
    for deadline in LADDER {
        let running = serve(hasty(|s| s.timeouts.head = deadline));
        let mut client = running.connect().await;
        let mut late = running.connect().await;
        get(&mut client, "/wait").await;
        // The same deadline, begun later, passes for another connection meanwhile.
        assert_eq!(rest(&mut late).await, "");
        if *running.seen.calls.borrow() == 1 {
            running.seen.go.notify_one();
            assert!(answer(&mut client).await.ends_with("waited"));
            return;
        }
    }
    panic!("never in time");
}

#[tokio::test]
async fn idle_http1_is_closed() {
    let running = serve(hasty(|s| s.timeouts.keep_alive = SOON));
    let mut client = running.connect().await;
    get(&mut client, "/").await;
    answer(&mut client).await;
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn idle_http2_ends_with_goaway() {
    let running = serve(hasty(|s| s.http2.idle = SOON));
    let (mut sender, mut driver) = http2(running.connect().await).await;
    drop(within(sender.send_request(request("/", ""))).await.unwrap());
    // GOAWAY and an orderly end, so not an error.
    within(driver.join_next()).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn idle_http2_that_does_not_react_is_dropped() {
    let running = serve(hasty(|s| {
        s.http2.idle = SOON;
        s.closing.linger = SOON;
    }));
    let mut client = running.connect().await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS; then GET http://x/ with both END flags: :method, :scheme, :path from the static table, :authority x.
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, b'x']);
    send(&mut client, bytes).await;
    reaches(&running.seen.over, 1).await;
    let mut answered = Vec::new();
    while let Ok(1..) = within(client.read_buf(&mut answered)).await {}
}

#[tokio::test]
async fn a_client_that_does_not_read() {
    let running = serve(hasty(|s| s.timeouts.write_stall = SOON));
    let mut client = running.connect().await;
    get(&mut client, "/endless").await;
    // The body is dropped, though the client neither reads nor closes.
    reaches(&running.seen.over, 1).await;
}

#[tokio::test]
async fn durations_beyond_all_clocks_never_end() {
    let mut endless = settings();
    endless.timeouts.head = Duration::MAX;
    endless.timeouts.tls = Duration::MAX;
    endless.timeouts.write_stall = Duration::MAX;
    endless.timeouts.keep_alive = Duration::MAX;
    endless.http2.idle = Duration::MAX;
    endless.http2.ping = Duration::MAX;
    endless.closing.linger = Duration::MAX;
    endless.closing.last_word = Duration::MAX;
    let running = serve(endless);
    let mut client = running.connect().await;
    get(&mut client, "/").await;
    assert!(answer(&mut client).await.ends_with("hello"));
}

#[tokio::test]
async fn an_http2_stream_that_does_not_read() {
    let running = serve(hasty(|s| s.timeouts.write_stall = SOON));
    let (mut sender, _driver) = http2(running.connect().await).await;
    // The body is not read, so the stream's window is used up, while the connection goes on.
    let stalled = within(sender.send_request(request("/endless", "")))
        .await
        .unwrap();
    reaches(&running.seen.over, 1).await;
    let response = within(sender.send_request(request("/", ""))).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(stalled);
}

#[tokio::test]
async fn an_http2_stream_that_waits_for_the_service() {
    let running = serve(hasty(|s| s.timeouts.write_stall = SOON));
    let (mut sender, _driver) = http2(running.connect().await).await;
    let silent = within(sender.send_request(request("/until", "")))
        .await
        .unwrap();
    // A stall of the same length, begun later, comes to its end meanwhile.
    let stalled = within(sender.send_request(request("/endless", "")))
        .await
        .unwrap();
    reaches(&running.seen.over, 1).await;
    running.handle.force();
    let mut body = silent.into_body();
    let mut text = Vec::new();
    while let Some(frame) = within(http_body_util::BodyExt::frame(&mut body)).await {
        text.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
    assert_eq!(text, b"startcut");
    drop(stalled);
}

const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// HEADERS of a GET for `http://x/wait`, the flags and the stream of which are given.
fn waiting(flags: u8, stream: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 12, 1, flags, 0, 0, 0, stream];
    // :method, :scheme and :authority from the static table, and :path as a literal.
    frame.extend([0x82, 0x86, 0x41, 1, b'x', 0x44, 5]);
    frame.extend(b"/wait");
    frame
}

#[tokio::test]
async fn a_later_head_without_its_continuation_is_closed() {
    for deadline in LADDER {
        let running = serve(hasty(|s| s.timeouts.head = deadline));
        let mut client = running.connect().await;
        send(&mut client, [BEGINNING, &waiting(5, 1)].concat()).await;
        // Where the first head was late already, there is no second.
        let first = async { reaches(&running.seen.calls, 1).await };
        let ends = async { while let Ok(1..) = client.read_buf(&mut Vec::new()).await {} };
        let in_time = tokio::select! { () = first => true, () = ends => false };
        if !in_time {
            continue;
        }
        // The first call is under way, and the connection ends all the same.
        send(&mut client, waiting(1, 3)).await;
        let mut answered = Vec::new();
        while let Ok(1..) = within(client.read_buf(&mut answered)).await {}
        reaches(&running.seen.over, 1).await;
        assert_eq!(*running.seen.calls.borrow(), 1);
        return;
    }
    panic!("never in time");
}

#[tokio::test]
async fn frames_for_nothing_end_their_connection() {
    let running = serve(settings());
    let mut client = running.connect().await;
    send(&mut client, [BEGINNING, &waiting(5, 1)].concat()).await;
    reaches(&running.seen.calls, 1).await;
    // SETTINGS without any, each of which has to be acknowledged.
    let (mut read, mut write) = client.split();
    let flood = b"\0\0\0\x04\0\0\0\0\0".repeat(2000);
    let sent = async { drop(write.write_all(&flood).await) };
    let answers = async {
        let mut answered = Vec::new();
        while let Ok(1..) = read.read_buf(&mut answered).await {}
        answered
    };
    let ((), answered) = within(async { tokio::join!(sent, answers) }).await;
    // GOAWAY without an error.
    let goaway = answered
        .windows(9)
        .any(|head| head[3] == 7 && head[..3] == [0, 0, 8]);
    assert!(goaway, "{} bytes of answers", answered.len());
    reaches(&running.seen.over, 1).await;
}

#[tokio::test]
async fn an_http2_client_that_answers_no_ping() {
    let running = serve(hasty(|s| s.http2.ping = Duration::from_secs(30)));
    let mut client = running.connect().await;
    send(&mut client, [BEGINNING, &waiting(5, 1)].concat()).await;
    reaches(&running.seen.calls, 1).await;
    // From here on nothing comes from the network but what the clock brings about.
    tokio::time::pause();
    let silent = tokio::time::Instant::now();
    while let Ok(1..) = client.read_buf(&mut Vec::new()).await {}
    let waited = silent.elapsed();
    assert!((39..=42).contains(&waited.as_secs()), "{waited:?}");
    reaches(&running.seen.over, 1).await;
}
