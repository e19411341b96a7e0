//! `faregate prove`: what this program promises about money, tried on the machine of whoever doubts it.
//!
//! Rank 9. Owns the proofs: a daemon of its own as a child process, over a folder that is made for it, with the simulated
//! provider inside, all on loopback. It knows the daemon only as everybody does, by its port, its store and its exit.
//! Must not know arguments or terminals.

mod burst;
mod child;
mod client;
mod configs;
mod kills;
mod machine;
mod report;
mod scratch;
mod tokens;

use std::path::PathBuf;

pub use machine::Machine;
pub use report::{Proof, Report};

use self::scratch::Scratch;
use crate::domain::Clock;

/// What is to be proved, and with what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program that is started as the daemon.
    pub program: PathBuf,
    /// How many calls each burst has.
    pub calls: u32,
    /// How many times the daemon is killed.
    pub kills: u32,
    /// Whether the folder stays.
    pub keep: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What is being proved.
    pub proof: &'a str,
    /// How much of it is done.
    pub done: u64,
    /// Of how much.
    pub of: u64,
}

/// Who is told how far it is.
type Tell<'a> = &'a mut (dyn FnMut(Progress<'_>) + 'a);

/// Why nothing could be proved, which is no proof of the contrary.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// The folder cannot be made or written.
    #[error("the scratch folder {}: {source}", path.display())]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The daemon does not start.
    #[error("the daemon did not serve: {0}")]
    Daemon(String),
    /// The store cannot be read.
    #[error("the store of the daemon cannot be read: {0}")]
    Store(String),
    /// A daemon that should answer does not.
    #[error("the daemon cannot be reached: {0}")]
    Unreachable(String),
    /// Calls were not judged at all, and with which codes.
    #[error(
        "{calls} of the calls were answered with 503 ({code}), so that nothing is proved\n  hint: {}",
        advice(code)
    )]
    TurnedAway {
        /// How many.
        calls: usize,
        /// The code of most of them.
        code: String,
    },
    /// The daemon is gone, and nobody here has killed it.
    #[error(
        "the daemon ended by itself ({status}), so that nothing is proved; the last lines of its log:\n{log}\n  hint: where \
         the system ends what takes too much memory, run it again with fewer --calls; else report it with these lines"
    )]
    Ended {
        /// How, as the system says it.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// It takes far longer than it should.
    #[error("{0} was not done within {1} seconds")]
    Late(&'static str, u64),
}

/// What whoever started it can do about a 503.
fn advice(code: &str) -> &'static str {
    match code {
        "overloaded" => {
            "the machine is too small or too busy for so many calls; run it again with fewer --calls"
        }
        "billing_unavailable" => {
            "the daemon could not write its store: look whether the disk of the scratch folder is full or broken, or name \
             a folder on another one with TMPDIR"
        }
        "draining" => "somebody told the daemon to stop; run it again",
        _ => "run it again; if it comes back, report it with this code",
    }
}

/// Proves everything, one thing after the other.
///
/// # Errors
/// Something in the way: nothing is proved then, one way or the other. A promise that is broken is no error; the report
/// says so.
pub async fn prove(
    settings: &Settings,
    clock: &Clock,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<Report, Obstacle> {
    let started = clock.now();
    // As many connections as calls, where the machine lets us.
    let files = crate::listener::raise_descriptor_limit().map_or(1024, |(_, now)| now);
    let scratch = Scratch::make(started, settings.keep)?;
    let mut proofs = burst::prove(settings, &scratch, files, &mut tell).await?;
    proofs.push(tokens::prove(settings, &scratch, &mut tell).await?);
    proofs.push(kills::prove(settings, &scratch, &mut tell).await?);
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        started,
        seconds: started.until(clock.now()).as_secs(),
        machine: Machine::here(),
        calls: settings.calls,
        kills: settings.kills,
        kept: settings.keep.then(|| scratch.path().to_owned()),
        proofs,
    })
}
