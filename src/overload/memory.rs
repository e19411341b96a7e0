//! How much memory the process has, and how much it may have.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// Larger limits than this are how a control group says that it has none.
const NONE: u64 = 1 << 60;

/// The limit that the system puts on the memory of this process's control group, or of one above it; `None` where
/// there is none. `root` is `/`, elsewhere only in tests.
///
/// Version 2 has `memory.max`, version 1 `memory.limit_in_bytes` (kernel documentation, cgroup-v2 and cgroup-v1/memory).
/// Inside a container the group is the root of what is mounted, so the way up ends there.
#[must_use]
pub fn limit(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounted = root.join("sys/fs/cgroup");
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let path = Path::new(path.trim_start_matches('/'));
        if controllers.is_empty() {
            lowest(&mounted, path, "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            lowest(&mounted.join("memory"), path, "memory.limit_in_bytes")
        } else {
            None
        }
    });
    limits.min()
}

/// The lowest limit of a group and those above it.
fn lowest(mounted: &Path, group: &Path, file: &str) -> Option<u64> {
    let limits = group.ancestors().filter_map(|group| {
        let text = std::fs::read_to_string(mounted.join(group).join(file)).ok()?;
        text.trim().parse().ok().filter(|limit| *limit < NONE)
    });
    limits.min()
}

/// The memory that there is for this process: the limit of its control group, or else the machine's. `None` where
/// neither can be read.
#[must_use]
pub fn available(root: &Path) -> Option<u64> {
    let machine = || {
        let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
        kibibytes(&text, "MemTotal:")
    };
    limit(root).or_else(machine)
}

/// The memory of this process that is in use.
#[derive(Debug)]
pub(super) struct Resident(File);

impl Resident {
    /// `None` where the system does not tell.
    pub(super) fn open() -> Option<Self> {
        File::open("/proc/self/status").ok().map(Self)
    }

    /// Bytes now. Allocates nothing, and the file needs no disk.
    pub(super) fn bytes(&self) -> Option<u64> {
        // `VmRSS` is about in the middle of some 1,500 bytes.
        let mut text = [0; 4096];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        kibibytes(text, "VmRSS:")
    }
}

/// The bytes behind a name in a file of `/proc`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}
