//! Everything at once, for as long as is asked: calls, streams, clients that leave, providers that fail in every way, junk,
//! payments, keys that come and go, reloads. `FAREGATE_SOAK=60` does it for an hour, and then memory must not grow by a
//! mebibyte an hour; `FAREGATE_SEED` repeats the choices of an earlier run, and `FAREGATE_SOAK_ONLY=whole,pay` leaves out
//! all other kinds, to find out which of them it is.

mod clients;
mod slope;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tempfile::TempDir;
use tokio::{sync::RwLock, task::JoinSet};

use self::{
    clients::{Client, KINDS, Told, provider},
    slope::Figures,
};
use super::figures::{descriptors, descriptors_outside, own_memory};
use crate::harness::{
    Daemon, daemon_file, metrics, nothing_held, notice, number_of, replayed, settled, verified,
    within, write,
};

/// Clients at once.
const CLIENTS: u64 = 24;

/// How often the clients of a long run rest, so that memory is looked at and the file read again: what the calls take
/// that are open at a moment swings by more than an hour may add.
const LOOK: Duration = Duration::from_secs(10);

/// Whose calls cost money, tokens and requests.
const SPENDER: &str = "the-key-of-account-spend-001";

/// Every kind of limit, and credit that is always paid in again.
fn yaml(url: &str, round: u32) -> String {
    let rest = format!(
        r#"providers:
  up: {{kind: openai, base_url: "{url}/v1", api_key: sk-upstream, timeouts: {{first_byte: 1s, idle: {}s}}}}
models:
  m: {{provider: up, context_window: 1000, max_output_tokens: 500}}
  extra{round}: {{provider: up, context_window: 1000, max_output_tokens: 500}}
prices:
  m: {{input: 1.00, output: 4.00}}
  extra{round}: {{input: 1.00, output: 4.00}}
plans:
  p:
    credit: required
    rate_limits: {{concurrent_requests: 1000}}
    quotas: [{{tokens: 1000000000000, per: month}}, {{requests: 1000000000, per: day}}]
    budgets: [{{usd: 1000000, per: month}}]
    per_key: {{budgets: [{{usd: 900000, per: month}}]}}
accounts:
  - {{id: spend, plan: p, credit: 49, keys: [{{id: spend-1, key: {SPENDER}}}]}}
"#,
        2 + round % 3
    );
    let server =
        ", limits: {json_body: 64KiB, wrong_keys_per_second: 0}, timeouts: {body_idle: 2s}";
    daemon_file(server, "", &rest)
}

/// What a store that nobody writes any more comes to, in two languages.
fn exact(folder: &Path) -> u64 {
    let said = verified(folder);
    if let Some(second) = replayed(folder) {
        assert_eq!(second["difference_nano_usd"], 0);
    }
    said["calls"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_leaves_nothing_behind() {
    let minutes = number_of("FAREGATE_SOAK");
    let seed = number_of("FAREGATE_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::from(since.unwrap().subsec_nanos())
    });
    notice(&format!("soak, FAREGATE_SEED={seed}"));
    let upstream = provider().await;
    let folder = TempDir::new().unwrap();
    let home = folder.path().canonicalize().unwrap();
    write(&home, &yaml(&upstream.url(), 0));
    let mut daemon = Daemon::start_in_at(folder, "warn,faregate::app=info").await;
    let pid = daemon.pid();
    let over = Arc::new(AtomicBool::new(false));
    // Held for reading by each client that does something, and for writing while all of them rest.
    let rest = Arc::new(RwLock::new(()));
    let told = Arc::new(Told::asked_for());

    // The first call opens what is open for good.
    let client = |number| Client::new(&daemon, &told, seed, number);
    client(CLIENTS).each_kind_once().await;
    within("the first calls were settled", async {
        while settled(daemon.admin).await < upstream.count() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let opened = || descriptors_outside(pid, &home);
    let idle = opened() - upstream.open_connections();
    let came_back = || {
        within("the descriptors came back", async {
            while opened() > idle + upstream.open_connections() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    };

    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (mut client, over, rest) = (client(number), Arc::clone(&over), Arc::clone(&rest));
        // Each kind for each client in a short run; as many as there is time for in a long one.
        let rounds = minutes.map_or(KINDS / 4, |_| u64::MAX);
        clients.spawn(async move {
            for _ in 0..rounds {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let working = rest.read().await;
                client.anything().await;
                drop(working);
                if minutes.is_some() {
                    client.pause().await;
                }
            }
        });
    }
    let mut figures = Figures::default();
    let started = Instant::now();
    let mut round = 0;
    match minutes {
        None => {
            for round in 1..4 {
                let said = daemon.reload(&yaml(&upstream.url(), round)).await;
                assert_eq!(
                    said["message"], "the configuration was reloaded",
                    "{said:#}"
                );
            }
        }
        Some(minutes) => {
            while started.elapsed() < Duration::from_secs(minutes * 60) {
                tokio::time::sleep(LOOK).await;
                let resting = rest.write().await;
                nothing_held(daemon.address, SPENDER).await;
                came_back().await;
                figures.note(started.elapsed(), own_memory(pid), descriptors(pid));
                drop(resting);
                upstream.forget();
                round += 1;
                if told.does("reload") {
                    let said = daemon.reload(&yaml(&upstream.url(), round)).await;
                    assert_eq!(
                        said["message"], "the configuration was reloaded",
                        "{said:#}"
                    );
                }
            }
            over.store(true, Ordering::Relaxed);
        }
    }
    while let Some(ended) = within("a client ended", clients.join_next()).await {
        ended.unwrap();
    }
    came_back().await;
    // A call costs something or was refused; none is open, whatever became of it.
    nothing_held(daemon.address, SPENDER).await;
    within("every attempt was settled", async {
        while settled(daemon.admin).await < upstream.count() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // A client that left early may have left while its call was on its way to the provider.
    let (attempts, calls) = (upstream.count(), settled(daemon.admin).await);
    let early = told.count("leave-early");
    assert!(
        (attempts..=attempts + early).contains(&calls),
        "{calls} calls, {attempts} attempts, {early} left early"
    );
    let page = metrics(daemon.admin).await;
    assert!(
        page.text().contains("\nfaregate_in_flight_requests 0\n"),
        "{}",
        page.text()
    );
    daemon.signal("TERM");
    let (status, folder, log) = daemon.ended_with_log().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(exact(folder.path()), calls);
    notice(&format!(
        "{calls} calls in {:.0} s: {}",
        started.elapsed().as_secs_f64(),
        told.summary()
    ));
    assert!(told.every_kind(), "{}", told.summary());
    if minutes.is_some() {
        notice(&figures.summary());
        figures.are_flat();
    }
}
