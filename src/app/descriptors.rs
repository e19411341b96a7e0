//! The files that the process may have open, and what of them is for clients.

use crate::{config::Config, listener};

/// Descriptors that are neither a client's nor a provider's.
const KEPT: u64 = 100;
/// Connections that are served however few descriptors there are.
const FEWEST: u64 = 16;

/// Connections that are served, and those that were configured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fewer {
    configured: usize,
    served: usize,
    files: u64,
}

/// How many files this process may have open, once it may have as many as it can.
pub(super) fn raise() -> Option<u64> {
    match listener::raise_descriptor_limit() {
        Ok((before, now)) => {
            if now > before {
                tracing::debug!(before, now, "raised the limit of open files");
            }
            Some(now)
        }
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            None
        }
    }
}

/// Clients must not take the descriptors that their calls need: each call may have a connection to a provider, and the
/// store and the admin listener need some. What that leaves of the connections, where it is far fewer than configured.
pub(super) fn fit(config: &mut Config, files: Option<u64>) -> Option<Fewer> {
    let files = files?;
    let room = (files / 2).saturating_sub(KEPT).max(FEWEST);
    let served = usize::try_from(room).unwrap_or(usize::MAX);
    let configured = config.listener.connections;
    config.listener.connections = configured.min(served);
    // A little less than the default is what most machines have, and nothing to act on.
    (served < configured / 2).then_some(Fewer {
        configured,
        served,
        files,
    })
}

impl Fewer {
    /// Says so.
    pub(super) fn warn(&self) {
        let Self {
            configured,
            served,
            files,
        } = *self;
        tracing::warn!(
            configured,
            served,
            descriptors = files,
            "the limit of open files allows fewer connections than server.limits.connections; raise it (LimitNOFILE= \
             of systemd, --ulimit nofile= of Docker) or lower the setting"
        );
    }
}
