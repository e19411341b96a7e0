//! The targets by name.

use crate::{accounts, admission, config, gateway, prices, providers, store, upstream, webhooks};

/// Something that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name in `fuzz/`.
    pub name: &'static str,
    /// Takes any bytes; panics where something does not hold.
    pub body: fn(&[u8]),
}

/// All of them, in the order in which `fuzz/run.sh` runs them.
pub const TARGETS: [Target; 11] = [
    target("path", gateway::fuzz::target),
    target("credential", admission::fuzz::credentials),
    target("json", providers::fuzz::ask),
    target("answer", upstream::fuzz::answer),
    target("sse", providers::fuzz::stream),
    target("usage", providers::fuzz::usage),
    target("config", config::fuzz::configuration),
    target("key", accounts::fuzz::key),
    target("webhook", webhooks::fuzz::webhook),
    target("inflight", store::fuzz::in_flight),
    target("money", prices::fuzz::amounts),
];

const fn target(name: &'static str, body: fn(&[u8])) -> Target {
    Target { name, body }
}

/// Runs the target of that name on `data`.
///
/// # Panics
/// There is no such target, or something does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the name is one of the targets").body)(data);
}
