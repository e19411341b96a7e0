//! Whether the files of the configuration have changed.
//!
//! The file system is asked, twice a second: its events do not come through every mount (a single file that is bound into
//! a container, network file systems), and they tell of every write to a store that lies in the same directory. A path is
//! followed to its end, so the links that Kubernetes swaps for a ConfigMap are seen.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(500);

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// SIGHUP.
    Signal,
    /// A file has changed.
    File,
    /// The last time failed by what passes.
    Retry,
}

impl Cause {
    /// As the log has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::File => "file",
            Self::Retry => "retry",
        }
    }
}

/// Looks until what failed is tried again: five seconds.
const RETRY: u8 = 10;

/// What tells one content of a file from another: device, inode, length, and seconds and nanoseconds of its last change,
/// be it of who may read it. Unlike the date of the content, nobody can set that.
type Stamp = (u64, u64, u64, i64, i64);

/// The files, as they were when they were read.
#[derive(Debug)]
pub(super) struct Watch {
    /// The configuration file is the first.
    files: Vec<PathBuf>,
    /// One for each file; `None` is one that is not there.
    read: Vec<Option<Stamp>>,
    /// What was seen since, if it differs.
    seen: Option<Vec<Option<Stamp>>>,
    looks: Interval,
    /// Looks until what failed is tried again; 0 where nothing is.
    retry: u8,
}

