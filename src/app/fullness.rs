//! What overload is measured against: the file's figures, and the machine's where the file has none.

use std::path::Path;

use crate::{config::Config, overload, telemetry::Metrics};

/// The share of the memory that bodies may take, and the most they take where nobody says otherwise.
const SHARE: u64 = 4;
const MOST: u64 = 1 << 30;

/// The limits that `config` and this machine set.
pub(super) fn limits(config: &Config) -> overload::Settings {
    let root = Path::new("/");
    let said = config.overload;
    let memory = said.memory.or_else(|| overload::memory_limit(root));
    let there = memory.or_else(|| overload::available(root));
    let bodies = there.map_or(MOST, |there| MOST.min(there / SHARE));
    overload::Settings {
        calls: u64::from(config.store.in_flight),
        connections: u64::try_from(config.listener.connections).unwrap_or(u64::MAX),
        bodies: said.buffered_bodies.unwrap_or(bodies),
        memory,
        lateness: said.lateness,
    }
}

/// Tells the metrics how full it is.
pub(super) fn tell(overload: &overload::Overload, metrics: &Metrics) {
    let overload::Figures {
        level,
        bodies,
        shed_all,
        shed_share,
        shed_body,
    } = overload.figures();
    metrics.overload(level.number(), bodies);
    metrics.shed([shed_all, shed_share, shed_body]);
}

#[cfg(test)]
mod tests;
