use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use http_body_util::BodyExt;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{
    CHAT, Call, DONE, Daemon, KEY, Path, STREAM, nothing_held, pay, provider, replay, served_again,
    within, yaml,
};
use crate::harness::write;

/// How a disk gets into trouble, and out of it again.
enum Trouble {
    /// No file may grow: as on a full disk.
    Limit,
    /// A disk of its own that is filled up.
    Full(Mounted),
    /// Another program holds the database.
    Locked(Option<rusqlite::Connection>),
}

/// A file system in memory; it is unmounted when this is dropped.
pub(super) struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and a word about it, where mounting is not permitted.
    pub(super) fn on(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "faregate-test"]);
        let done = mount.arg(folder).stderr(Stdio::null()).status();
        if done.is_ok_and(|status| status.success()) {
            return Some(Self(folder.to_owned()));
        }
        crate::harness::notice(
            "FULL DISK NOT TESTED: mounting a tmpfs is not permitted; a limit of the files' size stands for it",
        );
        None
    }
}

impl Mounted {
    /// Mounts it again, `ro` or `rw`.
    pub(super) fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let done = Command::new("mount")
            .args(["-o", &options])
            .arg(&self.0)
            .status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, because the daemon may still be there when a test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

impl Trouble {
    fn begin(&mut self, daemon: &Daemon) {
        let store = daemon.folder.path().join("faregate.db");
        match self {
            Self::Limit => {
                let log = std::fs::metadata(daemon.folder.path().join("faregate.db-wal"));
                limit_files(daemon, Some(log.unwrap().len()));
            }
            Self::Full(Mounted(folder)) => {
                let filler = std::fs::File::create(folder.join("filler")).unwrap();
                let filled = std::io::copy(&mut std::io::repeat(1), &mut &filler);
                assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
            }
            Self::Locked(holder) => {
                let other = rusqlite::Connection::open(store).unwrap();
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                *holder = Some(other);
            }
        }
    }

