use std::{fs, os::unix::fs::symlink, time::Duration};

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{
    Call, Daemon, Gate, Step, Upstream, json, raw, raw_until_close, sse, within, write,
};

const KEY: &str = "the-key-of-account-a-0001";
const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const TOKEN: &str = "test-admin-token-of-32-bytes-or-more";

fn yaml(upstream: &Upstream) -> String {
    format!(
        r#"
server: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0", token: {TOKEN}}}
store: {{url: "sqlite:faregate.db"}}
log: {{format: json}}
providers:
  up: {{kind: openai, base_url: "{}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, context_window: 1000}}
plans:
  p: {{quotas: [{{tokens: 100000, per: day}}]}}
accounts:
  - {{id: a, plan: p, keys: [{{id: k, key: {KEY}}}]}}
"#,
        upstream.url()
    )
}

/// Answers with one event of a stream, and goes on with `then`.
async fn streaming(then: fn() -> Vec<Step>) -> Upstream {
    Upstream::start(move |_| {
        let mut steps = vec![Step::Send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
              data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
                .to_vec(),
        )];
        steps.extend(then());
        steps
    })
    .await
}

fn is_chat(line: &Value) -> bool {
    line["path"] == "/v1/chat/completions"
}

#[tokio::test]
async fn the_access_record_of_a_client_that_left_says_what_it_used() {
    let upstream = streaming(|| vec![Step::Hang]).await;
    let mut daemon = Daemon::start(&yaml(&upstream)).await;
    let mut answer = daemon.chat(KEY, STREAM).open().await;
    within("an event", answer.frame()).await.unwrap().unwrap();
    drop(answer);
    let record = daemon.accesses(is_chat).await;
    assert_eq!(record["status"], 200, "{record:#}");
    assert_eq!(record["outcome"], "client_closed", "{record:#}");
    assert_eq!(record["estimated"], true, "{record:#}");
    assert!(record["input_tokens"].as_u64().unwrap() > 0, "{record:#}");
    within("the provider was cancelled", upstream.all_closed()).await;
}

#[tokio::test]
async fn the_access_record_of_what_is_not_understood_says_how_long_it_was() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let mut daemon = Daemon::start(&yaml(&upstream)).await;
    for (body, code) in [
        (r#"{"model":"#, "invalid_json"),
        (r#"{"model":"m","model":"n"}"#, "ambiguous_json"),
        (r#"{"model":"a model"}"#, "model_not_found"),
    ] {
        daemon.chat(KEY, body).send().await;
        let record = daemon.accesses(is_chat).await;
        assert_eq!(record["code"], code);
        assert_eq!(record["bytes_in"], body.len(), "{record:#}");
    }
}

#[tokio::test]
async fn a_file_is_reloaded_whole_or_not_at_all() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let first = yaml(&upstream);
    let mut daemon = Daemon::start(&first).await;
    let bad = first
        .replace("plan: p", "plan: q")
        .replace(KEY, "the-key-of-account-a-0002");
    write(daemon.folder.path(), &bad);
    daemon.signal("HUP");
    let problem = daemon.logs(|line| line["level"] == "error").await;
    let text = problem["message"].as_str().unwrap();
    assert!(
        text.ends_with("accounts[0].plan: is not a plan of this file"),
        "{text}"
    );
    assert_eq!(problem["hint"], "did you mean p?");
    let refused = daemon.logs(|line| line.get("config").is_some()).await;
    assert_eq!(
        refused["message"],
        "the file is wrong; the old configuration stays"
    );
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);

    let second = first
        .replace(KEY, "the-key-of-account-a-0002")
        .replace("faregate.db", "other.db");
    let done = daemon.reload(&second).await;
    assert_eq!(
        done["message"], "the configuration was reloaded",
        "{done:#}"
    );
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 401);
    let other = daemon.chat("the-key-of-account-a-0002", CHAT).send().await;
    assert_eq!(other.status, 200);
    let metrics = Call::new(daemon.admin, "GET", "/metrics").send().await;
    assert!(metrics.text().contains("\nfaregate_restart_pending 1\n"));
}

