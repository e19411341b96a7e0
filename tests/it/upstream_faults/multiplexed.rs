//! HTTP/2 providers: calls that are turned down before they are looked at (D-20: sent once more, and charged once), and
//! where an answer ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::mpsc,
};

use super::{STREAM, WHOLE, start, told};
use crate::{
    harness::{
        Daemon, LIMITED, daemon_file,
        h2raw::{Wire, block, code, data, flag, frame, headers, kind, reset, settings},
        notice, resident, shared_config, within,
    },
    tls::Authority,
};

/// How a provider turns a call down.
#[derive(Debug, Clone, Copy)]
enum No {
    /// The stream is refused.
    Refused,
    /// The connection goes, and its last stream was none.
    Gone,
    /// The stream is reset for another reason, so that it may have been worked on.
    Cancelled,
}

/// A provider behind TLS that says these bytes to each call, by how many came before and by its stream.
async fn provider<F>(authority: &Authority, says: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(usize, u32) -> Vec<u8> + Clone + Send + Sync + 'static,
{
    let acceptor = authority.acceptor("127.0.0.1", &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut wire = Wire::new(acceptor.accept(stream).await.unwrap());
            let (counted, says) = (Arc::clone(&counted), says.clone());
            tokio::spawn(async move { serve(&mut wire, says, &counted).await });
        }
    });
    (format!("https://{address}"), attempts)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    says: impl Fn(usize, u32) -> Vec<u8>,
    attempts: &AtomicUsize,
) {
    wire.preface().await;
    wire.send(&settings(&[])).await;
    while let Some(frame) = wire.next().await {
        if frame.kind == kind::SETTINGS && !frame.has(flag::ACK) {
            wire.send(&self::frame(kind::SETTINGS, flag::ACK, 0, b""))
                .await;
        }
        if matches!(frame.kind, kind::DATA | kind::HEADERS) && frame.has(flag::END_STREAM) {
            let before = attempts.fetch_add(1, Ordering::SeqCst);
            wire.send(&says(before, frame.stream)).await;
        }
    }
}

/// The head of an answer.
fn head(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = [&[(":status", "200")], fields].concat();
    headers(flag::END_HEADERS, stream, &block(&fields))
}

/// A provider that turns the first `times` calls down and answers then.
async fn reluctant(authority: &Authority, no: No, times: usize) -> (String, Arc<AtomicUsize>) {
    let says = move |before, stream| {
        if before >= times {
            let body = br#"{"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
            return [
                head(stream, &[("content-type", "application/json")]),
                data(flag::END_STREAM, stream, body),
            ]
            .concat();
        }
        match no {
            No::Refused => reset(stream, code::REFUSED_STREAM),
            No::Gone => frame(kind::GOAWAY, 0, 0, &[0; 8]),
            No::Cancelled => reset(stream, code::CANCEL),
        }
    };
    provider(authority, says).await
}

#[tokio::test]
async fn a_call_that_was_not_looked_at_is_sent_once_more_and_charged_once() {
    let authority = Authority::new();
    let ca = format!(", ca: {}", authority.file("ca.pem").display());
    for body in [WHOLE, STREAM] {
        for (no, times, attempts, answered) in [
            (No::Refused, 1, 2, true),
            (No::Gone, 1, 2, true),
            (No::Refused, 9, 2, false),
            (No::Gone, 9, 2, false),
            (No::Cancelled, 1, 1, false),
        ] {
            let (url, counted) = reluctant(&authority, no, times).await;
            let gateway = start(&url, &ca).await;
            let answer = gateway.chat(LIMITED, body).send().await;
            let told = told(gateway, answer).await;
            if answered {
                told.recorded(200, "completed");
                assert_eq!(told.used, (1, 4), "{no:?}");
            } else if matches!(no, No::Cancelled) {
                told.refused(502, "upstream_disconnected", "indeterminate");
                assert_eq!(told.used.0, 1);
            } else {
                told.refused(502, "upstream_disconnected", "upstream_failed");
                assert_eq!(told.used, (0, 0), "{no:?}");
            }
            assert_eq!(counted.load(Ordering::SeqCst), attempts, "{no:?} {times}");
        }
    }
}

