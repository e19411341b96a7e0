//! Every route and every fault, with secrets in all of them.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{
    ADMIN_TOKEN, CLIENT_KEY, CONVERSATION, COOKIE, PROMPT, PROVIDERS_WORDS, QUERY_KEY, REPLY,
    SECRETS, WRONG_KEY, WRONG_TOKEN, tells_none,
};
use crate::harness::{Answer, Call, Daemon, Seen, Step, json as whole, raw, raw_until_close, sse};

/// What the provider does, by the word `user` of the body or the path.
const FAULTS: [&str; 13] = [
    "whole",
    "stream",
    "cut",
    "reset",
    "close",
    "garbage",
    "refuse",
    "echo",
    "bill",
    "busy",
    "fail",
    "elsewhere",
    "silent",
];

fn chunk() -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{REPLY}\"}}}}]}}\n\n")
}

/// The provider: it answers, fails, and quotes what it was sent.
pub(super) fn script(seen: &Seen) -> Vec<Step> {
    let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let by_path = seen.target.rsplit('/').next().unwrap_or_default();
    let words = format!("{{\"error\":{{\"message\":\"{PROVIDERS_WORDS}\"}}}}");
    match asked["user"].as_str().unwrap_or(by_path) {
        "stream" => sse(&[&chunk(), "data: [DONE]\n\n"]),
        "cut" => {
            let mut steps = sse(&[&chunk()]);
            *steps.last_mut().unwrap() = Step::Reset;
            steps
        }
        "reset" => vec![Step::Reset],
        "close" => vec![Step::Close],
        "garbage" => vec![
            Step::Send(format!("{PROVIDERS_WORDS}\r\n\r\n").into_bytes()),
            Step::Close,
        ],
        "refuse" => whole("401 Unauthorized", &words),
        // It quotes everything that it was sent, which the client's own words may be.
        "echo" => {
            let said = json!({"error": {"message": format!("{seen:?}")}}).to_string();
            whole("422 Unprocessable Content", &said)
        }
        "bill" => whole("402 Payment Required", &words),
        "busy" => whole("429 Too Many Requests", &words),
        "fail" => whole("500 Internal Server Error", &words),
        "elsewhere" => vec![Step::Send(
            format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/{PROVIDERS_WORDS}\r\n\
                 content-length: 0\r\n\r\n"
            )
            .into_bytes(),
        )],
        "silent" => vec![Step::Hang],
        _ => whole(
            "200 OK",
            &format!("{{\"choices\":[{{\"message\":{{\"content\":\"{REPLY}\"}}}}]}}"),
        ),
    }
}

/// What no client may read, whatever it is told: everything but its own conversation.
#[track_caller]
fn answered(what: &str, answer: &Answer) {
    let secrets = SECRETS
        .iter()
        .filter(|secret| !CONVERSATION.contains(secret));
    let secrets: Vec<&str> = secrets.copied().collect();
    tells_none(&secrets, what, format!("{:?}", answer.headers));
    tells_none(&secrets, what, &answer.body);
}

fn body(model: &str, what: &str) -> String {
    let stream = ["stream", "cut"].contains(&what);
    json!({
        "model": model, "user": what, "stream": stream, "max_tokens": 50,
        "messages": [{"role": "user", "content": PROMPT}],
    })
    .to_string()
}

/// All of it, once.
pub(super) async fn drive(daemon: &Daemon) {
    calls(daemon).await;
    refused(daemon).await;
    leaving(daemon).await;
    operated(daemon).await;
}

/// Calls that are forwarded, and all that providers do to them.
async fn calls(daemon: &Daemon) {
    for what in FAULTS {
        for (path, model) in [
            ("/v1/chat/completions", "m"),
            ("/v1/messages", "c"),
            ("/v1/responses", "m"),
            ("/v1/embeddings", "m"),
        ] {
            let call = Call::new(daemon.address, "POST", path).bearer(CLIENT_KEY);
            // A silent provider is waited for by one call alone.
            if what == "silent" && path != "/v1/chat/completions" {
                continue;
            }
            let call = call.header("cookie", COOKIE).json(&body(model, what));
            answered(&format!("{path} {what}"), &call.send().await);
        }
        if what != "silent" {
            let path = format!("/web/{what}?about={PROMPT}");
            let call = Call::new(daemon.address, "POST", &path).header("x-api-key", CLIENT_KEY);
            answered(&path, &call.body(PROMPT).send().await);
        }
    }
    for model in ["gone", "plain"] {
        let call = daemon.chat(CLIENT_KEY, &body(model, "whole"));
        answered(model, &call.send().await);
    }
    let ask = Call::new(daemon.address, "POST", "/v1/faregate/preflight").bearer(CLIENT_KEY);
    answered("preflight", &ask.json(&body("m", "whole")).send().await);
}

