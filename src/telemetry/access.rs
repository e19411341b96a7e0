//! The access record: one line for each request, written when its answer has ended.

use std::{fmt::Write, net::IpAddr};

use tracing::Level;

use super::{
    format::{Style, begin_pretty, end_pretty},
    line::{Escaped, push_address, push_time, with_buffer},
    sink::Sink,
};
use crate::domain::{
    AccountId, KeyId, ModelName, NanoUsd, PlanId, ProviderId, RequestId, Timestamp,
};

/// The target that access records are filtered by in `RUST_LOG`.
pub const ACCESS_TARGET: &str = "faregate::access";

/// What stands before a member's value, composed when this is compiled.
macro_rules! name {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// The same before a text.
macro_rules! quoted {
    ($name:literal) => {
        concat!(name!($name), "\"")
    };
}

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

/// What there is to say about one request. Texts that others write are escaped, and cut after a kilobyte; names that were
/// checked when they were read, and words of ours, have nothing to escape.
///
/// It has no member for a credential, a prompt or an answer, on purpose.
#[derive(Debug, Clone, Copy)]
pub struct AccessRecord<'a> {
    /// When the request's head had arrived.
    pub at: Timestamp,
    /// Our id of it.
    pub request_id: RequestId,
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
    pub dialect: Option<&'static str>,
    /// The endpoint's word.
    pub endpoint: Option<&'static str>,
    /// Who pays.
    pub account: Option<&'a AccountId>,
    /// The key's id; never its secret.
    pub key: Option<&'a KeyId>,
    /// The plan.
    pub plan: Option<&'a PlanId>,
    /// Where it went.
    pub provider: Option<&'a ProviderId>,
    /// The public model.
    pub model: Option<&'a ModelName>,
    /// The status that was sent.
    pub status: u16,
    /// The refusal's or failure's code.
    pub code: Option<&'static str>,
    /// How a forwarded call ended.
    pub outcome: Option<&'static str>,
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
    pub client: IpAddr,
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
        let query = memchr::memchr(b'?', self.path.as_bytes());
        query.map_or(self.path, |at| &self.path[..at])
    }

    /// All texts together, each cut after a kilobyte, are shorter than a line may be.
    fn json(&self, line: &mut String) {
        line.push_str("{\"at\":\"");
        push_time(line, self.at);
        line.push('"');
        word(line, quoted!("level"), Some("info"));
        word(line, quoted!("target"), Some(ACCESS_TARGET));
        // Digits and hyphens are text.
        let id = self.request_id.encode();
        word(line, quoted!("request_id"), std::str::from_utf8(&id).ok());
        text(line, quoted!("client_request_id"), self.client_request_id);
        text(
            line,
            quoted!("upstream_request_id"),
            self.upstream_request_id,
        );
        text(line, quoted!("trace_id"), self.trace_id);
        text(line, quoted!("method"), Some(self.method));
        text(line, quoted!("path"), Some(self.path()));
        text(line, quoted!("route"), self.route);
        word(line, quoted!("dialect"), self.dialect);
        word(line, quoted!("endpoint"), self.endpoint);
        word(
            line,
            quoted!("account"),
            self.account.map(AccountId::as_str),
        );
        word(line, quoted!("key"), self.key.map(KeyId::as_str));
        word(line, quoted!("plan"), self.plan.map(PlanId::as_str));
        word(
            line,
            quoted!("provider"),
            self.provider.map(ProviderId::as_str),
        );
        word(line, quoted!("model"), self.model.map(ModelName::as_str));
        number(line, name!("status"), Some(self.status.into()));
        word(line, quoted!("code"), self.code);
        word(line, quoted!("outcome"), self.outcome);
        truth(line, name!("stream"), self.stream);
        number(line, name!("input_tokens"), self.input_tokens);
        number(line, name!("output_tokens"), self.output_tokens);
        truth(line, name!("estimated"), self.estimated);
        if let Some(cost) = self.cost {
            line.push_str(quoted!("cost_usd"));
            // Writing to a String cannot fail.
            let _ = write!(line, "{cost}\"");
        }
        number(line, name!("queue_ms"), self.queue_ms);
        number(line, name!("first_byte_ms"), self.first_byte_ms);
        number(line, name!("total_ms"), Some(self.total_ms));
        number(line, name!("bytes_in"), Some(self.bytes_in));
        number(line, name!("bytes_out"), Some(self.bytes_out));
        line.push_str(quoted!("client"));
        push_address(line, self.client);
        line.push('"');
        text(line, quoted!("user_agent"), self.user_agent);
        line.push_str("}\n");
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
        let _ = write!(line, "{on}{}{off} {:>6} ms ", self.status, self.total_ms);
        let _ = write!(Escaped::pretty(line), "{:<4}", self.method);
        line.push(' ');
        let _ = Escaped::pretty(line).write_str(self.path());
        let words = [
            ("code", self.code),
            ("account", self.account.map(AccountId::as_str)),
            ("key", self.key.map(KeyId::as_str)),
            ("model", self.model.map(ModelName::as_str)),
            ("provider", self.provider.map(ProviderId::as_str)),
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
        let _ = write!(line, " id={}", self.request_id);
        end_pretty(line);
    }
}

/// Adds a text that somebody else has written.
#[inline]
fn text(line: &mut String, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        line.push_str(name);
        // Writing to a String cannot fail.
        let _ = Escaped::json(line).write_str(value);
        line.push('"');
    }
}

/// Adds a text that has nothing to escape: a word of ours, or a name that was checked when it was read.
#[inline]
fn word(line: &mut String, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        line.push_str(name);
        line.push_str(value);
        line.push('"');
    }
}

#[inline]
fn truth(line: &mut String, name: &'static str, value: bool) {
    line.push_str(name);
    line.push_str(if value { "true" } else { "false" });
}

#[inline]
fn number(line: &mut String, name: &'static str, value: Option<u64>) {
    if let Some(value) = value {
        line.push_str(name);
        line.push_str(itoa::Buffer::new().format(value));
    }
}
