//! The composition root: settings in, running parts out, and their orderly end.
//!
//! Rank 9. The only place that sees everything. Must not know the command line.

mod credit_ledger;
mod demo;
mod descriptors;
mod event_applier;
mod event_context;
mod fullness;
mod merge;
mod metrics;
mod publisher;
mod run;
mod serve;
mod simulators;
mod start;
mod watch;

pub use credit_ledger::CreditLedger;
pub use demo::commands as demo_commands;
pub use event_applier::{Applied, EventApplier};
pub use event_context::{Declared, EventContext, Withdrawals};
pub use merge::{Standings, merged};
pub use publisher::Publisher;
pub use run::{ServeError, ServeOptions, outlive_file_limits, serve};
pub use start::{App, StartError};
