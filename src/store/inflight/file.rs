//! The file itself: made whole or not at all, read after a crash, emptied when what it had is in the store.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    failure::FileError,
    frame::{HEAD, SLOT, VERSION},
    recovery::{self, Content, Recovered},
};

/// How the file begins, before its layout's version.
const TITLE: &str = "faregate calls under way, layout ";

/// Slots that are read or written at once.
const CHUNK: usize = 256;

/// What was in the file of calls under way.
#[derive(Debug)]
pub(in crate::store) struct Found {
    path: PathBuf,
    file: Option<(File, u32)>,
    /// Slots that are not empty.
    used: Vec<u32>,
    /// Slots of which nothing can be read.
    pub(in crate::store) damaged: Vec<u32>,
    /// Calls that were under way.
    pub(in crate::store) calls: Vec<Recovered>,
}

/// The file of that ending beside the store.
pub(in crate::store) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

/// That `path` is a file, or is yet to be made. Whoever opens a pipe waits for its other end.
///
/// # Errors
/// It is something else.
pub(in crate::store) fn no_other_than_a_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            let words = "it is a pipe, a socket or a device";
            Err(io::Error::other(words))
        }
        // What else there is about it is said when it is opened.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Reads the file of calls under way at `path`, where there is one, and changes nothing. Nobody else may use it.
///
/// # Errors
/// It cannot be read, or is not what it should be.
pub(in crate::store) fn scan(path: PathBuf) -> Result<Found, FileError> {
    let mut found = Found {
        path,
        file: None,
        used: Vec::new(),
        damaged: Vec::new(),
        calls: Vec::new(),
    };
    let path = &found.path;
    let unusable = |source| FileError::unusable(path, "read", source);
    no_other_than_a_file(path).map_err(|error| FileError::unusable(path, "opened", error))?;
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(FileError::unusable(path, "opened", error)),
    };
    let bytes = file.metadata().map_err(unusable)?.len();
    let mut head = Vec::with_capacity(HEAD);
    let read = (&mut file).take(HEAD as u64).read_to_end(&mut head);
    read.map_err(unusable)?;
    let slots = read_head(path, &head)?;
    let whole = length(slots);
    if bytes < whole {
        return Err(FileError::Short {
            path: path.clone(),
            found: bytes,
            whole,
        });
    }

    let mut chunk = vec![0; CHUNK * SLOT];
    for first in (0..slots).step_by(CHUNK) {
        let count = (slots - first).min(CHUNK as u32);
        let chunk = &mut chunk[..count as usize * SLOT];
        file.read_exact(chunk).map_err(unusable)?;
        for (slot, bytes) in (first..).zip(chunk.chunks_exact(SLOT)) {
            let Some(content) = recovery::content(slot, bytes) else {
                continue;
            };
            found.used.push(slot);
            match content {
                Content::Call(call) => found.calls.push(call),
                Content::Damaged => found.damaged.push(slot),
            }
        }
    }
    // In the order in which they came, as they would have been written.
    found.calls.sort_by_key(Recovered::id);
    found.file = Some((file, slots));
    Ok(found)
}

impl Found {
    /// Takes the file for this process, for as long as it is open or until it is released. The lock of the store may have
    /// been deleted; this file cannot be without its daemon's noticing, and is not emptied while that has calls in it.
    ///
    /// # Errors
    /// Another process has it.
    pub(in crate::store) fn lock(&self) -> Result<(), TryLockError> {
        match &self.file {
            Some((file, _)) => file.try_lock(),
            None => Ok(()),
        }
    }

    /// Where it is.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// An empty file of so many slots, on the disk with every block it needs. What was found must be in the store.
    ///
    /// # Errors
    /// It cannot be made or emptied.
    pub(in crate::store) fn renew(self, slots: u32) -> Result<(File, PathBuf), FileError> {
        let Self {
            path,
            file,
            used,
            damaged,
            ..
        } = self;
        if !damaged.is_empty() {
            // Whoever wants to know what these were can still look.
            let aside = move_aside(&path)
                .map_err(|error| FileError::unusable(&path, "moved aside", error))?;
            tracing::error!(
                slots = ?damaged, file = %aside.display(),
                "calls that were under way cannot be read; their file was kept"
            );
        }
        let file = match file {
            Some((file, present)) if present == slots && damaged.is_empty() => {
                empty(&file, &used)
                    .map_err(|error| FileError::unusable(&path, "emptied", error))?;
                file
            }
            _ => make(&path, slots)?,
        };
        Ok((file, path))
    }
}

