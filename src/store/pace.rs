//! When the writer lets others go first. Must not know what it writes.

use std::thread;

/// A group of fewer postings is written while there is time to spare.
const FEW: usize = 64;

/// How a group is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    gives_way: bool,
}

impl Pace {
    /// The pace of a group of so many postings.
    pub(super) const fn of(postings: usize) -> Self {
        Self {
            gives_way: postings < FEW,
        }
    }

    /// Between two rows: whoever waits for this core goes first.
    ///
    /// Where threads share a core, Linux lets one that runs finish its slice of some milliseconds before one that was woken
    /// gets its turn (EEVDF, `RUN_TO_PARITY`), so that a call waited for all of a group. A large group does not ask: under
    /// load there is always somebody, and the group would not end.
    pub(super) fn give_way(self) {
        if self.gives_way {
            thread::yield_now();
        }
    }
}
