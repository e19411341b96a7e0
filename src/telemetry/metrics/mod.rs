//! The metrics, with every handle resolved when its series is made.
//!
//! No label ever comes from a client: dialects, codes and outcomes are closed lists, providers come from the
//! configuration. So the number of series is known when the configuration is.

mod histogram;
mod notification;
mod provider;
mod series;

use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use metrics::{Counter, Gauge};

pub use notification::NotificationResult;
pub use provider::ProviderMetrics;

use self::{histogram::Histogram, series::Series};
use crate::domain::Timestamp;

/// The closed lists that labels are taken from.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// Words of the dialects; requests outside them count as `none`.
    pub dialects: &'static [&'static str],
    /// Every code of a refusal or failure.
    pub codes: &'static [&'static str],
    /// How a forwarded call can end.
    pub outcomes: &'static [&'static str],
}

/// All metrics of the process. Methods are cheap and never wait; share it behind an `Arc`.
pub struct Metrics {
    series: Series,
    vocabulary: Vocabulary,
    requests: Vec<Requests>,
    refusals: Vec<Counter>,
    in_flight: Gauge,
    connections: Gauge,
    estimated: Counter,
    ledger_queue: Gauge,
    store_healthy: Gauge,
    reload_success: Gauge,
    reload_at: Gauge,
    restart_pending: Gauge,
    draining: Gauge,
    drains_refused: Counter,
    log_lines_dropped: Counter,
    overload_level: Gauge,
    buffered_bodies: Gauge,
    shed: [Counter; SHED.len()],
    notifications: [Counter; NotificationResult::ALL.len()],
    notifications_pending: Gauge,
    providers: Mutex<Vec<Arc<ProviderMetrics>>>,
    refresh: OnceLock<Refresh>,
}

type Refresh = Box<dyn Fn(&Metrics) + Send + Sync>;

/// The series of one dialect.
struct Requests {
    classes: [Counter; 5],
    duration: Histogram,
}

/// Why calls are refused for being too many.
const SHED: [&str; 3] = ["all", "share", "body"];

/// What requests count as that speak no dialect: probes, pages, paths that are none.
const NO_DIALECT: &str = "none";

