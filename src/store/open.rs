//! From a setting to a connection that may be trusted, or to words. Nothing that is found is ever "repaired".

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, Error, OpenFlags};

use super::{
    file_identity::FileIdentity,
    inflight::{beside, no_other_than_a_file},
    journal::no_journal_of_another,
    open_error::OpenError,
    schema::{self, APPLICATION_ID, Stamp, VERSION},
    settings::Location,
};
use crate::domain::{RequestId, Timestamp};

/// What every SQLite database begins with; the size of its pages follows.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How long another program, such as a person's `sqlite3`, may keep the writer waiting.
const BUSY: Duration = Duration::from_secs(1);

/// How long a store that another process has is waited for, look by look: a command that works on it takes a fraction of
/// a second.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS: usize = 50;

/// A log that grew beyond this is cut when it starts again.
const LARGEST_LOG: i64 = 64 << 20;

/// A store that only this process may write.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// The lock is held until this is dropped; a store in memory needs none.
    pub(super) lock: Option<File>,
    /// Which files it and its log are; a store in memory has none.
    pub(super) identities: Vec<FileIdentity>,
    /// The file as messages name it, and as readers open it.
    pub(super) name: PathBuf,
}

/// Opens a store as `open` does, once whoever has it lets go of it: a verb does so soon.
///
/// # Errors
/// It is still another process's after a second, or `open` fails otherwise.
pub async fn once_free<T>(mut open: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    for _ in 0..LOOKS {
        match open() {
            Err(OpenError::Locked { .. }) => tokio::time::sleep(LOOK_EVERY).await,
            done => return done,
        }
    }
    open()
}

