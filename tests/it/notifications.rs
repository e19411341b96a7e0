//! What people are told reaches them: signed, once, and again until it does.

/// Tries, their schedule, and who gives up.
mod delivery;

/// E-mail.
mod mail;

/// Addresses that messages must not go to.
mod targets;

/// What is told, over restarts and reloads.
mod told;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::harness::{Gateway, Seen, Step, Upstream, json, within};

/// Two secrets of a webhook: the present one and the one before.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const BEFORE: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";

/// What nobody may read in a list or a log.
const TOKEN: &str = "s3cret-of-the-receiver";

/// A receiver that answers with these statuses in turn, the last one for ever. A status may bring fields along.
async fn receiver(answers: &'static [&'static str]) -> Upstream {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Upstream::start(move |_| {
        let index = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        answer(answers[index.min(answers.len() - 1)])
    })
    .await
}

fn answer(status: &str) -> Vec<Step> {
    match status {
        "hang" => vec![Step::Hang],
        status => json(status, "{}"),
    }
}

/// A webhook at this receiver; `rest` are more of its keys.
fn webhook(receiver: &Upstream, rest: &str) -> String {
    let url = receiver.url();
    format!("{{url: \"{url}/hooks?token={TOKEN}\", secrets: [\"{SECRET}\", \"{BEFORE}\"]{rest}}}")
}

/// A section of the file with these webhooks; the receivers are on this machine.
fn hooks(webhooks: &[String]) -> String {
    let webhooks = webhooks.join(", ");
    format!("notifications: {{webhooks: [{webhooks}], allow_private_targets: [127.0.0.0/8]}}\n")
}

/// A gateway that tells one webhook, and nothing else.
async fn gateway(receiver: &Upstream) -> Gateway {
    Gateway::start(&hooks(&[webhook(receiver, "")])).await
}

/// Has everybody told something.
async fn test(gateway: &Gateway) {
    let answer = gateway
        .admin("POST", "/admin/v1/notifications/test")
        .send()
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Every message, newest first.
async fn listed(gateway: &Gateway) -> Vec<Value> {
    let answer = gateway.admin("GET", "/admin/v1/notifications").send().await;
    assert!(!answer.text().contains(TOKEN), "{}", answer.text());
    answer.value()["data"].as_array().unwrap().clone()
}

/// The only message there is, once it is as wanted.
async fn message(gateway: &Gateway, wanted: impl Fn(&Value) -> bool) -> Value {
    within("a message became what it should be", async {
        loop {
            let messages = listed(gateway).await;
            assert!(messages.len() <= 1, "{messages:#?}");
            if let Some(message) = messages.into_iter().find(&wanted) {
                return message;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// The message that came, with its signatures verified as a receiver does it.
#[track_caller]
fn verified(seen: &Seen) -> Value {
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, format!("/hooks?token={TOKEN}"));
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(seen.body.len() < 20_000);
    let signed = format!(
        "{}.{}.{}",
        seen.headers["webhook-id"],
        seen.headers["webhook-timestamp"],
        std::str::from_utf8(&seen.body).unwrap()
    );
    let signatures: Vec<&str> = seen.headers["webhook-signature"].split(' ').collect();
    assert_eq!(signatures.len(), 2);
    for (secret, signature) in [SECRET, BEFORE].iter().zip(signatures) {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        let signature = STANDARD
            .decode(signature.strip_prefix("v1,").unwrap())
            .unwrap();
        mac.verify_slice(&signature).unwrap();
    }
    seen.json()
}

/// The messages that came, once there are so many; their types, oldest first.
async fn arrived(receiver: &Upstream, count: usize) -> Vec<Value> {
    within("messages arrived", async {
        while receiver.seen().len() < count {
            receiver.arrival().await;
        }
    })
    .await;
    let seen = receiver.seen();
    assert_eq!(seen.len(), count, "{seen:#?}");
    seen.iter().map(verified).collect()
}
