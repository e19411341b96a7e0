use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{A, ACCOUNTS};
use crate::{
    fixture::{CHAT, file, provider},
    harness::{Gateway, within},
};

fn request(key: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{CHAT}",
        CHAT.len()
    )
}

/// Sends all of `requests` at once, and gives what comes until the server closes.
async fn conversation(gateway: &Gateway, requests: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut read = String::new();
    within("the server closed", stream.read_to_string(&mut read))
        .await
        .unwrap();
    read
}

#[tokio::test]
async fn the_last_answer_says_so_and_a_client_loses_none() {
    let upstream = provider().await;
    let server = "server: {listen: \"127.0.0.1:0\", limits: {connection_requests: 3}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &file(&upstream, ACCOUNTS))).await;
    for (key, status) in [(A, "200"), ("nobody-s-key", "401")] {
        let answers = conversation(&gateway, &request(key).repeat(5)).await;
        let heads: Vec<_> = answers.split("HTTP/1.1 ").skip(1).collect();
        assert_eq!(heads.len(), 3, "{answers}");
        let closes = |answer: &&str| answer.contains("connection: close\r\n");
        let closing: Vec<_> = heads.iter().map(closes).collect();
        assert_eq!(closing, [false, false, true], "{answers}");
        assert!(heads.iter().all(|answer| answer.starts_with(status)));
    }
    // Three of five were taken; the others were never begun.
    assert_eq!(upstream.seen().len(), 3);
    gateway.calls(3).await;
    gateway.nothing_held(A).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_of_its_age_is_closed_and_an_old_one_answers_first() {
    let upstream = provider().await;
    let server = "server: {listen: \"127.0.0.1:0\", timeouts: {connection_age: 200ms}}\n";
    let gateway = Gateway::start(&(server.to_owned() + &file(&upstream, ACCOUNTS))).await;
    let answered = conversation(&gateway, &request(A)).await;
    assert!(
        answered.is_empty() || answered.starts_with("HTTP/1.1 200 "),
        "{answered}"
    );
    gateway.stop().await;
}
