//! Sockets that clients connect to: accepting, TLS, HTTP, deadlines, drain.
//!
//! Rank 2. Owns connections from the accept to the close, their deadlines, and the drain. Generic over the service. Must
//! not know what it serves.
//!
//! The way of a connection: [`Listener::bind`] takes the address, the accept loop takes a permit and then a connection,
//! `session` does the handshake and learns the protocol, hyper parses and writes, `frames` reads along with HTTP/2,
//! `drive` polls hyper together with the clocks that hyper lacks, and `lingering_close` closes so that the last answer arrives.

mod accept;
mod alarm;
mod bind;
mod boxes;
mod clocks;
mod connection;
mod descriptors;
mod drive;
mod frames;
mod heads;
mod io;
mod lingering_close;
mod pressure;
mod protocol;
mod session;
mod settings;
mod shutdown;
mod signal;
mod stream;
mod streams;
mod tasks;
mod timer;
mod tuning;
mod waiters;
mod watched;
mod workers;

#[cfg(test)]
mod tests;

pub use accept::Drained;
pub(crate) use alarm::Alarm;
pub use bind::{BindError, Listener};
pub use connection::{Connection, InFlight, Peer};
pub use descriptors::raise_descriptor_limit;
pub use pressure::Pressure;
pub use settings::{Closing, Http2, Settings, Timeouts};
pub use shutdown::{Shutdown, ShutdownHandle};
pub use signal::Until;
pub(crate) use stream::Stream;
pub use tasks::Tasks;
pub(crate) use timer::{CatchUp, by};
pub use tuning::Tuning;
pub use workers::Workers;
