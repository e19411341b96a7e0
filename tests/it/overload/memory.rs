//! K-02: a limit of memory, and everything at once that costs some.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::{A, ACCOUNTS, B, C};
use crate::{
    fixture::CHAT,
    harness::{Daemon, daemon_file, notice, within},
    load::seconds,
};

const LIMIT: u64 = 256 << 20;

/// Connections of each kind at once.
const EACH: usize = 150;

fn yaml(provider: SocketAddr) -> String {
    let rest = format!(
        "providers: {{up: {{kind: openai, base_url: \"http://{provider}/v1\", api_key: sk-upstream}}}}\n\
         models: {{m: {{provider: up, context_window: 100000000, max_output_tokens: 500}}}}\n{ACCOUNTS}"
    );
    daemon_file(", limits: {memory: 256MiB}", "", &rest)
}

/// A provider that answers with eight megabytes of stream to whoever asks for one.
async fn provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    const SMALL: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    let mut read = vec![0; 64 << 10];
    let length = stream.read(&mut read).await?;
    if !read[..length]
        .windows(13)
        .any(|part| part == b"\"stream\":true")
    {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
        let answer = format!("{head} {}\r\n\r\n{SMALL}", SMALL.len());
        return stream.write_all(answer.as_bytes()).await;
    }
    let event = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "word ".repeat(3000)
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..500 {
        stream.write_all(event.as_bytes()).await?;
    }
    Ok(())
}

/// What hostile clients send, and then leave as it is for a while.
fn hostile() -> Vec<Vec<u8>> {
    let head = |key: &str| {
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n")
    };
    let large = "x".repeat(4 << 20);
    let stream = r#"{"model":"m","stream":true}"#;
    vec![
        // A body that is announced as large and stays away.
        format!("{}content-length: 33000000\r\n\r\n{{", head(A)).into_bytes(),
        // A large one that does not end.
        format!("{}content-length: 33000000\r\n\r\n{large}", head(A)).into_bytes(),
        format!("{}content-length: 33000000\r\n\r\n{large}", head(B)).into_bytes(),
        // A large answer that is not read.
        format!(
            "{}content-length: {}\r\n\r\n{stream}",
            head(A),
            stream.len()
        )
        .into_bytes(),
        // Heads that do not end, as large as they may be.
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(30 << 10)).into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}", "a: b\r\n".repeat(99)).into_bytes(),
        // Nothing, in either protocol.
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
    ]
}

/// Bytes that a process has in memory: now, or at most so far.
fn memory(pid: u32, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_memory_holds_against_everything_at_once() {
    let asked = seconds("FAREGATE_MEMORY");
    let end = Instant::now() + Duration::from_secs(asked.unwrap_or(2));
    let daemon = Daemon::start(&yaml(provider().await)).await;
    let address = daemon.address;
    let mut clients = JoinSet::new();
    for bytes in hostile() {
        let bytes: std::sync::Arc<[u8]> = bytes.into();
        for _ in 0..EACH {
            let bytes = std::sync::Arc::clone(&bytes);
            clients.spawn(async move {
                while Instant::now() < end {
                    if let Ok(mut stream) = TcpStream::connect(address).await {
                        // It may be refused in the middle.
                        let _ = stream.write_all(&bytes).await;
                        sleep(Duration::from_secs(10).min(end - Instant::now().min(end))).await;
                    }
                }
            });
        }
    }
    let mut served = 0;
    let mut asked_for = 0;
    while Instant::now() < end {
        asked_for += 1;
        let status = daemon.chat(C, CHAT).try_send().await;
        served += usize::from(status.is_some_and(|status| status == 200));
        sleep(Duration::from_millis(20)).await;
    }
    clients.shutdown().await;
    let most = memory(daemon.pid(), "VmHWM:");
    notice(&format!(
        "K-02: at most {} MiB of {}; of a neighbour's {asked_for} calls {served} were served",
        most >> 20,
        LIMIT >> 20
    ));
    assert!(most * 100 <= LIMIT * 92, "{most}");
    within("a call is served", async {
        while daemon.chat(A, CHAT).send().await.status != 200 {}
    })
    .await;
    daemon.signal("TERM");
    let (status, _) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
}
