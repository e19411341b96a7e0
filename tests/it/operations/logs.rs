//! What may be said in a line of the log: everything, as long as it stays one line.

use tokio::io::AsyncReadExt;

use super::{ANSWER, yaml};
use crate::harness::{Call, Daemon, KEY, Step, Upstream, json, raw, within};

/// What some terminal, parser or person takes for something else: escapes, line breaks, marks that turn text around, a
/// quote and a backslash, bytes that are no text.
const EVIL: &str =
    "a\u{1b}[2J\u{1b}]0;x\u{7}\r\nb\u{202e}c\u{2028}d\u{9b}31me\u{feff}\u{0}\"\\ end";

/// As it goes into a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[tokio::test]
async fn what_comes_from_outside_is_one_line_each_escaped_and_bounded() {
    let upstream = Upstream::start(|seen| match seen.target.as_str() {
        // Its words in a status line, in fields and in an error.
        "/v1/words" => vec![
            Step::Send(
                format!(
                    "HTTP/1.1 500 \u{202e}{0}\r\nx-request-id: \u{202e}[2J{0}\r\ncontent-type: text/plain\r\ncontent-length: {1}\r\n\r\n{2}",
                    "y".repeat(5_000),
                    EVIL.len(),
                    EVIL
                )
                .into_bytes(),
            ),
        ],
        _ => json("200 OK", ANSWER),
    })
    .await;
    let mut daemon = Daemon::start_at(&yaml(&upstream.url(), ""), "debug").await;
    let mut requests = 0;
    // A million letters in the model's name, in the user's, in a member that nobody knows.
    let long = "\u{1}ä".repeat(300_000);
    for body in [
        format!(r#"{{"model":{}}}"#, quoted(EVIL)),
        format!(r#"{{"model":{}}}"#, quoted(&long)),
        format!(r#"{{"model":"m","user":{}}}"#, quoted(EVIL)),
        format!(
            r#"{{"model":"m","user":{},{}:1}}"#,
            quoted(&long),
            quoted(EVIL)
        ),
        format!("{{\"model\":\"m\" {EVIL}"),
    ] {
        let answer = daemon.chat(KEY, &body).send().await;
        assert!(
            matches!(answer.status.as_u16(), 200 | 400 | 404),
            "{}",
            answer.text()
        );
        requests += 1;
    }
    // In fields, as bytes that no text has, and as many as a head may have.
    let hidden: Vec<u8> = [
        &b"x\xc2\x9b31m\xe2\x80\xae\xff\xfe\ty"[..],
        "z".repeat(9_000).as_bytes(),
    ]
    .concat();
    for name in [
        "user-agent",
        "x-request-id",
        "traceparent",
        "referer",
        "accept",
        "x-forwarded-for",
    ] {
        let mut request = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n{name}: ").into_bytes();
        request.extend(&hidden);
        request.extend(b"\r\n\r\n");
        let mut answer = Vec::new();
        let mut stream = raw(daemon.address, &request).await;
        within("an answer", stream.read_to_end(&mut answer))
            .await
            .unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "), "{name}");
        requests += 1;
    }
    // In the path and the query, in a method, and in what is no head at all.
    for target in [
        "/%1b%5b2J",
        "/v1/models/%e2%80%ae%0d",
        "/v1/models?x=%0d%0a%1b[2J",
    ] {
        Call::new(daemon.address, "GET", target)
            .bearer(KEY)
            .send()
            .await;
        requests += 1;
    }
    let method = Call::new(daemon.address, &"M".repeat(4_000), "/v1/models").bearer(KEY);
    assert_eq!(method.send().await.status, 405);
    requests += 1;
    for bytes in [
        EVIL.as_bytes(),
        b"GET / HTTP/1.1\r\nhost: \x1b[2J\r\n\r\n",
        b"\x16\x03\x01",
    ] {
        let mut stream = raw(daemon.address, bytes).await;
        tokio::io::AsyncWriteExt::shutdown(&mut stream)
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut answer)).await;
    }
    let words = Call::new(daemon.address, "POST", "/raw/v1/words").bearer(KEY);
    words.json("{}").send().await;
    requests += 1;
    daemon.all_settled(&upstream, KEY).await;
    // And in a file.
    daemon
        .reload(&format!(
            "{}: 1\n\"x{}\": 2\n",
            quoted(EVIL),
            "y".repeat(50_000)
        ))
        .await;
    daemon.signal("TERM");
    let log = daemon.whole_log().await;
    let accessed = log.matches("\"target\":\"faregate::access\"").count();
    assert!(accessed >= requests, "{accessed} of {requests}");
    assert!(log.contains("/%1b%5b2J"), "nothing of it was logged");
    for line in log.lines() {
        assert!(line.len() < 16 << 10, "{} bytes", line.len());
        let parsed: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            parsed["at"].is_string() && parsed["level"].is_string(),
            "{line}"
        );
        let stray = line.chars().find(|letter| {
            letter.is_control()
                || matches!(
                    letter,
                    '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
                )
        });
        assert_eq!(stray, None, "{line:?}");
    }
}
