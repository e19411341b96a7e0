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
pub(crate) use client::{Answer, Call, raw, raw_until_close};
pub(crate) use daemon::{Daemon, write};
pub(crate) use gateway::{Gateway, TOKEN};
pub(crate) use replay::{faregate, replayed, verified};
pub(crate) use shared_config::{KEY, LIMITED, shared_config};
pub(crate) use standing::{HEALTHY, stands, watch_panics};
pub(crate) use upstream::{Gate, Seen, Step, Upstream, json, piece, sse};

use std::time::Duration;

/// Nothing in a test takes this long; what does has hung, and the test says where.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// Waits for `what`, and fails with its name instead of hanging.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(HANG, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
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
    use std::io::Write;
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{words}");
}
