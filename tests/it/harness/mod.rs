//! A gateway in this process, a scripted provider beside it, and a client. Ports are 0, time is turned by hand.

mod checks;
mod client;
mod daemon;
mod gateway;
pub(crate) mod h2raw;
mod house;
mod replay;
mod upstream;

pub(crate) use checks::Checks;
pub(crate) use client::{Answer, Call, raw, raw_until_close};
pub(crate) use daemon::{Daemon, write};
pub(crate) use gateway::{Gateway, TOKEN};
pub(crate) use house::{KEY, LIMITED, house};
pub(crate) use replay::{faregate, replayed, verified};
pub(crate) use upstream::{Gate, Seen, Step, Upstream, json, sse};

use std::time::Duration;

/// Nothing in a test takes this long; what does has hung, and the test says where.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// Waits for `what`, and fails with its name instead of hanging.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(HANG, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Says what is not tested on this machine, even where the words of a passing test are kept back.
pub(crate) fn notice(words: &str) {
    use std::io::Write;
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{words}");
}
