//! Requests as bytes, and what they may come to.
//!
//! A table says for each request which sequences of answers are allowed on its connection. The runner sends the bytes,
//! reads, and where the connection stays open asks for health on it: whatever was left over would be taken for a part of
//! that. A provider that is asked more often than answers of its came back, or that gets a request with two readings,
//! fails every case.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    Gateway, HEALTHY, KEY, Seen, Upstream, shared_config, unharmed, watch_panics, within,
};

/// A request, and what it may come to.
pub(super) struct Probe {
    pub(super) name: &'static str,
    pub(super) bytes: &'static [u8],
    /// Statuses, parted by spaces; `+` behind them for a connection that serves a further request, `-` for no answer.
    /// Several possibilities are parted by `|`.
    allowed: &'static str,
    /// Why a request passes that a stricter reader would refuse; empty for all others.
    pub(super) tolerated: &'static str,
}

/// A request with one right outcome, or several.
pub(super) const fn must(name: &'static str, bytes: &'static [u8], allowed: &'static str) -> Probe {
    takes(name, bytes, allowed, "")
}

/// A request that we take and others refuse: what reaches the provider has one meaning all the same.
pub(super) const fn takes(
    name: &'static str,
    bytes: &'static [u8],
    allowed: &'static str,
    tolerated: &'static str,
) -> Probe {
    Probe {
        name,
        bytes,
        allowed,
        tolerated,
    }
}

/// What the provider says, so that its answers can be told from ours.
const THEIRS: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2},"said":"by the provider"}"#;
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n";

/// What stands for what in the bytes of a table.
pub(super) fn written(bytes: &[u8]) -> Vec<u8> {
    let key = format!("Authorization: Bearer {KEY}\r\n");
    let host = "Host: gateway.test\r\n";
    let smuggled = format!("GET /raw/canary HTTP/1.1\r\n{host}{key}\r\n");
    let chunked = format!("{:x}\r\n{HEALTHY}\r\n0\r\n\r\n", HEALTHY.len());
    let words = [
        // A chat and an upload, up to where their own fields follow.
        (
            "{P}",
            format!("POST /v1/chat/completions HTTP/1.1\r\n{host}{key}"),
        ),
        ("{U}", format!("POST /raw/v1/files HTTP/1.1\r\n{host}{key}")),
        ("{G}", format!("GET /v1/models HTTP/1.1\r\n{host}{key}")),
        // What must never be executed, and would be heard of upstream if it were; its length before it.
        ("{N}", smuggled.len().to_string()),
        ("{S}", smuggled),
        ("{K}", key),
        ("{H}", host.to_owned()),
        // A chat's body, its length, its length in hexadecimal digits, and all of it as chunks.
        ("{C}", HEALTHY.to_owned()),
        ("{L}", HEALTHY.len().to_string()),
        ("{X}", format!("{:x}", HEALTHY.len())),
        ("{D}", chunked),
    ];
    let mut bytes = bytes.to_vec();
    for (word, meaning) in words {
        while let Some(at) = find(&bytes, word.as_bytes()) {
            bytes.splice(at..at + word.len(), meaning.bytes());
        }
    }
    bytes
}

pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// A gateway whose clients have little time, and its provider.
pub(super) async fn start() -> (Gateway, Upstream) {
    watch_panics();
    let upstream = Upstream::answering("200 OK", THEIRS).await;
    let server = "server: {listen: \"127.0.0.1:0\", timeouts: {head: 200ms, body_idle: 200ms}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &shared_config(&upstream.url(), ""))).await;
    (gateway, upstream)
}

