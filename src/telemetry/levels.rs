//! Which events become lines.

use tracing::{Level, Metadata, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{
    filter::Targets,
    layer::{Context, Filter},
};

use super::ACCESS_TARGET;

/// Libraries that see credentials and bodies on the wire. At debug and trace they print header fields, frames and
/// handshake bytes, so they stay at info whatever `RUST_LOG` says.
const CAPPED: [&str; 8] = [
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "rustls",
    "tokio",
    "tokio_rustls",
    "tokio_util",
];

/// The levels of `RUST_LOG`, with the libraries of [`CAPPED`] held at info.
#[derive(Debug, Clone)]
pub(super) struct Levels(Targets);

impl Levels {
    /// Reads `RUST_LOG`. A text that cannot be read comes back beside the default, so that it can be named.
    pub(super) fn parse(text: Option<&str>) -> (Self, Option<&str>) {
        let default = || Self(Targets::new().with_default(LevelFilter::INFO));
        match text.map(str::trim).filter(|text| !text.is_empty()) {
            None => (default(), None),
            Some(text) => match text.parse() {
                Ok(targets) => (Self(informative(targets)), None),
                Err(_) => (default(), Some(text)),
            },
        }
    }

    /// Whether an event of `target` at `level` becomes a line.
    pub(super) fn allows(&self, target: &str, level: Level) -> bool {
        let library = target.split("::").next().unwrap_or(target);
        let capped = level > Level::INFO && CAPPED.contains(&library);
        !capped && self.0.would_enable(target, &level)
    }

    /// Whether access records become lines.
    pub(super) fn logs_access(&self) -> bool {
        self.allows(ACCESS_TARGET, Level::INFO)
    }
}

/// Who asks for more or less of one target has not asked for silence about the rest.
fn informative(targets: Targets) -> Targets {
    match targets.default_level() {
        Some(_) => targets,
        None => targets.with_default(LevelFilter::INFO),
    }
}

impl<S> Filter<S> for Levels {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.allows(metadata.target(), *metadata.level())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.allows(metadata.target(), *metadata.level()) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0
            .iter()
            .map(|(_, level)| level)
            .chain(self.0.default_level())
            .max()
    }
}
