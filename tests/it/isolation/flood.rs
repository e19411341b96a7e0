use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{LOUD, QUIET, STREAM, tenants};
use crate::{
    fixture::{CHAT, answer, file, served},
    harness::{Call, Gateway, Seen, Step, Upstream, sse, within},
};

const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Rounds of each quiet tenant: a call and a stream.
const ROUNDS: usize = 30;

/// A call of the loud one that the provider never ends.
const ENDLESS: &str = r#"{"model":"m","stream":true,"messages":[],"user":"endless"}"#;

fn script(seen: &Seen) -> Vec<Step> {
    let body = seen.json();
    if body["stream"] != true {
        return answer(seen);
    }
    let mut steps = sse(&[DELTA, DONE]);
    if body["user"] == "endless" {
        steps.truncate(2);
        steps.push(Step::Hang);
    }
    steps
}

/// What the loud tenant does, again and again until it is stopped.
pub(super) struct Flood {
    tasks: JoinSet<()>,
    /// How often it was told that it has too many calls at once.
    limited: Arc<AtomicU64>,
}

impl Flood {
    /// Begins with everything at once; each part of it waits for `pause` between what it does.
    pub(super) fn begin(address: SocketAddr, pause: Option<Duration>) -> Self {
        let rest = move || rest(pause);
        let limited = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        // Streams that nobody ends, and more calls that are refused for them.
        for caller in 0..12 {
            let limited = Arc::clone(&limited);
            tasks.spawn(async move {
                let mut held = Vec::new();
                loop {
                    rest().await;
                    let call = Call::new(address, "POST", "/v1/chat/completions").bearer(LOUD);
                    let answer = call.json(ENDLESS).open().await;
                    if answer.status() == 429 {
                        limited.fetch_add(1, Relaxed);
                    } else if caller % 2 == 0 {
                        // Never read. The others leave at once.
                        held.push(answer);
                    }
                }
            });
        }
        for (bytes, hangs) in junk() {
            for _ in 0..2 {
                let bytes = bytes.clone();
                tasks.spawn(async move {
                    let mut hanging = Vec::new();
                    loop {
                        rest().await;
                        let Some(stream) = throw(address, &bytes, hangs).await else {
                            continue;
                        };
                        hanging.push(stream);
                        if hanging.len() >= 50 {
                            hanging.clear();
                        }
                    }
                });
            }
        }
        Self { tasks, limited }
    }

    /// How often it was told so far that it has too many calls at once.
    pub(super) fn limited(&self) -> u64 {
        self.limited.load(Relaxed)
    }

    /// Ends it, and closes everything it has open.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Gives the others a turn, or longer.
async fn rest(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => tokio::task::yield_now().await,
    }
}

/// What is sent, and whether it is then left as it is.
fn junk() -> Vec<(Vec<u8>, bool)> {
    let head = |key: &str| {
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n")
    };
    let own = head(LOUD);
    vec![
        (
            format!("{own}content-length: 100000\r\n\r\n{{\"model\":").into_bytes(),
            true,
        ),
        (b"GET /v1/models HTTP/1.1\r\nhost:".to_vec(), true),
        (b"PRI * HTTP/2.0\r\n\r\nSM".to_vec(), true),
        (
            format!(
                "{}content-length: 2\r\n\r\n{{}}",
                head("a-key-that-was-guessed")
            )
            .into_bytes(),
            false,
        ),
        (
            format!("{own}content-length: 10\r\n\r\n{{\"model\":}}").into_bytes(),
            false,
        ),
        (
            format!("{own}transfer-encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n")
                .into_bytes(),
            false,
        ),
        (
            format!("{own}x-filler: {}\r\n\r\n", "x".repeat(20_000)).into_bytes(),
            false,
        ),
        (
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(50),
            false,
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x04\x01\x7f\0\0\0\x01junk".to_vec(),
            false,
        ),
    ]
}

/// Sends bytes; reads what comes until something has come, or gives the connection to be left as it is.
async fn throw(address: SocketAddr, bytes: &[u8], hangs: bool) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(bytes).await.ok()?;
    if hangs {
        return Some(stream);
    }
    // Whatever it is, an end included.
    let _ = stream.read(&mut [0; 512]).await;
    None
}

#[tokio::test]
async fn the_others_get_every_answer_while_one_floods_streams_slowly_and_sends_junk() {
    let upstream = Upstream::start(script).await;
    let gateway = Gateway::start(&file(&upstream, &tenants())).await;
    let flood = Flood::begin(gateway.address, None);
    let quiet = async |key: &'static str| {
        for _ in 0..ROUNDS {
            served(&gateway.chat(key, CHAT).send().await);
            let stream = gateway.chat(key, STREAM).send().await;
            served(&stream);
            assert_eq!(stream.text(), format!("{DELTA}{DONE}"));
        }
    };
    let [one, two, three, four] = QUIET;
    tokio::join!(quiet(one), quiet(two), quiet(three), quiet(four));
    within("the loud one was limited", async {
        while flood.limited() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    flood.end().await;

    // Nobody paid for it but the loud one.
    for key in QUIET {
        gateway.nothing_held(key).await;
        let limits = gateway.limits(key).await;
        let requests = limits["limits"].as_array().unwrap().iter();
        let mut requests = requests.filter(|limit| limit["kind"] == "quota");
        assert_eq!(requests.next().unwrap()["used"], 2 * ROUNDS);
    }
    gateway.nothing_held(LOUD).await;
    let sent = |key: &str| {
        let endless = upstream.seen().into_iter();
        endless
            .filter(|seen| (seen.json()["user"] == "endless") == (key == LOUD))
            .count()
    };
    assert_eq!(sent("quiet"), QUIET.len() * 2 * ROUNDS);
    let recorded = gateway.limits(LOUD).await["limits"].clone();
    let mut requests = recorded.as_array().unwrap().iter();
    let used = requests.find(|limit| limit["kind"] == "quota").unwrap()["used"].clone();
    assert_eq!(used, sent(LOUD));
    served(&gateway.chat(LOUD, CHAT).send().await);
    gateway.stop().await;
}