impl Metrics {
    /// Registers everything that does not depend on the configuration.
    pub fn new(vocabulary: Vocabulary) -> Self {
        let series = Series::new();
        let requests = dialects(vocabulary)
            .map(|dialect| Requests {
                classes: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| {
                    let labels = [("dialect", dialect), ("status_class", class)];
                    series.counter("faregate_requests_total", &labels)
                }),
                duration: Histogram::new(),
            })
            .collect();
        let refusals = vocabulary
            .codes
            .iter()
            .map(|code| series.counter("faregate_refusals_total", &[("code", code)]))
            .collect();
        series
            .gauge(
                "faregate_build_info",
                &[("version", env!("CARGO_PKG_VERSION"))],
            )
            .set(1.0);
        Self {
            requests,
            refusals,
            in_flight: series.gauge("faregate_in_flight_requests", &[]),
            connections: series.gauge("faregate_connections", &[]),
            estimated: series.counter("faregate_estimated_calls_total", &[]),
            ledger_queue: series.gauge("faregate_ledger_queue", &[]),
            store_healthy: series.gauge("faregate_store_healthy", &[]),
            reload_success: series.gauge("faregate_config_last_reload_success", &[]),
            reload_at: series.gauge("faregate_config_last_reload_timestamp_seconds", &[]),
            restart_pending: series.gauge("faregate_restart_pending", &[]),
            draining: series.gauge("faregate_draining", &[]),
            drains_refused: series.counter("faregate_drains_refused_total", &[]),
            log_lines_dropped: series.counter("faregate_log_lines_dropped_total", &[]),
            overload_level: series.gauge("faregate_overload_level", &[]),
            buffered_bodies: series.gauge("faregate_buffered_body_bytes", &[]),
            shed: SHED.map(|why| series.counter("faregate_shed_calls_total", &[("why", why)])),
            notifications: NotificationResult::ALL.map(|result| {
                let labels = [("result", result.as_str())];
                series.counter("faregate_notifications_total", &labels)
            }),
            notifications_pending: series.gauge("faregate_notifications_pending", &[]),
            providers: Mutex::default(),
            refresh: OnceLock::new(),
            series,
            vocabulary,
        }
    }

    /// A client left, and too many answers of such clients are being read on for this one to be.
    pub fn drain_refused(&self) {
        self.drains_refused.increment(1);
    }

    /// A request's head has arrived.
    pub fn request_started(&self) {
        self.in_flight.increment(1.0);
    }

    /// A request's answer has ended or was dropped. An unknown dialect counts as `none`.
    pub fn request_ended(&self, dialect: Option<&str>, status: u16, took: Duration) {
        self.in_flight.decrement(1.0);
        let known = self.vocabulary.dialects.iter();
        let index = known
            .enumerate()
            .find_map(|(index, word)| (Some(*word) == dialect).then_some(index))
            .unwrap_or(self.vocabulary.dialects.len());
        let Some(requests) = self.requests.get(index) else {
            return;
        };
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        requests.classes[class].increment(1);
        requests.duration.record(took);
    }

    /// A request was answered with a code of ours. A code outside the vocabulary is not counted.
    pub fn refused(&self, code: &str) {
        let known = self.vocabulary.codes.iter().position(|word| *word == code);
        if let Some(counter) = known.and_then(|index| self.refusals.get(index)) {
            counter.increment(1);
        }
    }

    /// A client has connected.
    pub fn connection_opened(&self) {
        self.connections.increment(1.0);
    }

    /// A connection has ended.
    pub fn connection_closed(&self) {
        self.connections.decrement(1.0);
    }

    /// A call was settled with our own count of its tokens.
    pub fn call_estimated(&self) {
        self.estimated.increment(1);
    }

    /// How many postings wait to be written.
    pub fn ledger_queue(&self, waiting: usize) {
        self.ledger_queue.set(waiting as f64);
    }

    /// Whether the store takes postings.
    pub fn store_healthy(&self, healthy: bool) {
        self.store_healthy.set(f64::from(u8::from(healthy)));
    }

    /// A configuration was put in force.
    pub fn config_loaded(&self, at: Timestamp) {
        self.reload_success.set(1.0);
        self.reload_at.set(at.unix_seconds() as f64);
    }

    /// A configuration was refused.
    pub fn config_refused(&self) {
        self.reload_success.set(0.0);
    }

    /// Whether the file says something that only a restart applies.
    pub fn restart_pending(&self, pending: bool) {
        self.restart_pending.set(f64::from(u8::from(pending)));
    }

    /// The process is on its way out.
    pub fn draining(&self) {
        self.draining.set(1.0);
    }

    /// How many log lines found no room since the start.
    pub fn log_lines_dropped(&self, total: u64) {
        self.log_lines_dropped.absolute(total);
    }

    /// The level of overload, from 0 to 3, and the bytes of request bodies in memory.
    pub fn overload(&self, level: u8, bodies: u64) {
        self.overload_level.set(f64::from(level));
        self.buffered_bodies.set(bodies as f64);
    }

    /// Calls refused since the start because none was taken, because their account had more than its share under way, and
    /// because there was no room for their body.
    pub fn shed(&self, totals: [u64; 3]) {
        for (counter, total) in self.shed.iter().zip(totals) {
            counter.absolute(total);
        }
    }

    /// A message was tried once.
    pub fn notification_tried(&self, result: NotificationResult) {
        self.notifications[result as usize].increment(1);
    }

    /// How many messages wait to be sent.
    pub fn notifications_pending(&self, waiting: u64) {
        self.notifications_pending.set(waiting as f64);
    }

    /// The series of a provider. Resolve it when the provider is built, at start or reload, and keep the handle; the
    /// same name gets the same series.
    pub fn provider(&self, name: &str) -> Arc<ProviderMetrics> {
        let mut providers = self
            .providers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = providers.iter().find(|known| known.name() == name) {
            return Arc::clone(known);
        }
        let made = Arc::new(ProviderMetrics::new(name, &self.series, self.vocabulary));
        providers.push(Arc::clone(&made));
        made
    }

    /// Has `refresh` called before each rendering, for figures that are asked for rather than counted. Only the first
    /// call counts.
    pub fn refresh_with(&self, refresh: impl Fn(&Self) + Send + Sync + 'static) {
        let _ = self.refresh.set(Box::new(refresh));
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        if let Some(refresh) = self.refresh.get() {
            refresh(self);
        }
        let mut text = self.series.render();
        histogram_head(
            &mut text,
            "faregate_request_duration_seconds",
            "From a request's head to the end of its answer.",
        );
        for (dialect, requests) in dialects(self.vocabulary).zip(&self.requests) {
            let name = "faregate_request_duration_seconds";
            requests
                .duration
                .render(&mut text, name, "dialect", dialect);
        }
        histogram_head(
            &mut text,
            "faregate_upstream_first_byte_seconds",
            "From the start of forwarding to the first byte of the provider's answer.",
        );
        let providers = self
            .providers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for provider in providers.iter() {
            provider.render_first_byte(&mut text, "faregate_upstream_first_byte_seconds");
        }
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("vocabulary", &self.vocabulary)
            .finish_non_exhaustive()
    }
}

fn dialects(vocabulary: Vocabulary) -> impl Iterator<Item = &'static str> {
    vocabulary.dialects.iter().copied().chain([NO_DIALECT])
}

fn histogram_head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
}
