use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{A, ACCOUNTS, B, metric};
use crate::{
    fixture::{file, provider, refused, served},
    harness::{Gateway, raw_until_close, within},
};

const HELD: &str = "faregate_buffered_body_bytes";

/// A chat completion of so many bytes.
fn chat(bytes: usize) -> String {
    let (begin, end) = (
        r#"{"model":"m","messages":[{"role":"user","content":""#,
        r#""}]}"#,
    );
    let middle = "x".repeat(bytes - begin.len() - end.len());
    format!("{begin}{middle}{end}")
}

const CHATS: &str = "/v1/chat/completions";

fn head(path: &str, key: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

async fn holds(gateway: &Gateway, bytes: u64) {
    let all = async { while metric(gateway, HELD).await != bytes {} };
    within("bodies are held or let go", all).await;
}

fn limited(most: &str) -> String {
    format!(
        "server: {{listen: \"127.0.0.1:0\", limits: {{buffered_bodies: {most}, json_body: 1MiB}}}}\n"
    )
}

#[tokio::test]
async fn a_body_without_room_is_refused_and_the_others_go_on() {
    let upstream = provider().await;
    let raw = "routes: [{path: /}, {path: /raw, provider: up, strip_prefix: true}]\n";
    let yaml = limited("1MiB") + raw + &file(&upstream, ACCOUNTS);
    let gateway = Gateway::start(&yaml).await;
    let body = chat(700_000);
    let mut slow = TcpStream::connect(gateway.address).await.unwrap();
    let begin = head(CHATS, A, body.len()) + &body[..600_000];
    slow.write_all(begin.as_bytes()).await.unwrap();
    holds(&gateway, 600_000).await;

    // There is room for this one, and not for that one. It is refused without its end.
    served(&gateway.chat(B, &chat(200_000)).send().await);
    let large = chat(500_000);
    let unfinished = head(CHATS, B, large.len()) + &large[..470_000];
    let told = raw_until_close(gateway.address, unfinished.as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    assert!(told.contains("\"overloaded\""), "{told}");
    assert!(told.contains("request bodies"), "{told}");
    let question = gateway.call("POST", "/v1/faregate/preflight").bearer(B);
    refused(&question.json(&large).send().await, 503, "overloaded");
    assert_eq!(upstream.seen().len(), 1);
    holds(&gateway, 600_000).await;

    // What is passed on as it comes takes no room.
    let file = gateway.call("POST", "/raw/v1/files").bearer(B);
    served(&file.body(vec![b'x'; 900_000]).send().await);

    slow.write_all(&body.as_bytes()[600_000..]).await.unwrap();
    let mut answer = String::new();
    within("the end", slow.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    holds(&gateway, 0).await;
    served(&gateway.chat(B, &large).send().await);
    assert_eq!(metric(&gateway, "faregate_overload_level").await, 0);
    let shed = "faregate_shed_calls_total{why=\"body\"}";
    assert_eq!(metric(&gateway, shed).await, 2);
    for key in [A, B] {
        gateway.nothing_held(key).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_account_that_fills_the_room_leaves_some_for_others() {
    for path in [CHATS, "/v1/faregate/preflight"] {
        an_account_fills_the_room(path).await;
    }
}

async fn an_account_fills_the_room(path: &str) {
    let upstream = provider().await;
    let gateway = Gateway::start(&(limited("1MiB") + &file(&upstream, ACCOUNTS))).await;
    let body = chat(400_000);
    let mut slow = Vec::new();
    for sent in [399_000_u64, 399_000, 160_000] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let begin = head(path, A, body.len()) + &body[..usize::try_from(sent).unwrap()];
        let before = metric(&gateway, HELD).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        holds(&gateway, before + sent).await;
        slow.push(stream);
    }
    // 91 % of the room is the one account's. What would make it scarce is not the one account's any more.
    let more = slow.last_mut().unwrap();
    more.write_all(&body.as_bytes()[160_000..200_000])
        .await
        .unwrap();
    let mut told = String::new();
    within("a refusal", more.read_to_string(&mut told))
        .await
        .unwrap();
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    served(&gateway.chat(B, &chat(100_000)).send().await);
    drop(slow);
    holds(&gateway, 0).await;
    gateway.stop().await;
}

#[tokio::test]
async fn room_is_taken_until_the_provider_has_the_body_and_no_longer() {
    const LENGTH: usize = 24 << 20;
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", provider.local_addr().unwrap());
    let yaml = format!(
        "providers: {{up: {{kind: openai, base_url: \"{url}\", api_key: sk-upstream}}}}\n\
         models: {{m: {{provider: up, model: real-m, context_window: 100000000}}}}\n{ACCOUNTS}"
    );
    let gateway = Gateway::start(&yaml).await;
    let body = chat(LENGTH);
    for answers in [true, false] {
        let call = gateway.chat(A, &body);
        let asked = tokio::spawn(call.try_send());
        let (mut stream, _) = within("a call", provider.accept()).await.unwrap();
        // More than all sockets on the way hold.
        holds(&gateway, LENGTH as u64).await;
        if !answers {
            asked.abort();
            drop(stream);
            holds(&gateway, 0).await;
            break;
        }
        let mut read = 0;
        let mut buffer = vec![0; 1 << 20];
        while read <= LENGTH {
            let more = within("the body", stream.read(&mut buffer)).await.unwrap();
            assert_ne!(more, 0);
            read += more;
        }
        holds(&gateway, 0).await;
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        assert_eq!(within("an answer", asked).await.unwrap().unwrap(), 200);
    }
    gateway.stop().await;
}
