//! Files that are not what they should be when the program starts.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    process::{Command, Stdio},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{CHAT, Daemon, KEY, Path, disk::Mounted, pay, provider, replay, served_again, yaml};
use crate::harness::write;

const STORE: &str = "faregate.db";
const CALLS: &str = "faregate.db.inflight";

/// A store with three calls and two entries, whose daemon has stopped.
async fn filled(folder: TempDir, yaml: &str) -> TempDir {
    write(folder.path(), yaml);
    let daemon = Daemon::start_in(folder).await;
    for _ in 0..3 {
        assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    }
    assert_eq!(pay(&daemon, "one").await, 201);
    daemon.signal("TERM");
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    folder
}

/// What another program's database looks like.
fn foreign(folder: &Path) -> Vec<u8> {
    let file = folder.join("songs.db");
    let other = Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    drop(other);
    fs::read(file).unwrap()
}

/// The same database, written by a version that does not exist yet.
fn newer(folder: &Path, store: &[u8]) -> Vec<u8> {
    let file = folder.join("newer.db");
    fs::write(&file, store).unwrap();
    let newer = Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .unwrap();
    drop(newer);
    fs::read(file).unwrap()
}

#[tokio::test]
async fn what_is_no_store_is_refused_with_words_and_left_as_it_is() {
    let (upstream, _) = provider().await;
    let folder = filled(TempDir::new().unwrap(), &yaml(&upstream, "in_flight: 64")).await;
    let read = |file: &str| fs::read(folder.path().join(file)).unwrap();
    let (store, calls) = (read(STORE), read(CALLS));
    let elsewhere = TempDir::new().unwrap();
    let layout = String::from_utf8_lossy(&calls[..64]).into_owned();
    assert!(layout.contains("layout 1,"), "{layout}");
    let mut later = calls.clone();
    later.splice(
        ..layout.len(),
        layout.replace("layout 1,", "layout 9,").bytes(),
    );
    let text = b"providers:\n  openai: {}\n".repeat(1000);
    for (file, bytes, words) in [
        (STORE, Vec::new(), "is empty"),
        (STORE, store[..store.len() / 2].to_vec(), "is damaged"),
        (STORE, store[..100].to_vec(), "is"),
        (STORE, store[..store.len() - 1].to_vec(), "cut short"),
        (STORE, text.clone(), "is not a Faregate store"),
        (
            STORE,
            foreign(elsewhere.path()),
            "the database of another program",
        ),
        (
            STORE,
            newer(elsewhere.path(), &store),
            "has schema version 99",
        ),
        (CALLS, Vec::new(), "is empty"),
        (CALLS, calls[..calls.len() / 2].to_vec(), "bytes"),
        (CALLS, calls[..20].to_vec(), "is not"),
        (CALLS, text, "is not"),
        (CALLS, later, "layout"),
    ] {
        fs::write(folder.path().join(file), &bytes).unwrap();
        let (code, said) = Daemon::fails_in(folder.path()).await;
        assert_eq!(code, Some(69), "{file} {words}: {said}");
        assert!(
            said.contains(file) && said.contains(words),
            "{file} {words}: {said}"
        );
        assert_eq!(read(file), bytes, "{file} {words}");
        fs::write(folder.path().join(STORE), &store).unwrap();
        fs::write(folder.path().join(CALLS), &calls).unwrap();
    }
    // What was put back is whole, and goes on.
    let daemon = Daemon::start_in(folder).await;
    served_again(&daemon).await;
    assert_eq!(pay(&daemon, "two").await, 201);
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    assert_eq!(replay(folder.path(), 4)["entries"], 3);
}

type Made<'a> = (&'a dyn Fn(&Path), &'a str, &'a [&'a str]);

/// What opens it would wait for its other end, and SQLite takes it for a file that is empty.
#[tokio::test]
async fn what_is_no_file_is_said_at_once() {
    let (upstream, _) = provider().await;
    let folder = filled(TempDir::new().unwrap(), &yaml(&upstream, "in_flight: 64")).await;
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let device = |path: &Path| symlink("/dev/null", path).unwrap();
    let socket = |path: &Path| drop(UnixListener::bind(path).unwrap());
    let directory = |path: &Path| fs::create_dir(path).unwrap();
    let kinds: [Made<'_>; 4] = [
        (
            &pipe,
            "is a pipe, a socket or a device",
            &["", ".inflight", ".lock", "-journal", "-wal", "-shm"],
        ),
        (
            &device,
            "is a pipe, a socket or a device",
            &["", ".inflight", ".lock"],
        ),
        (
            &socket,
            "is a pipe, a socket or a device",
            &["", ".inflight", ".lock"],
        ),
        (
            &directory,
            "is a directory",
            &["", ".inflight", ".lock", "-journal", "-shm"],
        ),
    ];
    let aside = folder.path().join("aside");
    for (make, words, endings) in kinds {
        for ending in endings {
            let path = folder.path().join(format!("{STORE}{ending}"));
            let kept = fs::rename(&path, &aside).is_ok();
            make(&path);
            let (code, said) = Daemon::fails_in(folder.path()).await;
            assert_eq!(code, Some(69), "{path:?}: {said}");
            assert!(said.contains(words), "{path:?}: {said}");
            let removed = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            removed.unwrap();
            if kept {
                fs::rename(&aside, &path).unwrap();
            }
        }
    }
    assert_eq!(replay(folder.path(), 3)["entries"], 2);
}

#[tokio::test]
async fn a_disk_that_may_only_be_read_is_said_at_the_start() {
    let folder = TempDir::new().unwrap();
    let Some(mounted) = Mounted::on(folder.path()) else {
        return;
    };
    let (upstream, _) = provider().await;
    let folder = filled(folder, &yaml(&upstream, "in_flight: 64")).await;
    mounted.remount("ro");
    let (code, said) = Daemon::fails_in(folder.path()).await;
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(STORE), "{said}");
    assert!(said.to_lowercase().contains("read-only"), "{said}");
    mounted.remount("rw");
    let daemon = Daemon::start_in(folder).await;
    served_again(&daemon).await;
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    replay(folder.path(), 4);
    drop(mounted);
}

