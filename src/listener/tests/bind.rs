//! Addresses that cannot be taken.

use std::{io, time::Duration};

use super::harness::settings;
use crate::listener::{BindError, Listener, raise_descriptor_limit};

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
