//! Addresses that cannot be taken.

use std::{future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::harness::{settings, within};
use crate::listener::{
    BindError, Listener,
    clocks::Clocks,
    io::{Io, Watch},
    raise_descriptor_limit,
    stream::Stream,
};

#[test]
fn an_address_in_use() {
    let first = Listener::bind(settings()).unwrap();
    assert_ne!(first.local_addr().port(), 0);
    let mut second = settings();
    second.address = first.local_addr();
    let error = Listener::bind(second.clone()).unwrap_err();
    assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(error.address, first.local_addr());
    drop(first);
    Listener::bind(second).unwrap();
}

#[test]
fn an_address_that_cannot_be_bound_is_told_with_its_cause() {
    let words: Vec<String> = [
        io::ErrorKind::AddrInUse,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::AddrNotAvailable,
        io::ErrorKind::OutOfMemory,
    ]
    .into_iter()
    .map(|kind| {
        let error = BindError {
            address: ([127, 0, 0, 1], 8402).into(),
            cause: kind.into(),
        };
        error.to_string()
    })
    .collect();
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn descriptors_are_raised_to_the_hard_limit() {
    let (before, after) = raise_descriptor_limit().unwrap();
    assert!(before <= after);
    assert_eq!(raise_descriptor_limit().unwrap(), (after, after));
}

/// A client that vanished is found by the kernel, which has to be told on the connections themselves.
#[cfg(target_os = "linux")]
#[test]
fn connections_inherit_how_a_vanished_client_is_found() {
    let listener = Listener::bind(settings()).unwrap();
    let _client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
    listener.socket.set_nonblocking(false).unwrap();
    let (accepted, _) = listener.socket.accept().unwrap();
    let accepted = socket2::SockRef::from(&accepted);
    let half_a_minute = Duration::from_secs(30);
    assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(half_a_minute));
    assert!(accepted.keepalive().unwrap());
    assert_eq!(accepted.tcp_keepalive_time().unwrap(), half_a_minute);
    assert_eq!(accepted.tcp_keepalive_interval().unwrap(), half_a_minute);
    assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 3);
}

/// The kernel takes a client that reads nothing for one that vanished; how long it may read nothing is ours to say.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_is_waited_for_has_not_vanished() {
    let listener = Listener::bind(settings()).unwrap();
    let connecting = tokio::net::TcpStream::connect(listener.local_addr());
    let mut client = connecting.await.unwrap();
    listener.socket.set_nonblocking(false).unwrap();
    let (accepted, _) = listener.socket.accept().unwrap();
    accepted.set_nonblocking(true).unwrap();
    let same = accepted.try_clone().unwrap();
    let vanishes = || socket2::SockRef::from(&same).tcp_user_timeout().unwrap();
    let stream = Stream::Plain(tokio::net::TcpStream::from_std(accepted).unwrap());
    let clocks = Arc::new(Clocks::start(&settings()));
    let mut io = Io::new(stream, Bytes::new(), clocks, None, Watch::Theirs);
    let half_a_minute = Some(Duration::from_secs(30));
    io.write_all(b"a beginning").await.unwrap();
    io.flush().await.unwrap();
    assert_eq!(vanishes(), half_a_minute);
    fill(&mut io).await;
    assert_eq!(vanishes(), None);
    let mut read = vec![0; 64 << 10];
    let reads = async { while client.read(&mut read).await.unwrap() > 0 {} };
    within(async {
        tokio::select! {
            () = reads => unreachable!("nobody closes"),
            written = io.write_all(b"an end") => written.unwrap(),
        }
    })
    .await;
    assert_eq!(vanishes(), half_a_minute);
    fill(&mut io).await;
    assert_eq!(vanishes(), None);
    // Nobody waits for it any more, so that the kernel's time counts again for what it still holds.
    drop(io);
    assert_eq!(vanishes(), half_a_minute);
}

/// Writes until the client has to read first.
#[cfg(target_os = "linux")]
async fn fill(io: &mut Io) {
    let much = vec![0; 1 << 20];
    let mut taken = 0;
    poll_fn(|cx| {
        while let Poll::Ready(written) = Pin::new(&mut *io).poll_write(cx, &much) {
            taken += written.unwrap();
        }
        // Before the first byte it lets others go first.
        if taken > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
