//! What a call used: held before it is forwarded, observed while it is answered, settled when its answer ends.
//!
//! Rank 4. Owns reservations and the bodies that carry them. Must not know how a call was admitted or where it goes.

mod answer;
mod body;
mod charge;
mod context;
mod cut;
mod drain;
mod observer;
mod reservation;

pub use answer::Answer;
pub use body::{DisconnectPolicy, Metered};
pub use charge::Charge;
pub use context::{DrainPlace, MeteringContext};
pub use cut::{Aborted, Cut, Interruption};
pub use observer::{Observer, is_events};
pub use reservation::{Draft, Ending, Receipt, Reservation};
