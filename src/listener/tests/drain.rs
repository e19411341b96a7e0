//! The end in two stages.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::harness::{
    LARGE, Running, SOON, answer, get, reaches, rest, send, serve, settings, within,
};
use crate::listener::Drained;

/// Waits until new connections are refused. Those that come before may be closed.
async fn refused(running: &Running) {
    within(async { while TcpStream::connect(running.addr).await.is_ok() {} }).await;
}

#[tokio::test]
async fn an_answer_under_way_is_finished() {
    let running = serve(settings());
    let mut busy = running.connect().await;
    get(&mut busy, "/wait").await;
    let mut idle = running.connect().await;
    get(&mut idle, "/").await;
    answer(&mut idle).await;
    reaches(&running.seen.calls, 2).await;

    running.handle.begin();
    assert_eq!(rest(&mut idle).await, "");
    refused(&running).await;
    running.seen.go.notify_one();
    let last = rest(&mut busy).await;
    assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
    assert!(last.ends_with("waited"), "{last}");
    let drained = running.drained().await;
    assert_eq!(drained.forced, 0);
    assert!(drained.finished >= 1, "{drained:?}");
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_has_sent_another_request_behind() {
    let running = serve(settings());
    let socket = TcpSocket::new_v4().unwrap();
    // Most of the answer lies in our kernel when it ends.
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut client = within(socket.connect(running.addr)).await.unwrap();
    get(&mut client, "/large").await;
    reaches(&running.seen.calls, 1).await;
    // Nobody reads it: the connection ends before.
    get(&mut client, "/").await;
    running.handle.begin();
    refused(&running).await;
    running.seen.go.notify_one();
    let last = rest(&mut client).await;
    let (head, body) = last.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nconnection: close"), "{head}");
    assert_eq!(body.len(), LARGE);
    drop(client);
    assert_eq!(running.drained().await.forced, 0);
}

/// Whoever reads goes on to say so: our kernel, which has the end of the answer, must not take it for an intrusion.
#[tokio::test]
async fn an_answer_reaches_a_client_of_http2_that_opens_its_window_late() {
    let running = serve(settings());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut client = within(socket.connect(running.addr)).await.unwrap();
    // Windows for all of the answer, and a GET for `http://x/large`.
    let begins = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\xff\xff\xff",
        b"\0\0\x04\x08\0\0\0\0\0\0\xff\0\0",
        b"\0\0\x0d\x01\x05\0\0\0\x01\x82\x86\x41\x01x\x44\x06/large",
    ];
    send(&mut client, begins.concat()).await;
    reaches(&running.seen.calls, 1).await;
    running.handle.begin();
    let (mut read, mut at, mut data) = (Vec::new(), 0, 0);
    while let Ok(1..) = within(client.read_buf(&mut read)).await {
        while let Some(head) = read.get(at..at + 9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some(payload) = read.get(at + 9..at + 9 + length) else {
                break;
            };
            match (head[3], head[4]) {
                (0, _) => data += length,
                (6, 0) => {
                    // The ping that goes with GOAWAY. From here on, nothing new can come.
                    send(&mut client, [b"\0\0\x08\x06\x01\0\0\0\0", payload].concat()).await;
                    running.seen.go.notify_one();
                }
                _ => {}
            }
            at += 9 + length;
        }
        let _ = client.write_all(b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01").await;
    }
    assert_eq!(data, LARGE);
    drop(client);
    assert_eq!(running.drained().await.forced, 0);
}

#[tokio::test]
async fn an_idle_connection_is_not_lingered_on() {
    let running = serve(settings());
    let mut idle = running.connect().await;
    let request = "POST /count HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbody";
    send(&mut idle, request).await;
    assert!(answer(&mut idle).await.ends_with('4'));
    running.handle.begin();
    assert_eq!(rest(&mut idle).await, "");
    // The client has not closed its side, and nobody waits for it.
    assert_eq!(running.drained().await.forced, 0);
    drop(idle);
}

#[tokio::test]
async fn a_connection_that_is_asking_is_answered() {
    let running = serve(settings());
    let mut client = running.connect().await;
    send(&mut client, "GET / HTTP/1.1\r\n").await;
    within(
        running
            .seen
            .peers
            .subscribe()
            .wait_for(|peers| !peers.is_empty()),
    )
    .await
    .unwrap();
    running.handle.begin();
    send(&mut client, "host: test\r\n\r\n").await;
    let last = rest(&mut client).await;
    assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
    assert!(last.ends_with("hello"), "{last}");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_dropped() {
    let mut settings = settings();
    settings.closing.linger = SOON;
    let running = serve(settings);
    let mut silent = running.connect().await;
    let mut slow = running.connect().await;
    send(&mut slow, "GET / HT").await;
    within(
        running
            .seen
            .peers
            .subscribe()
            .wait_for(|peers| peers.len() == 2),
    )
    .await
    .unwrap();
    running.handle.begin();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut slow).await, "");
    assert_eq!(running.drained().await.forced, 0);
}

#[tokio::test]
async fn a_stream_says_its_last_word() {
    let running = serve(settings());
    let mut client = running.connect().await;
    get(&mut client, "/until").await;
    reaches(&running.seen.calls, 1).await;
    running.handle.begin();
    refused(&running).await;
    running.handle.force();
    let last = rest(&mut client).await;
    assert!(last.ends_with("3\r\ncut\r\n0\r\n\r\n"), "{last}");
    let drained = running.drained().await;
    assert_eq!(drained.forced, 0);
}

#[tokio::test]
async fn what_hangs_is_dropped_after_the_last_word() {
    let mut settings = settings();
    settings.closing.last_word = SOON;
    let running = serve(settings);
    let mut client = running.connect().await;
    get(&mut client, "/never").await;
    reaches(&running.seen.calls, 1).await;
    running.handle.force();
    assert_eq!(rest(&mut client).await, "");
    let over = running.seen.over.subscribe();
    assert_eq!(
        running.drained().await,
        Drained {
            finished: 0,
            forced: 1
        }
    );
    // The service's future is gone when `serve` returns, not some time later.
    assert_eq!(*over.borrow(), 1);
}

#[tokio::test]
async fn http2_streams_that_hang_are_gone_when_serve_returns() {
    let mut settings = settings();
    settings.closing.last_word = SOON;
    let running = serve(settings);
    let mut client = running.connect().await;
    // Preface, SETTINGS, and GET http://x/never: the path is a literal, the rest as in the static table.
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, 13, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x41, 1, b'x']);
    bytes.extend([0x44, 6]);
    bytes.extend(b"/never");
    send(&mut client, bytes).await;
    reaches(&running.seen.calls, 1).await;
    running.handle.force();
    let over = running.seen.over.subscribe();
    assert_eq!(running.drained().await.forced, 1);
    assert_eq!(*over.borrow(), 1);
}

#[tokio::test]
async fn a_shutdown_before_the_start() {
    let running = serve(settings());
    running.handle.begin();
    running.handle.begin();
    assert_eq!(running.drained().await, Drained::default());
}
