//! Clients that do everything that clients do, and a provider that fails in every way that providers do.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::BodyExt;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::SPENDER;
use crate::harness::{Answer, Call, Daemon, Step, TOKEN, Upstream, json as whole, sse, within};

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const EVENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":20,\"total_tokens\":29}}\n\n";

/// What a provider can do with a call; clients ask for it in `user`.
const FAULTS: [&str; 14] = [
    "whole",
    "stream",
    "reset",
    "close",
    "cut-stream",
    "reset-stream",
    "cut-document",
    "garbage",
    "500",
    "429",
    "401",
    "402",
    "silent",
    "no-usage",
];

/// What a client can do beside asking for one of those.
const OTHERS: [&str; 12] = [
    "leave-stream",
    "leave-early",
    "wrong-key",
    "no-json",
    "too-large",
    "junk",
    "half-head",
    "unknown-model",
    "half-body",
    "pay",
    "key",
    "lists",
];

/// How many there are of both.
pub(super) const KINDS: u64 = (FAULTS.len() + OTHERS.len()) as u64;

/// A provider that does as it is told in `user`.
pub(super) async fn provider() -> Upstream {
    Upstream::start(|seen| {
        let asked = seen.json();
        let mut frames = vec![EVENT; 20];
        frames.extend([USAGE, "data: [DONE]\n\n"]);
        let cut = |end: Step| {
            let mut steps = sse(&frames);
            steps.truncate(8);
            steps.push(end);
            steps
        };
        match asked["user"].as_str().unwrap_or_default() {
            "stream" | "leave-stream" => sse(&frames),
            "no-usage" => sse(&[EVENT, EVENT, "data: [DONE]\n\n"]),
            "reset" => vec![Step::Reset],
            "close" => vec![Step::Close],
            "cut-stream" => cut(Step::Close),
            "reset-stream" => cut(Step::Reset),
            "cut-document" => vec![
                Step::Send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{\"id\":".to_vec()),
                Step::Close,
            ],
            "garbage" => vec![Step::Send(b"what is this\r\n\r\n".to_vec()), Step::Close],
            "500" => whole("500 Oh", "{\"error\":{\"message\":\"oh\"}}"),
            "429" => whole("429 Slow", "{\"error\":{\"message\":\"slow down\"}}"),
            "401" => whole("401 Who", "{\"error\":{\"message\":\"who are you\"}}"),
            "402" => whole("402 Pay", "{\"error\":{\"message\":\"pay\"}}"),
            "silent" | "leave-early" => vec![Step::Hang],
            _ => whole("200 OK", ANSWER),
        }
    })
    .await
}

/// How often each kind was done.
#[derive(Debug, Default)]
pub(super) struct Told {
    done: [AtomicU64; KINDS as usize],
    /// The kinds that are done; empty for all.
    only: Vec<String>,
}

impl Told {
    pub(super) fn asked_for() -> Self {
        let only = std::env::var("FAREGATE_SOAK_ONLY").unwrap_or_default();
        let only = only.split(',').filter(|kind| !kind.is_empty());
        Self {
            only: only.map(str::to_owned).collect(),
            ..Self::default()
        }
    }

