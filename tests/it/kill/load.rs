//! Clients that remember what they were told, and a provider that remembers what it was asked.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinSet};

use super::KEYS;
use crate::harness::{Daemon, Seen, Step, TOKEN, Upstream, json as whole, sse};

/// A SplitMix64 sequence.
#[derive(Debug, Clone)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }
}

/// How a call ended, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The daemon was killed.
    Lost,
    /// The answer was read to its last byte.
    Whole,
    /// The client left.
    Left,
    /// It was refused.
    Refused,
}

/// A call as its client knows it.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) key: String,
    /// From the head of the answer, where that was read.
    pub(super) id: Option<String>,
    pub(super) end: End,
    /// What it costs when it is whole.
    pub(super) cost: i64,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By what each call is told apart from all others.
    pub(super) calls: HashMap<String, Begun>,
    /// What the provider was asked.
    pub(super) dispatched: HashSet<String>,
    /// Entries that were asked for, each with its amount, and whether that was acknowledged.
    pub(super) entries: HashMap<String, (i64, bool)>,
}

/// What is known outside the daemon.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<Memory>>);

impl Known {
    pub(super) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap()
    }

    fn call(&self, tag: &str, change: impl FnOnce(&mut Begun)) {
        change(self.lock().calls.get_mut(tag).unwrap());
    }
}

/// What a token costs in and out, and a call on the route that is paid by the call, in billionths.
const INPUT: i64 = 1_000;
const OUTPUT: i64 = 4_000;
const PAID: i64 = 5_000_000;

/// Input tokens that the provider reports for every call.
const PROMPT: i64 = 9;

/// A provider that says as many words as it may.
pub(super) async fn provider(known: &Known) -> Upstream {
    let known = known.clone();
    Upstream::start(move |seen| {
        let asked = seen.json();
        let tag = asked["user"].as_str().unwrap().to_owned();
        assert!(known.lock().dispatched.insert(tag), "a call was sent twice");
        answer(seen, &asked)
    })
    .await
}

