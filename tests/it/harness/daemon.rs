//! The program itself, as a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{Call, TOKEN, within};

/// A running `faregate serve`. It is killed when this is dropped.
pub(crate) struct Daemon {
    child: Option<Child>,
    /// Where its file and its store are.
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// What it logged before it served.
    pub(crate) early: Vec<Value>,
    log: mpsc::UnboundedReceiver<Value>,
    written: Written,
}

/// Everything that was written to standard error.
type Written = Arc<Mutex<String>>;

/// The file of a daemon with both listeners, a store in its folder, a log for programs, and `rest`. `server` and `store`
/// say what else stands in these sections.
pub(crate) fn daemon_file(server: &str, store: &str, rest: &str) -> String {
    format!(
        "server: {{listen: \"127.0.0.1:0\"{server}}}\nadmin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\n\
         store: {{url: \"sqlite:${{folder}}/faregate.db\"{store}}}\nlog: {{format: json}}\n{rest}"
    )
}

impl Daemon {
    /// Starts it with a file; `${folder}` in it is a folder of its own. The log has to be JSON, and there has to be an
    /// admin listener.
    pub(crate) async fn start(yaml: &str) -> Self {
        let folder = TempDir::new().unwrap();
        write(folder.path(), yaml);
        Self::start_in(folder).await
    }

    /// Starts it with a file and the levels of `RUST_LOG`.
    pub(crate) async fn start_at(yaml: &str, levels: &str) -> Self {
        let folder = TempDir::new().unwrap();
        write(folder.path(), yaml);
        Self::serve(folder, Some(levels), ":").await
    }

    /// Starts it on the file that is in the folder.
    pub(crate) async fn start_in(folder: TempDir) -> Self {
        Self::serve(folder, None, ":").await
    }

    /// The same, with the levels of `RUST_LOG`.
    pub(crate) async fn start_in_at(folder: TempDir, levels: &str) -> Self {
        Self::serve(folder, Some(levels), ":").await
    }

    /// The same, by a shell that does something before.
    pub(crate) async fn start_after(command: &str, folder: TempDir) -> Self {
        Self::serve(folder, None, command).await
    }

    async fn serve(folder: TempDir, levels: Option<&str>, before: &str) -> Self {
        let script = format!("{before}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        let mut command = with_program(command, folder.path());
        if let Some(levels) = levels {
            command.env("RUST_LOG", levels);
        }
        let mut child = command.spawn().unwrap();
        let written = Written::default();
        let mut log = follow(child.stderr.take().unwrap(), Arc::clone(&written));
        let mut early = Vec::new();
        let serves = loop {
            let line = find(&mut log, |_| true).await;
            if line["message"] == "faregate serves" {
                break line;
            }
            early.push(line);
        };
        let address = |name: &str| serves[name].as_str().unwrap().parse().unwrap();
        Self {
            address: address("address"),
            admin: address("admin"),
            child: Some(child),
            folder,
            early,
            log,
            written,
        }
    }

    /// Starts it on the file that is in the folder, and gives its exit code and what it says when it cannot serve.
    pub(crate) async fn fails_in(folder: &Path) -> (Option<i32>, String) {
        let mut command = command(folder);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = within("the process ended", output).await.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    /// The next line of the log for which `wanted` holds.
    pub(crate) async fn logs(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        find(&mut self.log, wanted).await
    }

    /// The next access record for which `wanted` holds.
    pub(crate) async fn accesses(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.logs(|line| line["target"] == "faregate::access" && wanted(line))
            .await
    }

    /// Everything that it wrote to standard error so far.
    pub(crate) fn written(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    /// Leaves the log unread from now on.
    pub(crate) fn stop_reading(&mut self) {
        self.log.close();
    }

    /// Writes another file and has it read.
    pub(crate) async fn reload(&mut self, yaml: &str) -> Value {
        write(self.folder.path(), yaml);
        self.signal("HUP");
        self.logs(|line| line["cause"] == "signal").await
    }

    /// Sends a signal, as `kill` does.
    pub(crate) fn signal(&self, name: &str) {
        let told = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.process().id())])
            .status();
        assert!(told.unwrap().success());
    }

