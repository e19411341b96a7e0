//! Peers that stop, or go on too slowly.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::{Fast, chat, peers, rest, trickle};
use crate::{
    harness::{
        Call, Gateway, LIMITED, Step, Upstream, raw, shared_config, sse, unharmed, watch_panics,
        within,
    },
    tls::Authority,
};

const SECOND: Duration = Duration::from_secs(1);

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;

async fn start() -> (Gateway, Upstream) {
    watch_panics();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    (gateway, upstream)
}

/// Asserts that something took so many seconds, and not a second more.
#[track_caller]
fn took(time: Duration, seconds: u64) {
    let due = SECOND * u32::try_from(seconds).unwrap();
    assert!(due <= time && time <= due + SECOND, "{time:?}, not {due:?}");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_after_ten_seconds() {
    let (gateway, upstream) = start().await;
    let fast = Fast::start();
    for start in [
        "",
        "PRI * HT",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ",
        "\r\n",
    ] {
        let mut client = raw(gateway.address, start.as_bytes()).await;
        let (answer, time) = rest(&mut client).await;
        assert_eq!(answer, "", "{start:?}");
        took(time, 10);
    }
    fast.end().await;
    unharmed(&gateway, &upstream, "").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends_after_ten_seconds() {
    let (gateway, upstream) = start().await;
    let fast = Fast::start();
    let mut clients = JoinSet::new();
    for client in 0..peers() {
        let starts = [
            "GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
            "",
            "POST /v1/chat/completions HTTP/1.1\r\n",
        ];
        let mut stream = raw(gateway.address, starts[client % 3].as_bytes()).await;
        clients.spawn(async move { trickle(&mut stream, b"a").await });
    }
    // Whoever asks properly meanwhile is answered at once.
    for _ in 0..9 {
        sleep(SECOND).await;
        let before = tokio::time::Instant::now();
        let answer = Call::new(gateway.address, "GET", "/healthz").send().await;
        assert_eq!(answer.status, 200);
        assert!(before.elapsed() < SECOND);
    }
    let mut ended = 0;
    while let Some(client) = clients.join_next().await {
        let (answer, time) = client.unwrap();
        assert_eq!(answer, "");
        took(time, 10);
        ended += 1;
    }
    assert_eq!(ended, peers());
    fast.end().await;
    unharmed(&gateway, &upstream, "").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_ends_after_ten_seconds() {
    watch_panics();
    let authority = Authority::new();
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let gateway = Gateway::start(&(authority.server() + &shared_config(&upstream.url(), ""))).await;
    // The start of a ClientHello that announces 500 bytes.
    let hello = [
        0x16, 3, 1, 1, 0xf4, 1, 0, 1, 0xf0, 3, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    let fast = Fast::start();
    let mut client = raw(gateway.address, &hello).await;
    let (_, time) = rest(&mut client).await;
    took(time, 10);
    let mut client = raw(gateway.address, &hello).await;
    let (_, time) = trickle(&mut client, &[0]).await;
    took(time, 10);
    // With TLS and without a request it is no better.
    fast.end().await;
    let mut client = authority.connect(gateway.address, &["http/1.1"]).await;
    let fast = Fast::start();
    let since = tokio::time::Instant::now();
    let mut read = Vec::new();
    // How TLS ends does not matter.
    let _ = client.read_to_end(&mut read).await;
    assert!(read.is_empty() && since.elapsed() <= 11 * SECOND);
    fast.end().await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_75_seconds() {
    let (gateway, upstream) = start().await;
    let health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut client = raw(gateway.address, health).await;
    let mut first = vec![0; 12];
    within("an answer", client.read_exact(&mut first))
        .await
        .unwrap();
    assert_eq!(first, b"HTTP/1.1 200");
    let fast = Fast::start();
    // Whoever asks again in time is served again.
    sleep(70 * SECOND).await;
    client.write_all(health).await.unwrap();
    // Its answer comes in our time: a clock that jumps while bytes are on their way jumps over the answer.
    fast.end().await;
    let mut second = vec![0; 4096];
    let read = within("a second answer", client.read(&mut second)).await;
    let mut answer = String::from_utf8_lossy(&second[..read.unwrap()]).into_owned();
    let fast = Fast::start();
    let (more, time) = rest(&mut client).await;
    answer.push_str(&more);
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(70 * SECOND <= time && time <= 76 * SECOND, "{time:?}");
    fast.end().await;
    unharmed(&gateway, &upstream, &answer).await;
    gateway.stop().await;
}

/// Sends each beginning of a body, and asserts that it is answered with 408 after so many seconds of silence.
async fn stops(cases: &[(&str, String, u64)]) {
    let (gateway, upstream) = start().await;
    let fast = Fast::start();
    let mut told = String::new();
    for (framing, start, seconds) in cases {
        let request = chat(framing) + start;
        let mut client = raw(gateway.address, request.as_bytes()).await;
        let (answer, time) = rest(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{framing} {answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
        took(time, *seconds);
        told.push_str(&answer);
    }
    fast.end().await;
    assert_eq!(upstream.seen().len(), 0);
    unharmed(&gateway, &upstream, &told).await;
    gateway.stop().await;
}

/// By its pace: five hundred bytes a second, once twenty seconds are over.
#[tokio::test]
async fn a_body_that_stops_early_ends_after_twenty_seconds() {
    stops(&[
        ("Content-Length: 100", String::new(), 20),
        ("Content-Length: 100", "{\"model\":".to_owned(), 20),
        (
            "Transfer-Encoding: chunked",
            "64\r\n{\"model\":".to_owned(),
            20,
        ),
        ("Transfer-Encoding: chunked", "2\r\n{}\r\n".to_owned(), 20),
        ("Content-Length: 100000", " ".repeat(14_000), 28),
    ])
    .await;
}

/// By its silence: what has come would be pace enough for longer.
#[tokio::test]
async fn a_body_that_stops_ends_after_thirty_seconds() {
    let many = " ".repeat(20_000);
    stops(&[
        ("Content-Length: 100000", " ".repeat(15_500), 30),
        ("Content-Length: 100000", many.clone(), 30),
        ("Transfer-Encoding: chunked", format!("9000\r\n{many}"), 30),
        (
            "Transfer-Encoding: chunked",
            format!("{:x}\r\n{many}\r\n", many.len()),
            30,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_body_of_a_hundred_bytes_a_second_ends_after_twenty_seconds() {
    let (gateway, upstream) = start().await;
    let fast = Fast::start();
    let hundred = [b' '; 100];
    let mut chunk = b"64\r\n".to_vec();
    chunk.extend(hundred);
    chunk.extend(b"\r\n");
    let mut told = String::new();
    for (framing, piece) in [
        ("Content-Length: 1000000", &hundred[..]),
        ("Transfer-Encoding: chunked", &chunk),
    ] {
        let mut client = raw(gateway.address, chat(framing).as_bytes()).await;
        let (answer, time) = trickle(&mut client, piece).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        took(time, 20);
        told.push_str(&answer);
    }
    // A thousand bytes a second are enough, for as long as a body may take.
    let mut client = raw(gateway.address, chat("Content-Length: 1000000").as_bytes()).await;
    let (answer, time) = trickle(&mut client, &[b' '; 1000]).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    took(time, 300);
    fast.end().await;
    unharmed(&gateway, &upstream, &(told + &answer)).await;
    gateway.stop().await;
}

/// As many events as a stalled client's gateway has to choose from.
const FRAMES: usize = 1024;
const FRAME: usize = 16 << 10;

/// A client that has read a byte of a stream of sixteen mebibytes.
async fn stalled() -> (Gateway, Upstream, TcpStream) {
    watch_panics();
    let frame = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(FRAME)
    );
    let frames: Vec<Step> = {
        let one = sse(&[&frame]);
        let mut steps = vec![one[0].clone()];
        steps.extend((0..FRAMES).map(|_| one[1].clone()));
        steps
    };
    let upstream = Upstream::start(move |seen| {
        if seen.json()["stream"] == true {
            frames.clone()
        } else {
            crate::harness::json("200 OK", ANSWER)
        }
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut client: TcpStream = socket.connect(gateway.address).await.unwrap();
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {LIMITED}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0; 1];
    within("the answer began", client.read_exact(&mut byte))
        .await
        .unwrap();
    (gateway, upstream, client)
}

#[tokio::test]
async fn a_client_that_hardly_reads_is_left_after_a_minute() {
    let (gateway, upstream, mut client) = stalled().await;
    let mut byte = [0; 1];
    let fast = Fast::start();
    // A byte a second is not what makes a stall end.
    for _ in 0..59 {
        sleep(SECOND).await;
        client.read_exact(&mut byte).await.unwrap();
    }
    sleep(3 * SECOND).await;
    fast.end().await;
    // The call upstream is over, though its client is still there.
    upstream.all_closed().await;
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed", "{call}");
    assert!(call["tokens"]["output"].as_u64().unwrap() > 0, "{call}");
    let record = &gateway.records(1).await[0];
    let taken = record["bytes_out"].as_u64().unwrap();
    // What kernels hold and we do, of sixteen mebibytes.
    assert!(taken < 1 << 20, "{taken} bytes were taken");
    drop(client);
    unharmed(&gateway, &upstream, "").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_has_no_answer_when_the_drain_ends_is_told() {
    watch_panics();
    for body in [r#"{"model":"m","stream":true}"#, r#"{"model":"m"}"#] {
        let upstream = Upstream::start(|_| vec![Step::Hang]).await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        let waits = tokio::spawn(gateway.chat(LIMITED, body).send());
        upstream.arrival().await;
        gateway.app().force();
        let answer = within("an answer", waits).await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.text().contains("\"draining\""), "{}", answer.text());
        upstream.all_closed().await;
        let call = gateway.calls(1).await.remove(0);
        assert_eq!(call["outcome"], "indeterminate", "{call}");
        assert_eq!(call["status"], 503, "{call}");
        assert!(call["tokens"]["input"].as_u64().unwrap() > 0, "{call}");
        let record = gateway.records(1).await.remove(0);
        assert_eq!(record["outcome"], "indeterminate", "{record}");
        assert_eq!(record["status"], 503, "{record}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_when_the_drain_ends_has_not_left() {
    let (gateway, upstream, client) = stalled().await;
    let fast = Fast::start();
    gateway.app().force();
    // Nobody takes the last word, and five seconds later the connection is dropped.
    sleep(10 * SECOND).await;
    fast.end().await;
    upstream.all_closed().await;
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "indeterminate", "{call}");
    assert!(call["tokens"]["output"].as_u64().unwrap() > 0, "{call}");
    drop(client);
    gateway.stop().await;
}
