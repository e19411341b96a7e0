//! What can go wrong with the file, in words.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the file of calls under way cannot be used; the daemon does not start without it. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says no.
    #[error("{}, which keeps the calls under way, cannot be {what}: {source}; {hint}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// Something else has its name.
    #[error(
        "{} is not a file of calls under way{found}; nothing was changed; {LOOK}",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is known of it.
        found: &'static str,
    },
    /// Something of somebody else's has the name under which the file is made.
    #[error(
        "{} has the name under which the file of calls under way is made, and is something else; move it away",
        path.display()
    )]
    InTheWay {
        /// What has it.
        path: PathBuf,
    },
    /// A newer version wrote it.
    #[error(
        "{} has layout {found} of the calls under way, and this faregate knows layout {known}; nothing was changed; use the newer faregate again, or let it start and stop once more, which records what is in the file, and then move the file away",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// A part of it is missing.
    #[error(
        "{} is cut short: it has {found} bytes of {whole}; nothing was changed; {LOOK}",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// How many bytes it has.
        found: u64,
        /// How many it should have.
        whole: u64,
    },
}

/// What to do where the system does not let us at the store, or at a file beside it.
pub(in crate::store) const NOT_ALLOWED: &str =
    "the user that runs faregate must be allowed to read and write it and its folder";

/// What to do where nothing can be written.
pub(in crate::store) const READ_ONLY: &str = "the store needs a file system that can be written";

/// What a person can do about a file that is no use.
const LOOK: &str = "put the right one back, or move it away to start without the calls that were under way when the daemon last ended";

impl FileError {
    pub(super) fn unusable(path: &Path, what: &'static str, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => NOT_ALLOWED,
            io::ErrorKind::ReadOnlyFilesystem => READ_ONLY,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space on its disk, or lower store.in_flight"
            }
            _ => "look at the disk, and at store.url, beside whose file it is",
        };
        Self::Unusable {
            path: path.to_owned(),
            what,
            source,
            hint,
        }
    }
}

/// What a call leaves behind could not be written to the file of calls under way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// The system says no.
    #[error("the disk failed to write {file} ({words})")]
    Disk {
        /// The file.
        file: String,
        /// What the system says.
        words: String,
    },
    /// The disk did not confirm.
    #[error("the disk did not confirm a write to {file} ({words}); check the disk, then restart")]
    Unconfirmed {
        /// The file.
        file: String,
        /// What the system says.
        words: String,
    },
    /// The disk has not confirmed yet, and nobody waits longer.
    #[error("the disk takes too long to confirm a write to the file of calls under way")]
    Late,
    /// The call is not under way any more.
    #[error("a call that has ended holds nothing")]
    Ended,
    /// The call moves more counters than a slot has room for.
    #[error("a call that moves {0} counters has no room in the file of calls under way")]
    Counters(usize),
}
