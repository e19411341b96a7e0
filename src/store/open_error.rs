//! Why a store could not be opened, in words that say what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Error, ErrorCode};

use super::{
    columns::RowError,
    health::Fault,
    inflight::{FileError, NOT_ALLOWED, READ_ONLY},
    schema::VERSION,
};

/// Why a store could not be opened. The texts are for people; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes to it.
    #[error(
        "the store {} is in use by another faregate process, which holds {}; stop that one, or name another file in store.url",
        file.display(), lock.display()
    )]
    Locked {
        /// The store.
        file: PathBuf,
        /// The file that carries the lock.
        lock: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("{} cannot be opened: {source}; {hint}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// The file is empty.
    #[error(
        "{} is empty, which a store never is; put back a backup, or delete the file to begin with a new store",
        file.display()
    )]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The file is something else.
    #[error(
        "{} is not a Faregate store: {words}; nothing was changed; name another file in store.url, or put back a backup of this one",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is.
        words: &'static str,
    },
    /// The file was written by a newer version.
    #[error(
        "{} has schema version {found}, and this faregate knows up to {VERSION}; nothing was changed; use the newer faregate again, or put back a backup from before the upgrade",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The file was written by an older version, and was opened only to be read.
    #[error(
        "{} has schema version {found}, and this faregate reads {VERSION}; start the new daemon once, which brings it up to date",
        file.display()
    )]
    Older {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Something in the file cannot be read.
    #[error(
        "{} is damaged: {words}; move it away with its -wal and -shm and put back a backup, or correct it with sqlite3",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        words: String,
    },
    /// The file of calls under way cannot be used.
    #[error(transparent)]
    InFlight(#[from] FileError),
    /// The database or the system says no.
    #[error("the store cannot be opened: {words}")]
    Failed {
        /// What they say.
        words: String,
    },
}

impl OpenError {
    /// What a row that cannot be read means for the store as a whole.
    pub(super) fn of_row(file: &Path, error: RowError) -> Self {
        match error {
            RowError::Sqlite(error) => Self::of_sqlite(file, &error),
            damaged @ RowError::Damaged { .. } => Self::Damaged {
                file: file.to_owned(),
                words: damaged.to_string(),
            },
        }
    }

    /// What keeps a file or its folder from being used, with what to do about it.
    pub(super) fn unusable(path: &Path, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => NOT_ALLOWED,
            io::ErrorKind::ReadOnlyFilesystem => READ_ONLY,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space on its disk"
            }
            io::ErrorKind::NotFound if path.parent().is_some_and(Path::exists) => {
                "start the daemon once, which makes it"
            }
            io::ErrorKind::NotFound => "make its folder, or correct store.url",
            _ => "look at the disk and at store.url",
        };
        Self::Unusable {
            path: path.to_owned(),
            source,
            hint,
        }
    }

    /// Whether the files are there, and not for this user.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Unusable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether there is no such file or folder.
    pub fn is_of_nothing(&self) -> bool {
        matches!(self, Self::Unusable { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// What SQLite says of a store, with what to do about it.
    pub(super) fn of_sqlite(file: &Path, error: &Error) -> Self {
        let file = file.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign {
                file,
                words: "it is not an SQLite database",
            },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                file,
                words: error.to_string(),
            },
            // To look at a store, too, SQLite opens files beside it to write.
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Failed {
                    words: format!(
                        "{}: {error}; the user that runs this must be allowed to read and write it and its folder",
                        file.display()
                    ),
                }
            }
            _ => Self::Failed {
                words: Fault::of(error, &file).words,
            },
        }
    }
}
