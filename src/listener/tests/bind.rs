//! Addresses that cannot be taken.

use std::io;

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
fn words() {
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
