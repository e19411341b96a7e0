use serde_json::{Value, json};

use crate::harness::{
    Call, Daemon, TOKEN, Upstream, daemon_file, faregate, replayed, verified, write,
};

const KEY: &str = "the-key-of-account-a-0001";
const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

fn yaml(upstream: &Upstream) -> String {
    let rest = format!(
        r#"providers:
  up: {{kind: openai, base_url: "{}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, context_window: 1000, max_output_tokens: 500}}
prices:
  m: {{input: 1.00, output: 3.00}}
plans:
  p: {{credit: required}}
accounts:
  - {{id: a, plan: p, credit: 2.50, keys: [{{id: k, key: {KEY}}}]}}
  - {{id: b, plan: p, credit: 0}}
"#,
        upstream.url()
    );
    daemon_file("", "", &rest)
}

async fn credit(daemon: &Daemon) -> Value {
    let ask = Call::new(daemon.admin, "GET", "/admin/v1/accounts/a/credit");
    ask.bearer(TOKEN).send().await.value()
}

/// The balance is known at once; what is left of each entry is written a little later.
#[tokio::test]
async fn what_is_left_of_the_entries_is_the_balance_at_once() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let daemon = Daemon::start(&yaml(&upstream)).await;
    for _ in 0..20 {
        let answer = daemon.chat(KEY, CHAT).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sheet = credit(&daemon).await;
        assert_eq!(sheet["lots"][0]["remaining"], sheet["balance"], "{sheet:#}");
    }
}

#[tokio::test]
async fn what_is_posted_adds_up_in_two_languages_and_outlives_a_kill() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let text = yaml(&upstream);
    let daemon = Daemon::start(&text).await;
    // The commands find the daemon by its file.
    let admin = |address: &str| format!("admin: {{listen: \"{address}\"");
    let found = admin(&daemon.admin.to_string());
    let text = text.replace(&admin("127.0.0.1:0"), &found);
    write(daemon.folder.path(), &text);
    assert_eq!(credit(&daemon).await["balance"], "2.50");
    let folder = daemon.folder.path().to_owned();
    for line in [
        "credit add a 10.00 --id first",
        "credit add a -0.25 --kind adjustment --id second",
        "credit add a 0.5 --kind grant --expires 2999-01-01 --priority 1 --id third",
        "credit transfer a b 1.75 --id fourth",
    ] {
        let output = faregate(&folder, line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
    assert_eq!(credit(&daemon).await["balance"], "11.00");
    for _ in 0..5 {
        let answer = daemon.chat(KEY, CHAT).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    // While it runs, and after it was killed.
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
    for edited in ["credit: 99", "credit: 0"] {
        std::fs::write(
            daemon.folder.path().join("faregate.yaml"),
            first
                .replace("${folder}", daemon.folder.path().to_str().unwrap())
                .replace("credit: 2.50", edited),
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
        assert_eq!(warned["level"], "warn", "{edited}");
        assert_eq!(credit(&daemon).await["balance"], "2.50", "{edited}");
    }
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    let daemon = Daemon::start_in(folder).await;
    assert_eq!(credit(&daemon).await["balance"], "2.50");
    assert_eq!(verified(daemon.folder.path())["entries"], 1);
}

#[tokio::test]
async fn whoever_has_read_an_answer_finds_its_call() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let text = yaml(&upstream);
    let daemon = Daemon::start(&text).await;
    let admin = |address: &str| format!("admin: {{listen: \"{address}\"");
    let found = admin(&daemon.admin.to_string());
    let folder = daemon.folder.path().to_owned();
    write(&folder, &text.replace(&admin("127.0.0.1:0"), &found));
    let asked = async |path: &str| {
        let call = Call::new(daemon.admin, "GET", path).bearer(TOKEN);
        call.send().await
    };
    for count in (1..=20).step_by(5) {
        for path in [
            "/admin/v1/calls/",
            "/admin/v1/calls",
            "/admin/v1/usage?by=account",
        ] {
            let answer = daemon.chat(KEY, CHAT).send().await;
            let id = answer.header("x-request-id").unwrap();
            let said = match path {
                "/admin/v1/calls/" => asked(&format!("{path}{id}")).await,
                _ => asked(path).await,
            };
            assert_eq!(said.status, 200, "{path}: {}", said.text());
            match path {
                "/admin/v1/calls" => assert_eq!(said.value()["data"][0]["request_id"], id),
                "/admin/v1/usage?by=account" => {
                    assert_eq!(said.value()["data"][0]["calls"], count + 2)
                }
                _ => {}
            }
        }
        // The file itself has it too, for whoever reads it beside the daemon.
        daemon.chat(KEY, CHAT).send().await;
        assert_eq!(verified(&folder)["calls"], count + 3);
        let answer = daemon.chat(KEY, CHAT).send().await;
        let written = faregate(&folder, "ledger export --format jsonl").stdout;
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains(answer.header("x-request-id").unwrap()));
    }
}
