//! What tells a process to stop.

use std::{fs, future};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// The signals that end a process politely.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal is closed; `None` where that is not to matter.
    hangup: Option<Signal>,
}

impl Stop {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::failed(format!("no signal handler: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: if outlives_terminal() {
                None
            } else {
                Some(listen(SignalKind::hangup())?)
            },
        })
    }

    /// Ends when one of them has come.
    pub(super) async fn asked(&mut self) {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// Whether SIGHUP is ignored from the start, as `nohup` has it.
fn outlives_terminal() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}