/// What is refused has been read too.
async fn refused(daemon: &Daemon) {
    let chat = "/v1/chat/completions";
    for (key, body) in [
        (WRONG_KEY, body("m", "whole")),
        (CLIENT_KEY, format!("{{\"model\":\"m\",\"x\":{PROMPT}")),
        (CLIENT_KEY, format!(r#"{{"model":"m","model":"{PROMPT}"}}"#)),
        (CLIENT_KEY, body("c", "whole")),
        (
            CLIENT_KEY,
            format!(r#"{{"model":"m","max_tokens":"{PROMPT}"}}"#),
        ),
        (CLIENT_KEY, body("m", &"x".repeat(300))),
    ] {
        let call = daemon.chat(key, &body).header("cookie", COOKIE);
        answered("a refusal", &call.send().await);
    }
    for media in ["application/problem+json", "text/html"] {
        let call = daemon.chat(WRONG_KEY, &body("m", "whole"));
        answered(media, &call.header("accept", media).send().await);
    }
    // A key in the query: the one call that its plan has, and one that is refused.
    for _ in 0..2 {
        let path = format!("{chat}?key={QUERY_KEY}&prompt={PROMPT}");
        let call = Call::new(daemon.address, "POST", &path);
        answered("?key=", &call.json(&body("m", "whole")).send().await);
    }
    let two = daemon.chat(CLIENT_KEY, &body("m", "whole"));
    answered("two keys", &two.header("x-api-key", QUERY_KEY).send().await);
    for (method, path) in [
        ("GET", "/nowhere"),
        ("DELETE", chat),
        ("POST", "/v1//x"),
        ("TRACE", "/"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/m"),
        ("GET", "/v1/faregate/limits"),
        ("GET", "/problems/invalid_api_key"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", "/faregate/webhooks/stripe"),
        ("OPTIONS", chat),
    ] {
        let path = format!("{path}?key={CLIENT_KEY}&q={PROMPT}");
        let call = Call::new(daemon.address, method, &path).header("cookie", COOKIE);
        answered(
            &path,
            &call
                .header("stripe-signature", WRONG_KEY)
                .body(PROMPT)
                .send()
                .await,
        );
    }
    // Heads that are none, and one that HTTP/2 should have been.
    for bytes in [
        format!("{PROMPT}\r\nauthorization: {CLIENT_KEY}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\nauthorization : {CLIENT_KEY}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {CLIENT_KEY} x\r\nconnection: close\r\n\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{CLIENT_KEY}{PROMPT}"),
    ] {
        let said = raw_until_close(daemon.address, bytes.as_bytes()).await;
        tells_none(&SECRETS, "a bad head", said);
    }
}

/// Clients that leave before an answer and within one.
async fn leaving(daemon: &Daemon) {
    for what in ["stream", "whole"] {
        let body = body("m", what);
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CLIENT_KEY}\r\n\
             cookie: {COOKIE}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let cut = request.len() - 20;
        for bytes in [&request[..cut], &request] {
            let mut client = raw(daemon.address, bytes.as_bytes()).await;
            client.shutdown().await.unwrap();
        }
    }
}

/// What operators do, and what they may do wrong.
async fn operated(daemon: &Daemon) {
    let admin =
        |method: &str, path: &str, token: &str| Call::new(daemon.admin, method, path).bearer(token);
    for path in [
        "accounts",
        "accounts/a",
        "accounts/a/credit",
        "keys",
        "keys/k",
        "plans",
        "calls",
        "usage",
        "ledger",
        "notifications",
        "webhooks",
    ] {
        let path = format!("/admin/v1/{path}");
        let read = admin("GET", &path, ADMIN_TOKEN).send().await;
        assert_ne!(read.status, 401, "{path}");
        tells_none(&SECRETS, &path, &read.body);
        let refused = admin("GET", &path, WRONG_TOKEN).send().await;
        assert_eq!(refused.status, 401, "{path}");
        tells_none(&SECRETS, &path, &refused.body);
    }
    for (path, body) in [
        ("keys", json!({"account": "a", "secret": WRONG_KEY})),
        ("keys", json!({"account": WRONG_KEY})),
        (
            "accounts",
            json!({"id": "x", "plan": "p", "token": WRONG_TOKEN}),
        ),
        ("notifications/test", json!({})),
        ("accounts/a/credit", json!({"amount": WRONG_KEY, "id": "x"})),
    ] {
        let path = format!("/admin/v1/{path}");
        let answer = admin("POST", &path, ADMIN_TOKEN)
            .json(&body.to_string())
            .send()
            .await;
        // What somebody has written wrongly is shown to them.
        let others = SECRETS
            .iter()
            .filter(|secret| ![WRONG_KEY, WRONG_TOKEN].contains(secret));
        tells_none(&others.copied().collect::<Vec<_>>(), &path, &answer.body);
    }
    let metrics = Call::new(daemon.admin, "GET", "/metrics").send().await;
    tells_none(&SECRETS, "/metrics", &metrics.body);
}
