//! Pure parts against tables, the wire against scripted providers on loopback.

mod bodies;
mod classify;
mod connections;
mod deadlines;
mod fields;
mod heads;
mod multiplexed;
mod secure;
mod server;
mod target;
