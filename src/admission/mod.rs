//! The checks, in the order in which a request passes them.
//!
//! | check | takes | gives | refuses with |
//! |---|---|---|---|
//! | [`authenticate`] | a credential | [`Caller`] | 400, 401, 403, 429 |
//! | [`meterable`] | [`Caller`], by reference | nothing | 403 |
//! | [`standing`] | [`Caller`] | [`Subscriber`] | 402 |
//! | [`rate`] | [`Subscriber`] | [`Admitted`] | 429 |
//! | [`peek`] | a body | its bytes | 400, 408, 413 |
//! | [`policy`] | [`Admitted`] and what is asked | [`Permitted`] | 400, 402, 403, 404 |
//! | [`reserve`] | [`Permitted`] | [`Reservation`](crate::metering::Reservation) | 402, 429, 503 |
//!
//! [`preflight`] goes the same way for a call that is only asked about, and leaves nothing behind.
//!
//! A passed check is a value that only this module can make, and the next check takes it by value: leaving one out,
//! or exchanging two, does not compile. The checks on the head neither await nor allocate.
//!
//! Rank 5. Performs no I/O but reading a request's body. Must not know providers' sockets or the store's files.

mod authenticate;
mod binding;
mod credential;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod guesses;
mod media;
mod peek;
mod policy;
mod preflight;
mod rate;
mod reserve;
mod standing;
mod weigh;

pub use authenticate::{Caller, authenticate, subject};
pub use binding::{counted_per, limit_kind};
pub use guesses::{Guesses, WrongKeys};
pub use media::described;
pub use peek::{Bounds, Patience, announced, peek, uncompressed};
pub use policy::{Permitted, meterable, policy};
pub use preflight::{Foretold, preflight};
pub use rate::{Admitted, rate};
pub use reserve::{Held, reserve};
pub use standing::{Notice, Subscriber, standing};
pub use weigh::Request;
