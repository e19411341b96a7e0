//! A copy of the store, as it is at one instant, in a file of its own.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::{
    open::private,
    reader::{ReadError, Reader, failed},
};

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
    /// The store cannot be read, or the disk of the copy is full.
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
        let draft = draft_of(target);
        let unwritable = |source| BackupError::Unwritable {
            path: target.to_owned(),
            source,
        };
        // What a killed backup left.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
            _ => {}
        }
        private(OpenOptions::new().write(true).create_new(true))
            .open(&draft)
            .map_err(unwritable)?;
        let written = self.write_to(&draft).and_then(|()| {
            File::open(&draft)
                .and_then(|copy| copy.sync_all().and_then(|()| copy.metadata()))
                // Unlike a change of its name, this replaces nothing.
                .and_then(|copy| fs::hard_link(&draft, target).map(|()| copy.len()))
                .map_err(unwritable)
        });
        let _ = fs::remove_file(&draft);
        let size = written?;
        let folder = target.parent().filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(unwritable)?;
        Ok(size)
    }

    /// SQLite reads one state of the store, and writes it without what was deleted (<https://sqlite.org/lang_vacuum.html>).
    fn write_to(&self, draft: &Path) -> Result<(), BackupError> {
        let name = draft.to_string_lossy();
        self.connection()
            .execute("VACUUM INTO ?", [&*name])
            .map_err(|error| failed(draft, &error.into()))?;
        Ok(())
    }
}

fn draft_of(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(".new");
    name.into()
}
