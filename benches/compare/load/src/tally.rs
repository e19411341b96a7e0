//! What came of a run.

use std::{io, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Counts, and what each request took.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers with status 200.
    pub ok: u64,
    /// Other answers.
    pub refused: u64,
    /// Requests without a whole answer.
    pub failed: u64,
    /// Words about the first that went wrong.
    pub first_problem: Option<String>,
    /// From request to the end of the answer, in microseconds.
    pub latency: Vec<u32>,
    /// From request to the first byte of content.
    pub first_byte: Vec<u32>,
    /// From the provider's making a chunk to its arrival here.
    pub chunk_delay: Vec<u32>,
    /// Events of all streams but `[DONE]`.
    pub chunks: u64,
    /// Streams that said `[DONE]` and what was used.
    pub whole_streams: u64,
    /// How long the run took.
    pub elapsed: Duration,
}

/// The monotonic clock that the provider stamps its chunks with.
pub fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).unwrap_or(0)
}

/// Microseconds for a list.
pub fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

impl Tally {
    /// Notes an answer, whatever it was.
    pub fn answer(&mut self, status: u16, time: Duration, content: &[u8]) {
        if status == 200 {
            self.ok += 1;
            self.latency.push(micros(time));
        } else {
            self.refused += 1;
            let content = String::from_utf8_lossy(&content[..content.len().min(600)]);
            self.problem(format!("status {status}: {content}"));
        }
    }

    /// Notes a request without an answer.
    pub fn failure(&mut self, error: &io::Error) {
        self.failed += 1;
        self.problem(error.to_string());
    }

    fn problem(&mut self, words: String) {
        self.first_problem.get_or_insert(words);
    }

    /// Takes the figures of another connection in.
    pub fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.refused += other.refused;
        self.failed += other.failed;
        self.chunks += other.chunks;
        self.whole_streams += other.whole_streams;
        self.latency.extend(other.latency);
        self.first_byte.extend(other.first_byte);
        self.chunk_delay.extend(other.chunk_delay);
        if let Some(words) = other.first_problem {
            self.problem(words);
        }
    }

    /// The result for the runner.
    pub fn json(mut self) -> Value {
        json!({
            "ok": self.ok,
            "refused": self.refused,
            "failed": self.failed,
            "first_problem": self.first_problem,
            "seconds": self.elapsed.as_secs_f64(),
            "latency_us": percentiles(&mut self.latency),
            "first_byte_us": percentiles(&mut self.first_byte),
            "chunk_delay_us": percentiles(&mut self.chunk_delay),
            "chunks": self.chunks,
            "whole_streams": self.whole_streams,
        })
    }
}

fn percentiles(values: &mut [u32]) -> Value {
    values.sort_unstable();
    let Some(last) = values.len().checked_sub(1) else {
        return Value::Null;
    };
    let at = |per_mille: usize| values[last * per_mille / 1000];
    json!({ "p50": at(500), "p90": at(900), "p99": at(990), "p999": at(999), "max": values[last] })
}
