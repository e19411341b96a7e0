//! The providers' wire formats: paths, bodies, usage figures, server-sent events.
//!
//! Rank 1, pure: bytes in, values out. Owns what is known of the vendors' APIs: which path is which endpoint, what a body
//! asks for, where an answer has its figures. Must not know sockets, accounts or balances.

mod answer;
mod ask;
mod count;
mod dialect;
mod edit;
mod endpoint;
mod event_mask;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod json;
mod listing;
mod meter;
mod observed;
mod sse;
mod usage;

pub use ask::{Ask, AskError};
pub use count::{count_input, estimate_tokens};
pub use dialect::{Dialect, ProviderKind};
pub use edit::Edits;
pub use endpoint::{Endpoint, model_in_path};
pub use event_mask::EventMask;
pub use listing::{model, models};
pub use meter::{AnswerMeter, Encoding, StreamMeter};
pub use observed::Observed;
pub use sse::end_of_event;
