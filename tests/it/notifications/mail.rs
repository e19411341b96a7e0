use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{listed, test};
use crate::{
    fixture::{CHAT, KEY, file, provider, served},
    harness::{Gateway, within},
};

/// A mail server that takes everything but what its script says of a recipient.
struct Server {
    address: SocketAddr,
    /// What was taken: recipient and text.
    taken: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    async fn start(refusals: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&taken);
        let refusals: HashMap<_, _> = refusals.iter().copied().collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves in the middle has said all it wanted.
                let _ = serve(stream, &refusals, &keep).await;
            }
        });
        Self { address, taken }
    }

    /// What was taken, sorted by recipient.
    fn taken(&self) -> Vec<(String, String)> {
        let mut taken = self.taken.lock().unwrap().clone();
        taken.sort();
        taken
    }

    fn recipients(&self) -> Vec<String> {
        self.taken()
            .into_iter()
            .map(|(recipient, _)| recipient)
            .collect()
    }

    fn section(&self, rest: &str) -> String {
        let address = self.address;
        format!(
            "notifications:\n  email: {{smtp: \"smtp://{address}\", from: Faregate <billing@example.com>, {rest}}}\n"
        )
    }
}

/// Speaks SMTP (RFC 5321) with one client.
async fn serve(
    stream: TcpStream,
    refusals: &HashMap<&str, &str>,
    taken: &Mutex<Vec<(String, String)>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ready\r\n").await?;
    let (mut read, mut recipient) = (String::new(), String::new());
    loop {
        read.clear();
        if stream.read_line(&mut read).await? == 0 {
            return Ok(());
        }
        let line = read.trim_end();
        let (verb, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => "250-mail.test\r\n250 8BITMIME".to_owned(),
            "RCPT" => {
                recipient = rest
                    .trim_start_matches("TO:<")
                    .split('>')
                    .next()
                    .unwrap()
                    .to_owned();
                refusals
                    .get(recipient.as_str())
                    .map_or("250 ok", |reply| reply)
                    .to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut text).await? == 0 {
                        return Ok(());
                    }
                }
                taken.lock().unwrap().push((recipient.clone(), text));
                "250 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok".to_owned(),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
}

/// Every message, once all are as wanted.
async fn all(gateway: &Gateway, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    within("every message became what it should be", async {
        loop {
            let messages = listed(gateway).await;
            if messages.len() == count && messages.iter().all(&wanted) {
                return messages;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn operators_and_the_people_of_the_account_are_written_to() {
    let (upstream, server) = (provider().await, Server::start(&[]).await);
    let rest = format!(
        "plans: {{p: {{quotas: [{{requests: 1, per: day}}]}}}}\n\
         accounts:\n\
         \x20 - {{id: a, plan: p, email: people@a.example, keys: [{{id: k, key: {KEY}}}]}}\n\
         \x20 - {{id: b, plan: p, email: people@b.example, keys: [{{id: l, key: the-key-of-account-b-0001}}]}}\n"
    );
    let section = server.section("to: [ops@example.com], accounts: true");
    let gateway = Gateway::start(&format!("{}{section}", file(&upstream, &rest))).await;
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.app().notifier().look();
    let messages = all(&gateway, 2, |message| message["status"] == "delivered").await;
    assert!(messages.iter().all(|message| message["target"] == "email"));
    assert_eq!(server.recipients(), ["ops@example.com", "people@a.example"]);
    let (_, text) = &server.taken()[0];
    assert!(
        text.contains("From: Faregate <billing@example.com>\r\n"),
        "{text}"
    );
    assert!(
        text.contains("Subject: a: the daily request quota of the plan is used\r\n"),
        "{text}"
    );
    assert!(
        text.contains("\r\nUsed: 1 of 1. It resets at 2026-11-21T00:00:00Z.\r\n"),
        "{text}"
    );
    let ids: Vec<&str> = messages
        .iter()
        .map(|message| message["id"].as_str().unwrap())
        .collect();
    let named = |id: &&str| server.taken().iter().any(|(_, text)| text.contains(*id));
    assert!(ids.iter().all(named), "{ids:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_given_up_and_a_busy_server_is_not() {
    let server = Server::start(&[
        ("nobody@example.com", "550 no such user"),
        ("busy@example.com", "451 try later"),
        ("policy@example.com", "554 not now"),
    ])
    .await;
    let section = server
        .section("to: [nobody@example.com, busy@example.com, policy@example.com, ops@example.com]");
    let gateway = Gateway::start(&section).await;
    test(&gateway).await;
    let messages = all(&gateway, 4, |message| message["attempts"] == 1).await;
    let state = |recipient: &str| {
        let message = messages
            .iter()
            .find(|message| message["recipient"] == recipient)
            .unwrap();
        (message["status"].clone(), message["last_error"].clone())
    };
    let words = |text: &str| json!(text);
    assert_eq!(state("ops@example.com"), (json!("delivered"), json!(null)));
    assert_eq!(
        state("nobody@example.com"),
        (
            json!("failed"),
            words("permanent error (550): no such user")
        )
    );
    assert_eq!(
        state("busy@example.com"),
        (json!("pending"), words("transient error (451): try later"))
    );
    assert_eq!(
        state("policy@example.com"),
        (json!("pending"), words("permanent error (554): not now"))
    );
    assert_eq!(server.recipients(), ["ops@example.com"]);
    gateway.stop().await;
}
