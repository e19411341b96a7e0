//! The log at every level, and everything that the program prints of a store that was filled meanwhile.

use std::path::Path;

use serde_json::Value;

use super::{ADMIN_TOKEN, SECRETS, drive, tells_none, yaml};
use crate::harness::{Call, Daemon, Upstream, faregate, within};

/// Every command that reads.
const COMMANDS: [&str; 14] = [
    "check",
    "accounts list",
    "accounts show a",
    "keys list",
    "credit list a",
    "usage",
    "usage --by key",
    "prices",
    "ledger verify",
    "ledger export --format jsonl",
    "ledger export --format csv",
    "ledger export --format cloudevents",
    "webhooks list",
    "notifications list",
];

async fn started(levels: &str) -> (Daemon, Upstream, Upstream) {
    let upstream = Upstream::start(drive::script).await;
    let receiver = Upstream::answering("500 Internal Server Error", "{}").await;
    let daemon = Daemon::start_at(&yaml(&upstream, &receiver), levels).await;
    (daemon, upstream, receiver)
}

/// What every reading command prints, in both forms, and the explanation of each call.
async fn prints(daemon: &Daemon) {
    let calls = Call::new(daemon.admin, "GET", "/admin/v1/calls?limit=1000").bearer(ADMIN_TOKEN);
    let calls = calls.send().await.value();
    let mut commands: Vec<String> = COMMANDS.map(str::to_owned).into();
    for call in calls["data"].as_array().unwrap().iter().take(8) {
        commands.push(format!("explain {}", call["request_id"].as_str().unwrap()));
    }
    let folder = daemon.folder.path().to_owned();
    let run = move || {
        let mut printed = 0;
        for command in commands {
            for form in ["", " --json"] {
                printed += print(&folder, &format!("{command}{form}"));
            }
        }
        assert!(printed > 20_000, "hardly anything was printed: {printed}");
    };
    // The admin API answers meanwhile.
    let run = tokio::task::spawn_blocking(run);
    within("the commands ended", run).await.unwrap();
}

fn print(folder: &Path, command: &str) -> usize {
    let output = faregate(folder, command);
    tells_none(&SECRETS, command, &output.stdout);
    tells_none(&SECRETS, command, &output.stderr);
    output.stdout.len() + output.stderr.len()
}

/// The log's levels, and its targets' first words.
fn levels(log: &str) -> Vec<String> {
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut levels: Vec<String> = lines
        .filter_map(|line| Some(line["level"].as_str()?.to_owned()))
        .collect();
    levels.sort();
    levels.dedup();
    levels
}

#[tokio::test]
async fn nothing_that_is_logged_or_printed_at_the_finest_level_has_a_secret() {
    let (daemon, _upstream, _receiver) = started("trace").await;
    drive::drive(&daemon).await;
    prints(&daemon).await;
    daemon.signal("TERM");
    let log = daemon.whole_log().await;
    let levels = levels(&log);
    assert!(levels.contains(&"debug".to_owned()), "{levels:?}");
    assert!(
        log.matches("\"target\":\"faregate::access\"").count() > 80,
        "{log}"
    );
    assert!(!log.contains("panicked"), "{log}");
    tells_none(&SECRETS, "the log", log);
}

#[tokio::test]
async fn libraries_that_are_asked_to_tell_everything_tell_no_secret() {
    let every = "faregate=trace,hyper=trace,hyper_util=trace,h2=trace,rustls=trace,tokio_rustls=trace,tokio=trace,mio=trace,sqlx=trace,rusqlite=trace,notify=trace,lettre=trace,tower=trace,want=trace,warn";
    let (daemon, _upstream, _receiver) = started(every).await;
    drive::drive(&daemon).await;
    daemon.signal("TERM");
    let log = daemon.whole_log().await;
    tells_none(&SECRETS, "the log", log);
}
