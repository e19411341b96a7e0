//! D-20: HTTP/2 providers that turn a call down before they look at it. It is sent once more, and charged once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use super::{STREAM, WHOLE, start, told};
use crate::{
    harness::{
        LIMITED,
        h2raw::{Wire, block, code, data, flag, frame, headers, kind, reset, settings},
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

/// A provider behind TLS that turns the first `times` calls down, each on a connection of its own, and answers then.
async fn provider(authority: &Authority, no: No, times: usize) -> (String, Arc<AtomicUsize>) {
    let acceptor = authority.acceptor("127.0.0.1", &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut wire = Wire::new(acceptor.accept(stream).await.unwrap());
            let counted = Arc::clone(&counted);
            tokio::spawn(async move { serve(&mut wire, no, times, &counted).await });
        }
    });
    (format!("https://{address}"), attempts)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    no: No,
    times: usize,
    attempts: &AtomicUsize,
) {
    wire.preface().await;
    wire.send(&settings(&[])).await;
    while let Some(frame) = wire.next().await {
        if frame.kind == kind::SETTINGS && !frame.has(flag::ACK) {
            wire.send(&self::frame(kind::SETTINGS, flag::ACK, 0, b""))
                .await;
        }
        if frame.kind != kind::DATA || !frame.has(flag::END_STREAM) {
            continue;
        }
        let stream = frame.stream;
        if attempts.fetch_add(1, Ordering::SeqCst) >= times {
            let head = block(&[(":status", "200"), ("content-type", "application/json")]);
            let body = br#"{"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
            let answer = [
                headers(flag::END_HEADERS, stream, &head),
                data(flag::END_STREAM, stream, body),
            ];
            wire.send(&answer.concat()).await;
            continue;
        }
        let turned_down = match no {
            No::Refused => reset(stream, code::REFUSED_STREAM),
            No::Gone => self::frame(kind::GOAWAY, 0, 0, &[0; 8]),
            No::Cancelled => reset(stream, code::CANCEL),
        };
        wire.send(&turned_down).await;
    }
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
            let (url, counted) = provider(&authority, no, times).await;
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
