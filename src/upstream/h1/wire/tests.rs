use std::{future::poll_fn, task::Poll, time::Duration};

use tokio::net::{TcpListener, TcpStream};

use super::Wire;
use crate::listener::Stream;

/// A provider that reads nothing of an upload for a while has the time of its answer, and not the kernel's for one that is gone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_provider_that_is_waited_for_has_not_vanished() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (provider, _) = listener.accept().await.unwrap();
    let half_a_minute = Some(Duration::from_secs(30));
    let socket = socket2::SockRef::from(&stream);
    socket.set_tcp_user_timeout(half_a_minute).unwrap();
    let stream = stream.into_std().unwrap();
    let same = stream.try_clone().unwrap();
    let vanishes = || socket2::SockRef::from(&same).tcp_user_timeout().unwrap();
    let stream = TcpStream::from_std(stream).unwrap();
    let mut wire = Wire::new(Stream::Plain(stream));
    let much = vec![0; 1 << 20];
    let full = poll_fn(|cx| {
        while let Poll::Ready(written) = wire.poll_write(cx, 0, [&much, &[]]) {
            written.unwrap();
        }
        Poll::Ready(vanishes())
    });
    assert_eq!(full.await, None);
    let mut read = vec![0; 64 << 10];
    while provider.try_read(&mut read).is_ok() {}
    poll_fn(|cx| {
        while provider.try_read(&mut read).is_ok() {}
        // Woken when there is room, and asked again when there is something to read.
        let _ = provider.poll_read_ready(cx);
        wire.poll_write(cx, 0, [b"an end", &[]])
    })
    .await
    .unwrap();
    assert_eq!(vanishes(), half_a_minute);
    poll_fn(|cx| {
        while wire.poll_write(cx, 0, [&much, &[]]).is_ready() {}
        Poll::Ready(())
    })
    .await;
    assert_eq!(vanishes(), None);
    // Given up, it is nobody's to wait for.
    drop(wire);
    assert_eq!(vanishes(), half_a_minute);
}