    /// Stops it for that long, as a debugger or a machine that sleeps does; `meanwhile` happens while it stands still.
    pub(crate) async fn stopped(&self, time: Duration, meanwhile: impl FnOnce()) {
        self.signal("STOP");
        meanwhile();
        tokio::time::sleep(time).await;
        self.signal("CONT");
    }

    /// Kills it at once, as `kill -9` does, and gives its folder back.
    pub(crate) fn killed(mut self) -> TempDir {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    /// Starts it on the file that is in the folder, and kills it after so long, wherever it is then.
    pub(crate) async fn killed_while_it_starts(folder: &Path, after: Duration) {
        let mut child = command(folder).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(after).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end, and gives its folder back.
    pub(crate) async fn ended(mut self) -> (ExitStatus, TempDir) {
        let mut child = self.child.take().unwrap();
        let waiting = tokio::task::spawn_blocking(move || child.wait());
        let status = within("the process ended", waiting).await.unwrap().unwrap();
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        (status, folder)
    }

    /// Waits for its end, and gives everything that it wrote to standard error.
    pub(crate) async fn whole_log(self) -> String {
        let (status, _, log) = self.ended_with_log().await;
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }

    /// Waits for its end, and gives its folder back, and everything that it wrote to standard error.
    pub(crate) async fn ended_with_log(mut self) -> (ExitStatus, TempDir, String) {
        let mut child = self.child.take().unwrap();
        let waiting = tokio::task::spawn_blocking(move || child.wait());
        let status = within("the process ended", waiting).await.unwrap().unwrap();
        within("the log ended", async {
            while self.log.recv().await.is_some() {}
        })
        .await;
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        (status, folder, self.written())
    }

    fn process(&self) -> &Child {
        self.child.as_ref().unwrap()
    }

    /// Its number for the system.
    pub(crate) fn pid(&self) -> u32 {
        self.process().id()
    }

    /// A chat completion with this key.
    pub(crate) fn chat(&self, key: &str, body: &str) -> Call {
        Call::new(self.address, "POST", "/v1/chat/completions")
            .bearer(key)
            .json(body)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    serve_arguments(&mut command, folder);
    command
}

/// A command that starts another one: the program follows as its arguments.
fn with_program(mut command: Command, folder: &Path) -> Command {
    command.arg(env!("CARGO_BIN_EXE_faregate"));
    serve_arguments(&mut command, folder);
    command
}

fn serve_arguments(command: &mut Command, folder: &Path) {
    command
        .args(["serve", "--config"])
        .arg(folder.join("faregate.yaml"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
}

/// Writes a file for [`Daemon::start_in`].
pub(crate) fn write(folder: &Path, yaml: &str) {
    let yaml = yaml.replace("${folder}", folder.to_str().unwrap());
    std::fs::write(folder.join("faregate.yaml"), yaml).unwrap();
}

/// Reads the log until there is no more, or nobody wants it.
fn follow(stderr: ChildStderr, written: Written) -> mpsc::UnboundedReceiver<Value> {
    let (lines, log) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { return };
            written.lock().unwrap().push_str(&format!("{line}\n"));
            let parsed = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if lines.send(parsed).is_err() {
                // Nobody reads any more, and the pipe stays open.
                loop {
                    thread::park();
                }
            }
        }
    });
    log
}

async fn find(log: &mut mpsc::UnboundedReceiver<Value>, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Vec::new();
    let found = async {
        loop {
            let line = log
                .recv()
                .await
                .unwrap_or_else(|| panic!("the log ended: {seen:#?}"));
            if wanted(&line) {
                return line;
            }
            seen.push(line);
        }
    };
    within("a line of the log", found).await
}
