//! A refusal that comes while the client is still sending is read by the client, and not lost in a reset.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    fixture::{CHAT, KEY, file, provider},
    harness::{self, Gateway, at_each_head, raw, shared_config, within},
};

/// As large as a client's upload may well be, and far beyond what the kernels of both ends can hold.
const SIZE: usize = 20 << 20;
const PIECE: usize = 64 << 10;

/// So often each refusal is asked for in each framing, unless `FAREGATE_EARLY` says how often.
fn rounds() -> usize {
    let wanted = std::env::var("FAREGATE_EARLY").ok();
    wanted.map_or(2, |count| count.parse().unwrap())
}

/// Sends a head and a body, whatever is answered meanwhile, and gives everything that was answered. It does not end its side:
/// whoever does so before the answer has left, and is told nothing.
async fn insist(gateway: &Gateway, key: &str, chunked: bool) -> String {
    let framing = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {SIZE}")
    };
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{framing}\r\n\r\n"
    );
    let mut client = raw(gateway.address, head.as_bytes()).await;
    let mut piece = vec![b'x'; PIECE];
    if chunked {
        piece.splice(0..0, format!("{PIECE:x}\r\n").into_bytes());
        piece.extend(b"\r\n");
    }
    let (mut read, mut write) = client.split();
    let send = async {
        for _ in 0..SIZE / PIECE {
            // Whether the client gets rid of all of it does not matter.
            if write.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let receive = async {
        // A client that is still sending after seconds is reset; what it has read until then is what it has.
        let mut answer = Vec::new();
        while let Ok(1..) = read.read_buf(&mut answer).await {}
        String::from_utf8(answer).unwrap()
    };
    let ((), answer) = within("a refusal", async { tokio::join!(send, receive) }).await;
    answer
}

#[tokio::test]
async fn whoever_still_sends_reads_why_it_is_refused() {
    let upstream = provider().await;
    let rest = "\
plans:
  slow: {rate_limits: {requests_per_minute: 1}}
  spent: {quotas: [{requests: 1, per: day}]}
  free: {}
accounts:
  - {id: a, plan: free, keys: [{id: k, key: the-key-of-account-a-0001}]}
  - {id: b, plan: slow, keys: [{id: l, key: the-key-of-account-b-0001}]}
  - {id: c, plan: spent, keys: [{id: m, key: the-key-of-account-c-0001}]}
";
    let server = "server: {listen: \"127.0.0.1:0\", limits: {json_body: 18MiB, wrong_keys_at_once: 100000}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &file(&upstream, rest))).await;
    let (slow, spent) = ("the-key-of-account-b-0001", "the-key-of-account-c-0001");
    for key in [slow, spent] {
        assert_eq!(gateway.chat(key, CHAT).send().await.status, 200);
    }
    gateway.calls(2).await;
    for _ in 0..rounds() {
        for (key, status, code) in [
            (KEY, "413", "body_too_large"),
            (slow, "429", "rate_limit_exceeded"),
            (spent, "402", "quota_exhausted"),
            ("nobodys-key", "401", "invalid_api_key"),
        ] {
            for chunked in [false, true] {
                let answer = insist(&gateway, key, chunked).await;
                let start = format!("HTTP/1.1 {status} ");
                assert!(answer.starts_with(&start), "{code} {chunked} {answer}");
                assert!(
                    answer.contains(&format!("\"{code}\"")),
                    "{chunked} {answer}"
                );
            }
        }
    }
    assert_eq!(upstream.seen().len(), 2);
    assert_eq!(gateway.chat(KEY, CHAT).send().await.status, 200);
    gateway.stop().await;
}

/// Reads one answer of ours from a connection that may stay open.
async fn one_answer(client: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let count = within("an answer", client.read_buf(&mut read)).await;
        assert_ne!(count.unwrap(), 0, "{}", String::from_utf8_lossy(&read));
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split_once("content-length: ").unwrap().1;
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if body.len() == length {
            return text.into_owned();
        }
    }
}