/// D-05, D-06, D-09: only the flag that says so ends an answer. A reset without an error is none, though a stream may be
/// reset so behind its end.
#[tokio::test]
async fn a_reset_without_an_error_is_no_end() {
    const NO_ERROR: u32 = 0;
    let authority = Authority::new();
    let ca = format!(", ca: {}", authority.file("ca.pem").display());
    let half: &[u8] = br#"{"choices":[{"message":{"content":""#;
    let event: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
    for (body, media, said) in [
        (WHOLE, "application/json", half),
        (STREAM, "text/event-stream", event),
    ] {
        let says = move |_, stream| {
            [
                head(stream, &[("content-type", media)]),
                data(0, stream, said),
                reset(stream, NO_ERROR),
            ]
            .concat()
        };
        let (url, _) = provider(&authority, says).await;
        let gateway = start(&url, &ca).await;
        let answer = gateway.chat(LIMITED, body).send().await;
        let told = told(gateway, answer).await;
        told.recorded(200, "upstream_failed");
        assert_eq!(told.record["code"], "upstream_disconnected");
        let text = told.answer.text();
        let says_so = text.contains("upstream_disconnected");
        assert!(says_so || told.answer.broken, "{media}: {text}");
    }
}

/// Most servers end a stream in a frame of its own, and HEAD, 204 and 304 have nothing before it.
#[tokio::test]
async fn an_answer_without_a_body_is_whole_with_its_head() {
    let authority = Authority::new();
    let ca = format!(", ca: {}", authority.file("ca.pem").display());
    for (method, status) in [("HEAD", "200"), ("GET", "204"), ("GET", "304")] {
        let says = move |_, stream| {
            let fields = [(":status", status), ("content-length", "4")];
            headers(flag::END_HEADERS, stream, &block(&fields))
        };
        let (url, _) = provider(&authority, says).await;
        let gateway = start(&url, &ca).await;
        let call = gateway.call(method, "/raw/v1/x").bearer(LIMITED);
        let answer = call.send().await;
        assert_eq!(answer.status.as_str(), status, "{method}");
        assert!(answer.body.is_empty() && !answer.broken, "{method}");
        let call = &gateway.calls(1).await[0];
        assert_eq!(call["outcome"], "completed", "{method} {status}");
        gateway.nothing_held(LIMITED).await;
        gateway.stop().await;
    }
}

/// Most servers end a stream in a frame of its own, later than the bytes that make up its length.
#[tokio::test]
async fn an_answer_is_whole_with_its_last_byte() {
    let authority = Authority::new();
    let ca = format!(", ca: {}", authority.file("ca.pem").display());
    let body: &[u8] = br#"{"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let says = move |_, stream| {
        let length = body.len().to_string();
        let fields = [
            ("content-type", "application/json"),
            ("content-length", &length),
        ];
        [head(stream, &fields), data(0, stream, body)].concat()
    };
    let (url, _) = provider(&authority, says).await;
    let gateway = start(&url, &ca).await;
    let answer = gateway.chat(LIMITED, WHOLE).send().await;
    let told = told(gateway, answer).await;
    assert_eq!(told.answer.body, body);
    told.recorded(200, "completed");
    assert_eq!(told.used, (1, 4));
}

/// D-10: nobody sees how many they are, so that time alone ends them. They take no memory, and their connection ends.
#[tokio::test]
async fn interim_answers_without_an_end() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1", &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (tell, mut ended) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut wire = Wire::new(acceptor.accept(stream).await.unwrap());
            wire.preface().await;
            wire.send(&settings(&[])).await;
            let asked = wire.find(|frame| {
                matches!(frame.kind, kind::DATA | kind::HEADERS) && frame.has(flag::END_STREAM)
            });
            let asked = asked.await.unwrap();
            let link = "x".repeat(200);
            let interim = block(&[(":status", "103"), ("link", &link)]);
            let many = headers(flag::END_HEADERS, asked.stream, &interim).repeat(100);
            let mut taken = 0;
            while wire.send(&many).await {
                taken += many.len();
            }
            tell.send(taken).await.unwrap();
        }
    });
    let options = format!(
        ", ca: {}, timeouts: {{first_byte: 500ms}}",
        authority.file("ca.pem").display()
    );
    let config = shared_config(&url, &options);
    let daemon = Daemon::start(&daemon_file("", "", &config)).await;
    let mut before = None;
    for _ in 0..4 {
        let answer = daemon.chat(LIMITED, WHOLE).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (504, "upstream_timeout")
        );
        let taken = within("the connection ended", ended.recv()).await.unwrap();
        notice(&format!("interim answers of {taken} bytes were taken"));
        // The first call brings the code that it runs into memory.
        before.get_or_insert_with(|| resident(daemon.pid()));
    }
    let grown = resident(daemon.pid()).saturating_sub(before.unwrap());
    notice(&format!("after interim answers: {grown} bytes more"));
    assert!(grown < 16 << 20, "{grown}");
}
