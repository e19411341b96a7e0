use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::harness::{Call, Daemon, TOKEN, Upstream};

const KEY: &str = "the-key-of-account-a-0001";
const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

fn yaml(upstream: &Upstream) -> String {
    format!(
        r#"
server: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0", token: {TOKEN}}}
store: {{url: "sqlite:${{folder}}/faregate.db"}}
log: {{format: json}}
providers:
  up: {{kind: openai, base_url: "{}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, context_window: 1000, max_output_tokens: 500}}
prices:
  m: {{input: 1.00, output: 3.00}}
plans:
  p: {{credit: required}}
accounts:
  - {{id: a, plan: p, credit: 2.50, keys: [{{id: k, key: {KEY}}}]}}
  - {{id: b, plan: p}}
"#,
        upstream.url()
    )
}

/// Runs the program beside the daemon.
fn faregate(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command
        .arg("--config")
        .arg(folder.join("faregate.yaml"))
        .args(line.split_whitespace());
    command.output().unwrap()
}

fn verified(folder: &Path) -> Value {
    let output = faregate(folder, "ledger verify --json");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{said:#}");
    assert_eq!(said["difference_nano_usd"], 0);
    said
}

/// The second replay, in another language, with the usage that the program tells. It needs Python 3.10 or newer; where
/// there is none, that is said, and `.ci/run` requires it.
fn replayed(folder: &Path) -> Option<Value> {
    let newer = "import sys; sys.exit(sys.version_info < (3, 10))";
    let python = ["python3", "python3.11"].into_iter().find(|python| {
        let tried = Command::new(python).args(["-c", newer]).status();
        tried.is_ok_and(|status| status.success())
    });
    let Some(python) = python else {
        assert!(
            std::env::var_os("FAREGATE_TESTS_NEED_PYTHON").is_none(),
            "PYTHON REPLAY NOT RUN: there is no Python 3.10"
        );
        #[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
        {
            eprintln!("PYTHON REPLAY NOT RUN: there is no Python 3.10 or newer");
        }
        return None;
    };
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/ledger/replay.py"
        ))
        .arg(folder.join("faregate.db"))
        .args(["--faregate", env!("CARGO_BIN_EXE_faregate"), "--config"])
        .arg(folder.join("faregate.yaml"))
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{notes}"));
    assert!(output.status.success(), "{said}\n{notes}");
    Some(said)
}

async fn credit(daemon: &Daemon) -> Value {
    let ask = Call::new(daemon.admin, "GET", "/admin/v1/accounts/a/credit");
    ask.bearer(TOKEN).send().await.value()
}

#[tokio::test]
async fn what_is_posted_adds_up_in_two_languages_and_outlives_a_kill() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let daemon = Daemon::start(&yaml(&upstream)).await;
    assert_eq!(credit(&daemon).await["balance"], "2.50");
    let folder = daemon.folder.path().to_owned();
    let of_a = "/admin/v1/accounts/a/credit";
    for (path, body) in [
        (of_a, json!({"amount": "10.00", "id": "first"})),
        (
            of_a,
            json!({"amount": "-0.25", "kind": "adjustment", "id": "second"}),
        ),
        (
            of_a,
            json!({"amount": "0.5", "kind": "grant", "expires_at": "2999-01-01T00:00:00Z", "priority": 1}),
        ),
        (
            "/admin/v1/credit/transfer",
            json!({"from": "a", "to": "b", "amount": "1.75"}),
        ),
    ] {
        let call = Call::new(daemon.admin, "POST", path).bearer(TOKEN);
        let answer = call.json(&body.to_string()).send().await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    assert_eq!(credit(&daemon).await["balance"], "11.00");
    for _ in 0..5 {
        let answer = daemon.chat(KEY, CHAT).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // While it runs, and after it was killed; its last group may not be written yet when an answer has been read.
    verified(&folder);
    daemon.signal("KILL");
    let (_, folder) = daemon.ended().await;
    let daemon = Daemon::start_in(folder).await;
    // Nine tokens in and two out, five times, at 1 and 3 dollars a million: 0.000015 each.
    let sheet = credit(&daemon).await;
    assert_eq!(sheet["balance"], "10.999925", "{sheet:#}");
    assert_eq!(
        (&sheet["held"], &sheet["available"]),
        (&json!("0.00"), &json!("10.999925"))
    );
    let folder = daemon.folder.path();
    let said = verified(folder);
    // The opening grant once, three entries, two sides of a transfer.
    assert_eq!((&said["calls"], &said["entries"]), (&json!(5), &json!(6)));
    if let Some(replayed) = replayed(folder) {
        assert_eq!(replayed["calls"], said["calls"]);
        assert_eq!(replayed["entries"], said["entries"]);
        assert_eq!(replayed["difference_nano_usd"], 0);
    }
}

#[tokio::test]
async fn opening_credit_is_given_once_and_a_later_edit_warns() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let first = yaml(&upstream);
    let mut daemon = Daemon::start(&first).await;
    daemon.reload(&first).await;
    assert_eq!(credit(&daemon).await["balance"], "2.50");
    std::fs::write(
        daemon.folder.path().join("faregate.yaml"),
        first
            .replace("${folder}", daemon.folder.path().to_str().unwrap())
            .replace("credit: 2.50", "credit: 99"),
    )
    .unwrap();
    daemon.signal("HUP");
    let warned = daemon
        .logs(|line| {
            line["message"]
                .as_str()
                .is_some_and(|words| words.contains("faregate credit add a"))
        })
        .await;
    assert_eq!(warned["level"], "warn");
    assert_eq!(credit(&daemon).await["balance"], "2.50");
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    let daemon = Daemon::start_in(folder).await;
    assert_eq!(credit(&daemon).await["balance"], "2.50");
    assert_eq!(verified(daemon.folder.path())["entries"], 1);
}
