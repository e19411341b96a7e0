//! One YAML file, compiled once into the settings of every module.
//!
//! Rank 7. Text becomes a tree with positions (`tree`), the tree becomes values along the table of all keys (`read`,
//! `table`), and the values become each module's own `Settings`, a file for each topic. Nothing stops at the first
//! mistake. Modules never import this one. Must not know what the settings are used for.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    accounts::Roster,
    domain::{AccountId, KeyId, ProviderId, Secret},
    gateway, listener, notify, store,
    telemetry::LogFormat,
};

mod accounts;
mod compile;
mod fields;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod limits;
mod locate;
mod models;
mod nearest;
mod notifications;
mod payment;
mod plans;
mod prices;
mod problem;
mod providers;
mod read;
mod routes;
mod scalar;
mod schema;
mod secret;
mod server;
mod subscription;
mod table;
mod tls;
mod tree;
mod webhooks;

#[cfg(test)]
mod tests;

pub use compile::{asked_at, load, load_again, parse};
pub use locate::{NoFile, locate};
pub use problem::{Problem, Problems};
pub use schema::schema;
pub use secret::{Environment, ProcessEnvironment};

/// Everything a file says.
#[derive(Debug)]
pub struct Config {
    /// The public listener.
    pub listener: listener::Settings,
    /// The admin listener; `None` has none.
    pub admin: Option<AdminSettings>,
    /// The store.
    pub store: store::Settings,
    /// What is served. A simulated provider's `base_url` has port 0 until whoever starts it writes its port there.
    pub gateway: gateway::Settings,
    /// Simulated providers to start; each is also among the gateway's providers.
    pub simulated: Vec<SimulatedSettings>,
    /// Keys that are written in the file to be shown.
    pub demo_keys: Vec<DemoKey>,
    /// Plans, accounts and keys. `created_at` is 0 in all of them: a file does not know when it was first read.
    pub roster: Roster,
    /// Who is told what happens; `None` tells nobody.
    pub notifications: Option<notify::Settings>,
    /// How long calls under way may take after a stop signal.
    pub drain: Duration,
    /// When calls are refused because there are too many.
    pub overload: OverloadSettings,
    /// How the log looks.
    pub log: LogFormat,
    /// Whether the file says nothing at all, as one does that is just being written.
    pub blank: bool,
    /// The other files that were read for it: secrets, certificates, prices.
    pub files: Vec<PathBuf>,
    /// What is allowed and seldom meant, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// When calls are refused because there are too many. What is `None` follows the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverloadSettings {
    /// Bytes of request bodies and of kept answers in memory at once.
    pub buffered_bodies: Option<u64>,
    /// Bytes of memory for the whole process.
    pub memory: Option<u64>,
    /// How late timers may be; `None` never refuses for it.
    pub lateness: Option<Duration>,
}

/// The admin listener.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where it listens.
    pub listener: listener::Settings,
    /// What opens it; at least 32 bytes.
    pub token: Secret,
}

/// Where a daemon is asked whether it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The admin listener, or where there is none, the public one.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether the file could be read that far; else it is where a daemon usually is.
    pub read: bool,
}

/// A simulated provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedSettings {
    /// Its name among the providers.
    pub provider: ProviderId,
    /// Time to the first byte of an answer.
    pub latency: Duration,
    /// Speed of an answer.
    pub tokens_per_second: u32,
    /// The same seed gives the same answers.
    pub seed: u64,
}

/// A key that everybody may know: its secret begins with `demo-key-`. The quickstart prints commands with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoKey {
    /// Its name.
    pub id: KeyId,
    /// Its account.
    pub account: AccountId,
    /// The key itself.
    pub key: String,
}
