//! K-01: ten times as many calls as there is room for, by a clock that does not wait for answers.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    fixture::CHAT,
    harness::{Daemon, daemon_file, notice, within},
    load::{Connection, Times, Told, chat, provider, seconds},
};

/// How long the provider takes: with places for 64 calls this is what there is room for, not the machine's speed.
const DELAY: Duration = Duration::from_millis(250);

/// As many callers as get in.
const CALLERS: usize = 58;
const ACCOUNTS: usize = 10;

fn key(account: usize) -> String {
    format!("the-key-of-account-number-{account:02}")
}

fn yaml(provider: SocketAddr) -> String {
    let account = |number| {
        format!(
            "  - {{id: a{number}, plan: p, keys: [{{id: k{number}, key: {}}}]}}\n",
            key(number)
        )
    };
    let accounts: String = (0..ACCOUNTS).map(account).collect();
    let rest = format!(
        "providers: {{up: {{kind: openai, base_url: \"http://{provider}/v1\", api_key: sk-upstream}}}}\n\
         models: {{m: {{provider: up, context_window: 1000, max_output_tokens: 500}}}}\n\
         plans: {{p: {{quotas: [{{tokens: 1000000000, per: month}}]}}}}\naccounts:\n{accounts}"
    );
    daemon_file("", ", in_flight: 64", &rest)
}

/// What came of the calls of a while.
#[derive(Debug, Default)]
struct Outcome {
    served: Times,
    shed: Times,
    /// Other answers, and none.
    others: Vec<String>,
}

/// Connections that nobody uses just now.
type Pool = Arc<Mutex<Vec<Connection>>>;

/// Asks once; a connection that was closed meanwhile is not the gateway's refusal.
async fn ask(address: SocketAddr, pool: &Pool, request: &[u8]) -> Result<Told, String> {
    loop {
        let idle = pool.lock().unwrap().pop();
        let used = idle.is_some();
        let mut connection = match idle {
            Some(idle) => idle,
            None => Connection::open(address)
                .await
                .map_err(|error| error.to_string())?,
        };
        match connection.ask(request).await {
            Ok(told) => {
                if told.kept {
                    pool.lock().unwrap().push(connection);
                }
                return Ok(told);
            }
            Err(_) if used => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl Outcome {
    fn note(&mut self, told: Result<Told, String>, took: Duration) {
        match told {
            Ok(Told { status: 200, .. }) => self.served.note(took),
            Ok(Told { status: 503, .. }) => self.shed.note(took),
            Ok(told) => self.others.push(told.status.to_string()),
            Err(error) => self.others.push(error),
        }
    }

    fn per_second(&self, time: Duration) -> f64 {
        self.served.count() as f64 / time.as_secs_f64()
    }
}

/// As many callers as there is room for, each with one call after the other.
async fn full(address: SocketAddr, time: Duration) -> Outcome {
    let pool = Pool::default();
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            let request = chat(&key(caller % ACCOUNTS), CHAT);
            let mut outcome = Outcome::default();
            while Instant::now() < end {
                let start = Instant::now();
                let told = ask(address, &pool, &request).await;
                outcome.note(told, start.elapsed());
            }
            outcome
        });
    }
    let mut all = Outcome::default();
    while let Some(outcome) = callers.join_next().await {
        let Outcome {
            served,
            shed,
            others,
        } = outcome.unwrap();
        all.served.add(served);
        all.shed.add(shed);
        all.others.extend(others);
    }
    all
}

/// So many calls per second, whether or not those before have been answered.
async fn flooded(address: SocketAddr, per_second: f64, time: Duration) -> Outcome {
    let pool = Pool::default();
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let start = Instant::now();
    let mut calls = JoinSet::new();
    let mut sent = 0;
    while start.elapsed() < time {
        let due = (start.elapsed().as_secs_f64() * per_second) as usize;
        for number in sent..due {
            let (pool, outcome) = (Arc::clone(&pool), Arc::clone(&outcome));
            calls.spawn(async move {
                let request = chat(&key(number % ACCOUNTS), CHAT);
                let start = Instant::now();
                let told = ask(address, &pool, &request).await;
                outcome.lock().unwrap().note(told, start.elapsed());
            });
        }
        sent = due;
        while calls.try_join_next().is_some() {}
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while within("the last calls", calls.join_next()).await.is_some() {}
    std::mem::take(&mut outcome.lock().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_as_many_calls_as_there_is_room_for_cost_those_that_get_in_nothing() {
    let asked = seconds("FAREGATE_OVERLOAD");
    let time = Duration::from_secs(asked.unwrap_or(1));
    let daemon = Daemon::start(&yaml(provider(DELAY).await)).await;
    let warm = Duration::from_secs((time.as_secs() / 4).max(1));
    let before = full(daemon.address, warm).await;
    let peak = before.per_second(warm);
    assert!(peak > 0.0, "{before:?}");
    let after = flooded(daemon.address, 10.0 * peak, time).await;
    let goodput = after.per_second(time) / peak;
    notice(&format!(
        "K-01: peak {peak:.0}/s, p99 {:?}; at ten times that {:.0} % of it, p99 {:?}; {} refused, p99 {:?}",
        before.served.quantile(99),
        goodput * 100.0,
        after.served.quantile(99),
        after.shed.count(),
        after.shed.quantile(99),
    ));
    // Every call has an answer, and it is one of two.
    assert_eq!((before.others, after.others), (vec![], vec![]));
    assert!(after.served.count() > 0 && after.shed.count() > 0);
    if asked.is_some() {
        assert!(goodput >= 0.9, "{goodput}");
        assert!(after.shed.quantile(99) <= Duration::from_millis(50));
        assert!(after.served.quantile(99) <= 2 * before.served.quantile(99));
    }
    // And it is over when it is over.
    within("a call is served", async {
        while daemon.chat(&key(0), CHAT).send().await.status != 200 {}
    })
    .await;
    daemon.signal("TERM");
    let (status, _) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
}
