//! The files that the process may have open, and what of them is for clients.

use crate::{config::Config, listener};

/// Descriptors that are neither a client's nor a provider's.
const KEPT: u64 = 100;
/// Connections that are served however few descriptors there are.
const FEWEST: u64 = 16;

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
/// store and the admin listener need some. Where that has been `said`, nobody is warned of it.
pub(super) fn fit(config: &mut Config, files: Option<u64>, said: bool) {
    let Some(files) = files else {
        return;
    };
    let room = (files / 2).saturating_sub(KEPT).max(FEWEST);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if config.listener.connections > room {
        let configured = config.listener.connections;
        config.listener.connections = room;
        // A little less than the default is what most machines have, and nothing to act on.
        if said || room >= configured / 2 {
            tracing::debug!(
                configured,
                served = room,
                descriptors = files,
                "connections follow the limit of open files"
            );
            return;
        }
        tracing::warn!(
            configured,
            served = room,
            descriptors = files,
            "the limit of open files allows fewer connections than server.limits.connections; raise it (LimitNOFILE= \
             of systemd, --ulimit nofile= of Docker) or lower the setting"
        );
    }
}
