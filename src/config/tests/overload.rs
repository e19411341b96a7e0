use std::time::Duration;

use super::{compiled, problems, warnings};
use crate::config::OverloadSettings;

#[test]
fn what_is_not_said_follows_the_machine() {
    let config = compiled("").unwrap();
    let expected = OverloadSettings {
        buffered_bodies: None,
        memory: None,
        lateness: Some(Duration::from_secs(10)),
    };
    assert_eq!(config.overload, expected);
    assert_eq!(config.listener.connection_requests, 1000);
    let hour = Duration::from_secs(3600);
    assert_eq!(config.listener.timeouts.connection_age, Some(hour));
}

#[test]
fn what_is_said_is_taken() {
    let config = compiled(
        "server:
  limits: {buffered_bodies: 64MiB, memory: 512MiB, connection_requests: 5}
  timeouts: {connection_age: forever, lateness: off}
",
    )
    .unwrap();
    let expected = OverloadSettings {
        buffered_bodies: Some(64 << 20),
        memory: Some(512 << 20),
        lateness: None,
    };
    assert_eq!(config.overload, expected);
    assert_eq!(config.listener.connection_requests, 5);
    assert_eq!(config.listener.timeouts.connection_age, None);
    assert!(config.warnings.is_empty());
}

#[test]
fn bodies_that_never_find_room_are_warned_of() {
    let told = warnings("server: {limits: {buffered_bodies: 16MiB}}");
    assert!(
        told.contains("server.limits.buffered_bodies: is less than server.limits.json_body"),
        "{told}"
    );
    assert_eq!(
        warnings("server: {limits: {buffered_bodies: 16MiB, json_body: 16MiB}}"),
        ""
    );
}

#[test]
fn what_would_serve_nobody_is_refused() {
    for (text, wrong) in [
        ("limits: {buffered_bodies: 1KiB}", "must be at least 1MiB"),
        ("limits: {memory: 1MiB}", "must be at least 64MiB"),
        ("limits: {connection_requests: 0}", "must be at least 1"),
        ("timeouts: {connection_age: 0s}", "must be more than 0"),
    ] {
        let told = problems(&format!("server: {{{text}}}"));
        assert!(told.contains(wrong), "{told}");
    }
}