fn answer(seen: &Seen, asked: &Value) -> Vec<Step> {
    let words = asked["max_tokens"].as_u64().unwrap();
    let usage = json!({"prompt_tokens": PROMPT, "completion_tokens": words, "total_tokens": PROMPT as u64 + words});
    if seen.target.ends_with("/paid") || asked["stream"] != true {
        let message = json!({"role": "assistant", "content": "word ".repeat(words as usize)});
        let body = json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage});
        return whole("200 OK", &body.to_string());
    }
    let event = |value: &Value| format!("data: {value}\n\n");
    let mut frames: Vec<String> = (0..words)
        .map(|_| event(&json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "word "}}]})))
        .collect();
    frames.push(event(
        &json!({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage}),
    ));
    frames.push("data: [DONE]\n\n".to_owned());
    sse(&frames.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Clients of one daemon.
pub(super) struct Load {
    callers: JoinSet<()>,
    pieces: watch::Receiver<u64>,
}

#[derive(Clone)]
struct Caller {
    address: SocketAddr,
    admin: SocketAddr,
    known: Known,
    pieces: watch::Sender<u64>,
    chance: Chance,
}

impl Load {
    pub(super) fn start(daemon: &Daemon, known: &Known, chance: &mut Chance, callers: u64) -> Self {
        let (sender, pieces) = watch::channel(0);
        let caller = || Caller {
            address: daemon.address,
            admin: daemon.admin,
            known: known.clone(),
            pieces: sender.clone(),
            chance: Chance(chance.number()),
        };
        let all: Vec<Caller> = std::iter::repeat_with(caller)
            .take(callers as usize + 1)
            .collect();
        let mut callers = JoinSet::new();
        for (number, mut caller) in all.into_iter().enumerate() {
            callers.spawn(async move {
                let pays = number == 0;
                if pays {
                    while caller.pay().await.is_some() {}
                } else {
                    while caller.call().await.is_some() {}
                }
            });
        }
        Self { callers, pieces }
    }

    /// Waits until so many pieces of answers were read.
    pub(super) async fn pieces(&mut self, wanted: u64) {
        self.pieces.wait_for(|read| *read >= wanted).await.unwrap();
    }

    /// Waits until every client has noticed the end of the daemon.
    pub(super) async fn ended(self) {
        let all = crate::harness::within("the clients ended", self.callers.join_all());
        all.await;
    }
}

impl Caller {
    /// One call; `None` when the daemon is gone.
    async fn call(&mut self) -> Option<()> {
        let (_, key) = KEYS[self.chance.below(KEYS.len() as u64) as usize];
        let words = 1 + self.chance.below(12);
        let kind = self.chance.below(10);
        let (path, stream, leaves) = match kind {
            0..3 => ("/v1/chat/completions", false, false),
            3..7 => ("/v1/chat/completions", true, false),
            7 => ("/v1/chat/completions", true, true),
            _ => ("/paid", false, false),
        };
        let cost = match path {
            "/paid" => PAID,
            _ => PROMPT * INPUT + words.cast_signed() * OUTPUT,
        };
        let tag = format!("{:016x}", self.chance.number());
        let body = json!({"model": "m", "max_tokens": words, "stream": stream, "user": tag,
            "messages": [{"role": "user", "content": "hi"}]});
        let begun = Begun {
            key: key.to_owned(),
            id: None,
            end: End::Lost,
            cost,
        };
        self.known.lock().calls.insert(tag.clone(), begun);

        let mut answer = ask(self.address, path, key, &body).await?;
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let refused = answer.status() != 200;
        self.known.call(&tag, |call| call.id = Some(id));
        if refused && !matches!(answer.status().as_u16(), 402 | 429) {
            let said = answer.into_body().collect().await.ok()?.to_bytes();
            let said = String::from_utf8_lossy(&said);
            // A machine with other work may be late; the call has not been made.
            assert!(said.contains("\"overloaded\""), "{said}");
            self.known.call(&tag, |call| call.end = End::Refused);
            return Some(());
        }
        while let Some(frame) = answer.frame().await {
            frame.ok()?;
            self.pieces.send_modify(|read| *read += 1);
            if leaves && !refused && self.chance.below(4) == 0 {
                self.known.call(&tag, |call| call.end = End::Left);
                return Some(());
            }
        }
        let end = if refused { End::Refused } else { End::Whole };
        self.known.call(&tag, |call| call.end = end);
        Some(())
    }

    /// Pays something in for the account that lives from hand to mouth; `None` when the daemon is gone. What was not
    /// acknowledged before is asked for again.
    async fn pay(&mut self) -> Option<()> {
        let doubtful = {
            let known = self.known.lock();
            let mut doubtful = known.entries.iter().filter(|(_, (_, done))| !done);
            doubtful.next().map(|(id, (nanos, _))| (id.clone(), *nanos))
        };
        let (id, nanos) = doubtful.unwrap_or_else(|| {
            let id = format!("{:016x}", self.chance.number());
            (id, 1_000_000 + self.chance.below(9_000_000).cast_signed())
        });
        self.known.lock().entries.insert(id.clone(), (nanos, false));
        let amount = format!("0.{nanos:09}");
        let body = json!({"amount": amount, "id": id});
        let path = "/admin/v1/accounts/tight/credit";
        let answer = ask(self.admin, path, TOKEN, &body).await?;
        assert!(answer.status().is_success(), "{answer:?}");
        // The head alone says that it is done.
        self.known.lock().entries.insert(id, (nanos, true));
        self.pieces.send_modify(|read| *read += 1);
        answer.into_body().collect().await.ok()?;
        Some(())
    }
}

/// Asks on a connection of its own; `None` when there is no answer.
async fn ask(
    address: SocketAddr,
    path: &str,
    key: &str,
    body: &Value,
) -> Option<http::Response<hyper::body::Incoming>> {
    let stream = TcpStream::connect(address).await.ok()?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.ok()?;
    tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    sender.send_request(request.unwrap()).await.ok()
}
