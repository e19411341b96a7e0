//! A client that vanishes without a word, and peers that read nothing for a while.

use std::time::{Duration, Instant};

use socket2::{SockFilter, SockRef};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};

use crate::harness::{
    Gate, Gateway, KEY, Step, Upstream, json, notice, raw, shared_config, sse, unharmed,
    watch_panics, within,
};

/// Takes half a minute of the kernel's time, which nobody can turn, so that it is run where `FAREGATE_VANISH` is set.
#[tokio::test]
async fn a_client_that_vanishes_is_found_after_half_a_minute() {
    if std::env::var_os("FAREGATE_VANISH").is_none() {
        notice("VANISHED CLIENT NOT TESTED: set FAREGATE_VANISH, it takes half a minute");
        return;
    }
    watch_panics();
    let gate = Gate::default();
    let waiting = gate.clone();
    let upstream = Upstream::start(move |seen| {
        if seen.json()["stream"] != true {
            return json("200 OK", r#"{"choices":[]}"#);
        }
        let mut steps = sse(&["data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"]);
        steps.insert(2, Step::Wait(waiting.clone()));
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let body = r#"{"model":"m","stream":true}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = raw(gateway.address, request.as_bytes()).await;
    let mut read = Vec::new();
    within("the first event", async {
        while !read.ends_with(b"\n\n\r\n") {
            client.read_buf(&mut read).await.unwrap();
        }
    })
    .await;
    client.flush().await.unwrap();
    // A filter of the socket that takes zero bytes of every packet: from here on the client's kernel hears nothing, and so
    // acknowledges nothing. 6 is BPF's return of a constant.
    SockRef::from(&client)
        .attach_filter(&[SockFilter::new(6, 0, 0, 0)])
        .unwrap();
    let since = Instant::now();
    let found = tokio::time::timeout(Duration::from_secs(90), upstream.all_closed());
    found.await.expect("the vanished client was not found");
    let took = since.elapsed();
    notice(&format!("a vanished client was found after {took:?}"));
    // At most a heartbeat, and half a minute in which it is not acknowledged.
    assert!(took < Duration::from_secs(46), "{took:?}");
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed", "{call}");
    unharmed(&gateway, &upstream, "").await;
    drop((client, gate));
    gateway.stop().await;
}

/// More than all buffers between the two take.
const MUCH: usize = 32 << 20;
/// Longer than a vanished peer goes unnoticed, and shorter than any deadline of ours.
const PAUSE: Duration = Duration::from_secs(40);

/// A provider that sends much, and reads what it is sent after a pause.
async fn slow_provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = Vec::new();
                let end = |read: &[u8]| read.windows(4).position(|end| end == b"\r\n\r\n");
                while end(&read).is_none() {
                    stream.read_buf(&mut read).await.unwrap();
                }
                if read.starts_with(b"POST") {
                    let whole = end(&read).unwrap() + 4 + MUCH;
                    sleep(PAUSE).await;
                    while read.len() < whole {
                        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
                    }
                }
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&vec![b'x'; MUCH]).await.unwrap();
            });
        }
    });
    url
}

/// Takes more than half a minute of the kernel's time, as the other does.
#[tokio::test]
async fn who_reads_nothing_for_a_while_has_not_vanished() {
    if std::env::var_os("FAREGATE_VANISH").is_none() {
        notice("SLOW READERS NOT TESTED: set FAREGATE_VANISH, it takes most of a minute");
        return;
    }
    let gateway = Gateway::start(&shared_config(&slow_provider().await, "")).await;
    let head = |method: &str, length: usize| {
        format!(
            "{method} /raw/v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut reader = raw(gateway.address, head("GET", 0).as_bytes()).await;
    let mut sender = raw(gateway.address, head("POST", MUCH).as_bytes()).await;
    let reads = async {
        sleep(PAUSE).await;
        take(&mut reader).await
    };
    let sends = async {
        sender.write_all(&vec![b'x'; MUCH]).await.unwrap();
        take(&mut sender).await
    };
    let (read, answered) = tokio::join!(reads, sends);
    assert!(read > MUCH && answered > MUCH, "{read} and {answered}");
    gateway.stop().await;
}

/// How much comes of an answer, up to all of it.
async fn take(client: &mut tokio::net::TcpStream) -> usize {
    let mut read = Vec::new();
    while read.len() <= MUCH {
        if client.read_buf(&mut read).await.unwrap_or(0) == 0 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&read[..read.len().min(200)]);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    read.len()
}
