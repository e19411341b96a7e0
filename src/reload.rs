//! What a changed file may change while the daemon runs, and what waits for a restart.
//!
//! Rank 8. Owns the comparison only. Must not know how anything is started or published.

use std::net::SocketAddr;

use crate::{config::Config, store, telemetry::LogFormat};

/// What was fixed when the daemon started.
#[derive(Debug, Clone)]
pub struct Fixed {
    listen: SocketAddr,
    connections: usize,
    admin: Option<SocketAddr>,
    store: store::Settings,
    log: LogFormat,
}

impl Fixed {
    /// What `config` fixes.
    pub fn of(config: &Config) -> Self {
        Self {
            listen: config.listener.address,
            connections: config.listener.connections,
            admin: config.admin.as_ref().map(|admin| admin.listener.address),
            store: config.store.clone(),
            log: config.log,
        }
    }

    /// The sections in which `other` differs; they take effect at the next start.
    pub fn differs_from(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            listen,
            connections,
            admin,
            store,
            log,
        } = other;
        let changed = [
            (self.listen != *listen, "server.listen"),
            (
                self.connections != *connections,
                "server.limits.connections",
            ),
            (self.admin != *admin, "admin.listen"),
            (self.store != *store, "store"),
            (self.log != *log, "log"),
        ];
        changed
            .into_iter()
            .filter_map(|(changed, section)| changed.then_some(section))
            .collect()
    }
}

#[cfg(test)]
mod tests;
