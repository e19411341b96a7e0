//! Words from outside by the thousand: neither a metric nor a map grows with them. `FAREGATE_DISTINCT=1000000` is the full
//! run.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::{ANSWER, figures::own_memory, yaml};
use crate::harness::{
    Call, Daemon, KEY, Upstream, json, metrics, notice, number_of, raw_until_close,
};

/// Requests on one connection.
const BATCH: u64 = 200;

/// The requests of one connection, each with words that no other has: keys, addresses, methods, paths, models, users,
/// hosts, agents, ids.
fn batch(from: u64) -> String {
    let mut text = String::new();
    for number in from..from + BATCH {
        let close = if number + 1 == from + BATCH {
            "connection: close\r\n"
        } else {
            ""
        };
        let address = std::net::Ipv6Addr::from(u128::from(number) << 64 | 0x2001 << 112);
        let fields = format!(
            "host: h{number}.test\r\nx-forwarded-for: {address}\r\nuser-agent: agent/{number}\r\nx-request-id: id-{number}\r\n\
             traceparent: 00-{number:032x}-00f067aa0ba902b7-01\r\n{close}"
        );
        let body = format!(r#"{{"model":"x{number}","user":"u{number}"}}"#);
        text += &match number % 4 {
            0 => format!(
                "GET /v1/models HTTP/1.1\r\nauthorization: Bearer fg_{number:08x}_wrong\r\n{fields}\r\n"
            ),
            1 => format!(
                "M{number} /p{number}/q HTTP/1.1\r\nauthorization: Bearer {KEY}\r\n{fields}\r\n"
            ),
            2 => format!(
                "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n{fields}\r\n{body}",
                body.len()
            ),
            _ => format!("GET /v1/models/m{number}?key=k{number} HTTP/1.1\r\n{fields}\r\n"),
        };
    }
    text
}

/// Series of each metric.
fn series(page: &str) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in page
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let name = line.split(['{', ' ']).next().unwrap();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_words_make_no_series_and_fill_no_map() {
    let requests = number_of("FAREGATE_DISTINCT")
        .unwrap_or(4_000)
        .next_multiple_of(BATCH);
    let upstream = Upstream::start(|seen| match seen.target.strip_prefix("/v1/status/") {
        Some(status) => json(&format!("{status} Word"), "{}"),
        None => json("200 OK", ANSWER),
    })
    .await;
    let daemon = Daemon::start_at(
        &yaml(&upstream.url(), ", trusted_proxies: [127.0.0.0/8]"),
        "warn,faregate::app=info",
    )
    .await;
    daemon.all_settled(&upstream, KEY).await;
    // What the first requests make once, such as the threads of the runtime, is no growth.
    raw_until_close(daemon.address, batch(1 << 40).as_bytes()).await;
    let before = metrics(daemon.admin).await;
    let memory = own_memory(daemon.pid());

    let mut connections = JoinSet::new();
    for from in (0..requests).step_by(BATCH as usize) {
        if connections.len() == 4 {
            connections.join_next().await.unwrap().unwrap();
        }
        let address = daemon.address;
        connections.spawn(async move {
            let answers = raw_until_close(address, batch(from).as_bytes()).await;
            // Some answers stand in the middle of a line: the bodies have no end of line of their own.
            assert_eq!(
                answers.matches("HTTP/1.1 4").count(),
                BATCH as usize,
                "{answers}"
            );
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
    // Every status that a provider can answer with.
    for status in (200..600).step_by(if requests > 100_000 { 1 } else { 23 }) {
        let path = format!("/raw/v1/status/{status}");
        let answer = Call::new(daemon.address, "POST", &path)
            .bearer(KEY)
            .send()
            .await;
        assert!(answer.status.as_u16() >= 200);
    }
    let grown = own_memory(daemon.pid()).saturating_sub(memory);
    let after = metrics(daemon.admin).await;
    assert_eq!(series(before.text()), series(after.text()));
    let most = series(after.text()).into_values().max().unwrap();
    assert!(
        most <= 2000 && after.body.len() < 5 << 20,
        "{most} series, {} bytes",
        after.body.len()
    );
    notice(&format!(
        "{requests} requests with words of their own: {most} series at most, {} bytes of metrics, {grown} KiB more memory",
        after.body.len()
    ));
    assert!(grown < 16 << 10, "{grown} KiB more");
    daemon.all_settled(&upstream, KEY).await;
}