/// Sends every request of the tables to a gateway of their own.
pub(super) async fn check(tables: &[&[Probe]]) {
    let (gateway, upstream) = start().await;
    let (mut told, mut wrong) = (String::new(), Vec::new());
    for probe in tables.iter().copied().flatten() {
        let before = upstream.seen().len();
        let read = converse(gateway.address, &written(probe.bytes)).await;
        let answers = answers(&read, probe.bytes.starts_with(b"HEAD "));
        let came = outcome(&answers);
        let text = String::from_utf8_lossy(&read);
        if !probe.allowed.split('|').any(|allowed| allowed == came) {
            let expected = probe.allowed;
            wrong.push(format!("{}: {came}, not {expected}: {text}", probe.name));
        }
        let seen = &upstream.seen()[before..];
        let theirs = text.matches("by the provider").count();
        if seen.len() != theirs {
            wrong.push(format!("{}: {theirs} answers for {seen:?}", probe.name));
        }
        for seen in seen {
            if let Err(why) = one_meaning(seen) {
                wrong.push(format!("{}: {why}: {seen:?}", probe.name));
            }
        }
        told.push_str(&text);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

/// Whether a request that arrived upstream can be read in one way only.
pub(super) fn one_meaning(seen: &Seen) -> Result<(), String> {
    let head = seen.head.strip_suffix("\r\n\r\n").ok_or("no end")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let expected = format!("{} {} HTTP/1.1", seen.method, seen.target);
    if first != expected || seen.target.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(format!("not a request line: {first:?}"));
    }
    if head.contains("canary") {
        return Err("it was smuggled".to_owned());
    }
    let (mut framings, mut hosts) = (0, 0);
    for line in lines {
        let (name, value) = line
            .split_once(": ")
            .ok_or_else(|| format!("no field: {line:?}"))?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || value.contains(['\r', '\n', '\0']) {
            return Err(format!("no plain field: {line:?}"));
        }
        let name = name.to_ascii_lowercase().replace('_', "-");
        framings += usize::from(name == "content-length" || name == "transfer-encoding");
        hosts += usize::from(name == "host");
        if ["connection", "upgrade", "te", "trailer", "keep-alive"].contains(&name.as_str()) {
            return Err(format!("not for the next hop: {line:?}"));
        }
    }
    if framings > 1 || hosts != 1 {
        return Err(format!("{framings} framings, {hosts} hosts"));
    }
    Ok(())
}

/// Sends `bytes`, reads an answer, asks for health where the connection is still open, and reads to the end.
async fn converse(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has refused the beginning may have closed meanwhile.
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    let head_only = bytes.starts_with(b"HEAD ");
    let whole = within("an answer or an end", async {
        loop {
            let answers = answers(&read, head_only);
            if let Some(last) = answers.iter().rfind(|answer| answer.status != "100") {
                return !last.closes;
            }
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return false;
            }
        }
    })
    .await;
    if whole {
        let _ = stream.write_all(HEALTH.as_bytes()).await;
    }
    within("the end", async {
        while let Ok(1..) = stream.read_buf(&mut read).await {}
    })
    .await;
    read
}

/// A whole answer.
struct Answer {
    status: String,
    closes: bool,
    body: Vec<u8>,
}

/// The whole answers at the beginning of `read`.
fn answers(mut read: &[u8], mut head_only: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some(end) = find(read, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let status = head.get(9..12).unwrap_or_default().to_owned();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let informs = status.starts_with('1') || status == "204" || status == "304";
        let length: usize = if head_only || informs {
            0
        } else {
            length.unwrap_or(0)
        };
        if read.len() < end + 4 + length {
            break;
        }
        answers.push(Answer {
            closes: head.contains("\r\nconnection: close") || head.starts_with("http/1.0"),
            body: read[end + 4..end + 4 + length].to_vec(),
            status,
        });
        read = &read[end + 4 + length..];
        head_only = false;
    }
    answers
}

fn outcome(answers: &[Answer]) -> String {
    let (last, others) = match answers.split_last() {
        None => return "-".to_owned(),
        Some(split) => split,
    };
    let healthy = find(&last.body, b"\"status\":\"ok\"").is_some();
    let counted = if healthy { others } else { answers };
    let mut words: Vec<&str> = counted
        .iter()
        .map(|answer| answer.status.as_str())
        .collect();
    if healthy {
        words.push("+");
    }
    words.join(" ")
}
