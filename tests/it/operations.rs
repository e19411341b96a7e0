//! What whoever runs it does to it, and what its machine does: reloads, stops, kills, limits of the system, logs that
//! nobody takes, and hours of everything at once. What is measured here is read from `/proc`.

mod descriptors;
mod figures;
mod files;
mod logs;
mod reloads;
mod restart;
mod semantics;
mod series;
mod soak;
mod stopping;

pub(crate) use figures::listening;

use std::collections::HashMap;

use crate::harness::{Gate, Seen, Step, daemon_file, json, shared_config, sse};

/// What the provider answers to a call that is no stream.
const ANSWER: &str = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

/// The shared configuration as a program's file, with a store on disk. `server` is what else the section `server` says.
fn yaml(url: &str, server: &str) -> String {
    daemon_file(server, "", &shared_config(url, ""))
}

/// One gate for each stream that names itself in `user`.
#[derive(Debug, Default)]
struct Gates(HashMap<String, Opening>);

/// A gate that says nothing about itself.
#[derive(Clone, Default)]
struct Opening(Gate);

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<gate>")
    }
}

impl Gates {
    fn of(streams: usize) -> Self {
        let named = |stream: usize| (stream.to_string(), Opening::default());
        Self((0..streams).map(named).collect())
    }

    /// Lets every stream go one step on. Each gate has one waiter, so none is missed.
    fn open(&self) {
        for gate in self.0.values() {
            gate.0.open();
        }
    }

    /// A stream of one event, as many more as `more` says behind a gate each, and its end behind another; a whole answer
    /// for what is no stream.
    fn answer(&self, seen: &Seen, more: usize) -> Vec<Step> {
        let asked = seen.json();
        let Some(gate) = asked["user"].as_str().and_then(|name| self.0.get(name)) else {
            return json("200 OK", ANSWER);
        };
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
        let mut frames = vec![event; more + 1];
        frames.push("data: [DONE]\n\n");
        let mut gated = Vec::new();
        for (at, step) in sse(&frames).into_iter().enumerate() {
            // The head, the first event; then a gate before each frame up to the last.
            if at >= 2 && at < frames.len() + 1 {
                gated.push(Step::Wait(gate.0.clone()));
            }
            gated.push(step);
        }
        gated
    }
}

/// The body of a stream that names its gate.
fn stream(name: usize) -> String {
    format!(
        r#"{{"model":"m","stream":true,"user":"{name}","messages":[{{"role":"user","content":"hi"}}]}}"#
    )
}
