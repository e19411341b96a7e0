use std::num::NonZero;

use tokio::task::JoinSet;

use super::A;
use crate::{
    fixture::provider,
    harness::{Call, Daemon, TOKEN},
};

/// Threads of the program.
fn threads(daemon: &Daemon) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid()));
    tasks.unwrap().count()
}

#[tokio::test]
async fn prompts_are_counted_by_a_thread_for_each_core_however_many_there_are() {
    const CALLS: usize = 64;
    let upstream = provider().await;
    // By its bytes no such prompt would fit; by its tokens some do.
    let daemon = Daemon::start(&format!(
        r#"
server: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0", token: {TOKEN}}}
store: {{url: "sqlite::memory:"}}
providers: {{up: {{kind: openai, base_url: "{}/v1", api_key: sk-upstream}}}}
models: {{m: {{provider: up, context_window: 100000}}}}
plans: {{p: {{quotas: [{{tokens: 40000, per: day}}]}}}}
accounts: [{{id: a, plan: p, keys: [{{id: k, key: {A}}}]}}]
"#,
        upstream.url()
    ))
    .await;
    let prompt = "the quick brown fox jumps over the lazy dog ".repeat(1400);
    let body = format!(
        r#"{{"model":"m","max_tokens":100,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
    );
    let mut calls = JoinSet::new();
    let before = threads(&daemon);
    for _ in 0..CALLS {
        let call = Call::new(daemon.address, "POST", "/v1/chat/completions").bearer(A);
        let call = call.json(&body);
        calls.spawn(async move { call.send().await.status.as_u16() });
    }
    let mut served = 0;
    while let Some(status) = calls.join_next().await {
        served += usize::from(status.unwrap() == 200);
    }
    assert!(served > 0, "a prompt that fits by its tokens is served");
    // Threads of the runtime would stay for some seconds after their work.
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let more = threads(&daemon).saturating_sub(before);
    assert!(
        more <= cores,
        "{more} threads more for {CALLS} calls on {cores} cores"
    );
}