impl Watch {
    /// Watches a file as it is now. To be called before it is read: what changes while it is read, has changed.
    pub(super) fn new(file: &Path) -> Self {
        let mut looks = interval(PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let files = vec![file.to_owned()];
        Self {
            read: stamps(&files),
            files,
            seen: None,
            looks,
            retry: 0,
        }
    }

    /// Takes what there is now for read.
    pub(super) fn settled(&mut self) {
        self.read = stamps(&self.files);
        self.seen = None;
        self.retry = 0;
    }

    /// Tells of the files again in a while, though nothing of them changes.
    pub(super) fn try_again(&mut self) {
        self.retry = RETRY;
    }

    /// Watches these files too, beside the configuration file, and no others any more.
    pub(super) fn watch_also(&mut self, others: &[PathBuf]) {
        let known = |path: &PathBuf| {
            let index = self.files.iter().position(|known| known == path)?;
            self.read.get(index).copied()
        };
        let files: Vec<PathBuf> = self.files.iter().take(1).chain(others).cloned().collect();
        self.read = files
            .iter()
            .map(|path| known(path).unwrap_or_else(|| stamp(path)))
            .collect();
        self.files = files;
        self.seen = None;
    }

    /// Ends when they have changed, and have been as they are for a whole period, or when it is time to try again; says
    /// which. Cancel safe.
    pub(super) async fn due(&mut self) -> Cause {
        loop {
            self.looks.tick().await;
            if let Some(cause) = self.look() {
                return cause;
            }
        }
    }

    /// Whether they have changed and keep still: who is still writing is not to be read, nor is it for another try.
    fn look(&mut self) -> Option<Cause> {
        let now = stamps(&self.files);
        if now == self.read {
            self.seen = None;
            let is_time = self.retry == 1;
            self.retry = self.retry.saturating_sub(1);
            return is_time.then_some(Cause::Retry);
        }
        let still = self.seen.as_ref() == Some(&now);
        self.seen = Some(now);
        still.then_some(Cause::File)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = fs::metadata(file).ok()?;
    Some((
        about.dev(),
        about.ino(),
        about.len(),
        about.ctime(),
        about.ctime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::{Cause, Path, PathBuf, RETRY, Watch, fs};

    fn watched() -> (TempDir, PathBuf, Watch) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("faregate.yaml");
        fs::write(&file, "one").unwrap();
        let watch = Watch::new(&file);
        (folder, file, watch)
    }

    /// How many of so many looks say that it has changed.
    fn told(watch: &mut Watch, looks: usize) -> usize {
        (0..looks).filter_map(|_| watch.look()).count()
    }

    #[tokio::test]
    async fn what_stays_has_not_changed() {
        let (_folder, _file, mut watch) = watched();
        assert_eq!(told(&mut watch, 3), 0);
    }

    #[tokio::test]
    async fn a_change_is_told_once_it_keeps_still() {
        let (_folder, file, mut watch) = watched();
        for length in 4..8 {
            fs::write(&file, "x".repeat(length)).unwrap();
            assert_eq!(watch.look(), None, "somebody writes");
        }
        assert_eq!(watch.look(), Some(Cause::File));
        watch.settled();
        assert_eq!(told(&mut watch, 3), 0);
    }

    #[tokio::test]
    async fn a_file_that_goes_and_comes_back_is_a_change() {
        let (_folder, file, mut watch) = watched();
        fs::remove_file(&file).unwrap();
        assert_eq!(told(&mut watch, 2), 1);
        watch.settled();
        fs::write(&file, "one").unwrap();
        assert_eq!(told(&mut watch, 2), 1);
    }

    /// Does it until the file system's clock, which may stand still for some milliseconds, shows it.
    fn shown(file: &Path, change: impl Fn()) {
        let at = || {
            let about = fs::metadata(file).unwrap();
            (about.ctime(), about.ctime_nsec())
        };
        let before = at();
        while at() == before {
            change();
        }
    }

    /// Some tools give every file the same date, and one that nobody could read is not written again to be read.
    #[tokio::test]
    async fn what_keeps_its_date_and_length_may_have_changed() {
        let (_folder, file, mut watch) = watched();
        let date = fs::metadata(&file).unwrap().modified().unwrap();
        shown(&file, || {
            fs::write(&file, "two").unwrap();
            let written = fs::File::open(&file).unwrap();
            written.set_modified(date).unwrap();
        });
        assert_eq!(told(&mut watch, 2), 1);
        watch.settled();
        shown(&file, || {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        });
        assert_eq!(told(&mut watch, 2), 1);
    }

    #[tokio::test]
    async fn what_failed_is_tried_again_once_and_not_while_somebody_writes() {
        let (_folder, file, mut watch) = watched();
        let looks = usize::from(RETRY);
        watch.try_again();
        assert_eq!(told(&mut watch, looks - 1), 0);
        assert_eq!(watch.look(), Some(Cause::Retry));
        assert_eq!(told(&mut watch, 2 * looks), 0);
        watch.try_again();
        for length in 4..4 + 2 * looks {
            fs::write(&file, "x".repeat(length)).unwrap();
            assert_eq!(watch.look(), None, "somebody writes");
        }
        // It is read for its change.
        assert_eq!(watch.look(), Some(Cause::File));
        watch.settled();
        assert_eq!(told(&mut watch, 2 * looks), 0);
    }

    #[tokio::test]
    async fn a_link_is_followed_to_its_end() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["1", "2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("faregate.yaml"), "same").unwrap();
        }
        symlink("1", at("..data")).unwrap();
        symlink("..data/faregate.yaml", at("faregate.yaml")).unwrap();
        let mut watch = Watch::new(&at("faregate.yaml"));
        symlink("2", at("..next")).unwrap();
        fs::rename(at("..next"), at("..data")).unwrap();
        assert_eq!(told(&mut watch, 2), 1);
    }

    #[tokio::test]
    async fn other_files_are_watched_as_long_as_they_are_named() {
        let (folder, file, mut watch) = watched();
        let secret = folder.path().join("secret");
        fs::write(&secret, "one").unwrap();
        watch.watch_also(std::slice::from_ref(&secret));
        assert_eq!(told(&mut watch, 2), 0);
        fs::write(&secret, "other").unwrap();
        assert_eq!(told(&mut watch, 2), 1);
        // A change of the first between the two calls is not lost.
        watch.settled();
        fs::write(&file, "another").unwrap();
        watch.watch_also(&[]);
        assert_eq!(told(&mut watch, 2), 1);
        watch.settled();
        fs::write(&secret, "the third").unwrap();
        assert_eq!(told(&mut watch, 2), 0);
    }
}
