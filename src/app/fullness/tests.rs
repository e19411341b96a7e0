use std::path::Path;

use super::limits;
use crate::config::{self, ProcessEnvironment};

fn limits_of(yaml: &str) -> crate::overload::Settings {
    let parsed = config::parse(yaml, Path::new("faregate.yaml"), &ProcessEnvironment);
    limits(&parsed.unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn bodies_have_a_quarter_of_the_memory_and_no_more_than_a_gibibyte() {
    let some = limits_of("server: {limits: {memory: 256MiB}}");
    assert_eq!((some.memory, some.bodies), (Some(256 << 20), 64 << 20));
    let much = limits_of("server: {limits: {memory: 64GiB}}");
    assert_eq!(much.bodies, 1 << 30);
    let said = limits_of("server: {limits: {memory: 256MiB, buffered_bodies: 128MiB}}");
    assert_eq!(said.bodies, 128 << 20);
    let machines = limits_of("store: {in_flight: 64}\nserver: {limits: {connections: 7}}");
    assert!(machines.bodies > 0 && machines.bodies <= 1 << 30);
    assert_eq!((machines.calls, machines.connections), (64, 7));
}