/// Gives the file a name that says what it is, and that no earlier one has; that name.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let later = (2_u32..).map(|number| format!(".damaged.{number}"));
    let names = std::iter::once(".damaged".to_owned()).chain(later);
    let mut asides = names.map(|name| beside(path, &name));
    let free = asides.find(|aside| fs::symlink_metadata(aside).is_err());
    let aside = free.ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn empty(file: &File, used: &[u32]) -> io::Result<()> {
    for slot in used {
        let at = HEAD as u64 + u64::from(*slot) * SLOT as u64;
        file.write_all_at(&[0; SLOT], at)?;
    }
    if used.is_empty() {
        return Ok(());
    }
    file.sync_data()
}

/// Makes a file under another name, whole and on the disk, and moves it into place.
fn make(path: &Path, slots: u32) -> Result<File, FileError> {
    let draft = beside(path, ".new");
    forget_draft(&draft)?;
    let made = write_new(&draft, slots).and_then(|file| {
        fs::rename(&draft, path)?;
        File::open(path.parent().unwrap_or(path))?.sync_all()?;
        Ok(file)
    });
    made.map_err(|error| {
        // A disk that is full needs the room back; that this may fail too changes nothing.
        let _ = fs::remove_file(&draft);
        FileError::unusable(path, "made", error)
    })
}

/// Deletes what a killed attempt left, and nothing of anybody else's.
fn forget_draft(draft: &Path) -> Result<(), FileError> {
    let unusable = |source| FileError::unusable(draft, "made", source);
    if fs::symlink_metadata(draft).is_err() {
        return Ok(());
    }
    let in_the_way = || FileError::InTheWay {
        path: draft.to_owned(),
    };
    no_other_than_a_file(draft).map_err(|_| in_the_way())?;
    let mut begins = Vec::with_capacity(TITLE.len());
    let file = File::open(draft).map_err(unusable)?;
    let read = file.take(TITLE.len() as u64).read_to_end(&mut begins);
    read.map_err(unusable)?;
    if !TITLE.as_bytes().starts_with(&begins) {
        return Err(in_the_way());
    }
    fs::remove_file(draft).map_err(unusable)
}

fn write_new(draft: &Path, slots: u32) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        // It names customers and what they use.
        .mode(0o600)
        .open(draft)?;
    file.try_lock()?;
    file.write_all(&head(slots))?;
    // Zeros that are written take their blocks now; a length that is only set would take them when a call needs one.
    let zeros = vec![0; CHUNK * SLOT];
    let mut left = slots as usize * SLOT;
    while left > 0 {
        let now = left.min(zeros.len());
        file.write_all(&zeros[..now])?;
        left -= now;
    }
    file.sync_all()?;
    Ok(file)
}

fn length(slots: u32) -> u64 {
    HEAD as u64 + u64::from(slots) * SLOT as u64
}

pub(super) fn head(slots: u32) -> [u8; HEAD] {
    let line = format!("{TITLE}{VERSION}, {slots} slots of {SLOT} bytes\n");
    let mut head = [0; HEAD];
    let room = head.iter_mut().zip(line.bytes());
    room.for_each(|(to, byte)| *to = byte);
    head
}

/// How many slots there are.
pub(super) fn read_head(path: &Path, bytes: &[u8]) -> Result<u32, FileError> {
    let foreign = |found| FileError::Foreign {
        path: path.to_owned(),
        found,
    };
    if bytes.is_empty() {
        return Err(foreign(": it is empty"));
    }
    let line = bytes.split(|byte| *byte == b'\n').next();
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let words = line.and_then(|line| line.strip_prefix(TITLE));
    let (version, rest) = words
        .and_then(|words| words.split_once(", "))
        .ok_or_else(|| foreign(""))?;
    match version.parse::<u8>() {
        Ok(VERSION) => {}
        Ok(found) if found > VERSION => {
            return Err(FileError::Newer {
                path: path.to_owned(),
                found,
                known: VERSION,
            });
        }
        _ => return Err(foreign(": its first line is damaged")),
    }
    let slots = rest
        .split_once(' ')
        .and_then(|(slots, _)| slots.parse().ok());
    let slots = slots.ok_or_else(|| foreign(": its first line is damaged"))?;
    // One changed letter anywhere is noticed; the number of slots is nothing to guess.
    if bytes.len() == HEAD && bytes != head(slots) {
        return Err(foreign(": its first line is damaged"));
    }
    Ok(slots)
}
