//! What a call costs: price tables, what a call can cost at most, and the exact sum of what it did cost.
//!
//! Rank 1, pure. Owns every figure between a token and an amount: whole trillionths of a dollar (pico-USD) per unit,
//! factors in millionths, one rounding, up, at the end. Must not know files or accounts, and of formats
//! only the one that prices are published in (`litellm`).

mod amount;
mod breakdown;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub mod litellm;
mod price;
mod quote;
mod schedule;
mod table;
mod terms;

pub use amount::{Factor, Pico};
pub use breakdown::{Breakdown, Exact, Line};
pub use figures::{Figures, Service};
pub use price::Price;
pub use quote::Quote;
pub use schedule::Schedule;
pub use table::{Item, Rates, Table};
pub use terms::{Bound, Terms, Unpriced};
