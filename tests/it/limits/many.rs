//! Many peers at once that want little, against the program as a process of its own: what they cost, and whom they hurt.
//!
//! With a few peers the bounds are checked all the same; `FAREGATE_PEERS` says with how many else.

use std::{
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
    task::JoinSet,
};

use super::{chat, peers};
use crate::{
    harness::{
        Call, Daemon, HEALTHY, KEY, LIMITED, TOKEN, Upstream, metrics, nothing_held, notice, raw,
        resident, shared_config, within,
    },
    tls::Authority,
};

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// What a process needs whoever connects: its own growth while it serves at all.
const BASE: u64 = 16 << 20;

fn yaml(server: &str, url: &str) -> String {
    // Seats are taken before bodies are read.
    let config =
        shared_config(url, "").replace("concurrent_requests: 1000", "concurrent_requests: 100000");
    format!(
        "{server}admin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\n\
         store: {{url: \"sqlite:${{folder}}/faregate.db\"}}\nlog: {{format: json}}\n{config}"
    )
}

fn server(more: &str) -> String {
    format!("server: {{listen: \"127.0.0.1:0\"{more}}}\n")
}

fn descriptors(daemon: &Daemon) -> usize {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid()));
    folder.unwrap().count()
}

/// Sends a request for health on an open connection, and reads the whole answer.
async fn health<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S) -> bool {
    stream.write_all(HEALTH).await.is_ok() && healthy(stream).await
}

/// Reads the whole answer of health.
async fn healthy<S: AsyncReadExt + Unpin>(stream: &mut S) -> bool {
    let mut read = Vec::new();
    within("an answer or an end", async {
        while !read.ends_with(b"{\"status\":\"ok\"}\n") {
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return false;
            }
        }
        true
    })
    .await
}

/// Waits until so many requests are under way.
async fn under_way(daemon: &Daemon, count: usize) {
    let wanted = format!("faregate_in_flight_requests {count}");
    within("all requests are under way", async {
        loop {
            let metrics = Call::new(daemon.admin, "GET", "/metrics")
                .bearer(TOKEN)
                .send()
                .await;
            if metrics.text().lines().any(|line| line == wanted) {
                return;
            }
        }
    })
    .await;
}

/// What holds after all of it: nothing is held, and the next call is served.
async fn goes_on(daemon: &Daemon, upstream: &Upstream) {
    let seen = upstream.seen().len();
    for key in [KEY, LIMITED] {
        nothing_held(daemon.address, key).await;
    }
    let answer = daemon.chat(KEY, HEALTHY).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.seen().len(), seen + 1);
}

#[tokio::test]
async fn idle_tls_connections_take_64_kibibytes_each() {
    let authority = Authority::new();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let daemon = Daemon::start(&yaml(&authority.server(), &upstream.url())).await;
    // Whatever the first connection makes is there afterwards.
    let mut first = authority.connect(daemon.address, &["http/1.1"]).await;
    assert!(health(&mut first).await);
    let before = resident(daemon.pid());
    let mut clients = Vec::new();
    for _ in 0..peers() {
        let mut client = authority.connect(daemon.address, &["http/1.1"]).await;
        assert!(health(&mut client).await);
        clients.push(client);
    }
    let grown = resident(daemon.pid()).saturating_sub(before);
    let each = grown / peers() as u64;
    notice(&format!(
        "{} idle TLS connections take {each} bytes each",
        peers()
    ));
    assert!(grown <= BASE + peers() as u64 * (64 << 10), "{grown}");
    assert!(health(&mut first).await);
}

#[tokio::test]
async fn stalled_bodies_take_64_kibibytes_each() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let daemon = Daemon::start(&yaml(&server(""), &upstream.url())).await;
    let answer = daemon.chat(KEY, HEALTHY).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let before = resident(daemon.pid());
    let start = chat("Content-Length: 1000000") + &" ".repeat(16 << 10);
    let mut clients = Vec::new();
    for _ in 0..peers() {
        clients.push(raw(daemon.address, start.as_bytes()).await);
    }
    under_way(&daemon, peers()).await;
    let grown = resident(daemon.pid()).saturating_sub(before);
    let each = grown / peers() as u64;
    notice(&format!(
        "{} stalled bodies take {each} bytes each",
        peers()
    ));
    assert!(grown <= BASE + peers() as u64 * (64 << 10), "{grown}");
    // They hurt nobody, and leave nothing behind.
    let answer = daemon.chat(LIMITED, HEALTHY).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(clients);
    under_way(&daemon, 0).await;
    goes_on(&daemon, &upstream).await;
}