#[tokio::test]
async fn a_file_that_changes_is_reloaded_without_being_told() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let first = yaml(&upstream);
    let folder = TempDir::new().unwrap();
    let (one, two) = ("the-key-of-account-a-0001", "the-key-of-account-a-0002");
    // As a ConfigMap is mounted: the file is a link through a link that is swapped.
    for (version, key) in [("..1", one), ("..2", two)] {
        fs::create_dir(folder.path().join(version)).unwrap();
        write(&folder.path().join(version), &first.replace(KEY, key));
    }
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/faregate.yaml", folder.path().join("faregate.yaml")).unwrap();
    let mut daemon = Daemon::start_in(folder).await;
    assert_eq!(daemon.chat(one, CHAT).send().await.status, 200);
    let home = daemon.folder.path().to_owned();
    symlink("..2", home.join("..next")).unwrap();
    fs::rename(home.join("..next"), home.join("..data")).unwrap();
    let by_itself = |line: &Value| line["cause"] == "file";
    let done = daemon.logs(by_itself).await;
    assert_eq!(done["message"], "the configuration was reloaded");
    assert_eq!(daemon.chat(one, CHAT).send().await.status, 401);
    assert_eq!(daemon.chat(two, CHAT).send().await.status, 200);

    // One that is wrong is told of once, and the next that is right counts.
    fs::write(home.join("..2/faregate.yaml"), "plans: nonsense").unwrap();
    let refused = daemon.logs(by_itself).await;
    assert_eq!(
        refused["message"],
        "the file is wrong; the old configuration stays"
    );
    assert_eq!(daemon.chat(two, CHAT).send().await.status, 200);
    write(&home.join("..2"), &first.replace(KEY, one));
    let done = daemon.logs(by_itself).await;
    assert_eq!(
        done["message"], "the configuration was reloaded",
        "{done:#}"
    );
    assert_eq!(daemon.chat(one, CHAT).send().await.status, 200);
}

/// The file is a pipe until the program reads it: so the signal comes while it starts.
#[tokio::test]
async fn a_reload_that_is_asked_for_while_it_starts_ends_nothing() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let folder = TempDir::new().unwrap();
    write(folder.path(), &yaml(&upstream));
    let place = folder.path().display();
    let command = format!(
        "cd {place}; mv faregate.yaml real.yaml; mkfifo faregate.yaml; \
         (exec 3>faregate.yaml; kill -HUP $$; mv real.yaml faregate.yaml; cat faregate.yaml >&3) &"
    );
    let mut daemon = Daemon::start_after(&format!("{command} :"), folder).await;
    let reloaded = daemon.logs(|line| line["cause"] == "signal").await;
    assert_eq!(reloaded["message"], "the configuration was reloaded");
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
}

/// A process that is stopped sees its clock jump, and deadlines that passed before what came meanwhile.
#[tokio::test]
async fn what_came_while_it_was_stopped_is_no_late_answer() {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| {
        let wait = Step::Wait(opened.clone());
        let event = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
        match seen.json()["stream"].as_bool() {
            Some(true) => {
                let mut steps = sse(&[event, "data: [DONE]\n\n"]);
                steps.insert(2, wait);
                steps
            }
            _ => [vec![wait], json("200 OK", ANSWER)].concat(),
        }
    })
    .await;
    let hasty = "kind: openai, timeouts: {first_byte: 300ms, idle: 300ms}";
    let daemon = Daemon::start(&yaml(&upstream).replace("kind: openai", hasty)).await;
    let longer = Duration::from_millis(900);
    let mut stream = daemon.chat(KEY, STREAM).open().await.into_body();
    within("an event", stream.frame()).await.unwrap().unwrap();
    daemon.stopped(longer, || gate.open()).await;
    let rest = within("the rest", stream.collect())
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(rest, "data: [DONE]\n\n");
    upstream.arrival().await;
    let call = tokio::spawn(daemon.chat(KEY, CHAT).send());
    upstream.arrival().await;
    daemon.stopped(longer, || gate.open()).await;
    let answer = within("the answer", call).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.text()), (200, ANSWER));
}

