//! `kill -9` at any moment of a loaded daemon, and a restart on the same file: what a client has read whole is in the
//! ledger once, what was under way is there within its bounds, and every sum is what the rows say.
//!
//! `FAREGATE_KILLS` says how often (50), `FAREGATE_SEED` repeats the choices of an earlier run.

use std::{
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use tempfile::TempDir;

use crate::harness::{
    Daemon, daemon_file, faregate, notice, number_of, replayed, verified, within, write,
};

mod audit;
mod load;

use audit::Ledger;
use load::{Chance, Known, Load};

/// The keys that call, each with its account.
const KEYS: [(&str, &str); 3] = [
    ("wide", "the-key-of-account-wide-0001"),
    ("wide", "the-key-of-account-wide-0002"),
    ("tight", "the-key-of-account-tight-001"),
];

/// How many calls are under way at once, and how many entries are posted at once.
const CALLERS: u64 = 12;

/// Every limit there is, and prepaid credit: one account has plenty, the other lives from hand to mouth.
fn yaml(url: &str, durability: &str) -> String {
    let [(_, first), (_, second), (_, third)] = KEYS;
    let rest = format!(
        r#"providers:
  up: {{kind: openai, base_url: "{url}/v1", api_key: sk-upstream}}
models:
  m: {{provider: up, context_window: 1000, max_output_tokens: 500}}
prices:
  m: {{input: 1.00, output: 4.00}}
routes:
  - {{path: /}}
  - {{path: /paid, provider: up, strip_prefix: true, meter: requests, price_per_request: 0.005}}
plans:
  p:
    credit: required
    rate_limits: {{concurrent_requests: 1000}}
    quotas: [{{tokens: 1000000000, per: month}}, {{requests: 1000000000, per: month}}]
    budgets: [{{usd: 100000, per: month}}]
    per_key: {{budgets: [{{usd: 90000, per: month}}], quotas: [{{tokens: 900000000, per: month}}]}}
accounts:
  - id: wide
    plan: p
    credit: 10000
    budgets: [{{usd: 80000, per: month}}]
    quotas: [{{requests: 100000000, per: month}}]
    keys: [{{id: wide-1, key: {first}}}, {{id: wide-2, key: {second}}}]
  - {{id: tight, plan: p, credit: 0.01, keys: [{{id: tight-1, key: {third}}}]}}
"#
    );
    daemon_file(
        "",
        &format!(", durability: {durability}, in_flight: 256"),
        &rest,
    )
}

/// What both replays say of a store that a daemon may be writing.
fn replay(folder: &Path) -> u64 {
    let said = verified(folder);
    if let Some(second) = replayed(folder) {
        assert_eq!(second["difference_nano_usd"], 0);
    }
    said["calls"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_delivered_or_acknowledged_is_lost_by_a_kill() {
    let kills = number_of("FAREGATE_KILLS").unwrap_or(50);
    let seed = number_of("FAREGATE_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::from(since.unwrap().subsec_nanos())
    });
    notice(&format!("{kills} kills, FAREGATE_SEED={seed}"));
    let mut chance = Chance(seed);
    let known = Known::default();
    let upstream = load::provider(&known).await;
    let started = Instant::now();

    let mut folder = TempDir::new().unwrap();
    let mut last = None;
    for kill in 0..kills {
        let durability = ["grouped", "strict"][(kill % 2) as usize];
        write(folder.path(), &yaml(&upstream.url(), durability));
        if kill % 5 == 4 {
            // A daemon that is killed while it makes good what another one left.
            let after = Duration::from_micros(chance.below(80_000));
            Daemon::killed_while_it_starts(folder.path(), after).await;
        }
        let daemon = Daemon::start_in(folder).await;
        Ledger::read(daemon.folder.path())
            .agrees(&known, &daemon)
            .await;

        let mut load = Load::start(&daemon, &known, &mut chance, CALLERS);
        // Not after some time but after so many pieces of answers, so that a slow machine is killed as far on.
        let pieces = 1 + chance.below(250);
        within("the load went on", load.pieces(pieces)).await;
        tokio::time::sleep(Duration::from_micros(chance.below(3_000))).await;
        folder = daemon.killed();
        load.ended().await;
        last = Some(durability);
    }

    // The last one ends by itself, with everything settled.
    let daemon = Daemon::start_in(folder).await;
    let ledger = Ledger::read(daemon.folder.path());
    ledger.agrees(&known, &daemon).await;
    daemon.signal("TERM");
    let (status, folder) = daemon.ended().await;
    assert_eq!(status.code(), Some(0), "after {last:?}");
    let calls = replay(folder.path());
    assert!(faregate(folder.path(), "ledger verify").status.success());
    let seconds = started.elapsed().as_secs_f64();
    notice(&format!(
        "{kills} kills in {seconds:.1} s, {calls} calls: {}",
        ledger.summary()
    ));
    assert!(ledger.indeterminate() > 0, "no kill met a call under way");
}
