//! The program on a store that fails: nothing is sent that could not be recorded, nothing is lost or doubled, nothing
//! stays held, and it goes on by itself where that is safe.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{
    Call, Daemon, Gate, Seen, Step, TOKEN, Upstream, daemon_file, json as whole, replayed, sse,
    verified, within,
};

/// Disks that are full, fail or are slow.
mod disk;

/// System calls that fail.
mod injected;

/// The end of the program while streams are open.
mod shutdown;

/// As many calls as there are places.
mod places;

/// What is recorded before the last byte goes out.
mod last_byte;

/// Files that are not what they should be.
mod files;

/// A disk that takes its time.
mod slow;

/// Copies of a busy store.
mod backup;

/// Stores of other versions.
mod upgrade;

const KEY: &str = "the-key-of-account-a-0001";
const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;
const STREAM: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#;
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn yaml(upstream: &Upstream, store: &str) -> String {
    let rest = format!(
        r#"providers:
  up: {{kind: openai, base_url: "{}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, context_window: 1000, max_output_tokens: 500}}
prices:
  m: {{input: 1.00, output: 3.00}}
plans:
  p:
    credit: required
    rate_limits: {{concurrent_requests: 1000}}
    quotas: [{{tokens: 1000000, per: month}}, {{requests: 1000000, per: month}}]
    budgets: [{{usd: 1000, per: month}}]
accounts:
  - {{id: a, plan: p, credit: 1000, keys: [{{id: k, key: {KEY}}}]}}
"#,
        upstream.url()
    );
    daemon_file("", &format!(", {store}"), &rest)
}

/// Answers at once, or in a stream whose end waits for the gate.
fn script(seen: &Seen, gate: &Gate) -> Vec<Step> {
    if seen.json()["stream"] == true {
        let mut steps = sse(&[DELTA, USAGE, DONE]);
        steps.insert(2, Step::Wait(gate.clone()));
        steps
    } else {
        whole("200 OK", ANSWER)
    }
}

async fn provider() -> (Upstream, Gate) {
    let gate = Gate::default();
    let opened = gate.clone();
    let upstream = Upstream::start(move |seen| script(seen, &opened)).await;
    (upstream, gate)
}

/// Nothing is held, and no call is under way any more; returns the page.
async fn nothing_held(daemon: &Daemon) -> Value {
    let page = Call::new(daemon.address, "GET", "/v1/faregate/limits").bearer(KEY);
    let page = page.send().await.value();
    assert_eq!(page["credit"]["held"], "0.00", "{page:#}");
    for limit in page["limits"].as_array().unwrap() {
        let held = &limit["held"];
        assert!(*held == 0 || *held == "0.00", "{limit:#}");
    }
    page
}

/// Both replays agree with every sum, and there are so many calls.
fn replay(folder: &Path, calls: usize) -> Value {
    let said = verified(folder);
    assert_eq!(said["calls"], calls, "{said:#}");
    if let Some(second) = replayed(folder) {
        assert_eq!(second["calls"], calls);
        assert_eq!(second["difference_nano_usd"], 0);
    }
    said
}

/// Pays in a dollar, once for each id; the answer's status.
async fn pay(daemon: &Daemon, id: &str) -> u16 {
    let body = json!({"amount": "1", "id": id}).to_string();
    let path = "/admin/v1/accounts/a/credit";
    let ask = Call::new(daemon.admin, "POST", path).bearer(TOKEN);
    ask.json(&body).send().await.status.as_u16()
}

/// Asks until a call is served, which it will be without a restart.
async fn served_again(daemon: &Daemon) {
    within("calls are served again", async {
        while daemon.chat(KEY, CHAT).send().await.status != 200 {}
    })
    .await;
}
