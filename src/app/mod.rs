//! The composition root: settings in, running parts out, and their orderly end.
//!
//! Rank 9. The only place that sees everything. Must not know the command line.

mod bursar;
mod demo;
mod descriptors;
mod fullness;
mod house;
mod run;
mod simulators;
mod start;
mod teller;
mod till;
mod watch;

pub use bursar::{Booked, Bursar};
pub use demo::commands as demo_commands;
pub use house::{House, Standings, merged};
pub use run::{ServeError, ServeOptions, serve};
pub use start::{App, StartError};
pub use teller::Teller;
pub use till::{Declared, Drawer, Till};
