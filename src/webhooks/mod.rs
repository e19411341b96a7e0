//! What payment providers tell by webhook: who signed it, what it says, and what follows from all of it together.
//!
//! Rank 2, and pure: bytes and header fields in, values out. An event becomes facts about an object of the vendor (a
//! subscription, a payment, a grant), and what holds is a function of all facts that are known of the object. So it
//! does not matter in which order they come. Must not know accounts' limits, the store or who is served.

mod event;
mod fact;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod lemonsqueezy;
mod members;
mod money;
mod paddle;
mod settings;
mod signature;
mod standard;
mod standing;
mod stripe;

pub use event::{Illegible, News, Party, PaymentEvent, read};
pub use fact::{Dated, Fact, Snapshot};
pub use money::{Worth, worth};
pub use settings::{Endpoint, Settings, TOLERANCE};
pub use signature::{BadSignature, Reason, SigningKey, Verified, WeakKey, verify};
pub use standing::{Stand, best, stand};

#[cfg(test)]
mod tests;
