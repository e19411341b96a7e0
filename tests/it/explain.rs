use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::harness::{Answer, Daemon, Seen, Step, TOKEN, Upstream, daemon_file, json, within};

const KEY: &str = "the-key-of-account-a-0001";

fn yaml(upstream: &Upstream) -> String {
    let url = upstream.url();
    let rest = format!(
        r#"providers:
  up: {{kind: openai, base_url: "{url}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, model: real-m, context_window: 100000, max_output_tokens: 500}}
  free: {{provider: up, context_window: 1000, max_output_tokens: 100}}
prices:
  m:
    input: 1.00
    cached_input: 0.25
    output: 3.00
    features: {{web_search: 0.01}}
    service_tiers: {{flex: 0.5}}
routes:
  - {{path: /}}
  - {{path: /dear, price_per_request: 0.005, strip_prefix: true}}
plans:
  p:
    credit: required
    models: [m]
    price_factor: 1.2
    quotas: [{{tokens: 1000000, per: day}}, {{requests: 1000, per: day}}]
    per_key: {{budgets: [{{usd: 5, per: month}}]}}
  q: {{models: [free]}}
accounts:
  - {{id: a, plan: p, credit: 2.50, keys: [{{id: k, key: {KEY}}}]}}
  - {{id: b, plan: q, keys: [{{id: l, key: the-key-of-account-b-0001}}]}}
"#
    );
    daemon_file("", "", &rest)
}

/// What the provider answers is in the first message of the conversation.
fn told(seen: &Seen) -> Vec<Step> {
    let asked = seen.json();
    let usage = match asked["messages"][0]["content"].as_str().unwrap() {
        "fail" => return json("500 Internal Server Error", r#"{"error":{"message":"no"}}"#),
        "refuse" => return json("400 Bad Request", r#"{"error":{"message":"what"}}"#),
        "say nothing of usage" => "",
        _ => {
            r#","usage":{"prompt_tokens":900,"completion_tokens":7,"total_tokens":907,"prompt_tokens_details":{"cached_tokens":200}}"#
        }
    };
    let answer = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}]"#;
    json("200 OK", &format!("{answer}{usage}}}"))
}

fn faregate(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faregate"));
    command.arg("--config").arg(file).args(arguments);
    command.output().unwrap()
}

/// The id that the answer has.
fn id(answer: &Answer) -> String {
    answer.header("x-request-id").unwrap().to_owned()
}

/// What is said of a call, once it is recorded, without what differs from run to run.
async fn explained(file: &Path, id: &str) -> String {
    let output = within("the call was recorded", async {
        loop {
            let output = faregate(file, &["explain", id]);
            if output.status.success() {
                return output;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(output.stderr, b"");
    let text = String::from_utf8(output.stdout).unwrap();
    let settled = text.lines().map(|line| match line {
        line if line.starts_with("  at ") => "  at            <time>".to_owned(),
        line if line.contains(" ms ") => {
            let number = |letter: char| letter.is_ascii_digit();
            line.replace(number, "")
                .replace("   ms", " <n> ms")
                .replace("   <n>", " <n>")
        }
        line if line.contains("faregate.yaml:") || line.contains("beside.yaml:") => {
            let (before, _) = line.split_once(", from ").unwrap();
            format!("{before}, from <place>")
        }
        line => line.replace(id, "<id>"),
    });
    settled.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_call_is_explained_while_the_daemon_runs_and_after() {
    let upstream = Upstream::start(told).await;
    let daemon = Daemon::start(&yaml(&upstream)).await;
    let folder = daemon.folder.path().to_owned();
    // The file that the daemon has says port 0; this one says where it listens.
    let beside = folder.join("beside.yaml");
    let text = std::fs::read_to_string(folder.join("faregate.yaml")).unwrap();
    let admin = format!("admin: {{listen: \"{}\"", daemon.admin);
    let text = text.replace("admin: {listen: \"127.0.0.1:0\"", &admin);
    std::fs::write(&beside, text).unwrap();

    let mut pages = String::new();
    let mut first = String::new();
    for (name, key, path, body) in [
        (
            "all that has a price",
            KEY,
            "/dear/v1/chat/completions",
            r#"{"model":"m","service_tier":"flex","n":2,"max_tokens":50,"web_search_options":{},"messages":[{"role":"user","content":"hi"}],"user":"ann"}"#,
        ),
        (
            "a limit of ours, and no usage",
            KEY,
            "/v1/chat/completions",
            r#"{"model":"m","messages":[{"role":"user","content":"say nothing of usage"}]}"#,
        ),
        (
            "a provider that fails",
            KEY,
            "/v1/chat/completions",
            r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"fail"}]}"#,
        ),
        (
            "a provider that refuses",
            KEY,
            "/dear/v1/chat/completions",
            r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"refuse"}]}"#,
        ),
        (
            "nothing that is limited or priced",
            "the-key-of-account-b-0001",
            "/v1/chat/completions",
            r#"{"model":"free","stream":false,"messages":[{"role":"user","content":"hi"}]}"#,
        ),
    ] {
        let call = crate::harness::Call::new(daemon.address, "POST", path);
        let answer = call.bearer(key).json(body).send().await;
        let page = explained(&beside, &id(&answer)).await;
        if first.is_empty() {
            first = id(&answer);
        }
        pages += &format!("# {name}\n{page}\n\n");
    }
    insta::assert_snapshot!(pages);

    // What was computed when the call ended is what is computed from its parts now.
    let output = faregate(&beside, &["explain", &first, "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["cost"]["equal"], true);
    assert_eq!(said["cost"]["computed"], said["cost"]["recorded"]);
    assert_eq!(said["checks"].as_array().unwrap().len(), 9);

    let running = explained(&beside, &first).await;
    daemon.signal("TERM");
    let (status, stays) = daemon.ended().await;
    assert!(status.success());
    let file = stays.path().join("faregate.yaml");
    assert_eq!(explained(&file, &first).await, running);

    // A price that changed since does not change what was charged; that it cannot be shown is said.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("input: 1.00", "input: 2.00")).unwrap();
    let later = explained(&file, &first).await;
    assert!(later.contains("no longer has version"), "{later}");
}

#[tokio::test]
async fn a_request_without_a_record_is_told_what_that_means() {
    let upstream = Upstream::start(told).await;
    let daemon = Daemon::start(&yaml(&upstream)).await;
    let file = daemon.folder.path().join("faregate.yaml");
    let refused = daemon.chat("nobody's-key-at-all-at-all", "{}").send().await;
    for id in [id(&refused).as_str(), "no-id-at-all"] {
        let output = faregate(&file, &["explain", id]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, b"");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(
            words.contains(id) && words.contains("access log"),
            "{words}"
        );
    }
    let call = crate::harness::Call::new(daemon.admin, "GET", "/admin/v1/calls/no-id");
    let answer = call.bearer(TOKEN).send().await;
    assert_eq!(answer.status, 404);
    let call = crate::harness::Call::new(daemon.admin, "DELETE", "/admin/v1/calls/no-id");
    let answer = call.bearer(TOKEN).send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("allow")),
        (405, Some("GET"))
    );
}
