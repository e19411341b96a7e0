//! System calls that fail, by `strace`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use http_body_util::BodyExt;

use super::{
    CHAT, DONE, Daemon, KEY, STREAM, nothing_held, pay, provider, replay, served_again, within,
    yaml,
};

/// A tracer that makes system calls fail. They are well again when this is dropped.
pub(super) struct Injected(Child);

impl Injected {
    /// `None`, and a word about it, where there is no `strace` or it may not be used.
    pub(super) async fn into(daemon: &Daemon, what: &str) -> Option<Self> {
        let (calls, _) = what.split_once(':').unwrap();
        let store = daemon.folder.path().join("faregate.db").canonicalize();
        let store = store.unwrap();
        let mut command = Command::new("strace");
        command
            .args(["-f", "-o", "/dev/null", "-p", &daemon.pid().to_string()])
            .args(["-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={what}")])
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        for ending in ["", "-wal", ".inflight"] {
            command
                .arg("-P")
                .arg(format!("{}{ending}", store.display()));
        }
        let attached = tokio::task::spawn_blocking(move || {
            let mut tracer = command.spawn().ok()?;
            let mut said = String::new();
            let mut words = BufReader::new(tracer.stderr.take()?);
            while !said.contains(" attached") {
                if words.read_line(&mut said).ok()? == 0 {
                    let _ = tracer.wait();
                    crate::harness::notice(&said);
                    return None;
                }
            }
            // Nobody reads what else it says, and the pipe stays open until it ends.
            std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
            Some(Self(tracer))
        });
        let attached = within("strace attached", attached).await.unwrap();
        if attached.is_none() {
            assert!(
                std::env::var_os("FAREGATE_TESTS_NEED_STRACE").is_none(),
                "FAULTS NOT INJECTED: strace cannot be used"
            );
            crate::harness::notice(
                "FAULTS NOT INJECTED: strace is missing, or may not be attached to a process",
            );
        }
        attached
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        // Told to end, it leaves the process as it was; killed, it could leave it stopped.
        let kill = format!("kill -TERM {}", self.0.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_disk_that_does_not_confirm_stops_money_until_a_restart() {
    for durability in ["grouped", "strict"] {
        let (upstream, gate) = provider().await;
        let store = format!("in_flight: 64, durability: {durability}");
        let mut daemon = Daemon::start(&yaml(&upstream, &store)).await;
        assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
        assert_eq!(pay(&daemon, "before").await, 201);
        let mut stream = daemon.chat(KEY, STREAM).open().await;
        within("an event", stream.frame()).await.unwrap().unwrap();
        let Some(fault) = Injected::into(&daemon, "fdatasync,fsync:error=EIO").await else {
            return;
        };

        let strict = durability == "strict";
        let sent = upstream.seen().len();
        let first = daemon.chat(KEY, CHAT).send().await;
        if strict {
            // Its hold is not on the disk, so it is not sent.
            assert_eq!(first.status, 503, "{}", first.text());
            assert_eq!(first.code(), "billing_unavailable");
            assert_eq!(upstream.seen().len(), sent);
        } else {
            assert_eq!(first.status, 200, "{}", first.text());
        }
        let failed = daemon.logs(|line| line["message"] == "the store has failed");
        let failed = failed.await;
        assert!(
            failed["words"].as_str().unwrap().contains("restart"),
            "{failed:#}"
        );

        let sent = upstream.seen().len();
        let refused = async |daemon: &Daemon| {
            for body in [CHAT, STREAM] {
                let refused = daemon.chat(KEY, body).send().await;
                assert_eq!(refused.status, 503, "{}", refused.text());
                assert_eq!(refused.code(), "billing_unavailable");
            }
            assert_eq!(pay(daemon, "meanwhile").await, 503);
        };
        refused(&daemon).await;
        // What was under way is delivered; where the store is strict, nobody may take it for recorded.
        gate.open();
        let mut rest = Vec::new();
        let mut broken = false;
        while let Some(frame) = within("a frame", stream.frame()).await {
            match frame {
                Ok(frame) => rest.extend_from_slice(frame.data_ref().unwrap()),
                Err(_) => broken = true,
            }
        }
        assert_eq!(broken, strict);
        assert_eq!(rest.ends_with(DONE.as_bytes()), !strict);
        // The disk is well again, and nobody knows what it has.
        drop(fault);
        refused(&daemon).await;
        assert_eq!(upstream.seen().len(), sent);
        nothing_held(&daemon).await;
        daemon.signal("TERM");
        let (_, folder) = daemon.ended().await;

        let daemon = Daemon::start_in(folder).await;
        nothing_held(&daemon).await;
        let said = replay(daemon.folder.path(), sent);
        assert_eq!(said["entries"], 2, "{said:#}");
        let store = rusqlite::Connection::open(daemon.folder.path().join("faregate.db")).unwrap();
        let sql =
            "SELECT count(*) FROM calls WHERE outcome = 'completed' AND cost_nano_usd = 15000";
        let completed: u32 = store.query_row(sql, (), |row| row.get(0)).unwrap();
        assert_eq!(completed as usize, sent, "{durability}");
        assert_eq!(pay(&daemon, "meanwhile").await, 201);
        served_again(&daemon).await;
    }
}

#[tokio::test]
async fn any_one_write_may_fail() {
    for durability in ["grouped", "strict"] {
        let (upstream, _) = provider().await;
        let store = format!("in_flight: 256, durability: {durability}");
        let daemon = Daemon::start(&yaml(&upstream, &store)).await;
        let mut delivered = 0;
        let mut entries = 1;
        for error in ["ENOSPC", "EIO"] {
            for nth in 1..=8 {
                let what = format!("pwrite64,write:error={error}:when={nth}");
                let Some(fault) = Injected::into(&daemon, &what).await else {
                    return;
                };
                for _ in 0..3 {
                    let answer = daemon.chat(KEY, CHAT).send().await;
                    match answer.status.as_u16() {
                        200 => delivered += 1,
                        503 => assert_eq!(answer.code(), "billing_unavailable"),
                        _ => panic!("{}", answer.text()),
                    }
                }
                let id = format!("{error}-{nth}");
                within("an entry is posted", async {
                    while !matches!(pay(&daemon, &id).await, 200 | 201) {}
                })
                .await;
                entries += 1;
                drop(fault);
                served_again(&daemon).await;
                delivered += 1;
            }
        }
        assert_eq!(upstream.seen().len(), delivered, "{durability}");
        nothing_held(&daemon).await;
        let folder = daemon.killed();
        let daemon = Daemon::start_in(folder).await;
        nothing_held(&daemon).await;
        let said = replay(daemon.folder.path(), delivered);
        assert_eq!(said["entries"], entries, "{said:#}");
    }
}