#[tokio::test]
async fn what_a_client_sent_while_it_was_stopped_is_not_late() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let timeouts = "server: {timeouts: {head: 300ms, body_idle: 300ms, keep_alive: 300ms}, ";
    let yaml = yaml(&upstream).replace("server: {", timeouts);
    let daemon = Daemon::start(&yaml).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         content-length: {}\r\n\r\n",
        CHAT.len()
    );
    let request = head.clone() + CHAT;
    for before in [0, 20, head.len(), request.len() - 5] {
        let (first, rest) = request.as_bytes().split_at(before);
        let mut client = raw(daemon.address, first).await;
        let sends = || assert_eq!(client.try_write(rest).unwrap(), rest.len());
        daemon.stopped(Duration::from_millis(900), sends).await;
        let mut status = [0; 15];
        let read = within("an answer", client.read_exact(&mut status)).await;
        assert!(read.is_ok(), "{before}: {read:?}");
        assert_eq!(status, *b"HTTP/1.1 200 OK", "{before}");
    }
}

#[tokio::test]
async fn a_file_that_takes_a_key_away_needs_no_store_that_can_be_written() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let first = yaml(&upstream);
    let mut daemon = Daemon::start(&first).await;
    let other = rusqlite::Connection::open(daemon.folder.path().join("faregate.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let done = daemon
        .reload(&first.replace(KEY, "the-key-of-account-a-0002"))
        .await;
    assert_eq!(
        done["message"], "the configuration was reloaded",
        "{done:#}"
    );
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 401);
}

#[tokio::test]
async fn told_to_stop_it_lets_a_stream_finish() {
    let gate = Gate::default();
    let upstream = {
        let gate = gate.clone();
        Upstream::start(move |_| {
            vec![
                Step::Send(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
                      data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
                        .to_vec(),
                ),
                Step::Wait(gate.clone()),
                Step::Send(b"data: [DONE]\n\n".to_vec()),
                Step::Close,
            ]
        })
        .await
    };
    let mut daemon = Daemon::start(&yaml(&upstream)).await;
    let mut answer = daemon.chat(KEY, STREAM).open().await;
    within("an event", answer.frame()).await.unwrap().unwrap();
    daemon.signal("TERM");
    daemon
        .logs(|line| line["message"].as_str().unwrap().starts_with("draining"))
        .await;
    let ready = Call::new(daemon.admin, "GET", "/readyz").send().await;
    assert_eq!(ready.status, 503);
    gate.open();
    let rest = within("the rest", answer.collect())
        .await
        .unwrap()
        .to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"), "{rest:?}");
    let (status, _) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn told_twice_it_ends_streams_with_an_event() {
    let upstream = streaming(|| vec![Step::Hang]).await;
    let mut daemon = Daemon::start(&yaml(&upstream)).await;
    let mut answer = daemon.chat(KEY, STREAM).open().await;
    within("an event", answer.frame()).await.unwrap().unwrap();
    daemon.signal("TERM");
    daemon
        .logs(|line| line["message"].as_str().unwrap().starts_with("draining"))
        .await;
    daemon.signal("TERM");
    let rest = within("the rest", answer.collect())
        .await
        .unwrap()
        .to_bytes();
    let rest = String::from_utf8(rest.to_vec()).unwrap();
    assert!(rest.contains("\"code\":\"draining\""), "{rest}");
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    let rows = rusqlite::Connection::open(folder.path().join("faregate.db")).unwrap();
    let calls: u32 = rows
        .query_row("SELECT count(*) FROM calls", (), |row| row.get(0))
        .unwrap();
    assert_eq!(calls, 1, "the stream was settled");
}

#[tokio::test]
async fn what_was_created_and_used_is_there_after_a_kill() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let daemon = Daemon::start(&yaml(&upstream)).await;
    let admin = |daemon: &Daemon, method: &str, path: &str| {
        Call::new(daemon.admin, method, path).bearer(TOKEN)
    };
    let account = json!({"id": "b", "plan": "p"}).to_string();
    let answer = admin(&daemon, "POST", "/admin/v1/accounts").json(&account);
    assert_eq!(answer.send().await.status, 201);
    let key = json!({"account": "b"}).to_string();
    let made = admin(&daemon, "POST", "/admin/v1/keys")
        .json(&key)
        .send()
        .await;
    let key = made.value()["key"].as_str().unwrap().to_owned();
    assert_eq!(daemon.chat(&key, CHAT).send().await.status, 200);
    let sums = async |daemon: &Daemon| {
        let usage = admin(daemon, "GET", "/admin/v1/usage?by=account")
            .send()
            .await;
        usage.value()["data"].clone()
    };
    within("the call was written", async {
        while sums(&daemon).await.as_array().unwrap().is_empty() {}
    })
    .await;
    let before = sums(&daemon).await;
    daemon.signal("KILL");
    let (_, folder) = daemon.ended().await;

    let daemon = Daemon::start_in(folder).await;
    assert_eq!(sums(&daemon).await, before);
    assert_eq!(daemon.chat(&key, CHAT).send().await.status, 200);
}

