//! Where the store is and how long it keeps what.

use std::{path::PathBuf, time::Duration};

/// The store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub location: Location,
    /// How long call records are kept; `None` keeps them for ever.
    pub keep_calls: Option<Duration>,
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// One file.
    File(PathBuf),
    /// In memory: it keeps nothing.
    Memory,
}
