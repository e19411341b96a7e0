//! A gateway that is nearly overloaded: which calls it still takes, which wait, and that no call under way is ended.

use crate::harness::Gateway;

/// Answers in memory, until they are settled.
mod answers;

/// Bodies in memory: how many bytes there is room for, and for how long each takes it.
mod bodies;

/// Prompts that are counted.
#[cfg(target_os = "linux")]
mod counting;

/// Connections that have lived long enough.
mod connections;

/// Ten times as many calls as there is room for; a figure on demand.
mod goodput;

/// The three levels.
mod levels;

/// A limit of memory, and everything that costs some; longer on demand.
mod memory;

/// Accounts `a`, `b` and `c` on one plan, each with a key of its own.
const ACCOUNTS: &str = "\
plans: {p: {rate_limits: {concurrent_requests: 1000}}}
accounts:
  - {id: a, plan: p, keys: [{id: ka, key: the-key-of-account-a-0001}]}
  - {id: b, plan: p, keys: [{id: kb, key: the-key-of-account-b-0001}]}
  - {id: c, plan: p, keys: [{id: kc, key: the-key-of-account-c-0001}]}
";
const A: &str = "the-key-of-account-a-0001";
const B: &str = "the-key-of-account-b-0001";
const C: &str = "the-key-of-account-c-0001";

/// A metric by the beginning of its line.
async fn metric(gateway: &Gateway, line: &str) -> u64 {
    gateway.metric(line).await.parse().unwrap()
}
