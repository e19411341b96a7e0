//! Providers that quote what they were sent: our credential is nobody's to read.

use crate::{
    fixture::{CHAT, MESSAGE},
    harness::{Gateway, KEY, Step, Upstream, gzip, json, shared_config},
};

fn error(status: &str, words: &str) -> Vec<Step> {
    json(
        status,
        &format!("{{\"error\":{{\"message\":\"{words}\"}}}}"),
    )
}

#[tokio::test]
async fn a_credential_that_an_error_quotes_is_masked_and_nothing_else_changes() {
    let upstream = Upstream::start(|seen| {
        let fields = ["authorization", "x-api-key", "x-token"];
        let sent = fields.iter().find_map(|name| seen.headers.get(*name));
        let sent = sent.unwrap();
        error(
            "422 Unprocessable Content",
            &format!("you sent {sent} and {sent}, sk-up"),
        )
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    for (path, body, said) in [
        (
            "/v1/chat/completions",
            CHAT,
            "you sent Bearer *********** and Bearer ***********, sk-up",
        ),
        (
            "/v1/messages",
            MESSAGE,
            "you sent *************** and ***************, sk-up",
        ),
        (
            "/raw/v1/files",
            "",
            "you sent Bearer *********** and Bearer ***********, sk-up",
        ),
        (
            "/web/anything",
            "",
            "you sent ********* and *********, sk-up",
        ),
    ] {
        let call = gateway.call("POST", path).header("x-goog-api-key", KEY);
        let answer = call.body(body).send().await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_eq!(answer.value()["error"]["message"], said, "{path}");
        let length = answer.header("content-length").unwrap();
        assert_eq!(length, answer.body.len().to_string());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn it_is_masked_however_it_arrives() {
    const WORDS: &str = "no sk-upstream no sk-upstr";
    for cut in 1..WORDS.len() {
        for status in ["400 Bad Request", "500 Internal Server Error"] {
            let upstream = Upstream::start(move |_| {
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\nx-debug: key sk-upstream\r\n\
                     content-length: {}\r\n\r\n",
                    WORDS.len()
                );
                let mut steps = vec![Step::Send(head.into())];
                let (first, second) = WORDS.split_at(cut);
                steps.extend([first, second].map(|part| Step::Send(part.into())));
                steps
            })
            .await;
            let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
            let answer = gateway.chat(KEY, CHAT).send().await;
            assert_eq!(
                answer.text(),
                "no *********** no sk-upstr",
                "{status} {cut}"
            );
            assert_eq!(answer.header("x-debug"), Some(""));
            assert!(!answer.broken);
        }
    }
}

/// An answer with these bytes as its body.
fn packed(coding: &str, body: &[u8]) -> Vec<Step> {
    let head = format!(
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-encoding: {coding}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    vec![Step::Send([head.as_bytes(), body].concat())]
}

#[tokio::test]
async fn it_is_masked_in_what_the_provider_compressed() {
    let words = "no sk-upstream here";
    let whole = gzip(words.as_bytes());
    let long = gzip(&[words.as_bytes(), &[b' '; 8 << 20]].concat());
    for (path, body) in [("/raw/v1/files", ""), ("/v1/chat/completions", CHAT)] {
        // What cannot be read cannot be cleaned. Where the client chose the compression, that is no fault of the provider's,
        // whose status stands; where we asked for none, it is.
        let (unread, said) = match path {
            "/raw/v1/files" => (404, ""),
            _ => (502, "upstream_invalid_response"),
        };
        for (coding, sent, status) in [
            ("gzip", &whole[..], 404),
            ("gzip", &whole[1..], unread),
            ("gzip", &long, unread),
            ("br", &whole, unread),
        ] {
            let steps = packed(coding, sent);
            let upstream = Upstream::start(move |_| steps.clone()).await;
            let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
            let call = gateway.call("POST", path).bearer(KEY);
            let call = call.header("accept-encoding", "gzip").body(body);
            let answer = call.send().await;
            assert_eq!(answer.status, status, "{path} {coding}: {}", answer.text());
            assert_eq!(answer.header("content-encoding"), None);
            if sent == whole && coding == "gzip" {
                assert_eq!(answer.text(), "no *********** here");
                assert_eq!(answer.header("content-length"), Some("19"));
            } else {
                assert!(answer.text().contains(said), "{}", answer.text());
                assert_eq!(answer.text().is_empty(), said.is_empty());
            }
            gateway.stop().await;
        }
    }
}
