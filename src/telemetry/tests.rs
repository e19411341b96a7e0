//! Lines as they leave the process, and metrics as they are scraped.

mod access;

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex, mpsc},
    time::Duration,
};

use tracing::{Level, subscriber::with_default};
use tracing_subscriber::{Layer, layer::SubscriberExt};

use super::{
    AccessLog, AccessRecord, LogFormat, Metrics, Vocabulary,
    format::{Style, Writer},
    levels::Levels,
    line::{FIELD_BYTES, LINE_BYTES, Object},
    sink::Sink,
};
use crate::domain::{AccountId, KeyId, ModelName, NanoUsd, PlanId, ProviderId, Timestamp, Usage};

/// Standard error, for a test.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What `log` writes to a sink of `style` under the levels of `levels`.
fn logged(style: Style, levels: &str, log: impl FnOnce()) -> String {
    let page = Page::default();
    let (sink, flush) = Sink::start(page.clone(), style);
    let levels = Levels::parse(Some(levels)).0;
    let layer = Writer::new(sink, style).with_filter(levels);
    with_default(tracing_subscriber::registry().with(layer), log);
    drop(flush);
    page.text()
}

fn accessed(style: Style, record: &AccessRecord<'_>) -> String {
    let page = Page::default();
    let (sink, flush) = Sink::start(page.clone(), style);
    AccessLog::new(sink, style, true).write(record);
    drop(flush);
    page.text()
}

/// Who asked for what, of the record that the tests write.
struct Names {
    account: AccountId,
    key: KeyId,
    plan: PlanId,
    provider: ProviderId,
    model: ModelName,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    account: AccountId::parse("acme").unwrap(),
    key: KeyId::parse("acme-ci").unwrap(),
    plan: PlanId::parse("pro").unwrap(),
    provider: ProviderId::parse("openai").unwrap(),
    model: ModelName::parse("gpt-4o-mini").unwrap(),
});

fn record() -> AccessRecord<'static> {
    AccessRecord {
        at: Timestamp::from_millis(1_790_000_000_123),
        request_id: "0199a0aa-1111-7222-8333-444444444444".parse().unwrap(),
        client_request_id: Some("mine-1"),
        upstream_request_id: Some("req_abc"),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
        method: "POST",
        path: "/v1/chat/completions?key=sk-hidden",
        route: Some("/"),
        dialect: Some("openai"),
        endpoint: Some("chat_completions"),
        account: Some(&NAMES.account),
        key: Some(&NAMES.key),
        plan: Some(&NAMES.plan),
        provider: Some(&NAMES.provider),
        model: Some(&NAMES.model),
        status: 200,
        code: None,
        outcome: Some("completed"),
        stream: true,
        input_tokens: Some(12),
        output_tokens: Some(345),
        estimated: false,
        cost: Some(NanoUsd::from_nanos(435_000)),
        queue_ms: Some(1),
        first_byte_ms: Some(230),
        total_ms: 1812,
        bytes_in: 210,
        bytes_out: 8123,
        client: IpAddr::from([192, 0, 2, 7]),
        user_agent: Some("OpenAI/Python 2.8.0"),
    }
}

#[test]
fn an_access_record_is_one_json_object_on_one_line() {
    let line = accessed(Style::Json, &record());
    assert_eq!(line.matches('\n').count(), 1);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["path"], "/v1/chat/completions", "the query is cut");
    insta::assert_snapshot!("access_json", line);
}

#[test]
fn an_access_record_reads_as_a_line_for_people() {
    let refused = AccessRecord {
        status: 402,
        code: Some("quota_exhausted"),
        outcome: None,
        provider: None,
        input_tokens: None,
        total_ms: 0,
        ..record()
    };
    let style = Style::Pretty { color: false };
    let lines = accessed(style, &record()) + &accessed(style, &refused);
    insta::assert_snapshot!("access_pretty", lines);
    assert!(accessed(Style::Pretty { color: true }, &refused).contains("\x1b[33m402\x1b[0m"));
}

#[test]
fn a_silent_log_writes_nothing() {
    let page = Page::default();
    let (sink, flush) = Sink::start(page.clone(), Style::Json);
    AccessLog::new(sink, Style::Json, false).write(&record());
    AccessLog::silent().write(&record());
    drop(flush);
    assert_eq!(page.text(), "");
}

#[test]
fn events_carry_their_fields() {
    let text = logged(Style::Json, "info", || {
        tracing::info!(target: "faregate::store", rows = 3, ok = true, path = %"a b", "written");
    });
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["message"], "written");
    assert_eq!(value["rows"], 3);
    assert_eq!(value["ok"], true);
    assert_eq!(value["path"], "a b");
    assert_eq!(value["target"], "faregate::store");

    let text = logged(Style::Pretty { color: false }, "info", || {
        tracing::warn!(target: "faregate::store", rows = 3, "written");
    });
    let (_, after_time) = text.split_once(' ').unwrap();
    assert_eq!(after_time, "warn  faregate::store  written rows=3\n");
}

