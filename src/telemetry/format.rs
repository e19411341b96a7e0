//! Library and program events as lines.

use std::fmt::{self, Write};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

use super::{
    line::{Escaped, LINE_BYTES, Object, with_buffer},
    sink::Sink,
};
use crate::domain::{Clock, Timestamp};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// One JSON object.
    Json,
    /// Text for people.
    Pretty {
        /// With terminal colours.
        color: bool,
    },
}

/// Turns events into lines. Spans are not written: what a line needs to say is a field of its event.
#[derive(Debug)]
pub(super) struct Writer {
    sink: Sink,
    style: Style,
    clock: Clock,
}

struct JsonFields<'o, 'b>(&'o mut Object<'b>);

struct PrettyFields<'b>(&'b mut String);

impl Style {
    /// Says in the log that the log has a gap.
    pub(super) fn dropped_lines(self, batch: &mut Vec<u8>, count: u64) {
        let at = Clock::system().now();
        with_buffer(|line| {
            match self {
                Self::Json => {
                    let mut object = begin(line, at, Level::WARN, "faregate::telemetry");
                    object.text("message", "log lines were dropped");
                    object.number("count", count);
                    object.close();
                }
                Self::Pretty { color } => {
                    begin_pretty(line, at, Level::WARN, color);
                    let _ = writeln!(line, "faregate::telemetry  {count} log lines were dropped");
                }
            }
            batch.extend_from_slice(line.as_bytes());
        });
    }
}

impl Writer {
    pub(super) fn new(sink: Sink, style: Style) -> Self {
        let clock = Clock::system();
        Self { sink, style, clock }
    }
}

impl<S: Subscriber> Layer<S> for Writer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let (at, level, target) = (self.clock.now(), *metadata.level(), metadata.target());
        with_buffer(|line| {
            match self.style {
                Style::Json => {
                    let mut object = begin(line, at, level, target);
                    event.record(&mut JsonFields(&mut object));
                    object.close();
                }
                Style::Pretty { color } => {
                    begin_pretty(line, at, level, color);
                    let _ = write!(line, "{target} ");
                    event.record(&mut PrettyFields(line));
                    end_pretty(line);
                }
            }
            self.sink.push(line.as_bytes());
        });
    }
}

/// Opens a JSON line with the members that every line has.
pub(super) fn begin<'b>(
    line: &'b mut String,
    at: Timestamp,
    level: Level,
    target: &str,
) -> Object<'b> {
    let mut object = Object::open(line);
    object.time("at", at);
    object.text("level", word(level));
    object.text("target", target);
    object
}

/// Opens a line for people: the time of day in UTC and the level.
pub(super) fn begin_pretty(line: &mut String, at: Timestamp, level: Level, color: bool) {
    let day = at.millis().rem_euclid(crate::domain::DAY);
    let (hours, minutes) = (day / 3_600_000, day / 60_000 % 60);
    let (seconds, millis) = (day / 1000 % 60, day % 1000);
    let (on, off) = match (color, level) {
        (false, _) => ("", ""),
        (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
        (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
        (true, Level::INFO) => ("\x1b[32m", "\x1b[0m"),
        (true, _) => ("\x1b[34m", "\x1b[0m"),
    };
    let _ = write!(
        line,
        "{hours:02}:{minutes:02}:{seconds:02}.{millis:03} {on}{:<5}{off} ",
        word(level)
    );
}

/// Closes a line for people within its bound.
pub(super) fn end_pretty(line: &mut String) {
    const ELLIPSIS: &str = "…\n";
    if line.len() >= LINE_BYTES {
        let end = line.floor_char_boundary(LINE_BYTES - ELLIPSIS.len());
        line.truncate(end);
        line.push_str(ELLIPSIS);
    } else {
        line.push('\n');
    }
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

impl Visit for JsonFields<'_, '_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.number(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.number(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.truth(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.text(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.composed(field.name(), format_args!("{value:?}"));
    }
}

impl PrettyFields<'_> {
    fn field(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            self.0.push(' ');
        } else {
            let _ = write!(self.0, " {}=", field.name());
        }
        let _ = Escaped::pretty(self.0).write_fmt(value);
    }
}

impl Visit for PrettyFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, format_args!("{value:?}"));
    }
}