const NOBODY: u32 = 65534;

/// Whether this user may become nobody.
fn may_be_nobody() -> bool {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let able = command.arg("true").stderr(Stdio::null()).status();
    let able = able.is_ok_and(|status| status.success());
    if !able {
        crate::harness::notice("ANOTHER OWNER NOT TESTED: this user may not become another one");
    }
    able
}

/// Runs a verb of the program as nobody.
fn as_nobody(folder: &Path, verb: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_faregate")).args(verb);
    command.arg("--config").arg(folder.join("faregate.yaml"));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[tokio::test]
async fn a_store_of_another_user_is_said_at_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let (upstream, _) = provider().await;
    let folder = filled(TempDir::new().unwrap(), &yaml(&upstream, "in_flight: 64")).await;
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o755);
    open(&folder.path().join("faregate.yaml"), 0o644);
    if !may_be_nobody() {
        return;
    }
    let verbs: [&[&str]; 3] = [&["serve"], &["accounts", "list"], &["ledger", "verify"]];
    for verb in verbs {
        let (code, said) = as_nobody(folder.path(), verb);
        assert_eq!(code, Some(69), "{verb:?}: {said}");
        assert!(
            said.contains("must be allowed to read and write"),
            "{verb:?}: {said}"
        );
    }
    assert_eq!(replay(folder.path(), 3)["entries"], 2);
}

/// Who may not even look into the folder of a store is told that, and not that there is nothing; while the daemon runs, who
/// has its token may ask it all the same.
#[tokio::test]
async fn a_store_in_another_users_folder_is_no_empty_one_and_its_daemon_is_asked() {
    use std::os::unix::fs::PermissionsExt;
    let (upstream, _) = provider().await;
    let folder = TempDir::new().unwrap();
    let hidden = folder.path().join("hidden");
    fs::create_dir(&hidden).unwrap();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&hidden, 0o700);
    let file = yaml(&upstream, "in_flight: 64").replace("faregate.db", "hidden/faregate.db");
    let folder = filled(folder, &file).await;
    open(folder.path(), 0o755);
    open(&folder.path().join("faregate.yaml"), 0o644);
    if !may_be_nobody() {
        return;
    }
    let looks: [&[&str]; 4] = [
        &["usage"],
        &["accounts", "list"],
        &["keys", "list"],
        &["credit", "list", "a"],
    ];
    for verb in looks.into_iter().chain([&["credit", "add", "a", "1"][..]]) {
        let (code, said) = as_nobody(folder.path(), verb);
        assert_eq!(code, Some(69), "{verb:?}: {said}");
        assert!(
            said.contains("must be allowed to read and write"),
            "{verb:?}: {said}"
        );
    }
    let daemon = Daemon::start_in(folder).await;
    let file = daemon.folder.path().join("faregate.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let admin = format!("admin: {{listen: \"{}\"", daemon.admin);
    fs::write(
        &file,
        text.replace("admin: {listen: \"127.0.0.1:0\"", &admin),
    )
    .unwrap();
    for mode in [0o700, 0o755] {
        open(&daemon.folder.path().join("hidden"), mode);
        let (code, said) = as_nobody(daemon.folder.path(), &["credit", "add", "a", "1"]);
        assert_eq!(code, Some(0), "{mode:o}: {said}");
    }
    daemon.signal("TERM");
    daemon.ended().await;
}

#[tokio::test]
async fn what_root_makes_beside_a_store_belongs_to_its_owner() {
    use std::os::unix::fs::{MetadataExt, chown};
    let (upstream, _) = provider().await;
    let folder = filled(TempDir::new().unwrap(), &yaml(&upstream, "in_flight: 64")).await;
    if !may_be_nobody() {
        return;
    }
    let names = [STORE, CALLS, "faregate.db.lock"];
    for name in &names[1..] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    chown(folder.path().join(STORE), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command.args(["credit", "add", "a", "1", "--config"]);
    command.arg(folder.path().join("faregate.yaml"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for name in names {
        let found = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{name}");
    }
}
