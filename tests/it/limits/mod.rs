//! Bounds of connections and requests, and peers that take their time.
//!
//! Where time passes, it is tokio's, which is turned faster: the deadlines are those of the defaults, and no test takes
//! as long.

mod documents;
mod many;
mod sizes;
mod slow;
mod vanished;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::park_timeout,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, advance, pause, resume, sleep},
};

use crate::harness::KEY;

/// Time that goes a hundred times as fast, and no faster: a clock that jumps as soon as nobody has anything to do jumps
/// over bytes that a busy machine has not delivered yet.
struct Fast {
    stop: Arc<AtomicBool>,
    hands: JoinHandle<()>,
}

impl Fast {
    fn start() -> Self {
        pause();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let hands = tokio::spawn(async move {
            while !told.load(Relaxed) {
                // While a thread is blocked, tokio does not turn a paused clock by itself.
                let pace = spawn_blocking(|| park_timeout(Duration::from_millis(1)));
                pace.await.unwrap();
                advance(Duration::from_millis(100)).await;
            }
        });
        Self { stop, hands }
    }

    /// Time goes as it does.
    async fn end(self) {
        self.stop.store(true, Relaxed);
        self.hands.await.unwrap();
        resume();
    }
}

/// Reads to the end, and says what came and how long it took.
async fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let since = Instant::now();
    let mut read = Vec::new();
    // A reset is an end as well.
    while let Ok(1..) = stream.read_buf(&mut read).await {}
    (String::from_utf8_lossy(&read).into_owned(), since.elapsed())
}

/// Sends `bytes` again and again, once a second, until the server has answered and closed; says what came, and when.
async fn trickle(stream: &mut TcpStream, bytes: &[u8]) -> (String, Duration) {
    let since = Instant::now();
    let mut read = Vec::new();
    loop {
        tokio::select! {
            came = stream.read_buf(&mut read) => {
                if !matches!(came, Ok(1..)) {
                    break;
                }
            }
            () = sleep(Duration::from_secs(1)) => {
                if stream.write_all(bytes).await.is_err() {
                    break;
                }
            }
        }
    }
    (String::from_utf8_lossy(&read).into_owned(), since.elapsed())
}

/// The head of a chat with these framing fields.
fn chat(framing: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{framing}\r\n\r\n"
    )
}

/// How many peers there are at once, unless `FAREGATE_PEERS` says how many.
fn peers() -> usize {
    let wanted = std::env::var("FAREGATE_PEERS").ok();
    wanted.map_or(64, |count| count.parse().unwrap())
}
