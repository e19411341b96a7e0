//! Whether a file is still the one that was opened.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::health::Fault;

/// A file and where the system keeps it. SQLite writes on into a file that was deleted or moved away, and into one that
/// another has taken the name of; everything written then would be gone at the next start.
#[derive(Debug)]
pub(super) struct FileIdentity {
    file: PathBuf,
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The identity of a file that is open now.
    pub(super) fn of(file: &Path) -> io::Result<Self> {
        let about = fs::metadata(file)?;
        Ok(Self {
            file: file.to_owned(),
            device: about.dev(),
            inode: about.ino(),
        })
    }

    /// What is wrong, where another file or none has the name by now. Putting the file back puts it right.
    pub(super) fn fault(&self) -> Option<Fault> {
        let same = fs::metadata(&self.file)
            .is_ok_and(|about| (about.dev(), about.ino()) == (self.device, self.inode));
        (!same).then(|| Fault {
            words: format!(
                "{} was moved or deleted while it was in use; put it back, or restart to begin with what is there",
                self.file.display()
            ),
            fatal: false,
        })
    }
}