    pub(super) fn does(&self, kind: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == kind)
    }

    pub(super) fn summary(&self) -> String {
        let names = FAULTS.iter().chain(&OTHERS);
        let counts = names
            .zip(&self.done)
            .map(|(name, count)| format!("{name} {}", count.load(Ordering::Relaxed)));
        counts.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn count(&self, kind: &str) -> u64 {
        let at = FAULTS.iter().chain(&OTHERS).position(|name| *name == kind);
        self.done[at.unwrap()].load(Ordering::Relaxed)
    }

    pub(super) fn every_kind(&self) -> bool {
        self.done
            .iter()
            .all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

/// One client, with choices of its own.
pub(super) struct Client {
    address: SocketAddr,
    admin: SocketAddr,
    told: Arc<Told>,
    chance: u64,
    name: String,
}

impl Client {
    pub(super) fn new(daemon: &Daemon, told: &Arc<Told>, seed: u64, number: u64) -> Self {
        Self {
            address: daemon.address,
            admin: daemon.admin,
            told: Arc::clone(told),
            // Another constant than each choice adds, or each client would do what the one before it does later.
            chance: seed ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03),
            name: format!("{seed}-{number}"),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Every kind, one after the other.
    pub(super) async fn each_kind_once(mut self) {
        for kind in 0..KINDS {
            self.act(kind).await;
        }
    }

    /// One of them.
    pub(super) async fn anything(&mut self) {
        let mut kind = self.below(KINDS * 2);
        // Half of the calls are what calls are: whole answers and streams. Silence takes a second, so there is less of it.
        if kind >= KINDS || (FAULTS.get(kind as usize) == Some(&"silent") && self.below(4) > 0) {
            kind = self.below(2);
        }
        let name = |kind: u64| FAULTS.iter().chain(&OTHERS).nth(kind as usize);
        for _ in 0..1000 {
            if name(kind).is_some_and(|name| self.told.does(name)) {
                self.act(kind).await;
                break;
            }
            kind = self.below(KINDS);
        }
    }

    /// What lies between two of them where it goes on for long, so that an hour's run is a store's size of an hour.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(Duration::from_millis(20 + self.below(200))).await;
    }

    fn chat(&self, what: &str, stream: bool) -> Call {
        let body = json!({"model": "m", "user": what, "stream": stream, "max_tokens": 50,
            "messages": [{"role": "user", "content": "hi"}]});
        self.call("POST", "/v1/chat/completions")
            .bearer(SPENDER)
            .json(&body.to_string())
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.address, method, path)
    }

    async fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        let call = Call::new(self.admin, method, path).bearer(TOKEN);
        let call = if body.is_empty() {
            call
        } else {
            call.json(body)
        };
        call.send().await
    }

    async fn act(&mut self, kind: u64) {
        self.told.done[kind as usize].fetch_add(1, Ordering::Relaxed);
        match FAULTS.get(kind as usize) {
            Some(fault) => self.ask(fault).await,
            None => self.other(OTHERS[kind as usize - FAULTS.len()]).await,
        }
    }

    /// A call that the provider does something with, and what has to come of it.
    async fn ask(&self, fault: &str) {
        let answer = self
            .chat(fault, fault.contains("stream") || fault == "no-usage")
            .send()
            .await;
        let status = answer.status.as_u16();
        let expected: &[u16] = match fault {
            "reset" | "close" | "garbage" | "401" => &[502],
            "429" | "402" => &[503],
            "500" => &[500],
            "silent" => &[504],
            _ => &[200],
        };
        assert!(
            expected.contains(&status),
            "{fault}: {status} {}",
            answer.text()
        );
        match fault {
            "whole" => assert_eq!(answer.text(), ANSWER),
            "stream" | "no-usage" => assert!(
                answer.text().ends_with("data: [DONE]\n\n"),
                "{}",
                answer.text()
            ),
            "cut-stream" | "reset-stream" => assert!(
                answer.text().contains("upstream_disconnected"),
                "{}",
                answer.text()
            ),
            "cut-document" => assert!(answer.broken),
            _ => {}
        }
    }

    async fn other(&mut self, what: &str) {
        match what {
            "leave-stream" => {
                let mut body = self.chat(what, true).open().await.into_body();
                for _ in 0..self.below(6) {
                    if within("a frame", body.frame()).await.is_none() {
                        break;
                    }
                }
            }
            "leave-early" => {
                let waiting = tokio::spawn(self.chat(what, true).open());
                tokio::time::sleep(Duration::from_millis(self.below(30))).await;
                waiting.abort();
                // What the abort has left open is closed when the task is gone.
                let _ = waiting.await;
            }
            "wrong-key" => {
                let key = format!("not-a-key-{}", self.below(u64::MAX));
                let answer = self.call("GET", "/v1/models").bearer(&key).send().await;
                assert_eq!(answer.status, 401);
            }
            "no-json" => self.refused("{\"model\":", 400).await,
            "unknown-model" => {
                self.refused(&format!(r#"{{"model":"x{}"}}"#, self.chance), 404)
                    .await
            }
            "too-large" => self.refused(&" ".repeat(65 << 10), 413).await,
            "junk" | "half-head" | "half-body" => self.junk(what).await,
            "pay" => self.pay().await,
            "key" => self.key().await,
            _ => {
                for path in ["calls?limit=10", "usage?by=day", "ledger?limit=10", "keys"] {
                    let answer = self.admin("GET", &format!("/admin/v1/{path}"), "").await;
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                }
                assert_eq!(
                    Call::new(self.admin, "GET", "/metrics").send().await.status,
                    200
                );
            }
        }
    }

    /// Pays in where little is left, twice by the same name: what is never spent would be a lot each, for good.
    async fn pay(&mut self) {
        let path = "/admin/v1/accounts/spend/credit";
        let credit = self.admin("GET", path, "").await.value();
        let balance = credit["balance"]
            .as_str()
            .map(|balance| balance.parse::<f64>());
        if balance.unwrap().unwrap() > 50.0 {
            return;
        }
        let number = self.below(u64::MAX);
        let body =
            json!({"amount": "10.00", "id": format!("{}-{number:x}", self.name)}).to_string();
        for status in [201, 200] {
            let answer = self.admin("POST", path, &body).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        }
    }

    async fn refused(&self, body: &str, status: u16) {
        let call = self.call("POST", "/v1/chat/completions").bearer(SPENDER);
        let answer = call.json(body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    }

    /// Bytes that are no request, or not the whole of one, and then nobody.
    async fn junk(&mut self, what: &str) {
        let noise: Vec<u8> = (0..200).map(|_| self.below(256) as u8).collect();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SPENDER}\r\n"
        );
        let bytes = match what {
            "junk" => noise,
            "half-head" => head.into_bytes(),
            _ => format!("{head}content-length: 500\r\n\r\n{{\"model\":").into_bytes(),
        };
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The other side may have had enough already.
        let _ = stream.write_all(&bytes).await;
        if self.below(2) == 0 {
            stream.set_zero_linger().unwrap();
        }
    }

    /// A key that is made, used, exchanged and taken back. Revoked ones stay in the list, so there are few of them.
    async fn key(&mut self) {
        if self.below(100) > 0 {
            return;
        }
        let made = self
            .admin("POST", "/admin/v1/keys", r#"{"account":"spend"}"#)
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let (id, secret) = (
            made.value()["id"].as_str().unwrap().to_owned(),
            made.value()["key"].as_str().unwrap().to_owned(),
        );
        assert_eq!(
            self.call("GET", "/v1/models")
                .bearer(&secret)
                .send()
                .await
                .status,
            200
        );
        let rotated = self
            .admin(
                "POST",
                &format!("/admin/v1/keys/{id}/rotate"),
                r#"{"overlap_seconds":0}"#,
            )
            .await;
        assert_eq!(rotated.status, 200, "{}", rotated.text());
        let gone = self
            .admin("DELETE", &format!("/admin/v1/keys/{id}"), "")
            .await;
        assert_eq!(gone.status, 200, "{}", gone.text());
        assert_eq!(
            self.call("GET", "/v1/models")
                .bearer(&secret)
                .send()
                .await
                .status,
            401
        );
    }
}
