//! The series of one provider.

use std::time::Duration;

use metrics::Counter;

use crate::domain::{NanoUsd, Usage};

use super::{Vocabulary, histogram::Histogram, series::Series};

/// What happened with one provider.
#[derive(Debug)]
pub struct ProviderMetrics {
    name: String,
    first_byte: Histogram,
    input_tokens: Numbers,
    output_tokens: Numbers,
    cost: Numbers,
    calls: Vec<(&'static str, Numbers)>,
    failures: Vec<(&'static str, Numbers)>,
}

/// A counter that can be printed in `Debug` without its insides.
struct Numbers(Counter);

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<counter>")
    }
}

impl ProviderMetrics {
    pub(super) fn new(name: &str, series: &Series, vocabulary: Vocabulary) -> Self {
        let counter = |metric, label, value| {
            Numbers(series.counter(metric, &[("provider", name), (label, value)]))
        };
        let upstream = vocabulary.codes.iter();
        Self {
            name: name.to_owned(),
            first_byte: Histogram::new(),
            input_tokens: counter("faregate_tokens_total", "direction", "input"),
            output_tokens: counter("faregate_tokens_total", "direction", "output"),
            cost: Numbers(series.counter("faregate_cost_nano_usd_total", &[("provider", name)])),
            calls: vocabulary
                .outcomes
                .iter()
                .map(|outcome| {
                    (
                        *outcome,
                        counter("faregate_calls_total", "outcome", outcome),
                    )
                })
                .collect(),
            failures: upstream
                .filter(|code| code.starts_with("upstream_"))
                .map(|code| {
                    let metric = "faregate_upstream_failures_total";
                    (*code, counter(metric, "code", code))
                })
                .collect(),
        }
    }

    /// The provider's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first byte of an answer has come.
    pub fn first_byte(&self, after: Duration) {
        self.first_byte.record(after);
    }

    /// A call was settled.
    pub fn call_ended(&self, outcome: &str, usage: &Usage, cost: Option<NanoUsd>) {
        self.input_tokens.0.increment(usage.input);
        self.output_tokens.0.increment(usage.output);
        let nanos = cost.map_or(0, NanoUsd::nanos);
        self.cost.0.increment(u64::try_from(nanos).unwrap_or(0));
        count(&self.calls, outcome);
    }

    /// A call failed with an `upstream_…` code.
    pub fn failed(&self, code: &str) {
        count(&self.failures, code);
    }

    pub(super) fn render_first_byte(&self, out: &mut String, name: &str) {
        self.first_byte.render(out, name, "provider", &self.name);
    }
}

/// Words outside the vocabulary are not counted, so that no series can be made from outside.
fn count(counters: &[(&'static str, Numbers)], word: &str) {
    if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == word) {
        counter.0.increment(1);
    }
}
