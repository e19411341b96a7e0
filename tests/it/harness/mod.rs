//! A gateway in this process, a scripted provider beside it, and a client. Ports are 0, time is turned by hand.

mod afterwards;
mod checks;
mod client;
mod daemon;
mod gateway;
pub(crate) mod h2raw;
mod replay;
mod shared_config;
mod standing;
mod upstream;

pub(crate) use afterwards::{metrics, nothing_held, settled, tells_no_secret};
pub(crate) use checks::Checks;
pub(crate) use client::{Answer, Call, raw, raw_until_close, read_until};
pub(crate) use daemon::{Daemon, daemon_file, write};
pub(crate) use gateway::{Gateway, TOKEN};
pub(crate) use replay::{faregate, replayed, verified};
pub(crate) use shared_config::{KEY, LIMITED, shared_config};
pub(crate) use standing::{HEALTHY, unharmed, watch_panics};
pub(crate) use upstream::{Gate, Seen, Step, Upstream, at_each_head, end, head, json, piece, sse};

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};

/// Nothing in a test takes this long; what does has hung, and the test says where.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// Waits for `what`, and fails with its name instead of hanging.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(HANG, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Lets so much of tokio's time pass at once.
pub(crate) async fn jump(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Bytes of memory that a process has in use.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 = line.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    kibibytes << 10
}

/// What gzip makes of some bytes.
pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A number that a variable of the environment asks for: more rounds than a plain run of the tests has.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: {text} is no number")),
    )
}

/// Says what is not tested on this machine, even where the words of a passing test are kept back.
pub(crate) fn notice(words: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{words}");
}
