use std::path::Path;

use tempfile::TempDir;

use crate::overload::{
    available,
    memory::{Resident, limit},
};

fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

#[test]
fn the_lowest_limit_on_the_way_up_counts() {
    let root = machine(&[
        ("proc/self/cgroup", "0::/a.slice/b.service\n"),
        ("sys/fs/cgroup/a.slice/memory.max", "268435456\n"),
        ("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n"),
    ]);
    assert_eq!(limit(root.path()), Some(256 << 20));
    assert_eq!(available(root.path()), Some(256 << 20));
}

#[test]
fn a_container_sees_its_own_limit_at_the_root() {
    let root = machine(&[
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "1073741824\n"),
    ]);
    assert_eq!(limit(root.path()), Some(1 << 30));
}

#[test]
fn version_one_has_a_controller_of_its_own() {
    let root = machine(&[
        (
            "proc/self/cgroup",
            "5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n",
        ),
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
        (
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
            "536870912\n",
        ),
    ]);
    assert_eq!(limit(root.path()), Some(512 << 20));
}

#[test]
fn without_a_limit_there_is_the_machine() {
    let root = machine(&[
        ("proc/self/cgroup", "4:memory:/\n"),
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
        (
            "proc/meminfo",
            "MemTotal:       24684032 kB\nMemFree:        100 kB\n",
        ),
    ]);
    assert_eq!(limit(root.path()), None);
    assert_eq!(available(root.path()), Some(24_684_032 << 10));
    assert_eq!(available(Path::new("/there/is/none")), None);
}

#[test]
fn this_process_is_somewhere() {
    let bytes = Resident::open().unwrap().bytes().unwrap();
    assert!(bytes > 1 << 20, "{bytes}");
}
