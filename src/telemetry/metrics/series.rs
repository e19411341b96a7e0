//! Counters and gauges by name and labels, in a recorder of our own.

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

/// What each metric means, in the words of its `# HELP` line.
const HELP: [(&str, &str); 22] = [
    (
        "faregate_requests_total",
        "Requests answered, by dialect and class of status.",
    ),
    (
        "faregate_refusals_total",
        "Answers with one of Faregate's codes, by code.",
    ),
    (
        "faregate_in_flight_requests",
        "Requests whose answer has not ended.",
    ),
    ("faregate_connections", "Open client connections."),
    (
        "faregate_tokens_total",
        "Tokens of settled calls, by provider and direction.",
    ),
    (
        "faregate_cost_nano_usd_total",
        "What settled calls cost, in billionths of a dollar, by provider.",
    ),
    (
        "faregate_calls_total",
        "Forwarded calls that were settled, by provider and outcome.",
    ),
    (
        "faregate_upstream_failures_total",
        "Calls that failed at a provider, by provider and code.",
    ),
    (
        "faregate_estimated_calls_total",
        "Calls settled by Faregate's own count of tokens.",
    ),
    (
        "faregate_ledger_queue",
        "Call records that wait to be written.",
    ),
    (
        "faregate_store_healthy",
        "1 while the store takes call records.",
    ),
    (
        "faregate_config_last_reload_success",
        "1 when the configuration that was read last was accepted.",
    ),
    (
        "faregate_config_last_reload_timestamp_seconds",
        "When a configuration was last accepted.",
    ),
    (
        "faregate_restart_pending",
        "1 while the file has changes that only a restart applies.",
    ),
    (
        "faregate_draining",
        "1 while the process finishes its last requests.",
    ),
    (
        "faregate_drains_refused_total",
        "Calls cut when their client left, because as many others as allowed were already being read to their end.",
    ),
    (
        "faregate_log_lines_dropped_total",
        "Log lines dropped because their reader is too slow.",
    ),
    (
        "faregate_overload_level",
        "From 0 to 3: 1 keeps no connections, 2 refuses accounts with more than their share under way, 3 refuses all calls.",
    ),
    (
        "faregate_buffered_body_bytes",
        "Bytes of request bodies in memory, and of answers that are kept until they are settled.",
    ),
    (
        "faregate_shed_calls_total",
        "Calls refused by overload: all were refused, their account had more than its share, or their body found no room.",
    ),
    (
        "faregate_notifications_total",
        "Attempts to send a notification, by result.",
    ),
    (
        "faregate_notifications_pending",
        "Notifications that wait to be sent or sent again.",
    ),
];

/// The recorder asks for it and ignores it.
const METADATA: Metadata<'static> =
    Metadata::new("faregate", Level::INFO, Some("faregate::telemetry"));

/// The recorder behind all counters and gauges. It is not the process's global one, so that tests share nothing.
pub(super) struct Series(PrometheusRecorder);

impl Series {
    pub(super) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for (name, help) in HELP {
            if name.ends_with("_total") {
                recorder.describe_counter(name.into(), None, help.into());
            } else {
                recorder.describe_gauge(name.into(), None, help.into());
            }
        }
        recorder.describe_gauge(
            "faregate_build_info".into(),
            None,
            "Always 1; the version is a label.".into(),
        );
        Self(recorder)
    }

    pub(super) fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.0.register_counter(&key(name, labels), &METADATA)
    }

    pub(super) fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.0.register_gauge(&key(name, labels), &METADATA)
    }

    pub(super) fn render(&self) -> String {
        self.0.handle().render()
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(name, labels)
}
