//! Faults before an answer has begun: the same refusal whether a stream was asked for or not, and the same charge.

use super::{STREAM, Told, WHOLE, chat, refused::deaf, refused::silent};
use crate::harness::{Step, Upstream};

/// Who is to blame, and whether the call is charged.
enum Blame {
    /// It never reached the provider, or was turned down by it: nothing is charged.
    Void,
    /// The provider may have worked on it: the input is charged by our own count.
    Indeterminate,
}

struct Fault {
    name: &'static str,
    steps: Vec<Step>,
    options: &'static str,
    refusal: (u16, &'static str),
    blame: Blame,
}

fn fault(
    name: &'static str,
    bytes: impl Into<Vec<u8>>,
    end: Step,
    refusal: (u16, &'static str),
    blame: Blame,
) -> Fault {
    let bytes = bytes.into();
    let steps = if bytes.is_empty() {
        vec![end]
    } else {
        vec![Step::Send(bytes), end]
    };
    Fault {
        name,
        steps,
        // No case waits for this one; without it a head that never ends would be late, not wrong.
        options: ", timeouts: {first_byte: 30s}",
        refusal,
        blame,
    }
}

const DISCONNECTED: (u16, &str) = (502, "upstream_disconnected");
const INVALID: (u16, &str) = (502, "upstream_invalid_response");

/// Heads that are no HTTP, or none that we accept. The connection stays open behind them.
fn invalid() -> Vec<Fault> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let interim = |status: &str| format!("HTTP/1.1 {status}\r\n\r\n").repeat(10_000);
    let fields: String = (0..1000).map(|index| format!("x-{index}: y\r\n")).collect();
    [
        (
            "D-07 two lengths",
            format!("{ok}content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ),
        (
            "D-07 a list of lengths",
            format!("{ok}content-length: 1, 2\r\n\r\nab"),
        ),
        ("D-10 100 again and again", interim("100 Continue")),
        ("D-10 103 again and again", interim("103 Early Hints")),
        (
            "D-11 another protocol, unasked",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
                .to_owned(),
        ),
        (
            "D-12 a field of a mebibyte",
            format!("{ok}x-large: {}\r\n\r\n", "y".repeat(1 << 20)),
        ),
        // Less than 64 KiB are enough to see it.
        (
            "D-12 a field without end",
            format!("{ok}x-large: {}", "y".repeat(63 << 10)),
        ),
        (
            "D-12 a thousand fields",
            format!("{ok}{fields}content-length: 2\r\n\r\n{{}}"),
        ),
        (
            "D-13 a NUL",
            format!("{ok}x-a: b\0c\r\ncontent-length: 2\r\n\r\n{{}}"),
        ),
        (
            "D-13 a carriage return",
            format!("{ok}x-a: b\rc\r\ncontent-length: 2\r\n\r\n{{}}"),
        ),
        (
            "D-13 a folded line",
            format!("{ok}x-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{{}}"),
        ),
        (
            "D-13 a name with a space",
            format!("{ok}x a: b\r\ncontent-length: 2\r\n\r\n{{}}"),
        ),
        (
            "D-13 no name",
            format!("{ok}: b\r\ncontent-length: 2\r\n\r\n{{}}"),
        ),
        (
            "D-13 the status 099",
            "HTTP/1.1 099 Low\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        ),
        (
            "D-13 the status 600",
            "HTTP/1.1 600 High\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        ),
        (
            "D-13 the status 9999",
            "HTTP/1.1 9999 High\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
        ),
        ("D-13 no HTTP", "SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
    ]
    .into_iter()
    .map(|(name, bytes)| fault(name, bytes, Step::Hang, INVALID, Blame::Indeterminate))
    .collect()
}

/// Answers that are no answers to the caller.
fn turned_down() -> Vec<Fault> {
    let words = r#"{"error":{"message":"org-secret-account-42","type":"x","code":"y"}}"#;
    let status = |line: &str, fields: &str| {
        let length = words.len();
        format!(
            "HTTP/1.1 {line}\r\n{fields}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{words}"
        )
    };
    let overloaded = (503, "upstream_overloaded");
    [
        (
            "D-19 429",
            status("429 Too Many Requests", "retry-after: 7\r\n"),
            overloaded,
        ),
        (
            "D-19 503",
            status("503 Service Unavailable", "retry-after: 7\r\n"),
            overloaded,
        ),
        (
            "D-19 529",
            status("529 Overloaded", "retry-after: 7\r\n"),
            overloaded,
        ),
        (
            "D-19 401",
            status("401 Unauthorized", ""),
            (502, "upstream_auth"),
        ),
        (
            "D-24 a redirect to where machines keep their secrets",
            status(
                "302 Found",
                "location: http://169.254.169.254/latest/meta-data\r\n",
            ),
            INVALID,
        ),
    ]
    .into_iter()
    .map(|(name, bytes, refusal)| fault(name, bytes, Step::Hang, refusal, Blame::Void))
    .collect()
}

fn check(told: &Told, name: &str, refusal: (u16, &str), blame: &Blame) {
    let text = told.answer.text();
    assert_eq!(
        (told.answer.status.as_u16(), told.answer.code().as_str()),
        refusal,
        "{name}: {text}"
    );
    assert!(!text.contains("org-secret"), "{name}: {text}");
    assert!(told.answer.header("location").is_none(), "{name}");
    let (outcome, charged) = match blame {
        Blame::Void => ("upstream_failed", false),
        Blame::Indeterminate => ("indeterminate", true),
    };
    told.refused(refusal.0, refusal.1, outcome);
    let (requests, tokens) = told.used;
    assert_eq!((requests == 1, tokens > 0), (charged, charged), "{name}");
}

#[tokio::test]
async fn the_answer_never_begins() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-ty";
    let mut faults = vec![
        fault(
            "D-04 a reset",
            "",
            Step::Reset,
            DISCONNECTED,
            Blame::Indeterminate,
        ),
        fault(
            "D-04 an end",
            "",
            Step::Close,
            DISCONNECTED,
            Blame::Indeterminate,
        ),
        fault(
            "D-05 half a head, then a reset",
            cut,
            Step::Reset,
            DISCONNECTED,
            Blame::Indeterminate,
        ),
        fault(
            "D-05 half a head, then the end",
            cut,
            Step::Close,
            DISCONNECTED,
            Blame::Indeterminate,
        ),
        Fault {
            options: ", timeouts: {first_byte: 50ms}",
            ..fault(
                "D-15 silence",
                "",
                Step::Hang,
                (504, "upstream_timeout"),
                Blame::Indeterminate,
            )
        },
        Fault {
            options: ", timeouts: {first_byte: 50ms}",
            ..fault(
                "D-15 half a head",
                cut,
                Step::Hang,
                (504, "upstream_timeout"),
                Blame::Indeterminate,
            )
        },
    ];
    faults.extend(invalid());
    faults.extend(turned_down());
    for fault in faults {
        for body in [WHOLE, STREAM] {
            let steps = fault.steps.clone();
            let upstream = Upstream::start(move |_| steps.clone()).await;
            let told = chat(&upstream.url(), fault.options, body).await;
            check(&told, fault.name, fault.refusal, &fault.blame);
            // Once: what a provider may have worked on is not sent again.
            assert_eq!(upstream.seen().len(), 1, "{}", fault.name);
            assert_eq!(*upstream.connections.borrow(), 1, "{}", fault.name);
            upstream.all_closed().await;
        }
    }
}

/// D-01, D-02, D-23: nothing was sent, so nothing is charged.
#[tokio::test]
async fn nobody_is_reached() {
    let (_deaf, nobody) = deaf();
    let (_silent, silence) = silent();
    for body in [WHOLE, STREAM] {
        for (name, url, options, refusal) in [
            (
                "D-01 nobody listens",
                format!("http://{nobody}"),
                "",
                (502, "upstream_unreachable"),
            ),
            (
                "D-02 nobody answers",
                format!("http://{silence}"),
                ", timeouts: {connect: 100ms}",
                (504, "upstream_connect_timeout"),
            ),
            (
                "D-23 a name without an address",
                "http://nowhere.invalid".to_owned(),
                "",
                (502, "upstream_unreachable"),
            ),
        ] {
            let told = chat(&url, options, body).await;
            check(&told, name, refusal, &Blame::Void);
            assert!(told.call["first_byte_ms"].is_null(), "{name}");
        }
    }
}
