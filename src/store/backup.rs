//! A copy of the store, as it is at one instant, in a file of its own.

use std::{
    fs::{self, File},
    io,
    path::{self, Path, PathBuf},
};

use rusqlite::{Error, ErrorCode, ffi};

use super::{
    inflight::beside,
    open,
    reader::{ReadError, Reader, failed},
};
use crate::domain::{RequestId, Timestamp};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of that name is there already.
    #[error("{} is there already\n  hint: name another file; a backup replaces none", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("{}: {source}\n  hint: name a file in a folder that exists, may be written and has room", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Reader {
    /// Writes a copy of the store to `target`, whether or not a daemon writes to the store meanwhile; its size in bytes.
    /// The copy has its name when it is whole and on the disk, and not before. It is for its owner's eyes, like the store.
    ///
    /// # Errors
    /// There is a file of that name, or the copy cannot be made; then nothing is left of it.
    pub fn backup(&self, target: &Path) -> Result<u64, BackupError> {
        if fs::symlink_metadata(target).is_ok() {
            return Err(BackupError::Exists(target.to_owned()));
        }
        let unwritable = |source| BackupError::Unwritable {
            path: target.to_owned(),
            source,
        };
        let target = path::absolute(target).map_err(unwritable)?;
        // A file of that name is nobody's: whatever else is in the folder stays.
        let name = RequestId::new(Timestamp::from_millis(0));
        let draft = target.with_file_name(format!("faregate-backup-{name}.new"));
        open::fresh(&draft).map_err(unwritable)?;
        let written = self.write_to(&draft).map_err(|error| {
            if is_of_the_copy(&error) {
                unwritable(io::Error::other(error))
            } else {
                failed(&draft, &error.into()).into()
            }
        });
        let kept = written.and_then(|()| keep(&draft, &target).map_err(unwritable));
        for left in [&draft, &beside(&draft, "-journal")] {
            let _ = fs::remove_file(left);
        }
        kept
    }

    /// SQLite reads one state of the store, and writes it without what was deleted (<https://sqlite.org/lang_vacuum.html>).
    fn write_to(&self, draft: &Path) -> Result<(), Error> {
        let name = draft.to_string_lossy();
        self.connection()
            .execute("VACUUM INTO ?", [&*name])
            .map(drop)
    }
}

/// Whether the disk takes no more of the copy: nothing else is written.
fn is_of_the_copy(error: &Error) -> bool {
    let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
    let writes = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
    ];
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || writes.contains(&extended)
}

/// Gives a whole copy its name; its size.
fn keep(draft: &Path, target: &Path) -> io::Result<u64> {
    let copy = File::open(draft)?;
    copy.sync_all()?;
    // Unlike a change of its name, this replaces nothing.
    fs::hard_link(draft, target)?;
    File::open(target.parent().unwrap_or(target))?.sync_all()?;
    Ok(copy.metadata()?.len())
}