/// A client that is not told puts its next request on a connection that has ended.
#[tokio::test]
async fn a_refusal_says_whether_its_connection_goes_on() {
    let gateway = Gateway::start("providers: {up: {kind: simulated}}").await;
    let head = |more: &str| {
        let length = CHAT.len();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    };
    for more in ["", "Expect: 100-continue\r\n"] {
        let mut client = raw(gateway.address, head(more).as_bytes()).await;
        let answer = one_answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    // All of the body is there.
    let whole = head("") + CHAT;
    let mut client = raw(gateway.address, whole.as_bytes()).await;
    for _ in 0..2 {
        let answer = one_answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(!answer.contains("\r\nconnection:"), "{answer}");
        client.write_all(whole.as_bytes()).await.unwrap();
    }
    gateway.stop().await;
}

/// What is found out when the body has been begun with, or is to be passed on.
#[tokio::test]
async fn a_refusal_within_a_body_says_that_its_connection_ends() {
    let upstream = provider().await;
    let rest = "\
routes:
  - {path: /}
  - {path: /paid, provider: up, strip_prefix: true, price_per_request: 0.25}
prices: {m: {input: 1, output: 4}, big: {input: 1, output: 4}, c: {input: 3, output: 15}}
plans: {p: {budgets: [{usd: 0.10, per: day}]}}
accounts: [{id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]}]
";
    let server = "server: {listen: \"127.0.0.1:0\", limits: {buffered_bodies: 1MiB}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &file(&upstream, rest))).await;
    let head = |path: &str, framing: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{framing}\r\n\r\n"
        )
    };
    let large = "x".repeat(1_100_000);
    for (path, framing, begun, status) in [
        ("/paid/upload", "Content-Length: 4000", "abc", 402),
        (
            "/paid/upload",
            "Content-Length: 4000\r\nExpect: 100-continue",
            "",
            402,
        ),
        (
            "/paid/upload",
            "Transfer-Encoding: chunked",
            "3\r\nabc\r\n",
            402,
        ),
        (
            "/v1/chat/completions",
            "Content-Length: 4000000",
            large.as_str(),
            503,
        ),
    ] {
        let mut client = raw(gateway.address, head(path, framing).as_bytes()).await;
        let _ = client.write_all(begun.as_bytes()).await;
        let answer = one_answer(&mut client).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    // All of the body is there.
    let whole = head("/paid/upload", "Content-Length: 3") + "abc";
    let mut client = raw(gateway.address, whole.as_bytes()).await;
    for _ in 0..2 {
        let answer = one_answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 402 "), "{answer}");
        assert!(!answer.contains("\r\nconnection:"), "{answer}");
        client.write_all(whole.as_bytes()).await.unwrap();
    }
    gateway.stop().await;
}

/// A provider that answers a head, before it reads the rest.
async fn hasty(answer: &'static str) -> String {
    at_each_head(move |mut stream| async move {
        stream.write_all(answer.as_bytes()).await.unwrap();
        if !answer.is_empty() {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}

/// What is left of the body may never come.
#[tokio::test]
async fn an_answer_before_the_body_says_that_its_connection_ends() {
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno",
            502,
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno", 404),
        ("HTTP/1.1 2000 OK\r\n\r\n", 502),
        ("", 502),
    ] {
        let gateway = Gateway::start(&shared_config(&hasty(answer).await, "")).await;
        for framing in ["Content-Length: 4000", "Transfer-Encoding: chunked"] {
            let head = format!(
                "POST /web/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{framing}\r\n\r\n3\r\nabc\r\n",
                harness::KEY
            );
            let mut client = raw(gateway.address, head.as_bytes()).await;
            let told = one_answer(&mut client).await;
            assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{told}");
            assert!(told.contains("\r\nconnection: close\r\n"), "{told}");
            let mut rest = Vec::new();
            let ended = within("the end", client.read_to_end(&mut rest)).await;
            assert_eq!(ended.unwrap(), 0, "{rest:?}");
        }
        gateway.stop().await;
    }
    // Nobody is there to begin with.
    let gateway = Gateway::start(&shared_config("http://127.0.0.1:1", "")).await;
    let head = "POST /web/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n".to_owned();
    let head = head + &format!("Authorization: Bearer {}\r\n\r\nabc", harness::KEY);
    let mut client = raw(gateway.address, head.as_bytes()).await;
    let told = one_answer(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 502 "), "{told}");
    assert!(told.contains("\r\nconnection: close\r\n"), "{told}");
    gateway.stop().await;
    // What has come whole keeps its connection.
    let upstream = provider().await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let head = format!(
        "POST /web/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        harness::KEY
    );
    let mut client = raw(gateway.address, head.as_bytes()).await;
    for _ in 0..2 {
        let told = one_answer(&mut client).await;
        assert!(!told.contains("\r\nconnection:"), "{told}");
        client.write_all(head.as_bytes()).await.unwrap();
    }
    gateway.stop().await;
}