#[test]
fn no_text_can_break_a_line_or_reach_the_terminal() {
    let evil = "a\nb\r\x1b[2J\u{9b}31m\u{202e}\0\"\\end";
    for style in [Style::Json, Style::Pretty { color: false }] {
        let text = logged(style, "info", || tracing::info!(value = evil, "{evil}"));
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let body = text.trim_end_matches('\n');
        assert!(!body.chars().any(char::is_control), "{body:?}");
        assert!(!body.contains('\u{202e}'), "{body:?}");
    }
    let text = logged(Style::Json, "info", || tracing::info!(value = evil, "x"));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["value"], evil, "escaped, not lost");
}

/// Whatever a reader would not see, or would see elsewhere.
#[test]
fn no_text_hides_or_moves_in_a_line() {
    let mut evil = String::from("a");
    for (first, last) in [
        ('\u{ad}', '\u{ad}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{180e}', '\u{180e}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{206f}'),
        ('\u{3164}', '\u{3164}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{fff9}', '\u{fffb}'),
        ('\u{e0000}', '\u{e007f}'),
        ('\u{e0100}', '\u{e01ef}'),
    ] {
        evil.extend(first..=last);
    }
    for style in [Style::Json, Style::Pretty { color: false }] {
        for part in evil.chars().skip(1) {
            let value = format!("a{part}b");
            let text = logged(style, "info", || tracing::info!(value, "x"));
            assert!(!text.contains(part), "{part:?} in {text:?}");
        }
    }
    let value = "zażółć 漢字 \u{e9}\u{301} 👍";
    let text = logged(Style::Json, "info", || tracing::info!(value, "x"));
    assert!(text.contains(value), "{text}");
}

#[test]
fn fields_and_lines_are_bounded() {
    let long = "ä\u{1}".repeat(100_000);
    let text = logged(Style::Json, "info", || tracing::info!(long, "x"));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(value["long"].as_str().unwrap().ends_with('…'));
    assert!(text.len() < FIELD_BYTES + 200, "{}", text.len());

    let mut line = String::new();
    let mut object = Object::open(&mut line);
    for index in 0..100 {
        object.text(&format!("field{index}"), &"x".repeat(1000));
    }
    object.close();
    assert!(line.len() <= LINE_BYTES, "{}", line.len());
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["truncated"], true);

    let text = logged(Style::Pretty { color: false }, "info", || {
        let f = "y".repeat(5000);
        tracing::info!(
            f,
            f1 = f,
            f2 = f,
            f3 = f,
            f4 = f,
            f5 = f,
            f6 = f,
            f7 = f,
            f8 = f,
            f9 = f,
            g = f,
            g1 = f,
            g2 = f,
            g3 = f,
            g4 = f,
            g5 = f,
            g6 = f
        );
    });
    assert!(text.len() <= LINE_BYTES && text.ends_with("…\n"));
}

#[test]
fn wire_libraries_stay_at_info_whatever_is_asked_for() {
    let levels = Levels::parse(Some("trace,h2=trace,hyper::proto=debug")).0;
    for target in ["h2::codec", "hyper::proto::h1", "rustls::client", "tokio"] {
        assert!(!levels.allows(target, Level::DEBUG), "{target}");
        assert!(levels.allows(target, Level::INFO), "{target}");
    }
    assert!(levels.allows("faregate::upstream", Level::TRACE));
    let text = logged(Style::Json, "trace", || {
        tracing::trace!(target: "hyper::proto", "authorization: Bearer secret");
        tracing::trace!(target: "faregate", "seen");
    });
    assert!(!text.contains("secret") && text.contains("seen"));
}

#[test]
fn levels_are_read_or_named() {
    assert_eq!(Levels::parse(None).1, None);
    assert!(Levels::parse(Some(" ")).0.logs_access());
    let partly = Levels::parse(Some("faregate::store=debug")).0;
    assert!(partly.logs_access() && !partly.allows("faregate::access", Level::DEBUG));
    assert!(partly.allows("faregate::store", Level::DEBUG));
    assert!(!Levels::parse(Some("warn")).0.logs_access());
    assert!(
        !Levels::parse(Some("info,faregate::access=off"))
            .0
            .logs_access()
    );
    let (levels, unreadable) = Levels::parse(Some("info,=,x=loud"));
    assert_eq!(unreadable, Some("info,=,x=loud"));
    assert!(levels.allows("faregate", Level::INFO) && !levels.allows("faregate", Level::DEBUG));
    for format in LogFormat::ALL {
        assert_eq!(LogFormat::parse(format.as_str()), Some(format));
    }
}

