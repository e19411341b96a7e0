//! Durations in fixed buckets.
//!
//! The exporter's own histogram keeps every sample until somebody scrapes; without a scraper it would grow for ever,
//! and a sample can allocate. A row of counters does neither.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds in milliseconds: a refusal takes less than the first, a long answer minutes.
const BOUNDS_MS: [u64; 16] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/// One series. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// Samples up to each bound, not cumulative; the last one has no bound.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.partition_point(|bound| bound.saturating_mul(1000) < micros);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Writes the series `name{label="value"}` as the Prometheus text format wants it.
    pub(super) fn render(&self, out: &mut String, name: &str, label: &str, value: &str) {
        let mut total = 0;
        for (index, count) in self.0.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let _ = match BOUNDS_MS.get(index) {
                Some(bound) => {
                    let (whole, rest) = (bound / 1000, bound % 1000);
                    let decimals = format!(".{rest:03}");
                    let bound = format!("{whole}{}", decimals.trim_end_matches(['0', '.']));
                    let labels = format_args!("{label}=\"{value}\",le=\"{bound}\"");
                    writeln!(out, "{name}_bucket{{{labels}}} {total}")
                }
                None => writeln!(
                    out,
                    "{name}_bucket{{{label}=\"{value}\",le=\"+Inf\"}} {total}"
                ),
            };
        }
        let micros = self.0.sum_micros.load(Ordering::Relaxed);
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        let _ = writeln!(out, "{name}_sum{{{label}=\"{value}\"}} {seconds}.{rest:06}");
        let _ = writeln!(out, "{name}_count{{{label}=\"{value}\"}} {total}");
    }
}
