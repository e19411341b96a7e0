//! The access record: one line for each request, written when its answer has ended.

use std::fmt::Write;

use tracing::Level;

use super::{
    format::{Style, begin, begin_pretty, end_pretty},
    line::{Escaped, with_buffer},
    sink::Sink,
};
use crate::domain::{NanoUsd, Timestamp};

/// The target that access records are filtered by in `RUST_LOG`.
pub const ACCESS_TARGET: &str = "faregate::access";

/// Where access records go. Cloning shares it.
#[derive(Debug, Clone)]
pub struct AccessLog(Option<Open>);

#[derive(Debug, Clone)]
struct Open {
    sink: Sink,
    style: Style,
    /// Whether `RUST_LOG` wants access records.
    enabled: bool,
}

/// What there is to say about one request. Texts longer than a kilobyte are cut.
///
/// It has no member for a credential, a prompt or an answer, on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessRecord<'a> {
    /// When the request's head had arrived.
    pub at: Timestamp,
    /// Our id of it.
    pub request_id: &'a str,
    /// The client's `x-request-id`.
    pub client_request_id: Option<&'a str>,
    /// The provider's id of it.
    pub upstream_request_id: Option<&'a str>,
    /// The trace id of `traceparent` (W3C Trace Context §3.2.2.3).
    pub trace_id: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// The path. A query is cut off here too, because keys travel in `?key=`.
    pub path: &'a str,
    /// The route's prefix.
    pub route: Option<&'a str>,
    /// The dialect's word.
    pub dialect: Option<&'a str>,
    /// The endpoint's word.
    pub endpoint: Option<&'a str>,
    /// Who pays.
    pub account: Option<&'a str>,
    /// The key's id; never its secret.
    pub key: Option<&'a str>,
    /// The plan.
    pub plan: Option<&'a str>,
    /// Where it went.
    pub provider: Option<&'a str>,
    /// The public model.
    pub model: Option<&'a str>,
    /// The status that was sent.
    pub status: u16,
    /// The refusal's or failure's code.
    pub code: Option<&'a str>,
    /// How a forwarded call ended.
    pub outcome: Option<&'a str>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Input tokens.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Whether the tokens are our own count.
    pub estimated: bool,
    /// What it cost, in dollars.
    pub cost: Option<NanoUsd>,
    /// From arrival to the start of forwarding, in milliseconds.
    pub queue_ms: Option<u64>,
    /// From the start of forwarding to the answer's first byte, in milliseconds.
    pub first_byte_ms: Option<u64>,
    /// From arrival to the end, in milliseconds.
    pub total_ms: u64,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// The client's address.
    pub client: Option<&'a str>,
    /// What the client calls itself.
    pub user_agent: Option<&'a str>,
}

impl AccessLog {
    pub(super) fn new(sink: Sink, style: Style, enabled: bool) -> Self {
        Self(Some(Open {
            sink,
            style,
            enabled,
        }))
    }

    /// A log that writes nothing.
    pub const fn silent() -> Self {
        Self(None)
    }

    /// How many lines, access records and others, found no room since the start.
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |open| open.sink.dropped())
    }

    /// Writes one record as one line. It never waits; it allocates only while a thread's buffer still grows.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let Some(Open {
            sink,
            style,
            enabled: true,
        }) = &self.0
        else {
            return;
        };
        with_buffer(|line| {
            match style {
                Style::Json => record.json(line),
                Style::Pretty { color } => record.pretty(line, *color),
            }
            sink.push(line.as_bytes());
        });
    }
}

impl AccessRecord<'_> {
    fn path(&self) -> &str {
        self.path
            .split_once('?')
            .map_or(self.path, |(path, _)| path)
    }

    fn json(&self, line: &mut String) {
        let mut object = begin(line, self.at, Level::INFO, ACCESS_TARGET);
        object.text("request_id", self.request_id);
        object.maybe_text("client_request_id", self.client_request_id);
        object.maybe_text("upstream_request_id", self.upstream_request_id);
        object.maybe_text("trace_id", self.trace_id);
        object.text("method", self.method);
        object.text("path", self.path());
        object.maybe_text("route", self.route);
        object.maybe_text("dialect", self.dialect);
        object.maybe_text("endpoint", self.endpoint);
        object.maybe_text("account", self.account);
        object.maybe_text("key", self.key);
        object.maybe_text("plan", self.plan);
        object.maybe_text("provider", self.provider);
        object.maybe_text("model", self.model);
        object.number("status", self.status);
        object.maybe_text("code", self.code);
        object.maybe_text("outcome", self.outcome);
        object.truth("stream", self.stream);
        object.maybe_number("input_tokens", self.input_tokens);
        object.maybe_number("output_tokens", self.output_tokens);
        object.truth("estimated", self.estimated);
        object.maybe_amount("cost_usd", self.cost);
        object.maybe_number("queue_ms", self.queue_ms);
        object.maybe_number("first_byte_ms", self.first_byte_ms);
        object.number("total_ms", self.total_ms);
        object.number("bytes_in", self.bytes_in);
        object.number("bytes_out", self.bytes_out);
        object.maybe_text("client", self.client);
        object.maybe_text("user_agent", self.user_agent);
        object.close();
    }

    /// Status, time, method and path in columns; then who, what and how much, as far as it is known.
    fn pretty(&self, line: &mut String, color: bool) {
        begin_pretty(line, self.at, Level::INFO, color);
        let (on, off) = match (color, self.status) {
            (false, _) => ("", ""),
            (true, ..400) => ("\x1b[32m", "\x1b[0m"),
            (true, ..500) => ("\x1b[33m", "\x1b[0m"),
            (true, _) => ("\x1b[31m", "\x1b[0m"),
        };
        let _ = write!(
            line,
            "{on}{}{off} {:>6} ms {:<4} ",
            self.status, self.total_ms, self.method
        );
        let _ = Escaped::pretty(line).write_str(self.path());
        let words = [
            ("code", self.code),
            ("account", self.account),
            ("key", self.key),
            ("model", self.model),
            ("provider", self.provider),
            ("outcome", self.outcome),
        ];
        for (name, value) in words {
            if let Some(value) = value {
                let _ = write!(line, " {name}=");
                let _ = Escaped::pretty(line).write_str(value);
            }
        }
        if let (Some(input), Some(output)) = (self.input_tokens, self.output_tokens) {
            let sign = if self.estimated { "~" } else { "" };
            let _ = write!(line, " tokens={sign}{input}+{output}");
        }
        if let Some(cost) = self.cost {
            let _ = write!(line, " cost={cost}");
        }
        line.push_str(" id=");
        let _ = Escaped::pretty(line).write_str(self.request_id);
        end_pretty(line);
    }
}
