//! Forwarding: connections to providers, heads rewritten in place, deadlines, failures.
//!
//! Rank 5. Must not know how a request was admitted: what has to be written down before it is sent is the caller's, who is
//! asked each time that a connection stands.

mod body;
mod classify;
mod connect;
mod deadline;
mod early_answer;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod h1;
mod head;
mod names;
mod outgoing;
mod pool;
mod send;
mod settings;
mod shared;
mod target;

#[cfg(test)]
mod tests;

pub use body::UpstreamBody;
pub use classify::{MAX_READ, Verdict, classify, wants_body};
pub use failure::{Deadline, Failure, FailureKind, Processed};
pub use head::{Encoding, X_UPSTREAM_REQUEST_ID};
pub use outgoing::{BodyError, Outgoing};
pub use send::Upstream;
pub use settings::{BaseUrl, Credential, OutputLimitField, Settings, Timeouts};
