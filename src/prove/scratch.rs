//! A folder that nobody else uses, gone afterwards.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Obstacle;
use crate::domain::{RequestId, Timestamp};

/// The folder of one run.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    /// Makes it, for its owner alone.
    pub(super) fn make(now: Timestamp, keep: bool) -> Result<Self, Obstacle> {
        let name = format!("faregate-prove-{}", RequestId::new(now));
        let path = std::env::temp_dir().join(name);
        private(&path).map_err(|source| Obstacle::Scratch {
            path: path.clone(),
            source,
        })?;
        Ok(Self { path, keep })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, which is made.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Obstacle> {
        let path = self.path.join(name);
        match private(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(Obstacle::Scratch { path, source })
            }
            _ => Ok(path),
        }
    }

    /// Writes a file in it.
    pub(super) fn write(path: &Path, text: &str) -> Result<(), Obstacle> {
        fs::write(path, text).map_err(|source| Obstacle::Scratch {
            path: path.to_owned(),
            source,
        })
    }
}

/// A folder that its owner alone may look into.
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().mode(0o700).create(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be taken away is in the folder for such things.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
