//! Keys that open nothing, whatever they are made of: one answer for all, and nothing is asked of the store.

use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    fixture::{ACCOUNT, CHAT, KEY, file, provider, refused, served},
    harness::{Gateway, Upstream, raw_until_close, within},
};

/// No limit for guesses, because these tests are one address.
fn yaml(upstream: &Upstream, rest: &str) -> String {
    let server = "server: {listen: \"127.0.0.1:0\", limits: {wrong_keys_per_second: 0, connection_requests: 1000000}}\n";
    server.to_owned() + &file(upstream, rest)
}

#[tokio::test]
async fn what_is_stored_of_a_key_opens_nothing() {
    let upstream = provider().await;
    let digest = Sha256::digest("a-key-known-by-its-hash-alone");
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let rest = format!(
        "plans: {{p: {{}}}}\naccounts: [{{id: a, plan: p, keys: [{{id: k, key_hash: \"sha256:{hash}\"}}]}}]\n"
    );
    let gateway = Gateway::start(&yaml(&upstream, &rest)).await;
    served(
        &gateway
            .chat("a-key-known-by-its-hash-alone", CHAT)
            .send()
            .await,
    );
    for stolen in [
        hash.clone(),
        hash.to_uppercase(),
        format!("sha256:{hash}"),
        hash[..32].to_owned(),
    ] {
        let answer = gateway.chat(&stolen, CHAT).send().await;
        refused(&answer, 401, "invalid_api_key");
    }
    assert_eq!(upstream.seen().len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_of_any_bytes_is_unknown_and_changes_nothing() {
    let upstream = provider().await;
    let gateway = Gateway::start(&yaml(&upstream, &format!("plans: {{p: {{}}}}\n{ACCOUNT}"))).await;
    let mut keys: Vec<Vec<u8>> = [
        "'; DROP TABLE keys; --",
        "' OR '1'='1",
        "%",
        "_",
        "%25",
        "../../etc/passwd",
        "${jndi:ldap://127.0.0.1/x}",
        "{{7*7}}",
        "null",
        "undefined",
        "Bearer",
        "fg_00000000_0000000000000000000000000000000000000000000000000",
        "clé",
    ]
    .map(|key| key.as_bytes().to_vec())
    .into();
    keys.push(vec![0xff, 0xfe, 0x80]);
    keys.push(b"k".repeat(12 << 10));
    for almost in [&KEY[1..], &KEY[..KEY.len() - 1], &KEY.to_uppercase()] {
        keys.push(almost.as_bytes().to_vec());
    }
    for key in &keys {
        let mut request =
            b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ".to_vec();
        request.extend_from_slice(key);
        request.extend_from_slice(b"\r\n\r\n");
        let answer = raw_until_close(gateway.address, &request).await;
        let shown = String::from_utf8_lossy(key);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{shown}: {answer}");
        // As the query has it, each byte is written as a number. None of them may be a NUL.
        let encoded: String = key.iter().map(|byte| format!("%{byte:02x}")).collect();
        if encoded.len() < 6 << 10 {
            let path = format!("/v1/models?key={encoded}");
            let answer = gateway.call("GET", &path).send().await;
            refused(&answer, 401, "invalid_api_key");
            let answer = gateway.call("GET", &format!("{path}%00")).send().await;
            refused(&answer, 400, "invalid_target");
        }
    }
    // Beyond the head's bound it is no key but too much, and a control character is no field at all.
    for (key, status) in [(b"k".repeat(1 << 20), 431), (b"a\0b".to_vec(), 400)] {
        let mut request =
            b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ".to_vec();
        request.extend_from_slice(&key);
        request.extend_from_slice(b"\r\n\r\n");
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        // It may be refused, and closed, before all of it was sent.
        let _ = client.write_all(&request).await;
        let mut answer = Vec::new();
        let _ = within("an answer", client.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    served(&gateway.chat(KEY, CHAT).send().await);
    gateway.stop().await;
}

/// An answer without what is different in every one.
fn plain(answer: &str) -> (String, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines = head.lines().filter(|line| {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        !["x-request-id", "date"].contains(&name.as_str())
    });
    let mut body: Value = serde_json::from_str(body).unwrap();
    for name in ["instance", "request_id"] {
        body[name] = Value::Null;
    }
    (lines.collect::<Vec<_>>().join("\n"), body)
}

/// One request and its answer on a connection that is kept.
async fn ask(client: &mut TcpStream, key: &str) -> (String, Duration) {
    let request =
        format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n");
    let start = Instant::now();
    client.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let answer = loop {
        within("an answer", client.read_buf(&mut read))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.lines();
            let length = lines.filter_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map(|length| length.parse::<usize>().unwrap()).sum();
            if body.len() == length {
                break text.into_owned();
            }
        }
    };
    (answer, start.elapsed())
}

/// Keys that are tried of each kind: `FAREGATE_STRANGERS`, or enough to see that they are all alike.
fn tries() -> usize {
    let set = std::env::var("FAREGATE_STRANGERS").ok();
    set.map_or(250, |tries| tries.parse().unwrap())
}

#[tokio::test]
async fn every_stranger_gets_one_answer_and_on_demand_in_one_time() {
    let upstream = provider().await;
    let rest = format!("plans: {{p: {{}}, none: {{models: []}}}}\n{ACCOUNT}");
    let gateway = Gateway::start(&yaml(&upstream, &rest)).await;
    let revoked = gateway.make_key(r#"{"account":"a","id":"made"}"#).await;
    served(&gateway.admin("DELETE", "/admin/v1/keys/made").send().await);
    // A key of ours whose checksum is wrong: one letter is another.
    let last = if revoked.ends_with('0') { "1" } else { "0" };
    let misspelt = format!("{}{last}", &revoked[..revoked.len() - 1]);
    let kinds: [&dyn Fn(usize) -> String; 4] = [
        &|_| revoked.clone(),
        &|_| misspelt.clone(),
        &|number| format!("fg_{number:08}_{:049}", number * 7),
        &|number| format!("sk-of-another-tenant-{number:030}"),
    ];
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.set_nodelay(true).unwrap();
    let (mut expected, mut times) = (None, [const { Vec::new() }; 4]);
    for number in 0..tries() {
        // In turn, so that whatever else the machine does falls on all kinds.
        for (kind, times) in kinds.iter().zip(&mut times) {
            let key = kind(number);
            let (answer, took) = ask(&mut client, &key).await;
            let answer = plain(&answer);
            assert_eq!(
                answer,
                *expected.get_or_insert_with(|| answer.clone()),
                "{key}"
            );
            times.push(took);
        }
    }
    let (head, body) = expected.unwrap();
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert_eq!(body["error"]["code"], "invalid_api_key");
    if std::env::var_os("FAREGATE_STRANGERS").is_some() {
        let medians = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        crate::harness::notice(&format!("median times: {medians:?}"));
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        assert!(*most <= least.mul_f64(1.05), "{medians:?}");
    }
    gateway.stop().await;
}