/// Opens, or makes, the store at `location`, and brings it to our version.
pub(super) fn open(location: &Location) -> Result<Opened, OpenError> {
    let path = match location {
        Location::File(path) => path,
        Location::Memory => return open_memory(),
    };
    let file = resolve(path)?;
    let lock = lock(&file)?;
    match fs::metadata(&file) {
        Ok(found) if found.len() == 0 => return Err(OpenError::Empty { file }),
        Ok(found) if ends_within_a_page(&file, found.len()) => {
            let words = "it was cut short: it ends within a page".to_owned();
            return Err(OpenError::Damaged { file, words });
        }
        Ok(_) => nothing_of_another(&file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            nothing_of_another(&file)?;
            create(&file)?;
        }
        Err(error) => return Err(OpenError::unusable(&file, error)),
    }

    let failed = |error: Error| OpenError::of_sqlite(&file, &error);
    let mut connection = connect(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    check(&connection, &file)?;
    if connection.is_readonly("main").map_err(failed)? {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        return Err(OpenError::unusable(&file, denied));
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        return Err(OpenError::Failed {
            words: format!(
                "{} is on a file system without shared memory; put it on a local disk",
                file.display()
            ),
        });
    }
    prepare(&connection).map_err(failed)?;
    schema::migrate(&mut connection).map_err(failed)?;
    // Writing has made the log, which stays until the last connection is closed.
    let identities = [file.clone(), beside(&file, "-wal")]
        .iter()
        .map(|file| FileIdentity::of(file).map_err(|error| OpenError::unusable(file, error)))
        .collect::<Result<_, _>>()?;
    Ok(Opened {
        connection,
        lock: Some(lock),
        identities,
        name: file,
    })
}

/// The same as [`open_to_read`], in a process that does not write the store.
pub(super) fn open_to_look(path: &Path) -> Result<(Connection, PathBuf), OpenError> {
    nothing_of_another(&resolve(path)?)?;
    open_to_read(path)
}

/// The same, of any version up to ours: to copy a store, nothing in it has to be understood.
pub(super) fn open_to_copy(path: &Path) -> Result<(Connection, PathBuf), OpenError> {
    nothing_of_another(&resolve(path)?)?;
    let (connection, file, _) = connect_to_read(path)?;
    Ok((connection, file))
}

/// Opens the file of a store that somebody may be writing, to look only.
pub(super) fn open_to_read(path: &Path) -> Result<(Connection, PathBuf), OpenError> {
    let (connection, file, found) = connect_to_read(path)?;
    if found < VERSION {
        return Err(OpenError::Older { file, found });
    }
    Ok((connection, file))
}

fn connect_to_read(path: &Path) -> Result<(Connection, PathBuf, u32), OpenError> {
    let file = resolve(path)?;
    match fs::metadata(&file) {
        Ok(found) if found.len() == 0 => return Err(OpenError::Empty { file }),
        Ok(_) => {}
        Err(error) => return Err(OpenError::unusable(&file, error)),
    }
    let failed = |error: Error| OpenError::of_sqlite(&file, &error);
    let connection = connect(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let found = check(&connection, &file)?;
    keep_pages(&connection, READ_PAGES).map_err(failed)?;
    Ok((connection, file, found))
}

fn open_memory() -> Result<Opened, OpenError> {
    let name = PathBuf::from("the store in memory");
    let failed = |error: Error| OpenError::of_sqlite(&name, &error);
    let mut connection = Connection::open_in_memory().map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    schema::migrate(&mut connection).map_err(failed)?;
    tracing::warn!("the store is in memory: it keeps nothing when the daemon stops");
    Ok(Opened {
        connection,
        lock: None,
        identities: Vec::new(),
        name,
    })
}

/// An absolute path, which SQLite cannot mistake for a URI, and one for all names of the same file, so that all of
/// them share one lock.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    match fs::canonicalize(path) {
        Ok(file) => return only_files(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(OpenError::unusable(path, error)),
    }
    let file = std::path::absolute(path).map_err(|error| OpenError::unusable(path, error))?;
    let folder = file.parent().unwrap_or(&file);
    let folder = fs::canonicalize(folder).map_err(|source| OpenError::Unusable {
        path: folder.to_owned(),
        source,
        hint: "create the folder for the store, or name another file in store.url",
    })?;
    let name = file.file_name().unwrap_or_default();
    only_files(folder.join(name))
}

/// That nothing but files has the name of the store or of what SQLite and we keep beside it. SQLite waits for the other
/// end of a pipe, and takes anything else for a file that is empty.
fn only_files(file: PathBuf) -> Result<PathBuf, OpenError> {
    for ending in ["", ".lock", "-journal", "-wal", "-shm"] {
        let path = beside(&file, ending);
        no_other_than_a_file(&path).map_err(|source| OpenError::Unusable {
            path,
            source,
            hint: "move it away, or name another file in store.url",
        })?;
    }
    Ok(file)
}

/// Whether the store of so many bytes ends within a page, which SQLite would read as one that ends in zeros. Where there is
/// a log, a write that was cut off there is in the log as well, and is done again.
fn ends_within_a_page(file: &Path, length: u64) -> bool {
    let has_log = fs::metadata(beside(file, "-wal")).is_ok_and(|log| log.len() > 0);
    let mut head = [0; 18];
    let read = File::open(file).and_then(|mut store| store.read_exact(&mut head));
    let [magic @ .., high, low] = head;
    if has_log || read.is_err() || magic != *MAGIC {
        return false;
    }
    // The largest size does not fit, and is written as 1.
    let page = match u16::from_be_bytes([high, low]) {
        1 => 1 << 16,
        page => u64::from(page),
    };
    !length.is_multiple_of(page.max(1))
}

/// That SQLite finds nothing beside the store that it would write into it, though it is another's.
fn nothing_of_another(file: &Path) -> Result<(), OpenError> {
    no_journal_of_another(file)?;
    no_log_of_another(file)
}

/// That neither a copy that was put in place of a store nor a store that is yet to be made is opened with the log of the
/// store before: SQLite would write that into it. A backup says of itself that it has no log
/// (<https://sqlite.org/fileformat2.html>, "File format version numbers").
///
/// Not where this process has the store open: closing the file would drop SQLite's locks on it.
fn no_log_of_another(file: &Path) -> Result<(), OpenError> {
    const WITHOUT_LOG: [u8; 2] = [1, 1];
    let path = beside(file, "-wal");
    if !fs::metadata(&path).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    let mut head = [0; 20];
    let read = File::open(file).and_then(|mut store| store.read_exact(&mut head));
    let (whose, hint) = match read {
        Ok(()) if head.starts_with(MAGIC) && head.ends_with(&WITHOUT_LOG) => (
            "another store than",
            "if that is a copy that was put back, move the log away, which belongs to the store before; nothing was changed",
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (
            "a store that is not there,",
            "put that store back, or move the log away to begin with an empty one; nothing was changed",
        ),
        _ => return Ok(()),
    };
    Err(OpenError::Unusable {
        path,
        source: io::Error::other(format!("it is the log of {whose} {}", file.display())),
        hint,
    })
}

/// The lock is on a file of its own: closing any handle of the database itself would drop SQLite's locks on it. It
/// stays behind when the process ends. Who deletes it lets nobody in: the file of calls under way is locked as well.
pub(super) fn lock(file: &Path) -> Result<File, OpenError> {
    let path = beside(file, ".lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let lock = private(&mut options)
        .open(&path)
        .map_err(|error| OpenError::unusable(&path, error))?;
    share_owner(file, &lock);
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            file: file.to_owned(),
            lock: path,
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::unusable(&path, error)),
    }
}

/// Gives `beside` the owner of the store, as SQLite does with its own files: root may have made it, with a verb on the
/// command line, and the daemon must be able to open it under its own name.
pub(super) fn share_owner(store: &Path, beside: &File) {
    use std::os::unix::fs::{MetadataExt, fchown};

    // The store may be yet to be made; then both are whoever makes them's.
    let (Ok(store), Ok(found)) = (fs::metadata(store), beside.metadata()) else {
        return;
    };
    if (store.uid(), store.gid()) == (found.uid(), found.gid()) {
        return;
    }
    // Nobody but root may do so, and for nobody else does it have to be done.
    if let Err(error) = fchown(beside, Some(store.uid()), Some(store.gid())) {
        tracing::debug!(%error, "a file beside the store keeps its owner");
    }
}

/// Lets go of the lock. Closing it would do, were there no child of this process that shares the handle until it has
/// started its program.
#[expect(
    clippy::needless_pass_by_value,
    reason = "who has let go of the lock holds it no more"
)]
pub(super) fn release(lock: File) {
    if let Err(error) = lock.unlock() {
        tracing::warn!(%error, "the lock of the store ends with this process");
    }
}

