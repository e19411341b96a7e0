//! The in-flight file: the black box of calls under way, beside the store.
//!
//! Owns the file, its slots and what is read from it after a crash. Must not know HTTP, prices, accounts' state or how
//! the store writes its rows.
//!
//! A call takes a slot before it is forwarded ([`Inflight::take`]), writes there what it holds
//! ([`Place::write_hold`]), from time to time how far its answer is ([`Place::checkpoint`]), and what it came to before
//! its last byte goes out ([`Place::settle`]). The place then waits beside the posting, and is given back only when the
//! transaction with the call has been synced ([`Place::recorded`]). So whatever the process was doing when it was killed,
//! each call that a client has read whole is either in the database or in this file, and [`scan`] finds it. What is in
//! both, because no later call has taken the slot, moves nothing.
//!
//! # The file
//!
//! 4,096 bytes of head, which is one line of text that says what this is and then zeros, then slots of 1,024 bytes.
//! A slot never crosses a page, so that the system writes it whole or not at all when the process is killed; the
//! checksums are for everything else. All of the file is written with zeros when it is made: a disk that fills up later
//! cannot get in the way (file systems that write every change to a new place, such as btrfs and ZFS, promise less).
//!
//! | bytes of a slot | what |
//! |---|---|
//! | 0 – 671 | the hold |
//! | 672 – 711 | checkpoints 1, 3, 5 … |
//! | 712 – 751 | checkpoints 2, 4, 6 … |
//! | 752 – 1023 | the settlement |
//!
//! Hold and settlement begin alike; numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0 – 3 | CRC-32 of the slot's number, as four bytes, and of everything from byte 4 to the end |
//! | 4 – 7 | `FG`, the layout's version, and 1 for a hold or 2 for a settlement |
//! | 8 – 9 | how many bytes there are in all |
//! | 10 – 13 | the generation: a number that every use of a slot gets anew |
//! | 14 – 29 | the call's id |
//!
//! Then come figures of fixed width, in the order of [`hold`] and [`settlement`], then the account, the key, the
//! counters, and, as far as there is room, plan, provider, version of the price, model, the provider's name for it and
//! route, each as one byte of length and its text. In a hold, ids and names of the longest kind fit with eight counters;
//! only a long route is cut short. In a settlement account and key always fit, and usually everything does, so that it
//! can be posted even where its hold cannot be read. Tags, the end user and the idempotency key are not kept.
//!
//! A checkpoint has the CRC-32 of the slot's number, the generation, the call's id and its own bytes from 4 on, then the
//! layout's version, its number, what the call has used so far and what that costs. Two places take turns, so that the
//! one before is there when one is torn.
//!
//! # Reading it
//!
//! | hold | settlement | what is found |
//! |---|---|---|
//! | whole | whole, same generation and id | a settled call |
//! | whole | missing, torn, or of an earlier generation | an open call, with its newest whole checkpoint |
//! | torn, or of an earlier generation | whole | a settled call |
//! | anything else but zeros | | damage, which is reported |
//!
//! Counts of tokens are kept up to 2⁴⁰ − 1; a provider that reports more is not believed.
//!
//! # Why this may be done on the threads that serve requests
//!
//! A write goes into pages that are in memory and on blocks that the file has already: it copies a few hundred bytes
//! and takes a microsecond or two, less than handing it to another thread and waiting for that would. Nothing is synced
//! here. Writers of one file take turns in the system, for as long as such a copy takes. The system may make a write wait
//! where memory is full of changes that the disk is too slow for; then every other write of the machine waits too.

mod checkpoint;
mod cursor;
mod failure;
mod file;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod hold;
mod place;
mod recovery;
mod settlement;
mod sync;
mod tail;

pub use checkpoint::Checkpoint;
pub use failure::{FileError, Unwritten};
pub(super) use failure::{NOT_ALLOWED, READ_ONLY};
pub(super) use file::{Found, beside, no_other_than_a_file, scan};
pub use hold::{HeldCounter, HoldRecord, Whose};
pub use place::{Inflight, Place};
pub use recovery::{Recovered, read_slot};

#[cfg(test)]
mod tests;
