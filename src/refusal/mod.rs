//! Every answer that is not the provider's: our refusals and the world's failures, in the caller's dialect.
//!
//! Rank 2. Owns the closed list of codes, their texts in every representation, and the fields that say how much of a limit
//! is left. The only place that chooses a 4xx or 5xx status. Must not know who refused.

mod actions;
mod billing;
mod binds;
mod buffer;
mod causes;
mod code;
mod facts;
mod foreseen;
mod guide;
mod headers;
mod html;
mod json;
mod links;
mod pages;
pub mod rate_limit;
mod render;
mod representation;
mod taxonomy;
mod verdict;
mod words;

pub use actions::Remedy;
pub use billing::CreditMember;
pub use buffer::{id as id_value, value as field_value};
pub use code::Code;
pub use facts::{CountedPer, CreditFacts, Detail, LimitFacts, LimitKind, Refusal, Subject};
pub use foreseen::Foreseen;
pub use links::{Address, Links};
pub use pages::{page_headers, problem_page};
pub use render::{Rendered, Scene, render, stream_event};
pub use representation::Representation;

#[cfg(test)]
mod tests;
