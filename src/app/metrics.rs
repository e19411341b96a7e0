//! The metrics of the running daemon: the words of their labels, and what is read when somebody looks.

use std::sync::Arc;

use super::fullness;
use crate::{
    domain::Clock,
    overload::Overload,
    providers::Dialect,
    refusal::Code,
    store::{Outcome, Store},
    telemetry::{AccessLog, Metrics, Vocabulary},
};

const DIALECTS: &[&str] = &[
    Dialect::OpenAi.as_str(),
    Dialect::Anthropic.as_str(),
    Dialect::Gemini.as_str(),
];

const OUTCOMES: &[&str] = &[
    Outcome::Completed.as_str(),
    Outcome::ClientClosed.as_str(),
    Outcome::UpstreamFailed.as_str(),
    Outcome::Indeterminate.as_str(),
];

const CODES: &[&str] = &{
    let mut words = [""; Code::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Code::ALL[at].as_str();
        at += 1;
    }
    words
};

/// Metrics that have counted nothing.
pub(super) fn new() -> Arc<Metrics> {
    Arc::new(Metrics::new(Vocabulary {
        dialects: DIALECTS,
        codes: CODES,
        outcomes: OUTCOMES,
    }))
}

/// Gauges that are read when somebody looks.
pub(super) fn watch(
    metrics: &Arc<Metrics>,
    store: &Store,
    clock: &Clock,
    log: AccessLog,
    overload: Overload,
) {
    let (store, ledger) = (store.clone(), store.ledger());
    metrics.config_loaded(clock.now());
    metrics.refresh_with(move |metrics| {
        metrics.store_healthy(store.health().is_writable());
        metrics.ledger_queue(ledger.waiting());
        metrics.log_lines_dropped(log.dropped());
        fullness::tell(&overload, metrics);
    });
}
