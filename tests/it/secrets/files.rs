//! The files of a store while calls are under way and after the daemon was killed.

use std::path::Path;

use http_body_util::BodyExt;

use super::{ADMIN_TOKEN, CLIENT_KEY, SECRETS, drive, tells_none, yaml};
use crate::harness::{Call, Daemon, Step, Upstream, sse, within};

/// Reads every file of the store's folder but the configuration; how many bytes there were.
fn searched(folder: &Path, more: &[&str]) -> usize {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("faregate.yaml") {
            continue;
        }
        let content = std::fs::read(&path).unwrap();
        tells_none(&SECRETS, path.to_str().unwrap(), &content);
        tells_none(more, path.to_str().unwrap(), &content);
        bytes += content.len();
    }
    bytes
}

#[tokio::test]
async fn no_file_has_a_key_a_prompt_or_an_answer() {
    let upstream = Upstream::start(|seen| {
        if seen.json()["user"] == "held" {
            let mut steps = sse(&["data: {}\n\n"]);
            steps.insert(2, Step::Hang);
            steps
        } else {
            drive::script(seen)
        }
    })
    .await;
    let receiver = Upstream::answering("500 Internal Server Error", "{}").await;
    let daemon =
        Daemon::start(&yaml(&upstream, &receiver).replace("idle: 100ms", "idle: 60s")).await;
    let made = Call::new(daemon.admin, "POST", "/admin/v1/keys").bearer(ADMIN_TOKEN);
    let made = made
        .json(r#"{"account":"a","id":"made"}"#)
        .send()
        .await
        .value();
    let made = made["key"].as_str().unwrap();
    // The public part names the key, and is stored.
    let secret = made.rsplit('_').next().unwrap();
    for _ in 0..20 {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
            super::PROMPT
        );
        let answer = daemon.chat(CLIENT_KEY, &body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(daemon.chat(made, &body).send().await.status, 200);
    }
    let held = r#"{"model":"m","user":"held","stream":true}"#;
    let mut stream = daemon.chat(made, held).open().await.into_body();
    within("an event", stream.frame()).await.unwrap().unwrap();

    let folder = daemon.folder.path();
    for file in ["faregate.db", "faregate.db-wal", "faregate.db.inflight"] {
        assert!(folder.join(file).exists(), "{file}");
    }
    let copy = folder.join("backup.db");
    let store = rusqlite::Connection::open(folder.join("faregate.db")).unwrap();
    store
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    assert!(searched(folder, &[made, secret]) > 100_000);
    let folder = daemon.killed();
    assert!(searched(folder.path(), &[made, secret]) > 100_000);
}
