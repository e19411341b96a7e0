//! The composition root: settings in, running parts out, and their orderly end.
//!
//! Rank 9. The only place that sees everything. Must not know the command line.

mod demo;
mod descriptors;
mod house;
mod run;
mod simulators;
mod start;
mod teller;

pub use demo::commands as demo_commands;
pub use house::{House, merged};
pub use run::{ServeError, ServeOptions, serve};
pub use start::{App, StartError};
pub use teller::Teller;
