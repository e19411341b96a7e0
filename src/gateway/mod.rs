//! The path of a request, from its head to its record. Start with `stack`.
//!
//! Rank 6. Must not know configuration, files or the environment.

mod answer;
mod client;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod headers;
mod judge;
mod limits;
mod linger;
mod local;
mod mask;
mod observe;
mod path;
mod places;
mod preflight;
mod read;
mod relay;
mod reply;
mod request_body;
mod route;
mod settings;
mod snapshot;
mod stack;
mod vet;
mod webhook;
mod words;

pub use reply::ReplyBody;
pub use settings::{
    BodyLimits, Cors, ModelSettings, RouteDialect, RouteMeter, RouteSettings, Settings,
};
pub use snapshot::Snapshot;
pub use stack::{Gateway, ready};
pub use webhook::{Boxed, Payments, Signed, Taken, Untaken};
