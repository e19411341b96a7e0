//! The vocabulary of the gateway as values: ids, instants, windows, limits, money, secrets.
//!
//! Rank 0. Owns what has no behaviour beyond itself. Must not know async, HTTP, files or who uses it.

mod amount;
mod clock;
mod digest;
mod email;
mod extras;
mod id;
mod limit;
mod money;
mod network;
mod request_id;
mod secret;
mod secret_finder;
mod subscription;
mod timestamp;
mod tokens;
mod unseen;
mod vendor;
mod window;

pub use amount::Amount;
pub use clock::{Clock, ClockTrust, ClockWatch, whole_millis};
pub use digest::{InvalidDigest, KeyDigest};
pub use email::{EmailAddress, InvalidEmailAddress};
pub use extras::{Extras, Feature, Features, ServiceTier};
pub use id::{AccountId, InvalidId, KeyId, ModelName, PlanId, ProviderId};
pub use limit::{LimitStatus, Limits, Mode, Quota, RateLimits, Scope, Unit};
pub use money::{CURRENCY, InvalidAmount, NanoUsd, decimal};
pub use network::network;
pub use request_id::{InvalidRequestId, RequestId};
pub use secret::Secret;
pub use secret_finder::SecretFinder;
pub use subscription::{Closure, Standing, Subscription, SubscriptionPolicy, SubscriptionStatus};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use tokens::Usage;
pub use unseen::is_unseen;
pub use vendor::Vendor;
pub(crate) use window::DAY;
pub use window::{Anchor, Per, Window};