/// Makes a store under another name and moves it into place, so that a file of that name is never half made.
fn create(file: &Path) -> Result<(), OpenError> {
    // A file of that name is nobody's: whatever else is beside the store stays.
    let name = RequestId::new(Timestamp::from_millis(0));
    let draft = beside(file, &format!("-{name}.new"));
    fresh(&draft).map_err(|error| OpenError::unusable(&draft, error))?;
    create_as(&draft, file).inspect_err(|_| {
        for left in [&draft, &beside(&draft, "-journal")] {
            let _ = fs::remove_file(left);
        }
    })
}

fn create_as(draft: &Path, file: &Path) -> Result<(), OpenError> {
    let io_failed = |error| OpenError::unusable(draft, error);
    let failed = |error: Error| OpenError::of_sqlite(draft, &error);
    let mut connection = connect(draft, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    schema::migrate(&mut connection).map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))?;

    let folder = file.parent().unwrap_or(file);
    File::open(draft)
        .and_then(|draft| draft.sync_all())
        .and_then(|()| fs::rename(draft, file))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(io_failed)
}

/// An empty file that was not there, for a store.
pub(super) fn fresh(file: &Path) -> io::Result<()> {
    private(OpenOptions::new().write(true).create_new(true)).open(file)?;
    Ok(())
}

fn connect(file: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    // A database is data; views and triggers that somebody put into it must not run more than that.
    connection.pragma_update(None, "trusted_schema", false)?;
    // Finds a damaged page when it is read instead of when it has done harm.
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// What only the writer's connection needs.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // The writer does its checkpoints itself, to see their errors.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LARGEST_LOG, |_| Ok(()))?;
    keep_pages(connection, PAGES)
}

/// Sixteen megabytes: the upper pages of the indices of many calls.
pub(super) const PAGES: i64 = 16_384;

/// A reader goes through the file once: what it keeps of it is seldom met again.
const READ_PAGES: i64 = 128;

/// Says how many kibibytes of the file SQLite may keep in memory.
pub(super) fn keep_pages(connection: &Connection, kibibytes: i64) -> rusqlite::Result<()> {
    // A negative number is one of kibibytes.
    connection.pragma_update(None, "cache_size", -kibibytes)
}

/// Whether the file is ours and not newer than we are; its version.
fn check(connection: &Connection, file: &Path) -> Result<u32, OpenError> {
    let file = file.to_owned();
    let stamp = Stamp::of(connection).map_err(|error| OpenError::of_sqlite(&file, &error))?;
    if stamp.application != APPLICATION_ID {
        let words = "it is the database of another program";
        return Err(OpenError::Foreign { file, words });
    }
    if stamp.version > VERSION {
        let found = stamp.version;
        return Err(OpenError::Newer { file, found });
    }
    Ok(stamp.version)
}

/// A new file is for its owner's eyes: it names customers and what they use.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
