//! Where the store is and how long it keeps what.

use std::{path::PathBuf, time::Duration};

/// The store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub location: Location,
    /// How long call records are kept; `None` keeps them for ever.
    pub keep_calls: Option<Duration>,
    /// What is waited for before a call is forwarded and before its answer ends.
    pub durability: Durability,
    /// How many calls may be under way or wait to be written.
    pub in_flight: u32,
}

/// What a power cut may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The last group of calls. No call waits for the disk.
    #[default]
    Grouped,
    /// Nothing: a call waits until its hold is on the disk, and the end of its answer until its posting is.
    Strict,
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// One file.
    File(PathBuf),
    /// In memory: it keeps nothing.
    Memory,
}
