//! Overload: how near the gateway is to its limits, and who has to wait then.
//!
//! What can run short is measured against its limit, and the worst of all is the level:
//!
//! | measured | against | when |
//! |---|---|---|
//! | calls under way, from their key being known to the end of their answer | `store.in_flight` | with each call |
//! | bytes of request bodies held in memory, and of answers kept until they are settled | `server.limits.buffered_bodies` | with each piece of a body |
//! | open connections | `server.limits.connections` | with each connection |
//! | memory of the process | nine tenths of `server.limits.memory` | [`EVERY`] |
//! | how late timers are, at the least, for a while | `server.timeouts.lateness` | [`EVERY`] |
//!
//! | level | from | what it does |
//! |---|---|---|
//! | 1, busy | 85 % | What is served says `Connection: close` and idle connections close early, so that clients come back through the load balancer. Connections alone never lead further: whoever opens many must not close the door for others. Lateness never leads here: more handshakes would make it worse. |
//! | 2, scarce | 92 % | An account gets no new call while it has more of what is scarce than its share: what is used, divided by the accounts that have calls under way and one more, who may come. So one account alone stays below the next level, and whoever has little is served. |
//! | 3, full | 95 % | No new call is taken. |
//!
//! All of it is decided before a body is read and before anything is taken; what has been admitted is never shed, except that
//! a body still being read may find no room. Payment events and what needs no key are not calls.
//!
//! While memory is short, bodies find room only up to their account's share, and from 92 % on only small ones do.
//!
//! Nor is an answer ever shed: the provider has done its work and bills it. One that finds no room, beyond its first 16 KiB,
//! goes on to its client and is not kept, so that its usage cannot be read in the end: it is charged by our own count, and
//! `estimated`, as one that was broken off is.
//!
//! Memory refuses calls only while some are under way, because memory that no call holds will not come back by waiting.
//!
//! Rank 3. Must not know requests, answers or the store.

mod buffers;
mod gauge;
mod level;
mod memory;
mod room;
mod sample;
mod state;

#[cfg(test)]
mod tests;

pub use level::Level;
pub use memory::{available, limit as memory_limit};
pub use room::Room;
pub use sample::EVERY;
pub use state::{Figures, NoRoom, OpenConnection, Overload, Shed};

use std::time::Duration;

/// The limits that are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Calls under way at once.
    pub calls: u64,
    /// Connections at once.
    pub connections: u64,
    /// Bytes of request bodies and of kept answers at once.
    pub bodies: u64,
    /// Bytes of memory; `None` is not measured.
    pub memory: Option<u64>,
    /// How late timers may be; `None` is not measured.
    pub lateness: Option<Duration>,
}