    fn end(&mut self, daemon: &Daemon) {
        match self {
            Self::Limit => limit_files(daemon, None),
            Self::Full(Mounted(folder)) => std::fs::remove_file(folder.join("filler")).unwrap(),
            Self::Locked(holder) => drop(holder.take()),
        }
    }
}

/// Lets no file of the daemon's grow beyond so many bytes.
fn limit_files(daemon: &Daemon, bytes: Option<u64>) {
    let pid = Pid::from_raw(daemon.pid().cast_signed());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn files_that_may_not_grow_stop_money_until_they_may() {
    for durability in ["grouped", "strict"] {
        outlives(durability, |_| Some(Trouble::Limit)).await;
    }
}

#[tokio::test]
async fn a_full_disk_stops_money_until_there_is_room() {
    for durability in ["grouped", "strict"] {
        outlives(durability, |folder| Mounted::on(folder).map(Trouble::Full)).await;
    }
}

#[tokio::test]
async fn a_program_that_holds_the_database_stops_money_until_it_lets_go() {
    for durability in ["grouped", "strict"] {
        outlives(durability, |_| Some(Trouble::Locked(None))).await;
    }
}

/// An account that is new is written before it is served.
#[tokio::test]
async fn a_reload_that_the_disk_refused_is_tried_again_by_itself() {
    const OTHER: &str = "the-key-of-account-b-0001";
    let (upstream, _) = provider().await;
    let text = yaml(&upstream, "in_flight: 64");
    let mut daemon = Daemon::start(&text).await;
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    let account = format!("  - {{id: b, plan: p, credit: 10, keys: [{{id: kb, key: {OTHER}}}]}}\n");
    let mut trouble = Trouble::Limit;
    trouble.begin(&daemon);
    write(daemon.folder.path(), &format!("{text}{account}"));
    let failed = "the reload failed; the old configuration stays";
    let told = daemon.logs(|line| line["message"] == failed).await;
    assert_eq!(told["cause"], "file", "{told}");
    assert_eq!(daemon.chat(OTHER, CHAT).send().await.status, 401);

    trouble.end(&daemon);
    let done = |line: &Value| line["message"] == "the configuration was reloaded";
    let told = daemon.logs(done).await;
    assert_eq!(told["cause"], "retry", "{told}");
    assert_eq!(daemon.written().matches(failed).count(), 1);
    served_again(&daemon).await;
    assert_eq!(daemon.chat(OTHER, CHAT).send().await.status, 200);
}

/// What tells a call that is refused from all others.
const REFUSED: &str = r#"{"user":"refused","#;

async fn outlives(durability: &str, trouble: impl FnOnce(&Path) -> Option<Trouble>) {
    let folder = TempDir::new().unwrap();
    let Some(mut trouble) = trouble(folder.path()) else {
        return;
    };
    let (upstream, gate) = provider().await;
    let store = format!("in_flight: 64, durability: {durability}");
    write(folder.path(), &yaml(&upstream, &store));
    let mut daemon = Daemon::start_in(folder).await;
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    assert_eq!(pay(&daemon, "before").await, 201);
    let mut stream = daemon.chat(KEY, STREAM).open().await;
    within("an event", stream.frame()).await.unwrap().unwrap();

    trouble.begin(&daemon);
    // Calls whose records find no room any more; where the store is strict, their answers do not end.
    let mut answers = JoinSet::new();
    let address = daemon.address;
    let mut told = Box::pin(async {
        let told = daemon.logs(|line| line["message"] == "the store cannot be written");
        told.await["words"].as_str().unwrap().to_owned()
    });
    let words = loop {
        let call = Call::new(address, "POST", "/v1/chat/completions");
        let mut call = Box::pin(call.bearer(KEY).json(CHAT).send());
        tokio::select! {
            biased;
            words = &mut told => {
                answers.spawn(call);
                break words;
            }
            answer = &mut call => {
                answers.spawn(async { answer });
            }
        }
    };
    drop(told);
    assert!(words.contains("faregate.db"), "{words}");

    let ready = Call::new(address, "GET", "/readyz").send().await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert!(
        ready.text().contains("the store cannot be written"),
        "{}",
        ready.text()
    );
    let sent = upstream.seen().len();
    for body in [CHAT, STREAM] {
        let marked = body.replacen('{', REFUSED, 1);
        let refused = daemon.chat(KEY, &marked).send().await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(refused.code(), "billing_unavailable");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(pay(&daemon, "meanwhile").await, 503);
    // A stream that was under way is delivered, or waits where the store is strict, and is not lost.
    gate.open();
    let rest = tokio::spawn(async move {
        let mut rest = Vec::new();
        while let Some(frame) = stream.frame().await {
            rest.extend_from_slice(frame.unwrap().data_ref().unwrap());
        }
        rest
    });
    if durability == "grouped" {
        while let Some(answer) = answers.join_next().await {
            assert!([200, 503].contains(&answer.unwrap().status.as_u16()));
        }
    }

    trouble.end(&daemon);
    let rest = within("the rest", rest).await.unwrap();
    assert!(rest.ends_with(DONE.as_bytes()));
    while let Some(answer) = within("an answer", answers.join_next()).await {
        assert!([200, 503].contains(&answer.unwrap().status.as_u16()));
    }
    let recovered = daemon.logs(|line| line["message"] == "the store can be written again");
    recovered.await;
    served_again(&daemon).await;
    // Told again, it is posted once; asked again, it is known.
    assert_eq!(pay(&daemon, "meanwhile").await, 201);
    assert_eq!(pay(&daemon, "meanwhile").await, 200);
    nothing_held(&daemon).await;
    let ready = Call::new(address, "GET", "/readyz").send().await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    daemon.signal("TERM");
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    let calls = upstream.seen().len();
    assert!(calls > sent, "none was served afterwards");
    let refused = upstream
        .seen()
        .iter()
        .any(|seen| seen.json()["user"] == "refused");
    assert!(!refused, "a call that was refused was sent");
    let said = replay(folder.path(), calls);
    assert_eq!(said["entries"], 3, "{said:#}");
}
