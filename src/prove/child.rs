//! The daemon, as a process of its own.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};

use super::Obstacle;

/// How long a daemon may take until it serves. It records what was under way before.
const START: Duration = Duration::from_secs(60);

/// How long a process may take to end after it has closed its files.
const END: Duration = Duration::from_secs(2);

/// Lines of its log that are kept, for a daemon that does not start.
const KEPT: usize = 5;

/// A running daemon.
#[derive(Debug)]
pub(super) struct Daemon {
    process: Process,
    /// Where it serves.
    pub(super) address: SocketAddr,
}

/// Its process. It is killed when this is dropped, also while it starts.
#[derive(Debug)]
struct Process {
    child: Child,
    log: Option<JoinHandle<VecDeque<String>>>,
}

impl Daemon {
    /// Starts `program` on the file and waits until it serves.
    pub(super) async fn start(program: &Path, file: &Path) -> Result<Self, Obstacle> {
        let mut command = Command::new(program);
        command.args(["serve".as_ref(), "--config".as_ref(), file.as_os_str()]);
        Self::begun(command).await
    }

    /// Runs a command that says where it serves, as a daemon does, and waits until it has said so.
    pub(super) async fn begun(mut command: Command) -> Result<Self, Obstacle> {
        let failed = |words: String| Obstacle::Daemon(words);
        let mut child = command
            // Nobody reads a line for each call.
            .env("RUST_LOG", "info,faregate::access=off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let program = Path::new(command.get_program()).display();
                failed(format!("{program}: {error}"))
            })?;
        let (serves, served) = oneshot::channel();
        let log = child.stderr.take();
        let log = log.map(|log| std::thread::spawn(move || follow(log, serves)));
        let mut process = Process { child, log };
        let waited = tokio::time::timeout(START, served).await;
        match waited {
            Ok(Ok(address)) => Ok(Self { process, address }),
            Ok(Err(_)) => {
                let last = process.end().into_iter().collect::<Vec<_>>();
                Err(failed(last.join("\n")))
            }
            Err(_) => Err(Obstacle::Late("the start of the daemon", START.as_secs())),
        }
    }

    /// Whether it has not ended by itself.
    pub(super) fn still_runs(&mut self) -> Result<(), Obstacle> {
        // An error would mean that it is not ours to ask about, and it is.
        let Ok(Some(status)) = self.process.child.try_wait() else {
            return Ok(());
        };
        let log: Vec<String> = self.process.end().into();
        Err(Obstacle::Ended {
            status: status.to_string(),
            log: log.join("\n"),
        })
    }

    /// Waits for the end of one that has closed all connections: it comes a moment later. One that runs on is left to do so.
    pub(super) async fn ends(&mut self) -> Result<(), Obstacle> {
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            self.still_runs()?;
            tokio::time::sleep(END / 100).await;
        }
        Ok(())
    }

    /// Ends it as nothing it can prepare for: SIGKILL. One that has ended before has not been killed.
    pub(super) fn kill(mut self) -> Result<(), Obstacle> {
        self.still_runs()?;
        self.process.end();
        Ok(())
    }
}

impl Process {
    /// Kills it; the last lines of its log.
    fn end(&mut self) -> VecDeque<String> {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The log ends with the pipe.
        let log = self.log.take().and_then(|log| log.join().ok());
        log.unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads the log to its end, says where the daemon serves, and keeps the last lines.
fn follow(log: ChildStderr, serves: oneshot::Sender<SocketAddr>) -> VecDeque<String> {
    let mut serves = Some(serves);
    let mut last = VecDeque::with_capacity(KEPT);
    for line in BufReader::new(log).lines() {
        let Ok(line) = line else { break };
        if let Some(address) = address(&line)
            && let Some(serves) = serves.take()
        {
            // Nobody may wait any more.
            let _ = serves.send(address);
        }
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(line);
    }
    last
}

fn address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let serves = line["message"] == "faregate serves";
    serves.then(|| line["address"].as_str()?.parse().ok())?
}

/// The file and the store of a daemon in a folder.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// What it reads.
    pub(super) file: PathBuf,
    /// What it writes.
    pub(super) store: PathBuf,
}

impl Home {
    /// The usual names.
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            file: folder.join("faregate.yaml"),
            store: folder.join("faregate.db"),
        }
    }
}