#[tokio::test]
async fn a_log_that_nobody_reads_costs_lines_and_no_request() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let mut daemon = Daemon::start(&yaml(&upstream)).await;
    daemon.stop_reading();
    let agent = "x".repeat(1000);
    let probe = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nuser-agent: {agent}\r\n\r\n");
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let dropped = async |daemon: &Daemon| {
        let metrics = Call::new(daemon.admin, "GET", "/metrics").send().await;
        let text = metrics.text().to_owned();
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix("faregate_log_lines_dropped_total "));
        value.unwrap().parse::<u64>().unwrap()
    };
    within("lines were dropped", async {
        while dropped(&daemon).await == 0 {
            let answers =
                raw_until_close(daemon.address, (probe.repeat(100) + last).as_bytes()).await;
            assert_eq!(answers.matches("HTTP/1.1 200").count(), 101);
        }
    })
    .await;
    // Lines are dropped; calls are not.
    for _ in 0..7 {
        assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    }
    daemon.signal("TERM");
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
    let rows = rusqlite::Connection::open(folder.path().join("faregate.db")).unwrap();
    let calls: u32 = rows
        .query_row("SELECT count(*) FROM calls", (), |row| row.get(0))
        .unwrap();
    assert_eq!(calls, 7);
}

#[tokio::test]
async fn clients_do_not_take_the_descriptors_that_their_calls_need() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let folder = TempDir::new().unwrap();
    write(folder.path(), &yaml(&upstream));
    let daemon = Daemon::start_after("ulimit -n 300", folder).await;
    let mut early = daemon.early.iter();
    let told = early.find(|line| line["descriptors"] == 300).unwrap();
    assert_eq!(
        (&told["configured"], &told["served"]),
        (&json!(10_000), &json!(50))
    );
    // More than are served; the rest waits, and calls go on.
    let mut first = raw(daemon.address, b"").await;
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(raw(daemon.address, b"").await);
    }
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{CHAT}",
        CHAT.len()
    );
    first.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("an answer", first.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn what_file_and_store_both_have_is_said_once() {
    let upstream = streaming(|| vec![Step::Hang]).await;
    let with = |accounts: &str| {
        let accounts = format!("accounts:\n{accounts}");
        yaml(&upstream)
            .split("accounts:")
            .next()
            .unwrap()
            .to_owned()
            + &accounts
    };
    let own = format!("  - {{id: a, plan: p, keys: [{{id: k, key: {KEY}}}]}}\n");
    let mut daemon = Daemon::start(&with(&own)).await;
    let post = |admin, path: &str, body: Value| {
        Call::new(admin, "POST", path)
            .bearer(TOKEN)
            .json(&body.to_string())
            .send()
    };
    let made = post(
        daemon.admin,
        "/admin/v1/accounts",
        json!({"id": "b", "plan": "p"}),
    )
    .await;
    assert_eq!(made.status, 201);
    let made = post(
        daemon.admin,
        "/admin/v1/keys",
        json!({"account": "b", "id": "b-1"}),
    )
    .await;
    assert_eq!(made.status, 201);
    let both = "  - {id: b, plan: p, keys: [{id: b-1, key: another-key-of-account-b}]}\n";
    daemon.reload(&with(&format!("{own}{both}"))).await;
    for id in ["c", "d", "e"] {
        let made = post(
            daemon.admin,
            "/admin/v1/accounts",
            json!({"id": id, "plan": "p"}),
        )
        .await;
        assert_eq!(made.status, 201);
    }
    let count = |daemon: &Daemon, what: &str| {
        let words = format!("the file and the store both have this {what}");
        daemon.written().matches(&words).count()
    };
    assert_eq!((count(&daemon, "account"), count(&daemon, "key")), (1, 1));
    daemon.reload(&with(&format!("{own}{both}"))).await;
    assert_eq!((count(&daemon, "account"), count(&daemon, "key")), (2, 2));
    let daemon = Daemon::start_in(daemon.killed()).await;
    assert_eq!((count(&daemon, "account"), count(&daemon, "key")), (1, 1));
}