#[tokio::test]
async fn a_connection_too_many_waits_and_hurts_nobody() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    // Idle connections would close early; these are in the middle of a head.
    let limited = server(&format!(
        ", limits: {{connections: {}}}, timeouts: {{head: 60s}}",
        peers()
    ));
    let daemon = Daemon::start(&yaml(&limited, &upstream.url())).await;
    let before = descriptors(&daemon);
    let (start, end) = HEALTH.split_at(HEALTH.len() - 2);
    let mut clients = Vec::new();
    for _ in 0..peers() {
        clients.push(raw(daemon.address, start).await);
    }
    within("all are served", async {
        while descriptors(&daemon) < before + peers() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut next = raw(daemon.address, HEALTH).await;
    // The program goes on with other things, and not with that one.
    under_way(&daemon, 0).await;
    let mut byte = [0; 1];
    let read = next.try_read(&mut byte);
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let open = descriptors(&daemon);
    assert!(open <= before + peers() + 8, "{before} {open}");
    for client in &mut clients {
        client.write_all(end).await.unwrap();
        assert!(healthy(client).await);
    }
    drop(clients);
    within("a place was free", next.read_exact(&mut byte))
        .await
        .unwrap();
    drop(next);
    goes_on(&daemon, &upstream).await;
}

/// How many times others ask on each of their connections, with slow clients and without.
const PROBES: usize = 300;

/// How long the slowest of ninety-nine in a hundred took, on so many connections one after the other.
async fn p99(daemon: &Daemon, connections: usize) -> Duration {
    let mut took = Vec::new();
    for _ in 0..connections {
        let mut client = TcpStream::connect(daemon.address).await.unwrap();
        for _ in 0..PROBES {
            let since = Instant::now();
            assert!(health(&mut client).await);
            took.push(since.elapsed());
        }
    }
    took.sort();
    took[took.len() * 99 / 100 - 1]
}

/// Waits until the program has so many clients.
async fn connected(daemon: &Daemon, count: usize) {
    within("all are connected", async {
        while clients(daemon).await < count {}
    })
    .await;
}

/// How many clients the program has.
async fn clients(daemon: &Daemon) -> usize {
    let metrics = metrics(daemon.admin).await;
    let mut lines = metrics.text().lines();
    let count = lines.find_map(|line| line.strip_prefix("faregate_connections "));
    count.unwrap().parse().unwrap()
}

/// Starts heads that never end, on a thread of their own, so that their work is not what others wait for; says how long
/// the last of them was kept.
fn slow_heads(address: SocketAddr) -> JoinHandle<Duration> {
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            for _ in 0..peers() {
                let mut stream = raw(address, b"GET / HTTP/1.1\r\nX-A: ").await;
                clients.spawn(async move {
                    let since = Instant::now();
                    let (answer, _) = super::trickle(&mut stream, b"a").await;
                    assert_eq!(answer, "");
                    since.elapsed()
                });
            }
            let mut last = Duration::ZERO;
            while let Some(took) = clients.join_next().await {
                last = last.max(took.unwrap());
            }
            last
        })
    })
}

#[tokio::test]
async fn slow_heads_are_closed_and_hurt_nobody() {
    // On demand the default stands, and how long others wait is compared, for long enough that every head goes on.
    let on_demand = std::env::var_os("FAREGATE_PEERS").is_some();
    let (more, due, connections) = if on_demand {
        ("", Duration::from_secs(10), 40)
    } else {
        (", timeouts: {head: 1s}", Duration::from_secs(1), 1)
    };
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let daemon = Daemon::start(&yaml(&server(more), &upstream.url())).await;
    let idle = p99(&daemon, connections).await;
    let slow = slow_heads(daemon.address);
    if on_demand {
        connected(&daemon, peers()).await;
    }
    let meanwhile = p99(&daemon, connections).await;
    if on_demand {
        assert!(clients(&daemon).await >= peers(), "some had gone already");
    }
    let last = within(
        "all were closed",
        tokio::task::spawn_blocking(|| slow.join().unwrap()),
    );
    let last = last.await.unwrap();
    let (count, probes) = (peers(), connections * PROBES);
    notice(&format!(
        "{count} slow heads were closed after {last:?} at most; p99 of {probes} others {meanwhile:?}, {idle:?} without them"
    ));
    if on_demand {
        assert!(last < due + Duration::from_secs(1), "{last:?}");
        // A few milliseconds are the machine's, where the slow clients share its cores.
        let most = (2 * idle).max(Duration::from_millis(5));
        assert!(meanwhile < most, "{meanwhile:?}, {idle:?} without them");
    }
    goes_on(&daemon, &upstream).await;
}
