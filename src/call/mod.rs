//! What a call is about: where it goes and which model it names.
//!
//! Rank 3. Must not know accounts, sockets or how a call is admitted.

mod catalogue;
mod destination;

pub use catalogue::{Catalogue, Model};
pub use destination::{Destination, Requirement, Route};
