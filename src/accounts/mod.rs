//! Who may call, what they pay for and how much of it is used.
//!
//! Rank 2. Owns the directory of keys and every limit's state. Must not know HTTP, files or the store.

mod apikey;
mod binding;
mod book;
mod bucket;
mod compact;
mod counter;
mod credit;
mod directory;
#[cfg(test)]
mod fixtures;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod json;
mod levels;
mod payment;
mod plan;
mod rate;
mod registry;
mod roster;
mod under_way;

pub use apikey::ApiKey;
pub use binding::{Binding, Moved, Output, Reading, Reason, Settled, Wanted};
pub use book::{Book, Counted, Seat, Taken, Weighed};
pub use compact::{Digests, Label, Opener, Own};
pub use counter::{CounterChange, CounterName, CounterRow, Owner};
pub use credit::{Credit, CreditRow, Draw, Draws, Lot};
pub use directory::{Account, Directory, Key, Lookup};
pub use json::{limits_from_json, limits_to_json};
pub use levels::{Levels, QuotaLevel};
pub use payment::{Declaration, Over, PaymentStanding, Spoken};
pub use plan::{Plan, PlanVersion};
pub use registry::Accounts;
pub use roster::{AccountSpec, Extent, KeySpec, LowCredit, OwnTerms, PlanSpec, Roster, Source};
pub use under_way::UnderWay;