/// A writer that takes nothing until it is allowed to.
struct Stuck(mpsc::Receiver<()>, mpsc::Sender<()>, Page);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.send(()).ok();
        self.0.recv().ok();
        self.2.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_pipe_costs_lines_and_says_so_later() {
    let page = Page::default();
    let (release, wait) = mpsc::channel();
    let (entered, stuck) = mpsc::channel();
    let (sink, flush) = Sink::start(Stuck(wait, entered, page.clone()), Style::Json);
    sink.push(b"{\"first\":1}\n");
    stuck.recv().unwrap();
    // The writer is inside `write` now; what fits the queue is kept, the rest is counted.
    let line = [b'x'; 1024];
    (0..1030).for_each(|_| sink.push(&line));
    assert_eq!(sink.dropped(), 6);
    drop(release);
    drop(flush);
    let text = page.text();
    assert!(text.contains("\"log lines were dropped\",\"count\":6"));
}

/// A disk that is full until there is room again.
struct Full(Arc<Mutex<bool>>, Page);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.0.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_costs_lines_and_is_told_when_there_is_room() {
    let (page, full) = (Page::default(), Arc::new(Mutex::new(true)));
    let (sink, flush) = Sink::start(Full(Arc::clone(&full), page.clone()), Style::Json);
    for line in 1..=5 {
        sink.push(b"{}\n");
        // One after the other, so that each is tried by itself.
        while sink.dropped() < line {
            std::thread::yield_now();
        }
    }
    *full.lock().unwrap() = false;
    sink.push(b"{\"last\":1}\n");
    drop(flush);
    let text = page.text();
    assert!(text.starts_with("{\"last\":1}\n"), "{text}");
    assert!(
        text.contains("\"log lines were dropped\",\"count\":5"),
        "{text}"
    );
}

/// A disk with room for so many bytes, until there is room again.
struct Nearly(usize, Arc<Mutex<bool>>, Page);

impl Write for Nearly {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !*self.1.lock().unwrap() {
            return self.2.write(bytes);
        }
        let there = self.0.min(bytes.len());
        if there == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= there;
        self.2.write(&bytes[..there])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_a_full_disk_has_torn_spoils_no_other() {
    let (page, full) = (Page::default(), Arc::new(Mutex::new(true)));
    let disk = Nearly(4, Arc::clone(&full), page.clone());
    let (sink, flush) = Sink::start(disk, Style::Json);
    for line in 1..=2 {
        sink.push(b"{\"torn\":1}\n");
        while sink.dropped() < line {
            std::thread::yield_now();
        }
    }
    *full.lock().unwrap() = false;
    sink.push(b"{\"last\":1}\n");
    drop(flush);
    let text = page.text();
    assert!(text.starts_with("{\"to\n{\"last\":1}\n{"), "{text}");
    assert!(text.contains("\"count\":2"), "{text}");
}

const WORDS: Vocabulary = Vocabulary {
    dialects: &["openai", "anthropic"],
    codes: &["quota_exhausted", "upstream_timeout"],
    outcomes: &["completed", "client_closed"],
};

#[test]
fn metrics_are_rendered_for_prometheus() {
    let metrics = Metrics::new(WORDS);
    let openai = metrics.provider("openai");
    metrics.request_started();
    metrics.request_started();
    metrics.request_ended(Some("openai"), 200, Duration::from_micros(1_500));
    metrics.refused("quota_exhausted");
    openai.first_byte(Duration::from_millis(30));
    let usage = Usage {
        input: 12,
        output: 30,
        ..Usage::default()
    };
    openai.call_ended("completed", &usage, Some(NanoUsd::from_nanos(435_000)));
    openai.failed("upstream_timeout");
    metrics.provider("openai").failed("upstream_timeout");
    metrics.config_loaded(Timestamp::from_millis(1_790_000_000_123));
    metrics.refresh_with(|metrics| metrics.ledger_queue(7));
    let mut lines: Vec<String> = metrics.render().lines().map(str::to_owned).collect();
    // The recorder keeps its series in a hash map.
    lines.retain(|line| !line.is_empty() && !line.starts_with("faregate_build_info"));
    lines.sort();
    insta::assert_snapshot!("metrics", lines.join("\n"));
}

#[test]
fn no_word_from_outside_makes_a_series() {
    let metrics = Metrics::new(WORDS);
    let before = metrics.render().lines().count();
    for word in 0..1000 {
        let word = format!("made-up-{word}");
        metrics.request_started();
        metrics.request_ended(Some(&word), 999, Duration::ZERO);
        metrics.refused(&word);
    }
    assert_eq!(metrics.render().lines().count(), before);
    assert!(
        metrics
            .render()
            .contains("faregate_request_duration_seconds_count{dialect=\"none\"} 1000")
    );
}
