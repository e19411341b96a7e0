//! Answers that are whole and meant to hurt: bodies where none may be, bombs, streams that no parser likes.

use super::{STREAM, WHOLE, chat, saying};
use crate::harness::{Gateway, KEY, LIMITED, Step, Upstream, gzip, shared_config};

/// D-08, D-11: what follows an answer that has ended is nobody's, and its connection is not used again.
#[tokio::test]
async fn bodies_where_none_may_be() {
    for (method, line) in [
        ("GET", "204 No Content\r\n"),
        ("GET", "204 No Content\r\ncontent-length: 4\r\n"),
        ("GET", "304 Not Modified\r\ncontent-length: 4\r\n"),
        ("HEAD", "200 OK\r\ncontent-length: 4\r\n"),
        ("HEAD", "200 OK\r\ntransfer-encoding: chunked\r\n"),
        ("GET", "200 OK\r\ncontent-length: 0\r\n"),
    ] {
        let upstream = Upstream::start(move |seen| {
            let text = if seen.target.ends_with("/next") {
                "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nours".to_owned()
            } else {
                format!("HTTP/1.1 {line}\r\nevil")
            };
            vec![Step::Send(text.into_bytes())]
        })
        .await;
        let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
        for round in 1..=3 {
            let answer = gateway.call(method, "/raw/v1/x").bearer(KEY).send().await;
            assert!(line.starts_with(answer.status.as_str()), "{method} {line}");
            assert!(answer.body.is_empty() && !answer.broken, "{method} {line}");
            if method == "GET" && !line.starts_with("200") {
                assert_eq!(answer.header("content-length"), None, "{line}");
            }
            let next = gateway
                .call("GET", "/raw/v1/next")
                .bearer(LIMITED)
                .send()
                .await;
            assert_eq!(
                (next.status.as_u16(), next.text()),
                (200, "ours"),
                "{method} {line}"
            );
            assert_eq!(upstream.seen().len(), 2 * round, "{method} {line}");
        }
        gateway.nothing_held(LIMITED).await;
        gateway.tells_no_secret().await;
        gateway.stop().await;
    }
}

/// D-14: an answer is compressed though none was asked for, a thousand times. It is the client's to unpack; here it is read
/// until it is clearly a bomb, and counts by its bytes. An error that cannot be read may quote our credential, and stays.
#[tokio::test]
async fn a_bomb_passes_and_is_not_unpacked() {
    const USAGE: &str = r#""usage":{"prompt_tokens":1,"completion_tokens":1}"#;
    let space = " ".repeat(32 << 20);
    for (body, media, text) in [
        (WHOLE, "application/json", format!("{{{space}{USAGE}}}")),
        (
            STREAM,
            "text/event-stream",
            format!("data: {{{space}{USAGE}}}\n\ndata: [DONE]\n\n"),
        ),
    ] {
        let packed = gzip(text.as_bytes());
        for status in ["200 OK", "400 Bad Request"] {
            let mut bytes = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                packed.len()
            )
            .into_bytes();
            bytes.extend(&packed);
            let told = chat(&saying(bytes).await.url(), "", body).await;
            if !status.starts_with("200") {
                told.refused(502, "upstream_invalid_response", "upstream_failed");
                continue;
            }
            assert!(told.answer.body == packed, "{media} {status}");
            told.recorded(200, "completed");
            assert_eq!(told.call["estimated"], true, "{media}");
            assert!(told.used.1 >= 7, "{media}: {:?}", told.used);
        }
    }
}

/// D-22: a stream that is legal, and nothing else, passes byte for byte, in pieces of one byte as well.
#[tokio::test]
async fn a_stream_that_no_parser_likes() {
    const USAGE: &[u8] =
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}";
    let pieces: [&[u8]; 12] = [
        b"\xef\xbb\xbf",
        b": comment|",
        b"event: x|data: {\"a\":1}|",
        b"data: with a NUL \0 in it||",
        b"data: \xff\xfe is no text||",
        b"data:no space|data|data: |data:  two||",
        b"id: 1|retry: 5|no field at all|:|",
        b"||||",
        b"data: [DONE]||",
        b"data: [DONE]||",
        b"data: {\"choices\":[{\"delta\":{\"content\":\"late\"}}]}||",
        b"data: and no blank line",
    ];
    for end in ["\n", "\r", "\r\n"] {
        let before = pieces[..8].concat();
        let with_ends = |bytes: &[u8]| {
            let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'|').collect();
            parts.join(end.as_bytes())
        };
        let blank = end.repeat(2);
        let sent = [
            &with_ends(&before)[..],
            USAGE,
            blank.as_bytes(),
            &with_ends(&pieces[8..].concat()),
        ]
        .concat();
        let hidden = [USAGE, blank.as_bytes()].concat();
        let at = sent
            .windows(hidden.len())
            .position(|part| part == hidden)
            .unwrap();
        let without = [&sent[..at], &sent[at + hidden.len()..]].concat();
        for size in [1, 2, 7, sent.len()] {
            let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for piece in sent.chunks(size) {
                bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                bytes.extend(piece);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let upstream = saying(bytes).await;
            let gateway = super::start(&upstream.url(), "").await;
            // Where we asked for the figures ourselves they are hidden, and nothing else is.
            for (body, expected) in [
                (STREAM, &without),
                (
                    r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
                    &sent,
                ),
            ] {
                let answer = gateway.chat(LIMITED, body).send().await;
                assert!(!answer.broken);
                assert!(
                    answer.body == *expected,
                    "{end:?} by {size}: {:?}",
                    String::from_utf8_lossy(&answer.body)
                );
            }
            for call in gateway.calls(2).await {
                assert_eq!(call["outcome"], "completed");
                assert_eq!(call["tokens"]["output"], 4, "{end:?} by {size}: {call}");
            }
            gateway.nothing_held(LIMITED).await;
            gateway.stop().await;
        }
    }
}
