//! What the gateway says about itself: log lines, the access record of each request, metrics.
//!
//! Rank 1. Owns the path of a line to standard error and every metric's name. Must not know request types: it takes
//! plain texts and integers, and it is never handed a secret or a prompt.

mod access;
mod format;
mod levels;
mod line;
mod metrics;
mod sink;

use std::io::{self, IsTerminal};

use tracing_subscriber::{Layer, layer::SubscriberExt};

pub use access::{ACCESS_TARGET, AccessLog, AccessRecord};
pub use metrics::{Metrics, NotificationResult, ProviderMetrics, Vocabulary};

use self::{
    format::{Style, Writer},
    levels::Levels,
    sink::{Flush, Sink},
};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people when standard error is a terminal, JSON when it is not.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// Aligned text for people.
    Pretty,
}

impl LogFormat {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Json, Self::Pretty];

    /// The word in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Pretty => "pretty",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Keeps logging alive; dropping it writes what is still queued, for at most two seconds.
#[derive(Debug)]
#[must_use = "lines still queued are lost when nobody holds the guard until the end"]
pub struct Guard {
    access: AccessLog,
    _flush: Flush,
}

impl Guard {
    /// Where access records are written. Cloning the handle is cheap.
    pub fn access_log(&self) -> AccessLog {
        self.access.clone()
    }
}

/// Starts logging to standard error.
///
/// `levels` is the value of `RUST_LOG` (`warn`, `faregate=debug,hyper=warn`, …). `info` holds without it, where it cannot
/// be read, and for every target that it does not name unless it has a level for all. `color` allows colours, which are
/// used on a terminal only. The first call of a process decides where library events go; a later one still gets an access
/// log of its own.
pub fn init(format: LogFormat, levels: Option<&str>, color: bool) -> Guard {
    let terminal = io::stderr().is_terminal();
    let pretty = match format {
        LogFormat::Auto => terminal,
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    };
    let style = match (pretty, color && terminal) {
        (false, _) => Style::Json,
        (true, color) => Style::Pretty { color },
    };
    let (levels, unreadable) = Levels::parse(levels);
    let (sink, flush) = Sink::start(io::stderr(), style);
    let access = AccessLog::new(sink.clone(), style, levels.logs_access());

    let layer = Writer::new(sink, style).with_filter(levels);
    let subscriber = tracing_subscriber::registry().with(layer);
    // An error means that an earlier call won; its sink takes the events.
    let _ = tracing::subscriber::set_global_default(subscriber);
    if let Some(text) = unreadable {
        tracing::warn!(
            RUST_LOG = text,
            "RUST_LOG cannot be read, so `info` is used. Write it like `info,faregate=debug`."
        );
    }
    Guard {
        access,
        _flush: flush,
    }
}

/// Writes access records alone, as JSON, to `out` instead of standard error, whatever the levels are.
pub fn record_to(out: impl io::Write + Send + 'static) -> Guard {
    let (sink, flush) = Sink::start(out, Style::Json);
    Guard {
        access: AccessLog::new(sink, Style::Json, true),
        _flush: flush,
    }
}

#[cfg(test)]
mod tests;
