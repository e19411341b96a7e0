//! The figures of an answer, read a second time: every usage object is looked up by its path, and nothing is clever.

use super::second::{self, Member};
use crate::providers::Endpoint;

/// More than this is a mistake.
const ABSURD: u128 = 1 << 27;

/// Where reasoning is told.
const REASONING: [&str; 4] = [
    "completion_tokens_details.reasoning_tokens",
    "completion_tokens_details.thinking_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_tokens_details.thinking_tokens",
];

/// Where it is told what a cache had, and what was written to it.
const CACHED: [&str; 3] = [
    "cache_read_input_tokens",
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
];
const WRITTEN: [&str; 3] = [
    "cache_creation_input_tokens",
    "prompt_tokens_details.cache_write_tokens",
    "input_tokens_details.cache_write_tokens",
];

/// Every figure that came under one of some paths, in the order of the document.
#[derive(Debug, Default)]
pub(super) struct Figures {
    found: Vec<(String, String)>,
    /// How many figures there were after each usage object.
    ends: Vec<usize>,
    odd: bool,
    /// Whether one of Google's models is named.
    google: bool,
    /// Whether there are steps, which are not read a second time.
    pub(super) steps: bool,
}

/// What should be read of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Expected {
    pub(super) input: u128,
    pub(super) cached_input: u128,
    pub(super) cache_write: u128,
    pub(super) cache_write_1h: u128,
    pub(super) output: u128,
    pub(super) reasoning: u128,
    pub(super) audio_input: u128,
    pub(super) audio_output: u128,
    pub(super) seconds: u128,
    pub(super) pages: u128,
}

impl Figures {
    /// The figures of a document.
    pub(super) fn of(members: &[Member<'_>]) -> Self {
        let mut figures = Self::default();
        for (name, value) in members {
            match name.as_deref() {
                Some("usage" | "usage_info") => figures.object(value),
                Some("model") => {
                    let model = second::text(value).unwrap_or_default();
                    figures.google |= model.contains("gemini");
                }
                Some("message" | "response") => {
                    let inner = second::members(value.as_bytes()).unwrap_or_default();
                    for (name, value) in inner {
                        if name.as_deref() == Some("usage") {
                            figures.object(value);
                        }
                    }
                }
                _ => {}
            }
        }
        figures
    }

    fn object(&mut self, value: &str) {
        match second::members(value.as_bytes()) {
            Some(members) => {
                // A point in a name must not look like the one between two.
                let plain = |name: Option<String>| name.unwrap_or_default().replace('.', "point");
                for (name, value) in members {
                    let name = plain(name);
                    self.steps |= name == "iterations";
                    let inner = second::members(value.as_bytes()).unwrap_or_default();
                    for (inner, value) in inner {
                        self.found
                            .push((format!("{name}.{}", plain(inner)), value.to_owned()));
                    }
                    self.found.push((name, value.to_owned()));
                }
                self.ends.push(self.found.len());
            }
            None if value == "null" => {}
            None => {
                self.ends.push(self.found.len());
                self.odd = true;
            }
        }
    }

    /// The largest figure under these paths.
    fn most(&mut self, paths: &[&str]) -> Option<u128> {
        let mut most = None;
        for (_, value) in self
            .found
            .iter()
            .filter(|(path, _)| paths.contains(&path.as_str()))
        {
            if value == "null" {
                continue;
            }
            match second::count(value).filter(|count| *count <= ABSURD) {
                Some(count) => {
                    self.odd |= most.is_some_and(|most| count < most && count > 0);
                    most = most.max(Some(count));
                }
                None => self.odd = true,
            }
        }
        most
    }

    /// The first of the figures, so many.
    fn until(&self, end: usize) -> Self {
        Self {
            found: self.found.iter().take(end).cloned().collect(),
            ..Self::default()
        }
    }

    /// Whether reasoning was counted beside the output after any of the objects.
    fn beside(&self) -> bool {
        let after = |end: &usize| {
            let mut until = self.until(*end);
            let input = until.most(&["prompt_tokens", "input_tokens"])?;
            let output = until.most(&["completion_tokens", "output_tokens"])?;
            let reasoning = until.most(&REASONING)?;
            Some(reasoning > 0 && until.most(&["total_tokens"])? == input + output + reasoning)
        };
        self.ends.iter().any(|end| after(end) == Some(true))
    }

    /// The output by the total after any of the objects, where nothing else tells what is in it.
    fn by_total(&self) -> u128 {
        let after = |end: &usize| {
            let mut until = self.until(*end);
            let input = until.most(&["prompt_tokens", "input_tokens"])?;
            let output = until.most(&["completion_tokens", "output_tokens"]);
            let total = until.most(&["total_tokens"])?;
            let named = until.most(&REASONING).unwrap_or(0)
                + until.most(&["prompt_audio_seconds"]).unwrap_or(0)
                + until.most(&["pages_processed"]).unwrap_or(0);
            let cached = until.most(&CACHED).unwrap_or(0);
            let write = until.most(&WRITTEN).unwrap_or(0);
            let known = input + output.unwrap_or(0);
            let of_input = [0, cached, write, cached + write].map(|part| known + part);
            (input > 0 && named == 0 && total > known && !of_input.contains(&total))
                .then(|| total - input)
        };
        self.ends.iter().filter_map(after).max().unwrap_or(0)
    }

    /// The total after any of the objects up to which nothing else was told.
    fn total_alone(&self) -> Option<u128> {
        let after = |end: &usize| {
            let mut until = self.until(*end);
            let input = until.most(&["prompt_tokens", "input_tokens"]);
            let output = until.most(&["completion_tokens", "output_tokens"]);
            let total = until.most(&["total_tokens"])?;
            (input.is_none() && output.unwrap_or(0) == 0 && total > 0).then_some(total)
        };
        self.ends.iter().filter_map(after).max()
    }

    /// What they come to, and whether they are suspect.
    pub(super) fn expected(mut self, endpoint: Endpoint) -> (Option<Expected>, bool) {
        let both = |ends: &[&str]| -> Vec<String> {
            let starts = ["prompt_tokens_details", "input_tokens_details"];
            let paths = starts
                .iter()
                .flat_map(|start| ends.iter().map(move |end| format!("{start}.{end}")));
            paths.collect()
        };
        let written = |ends: &[&str]| -> Vec<String> {
            let starts = ["completion_tokens_details", "output_tokens_details"];
            let paths = starts
                .iter()
                .flat_map(|start| ends.iter().map(move |end| format!("{start}.{end}")));
            paths.collect()
        };
        let mut most = |named: &[&str], paths: Vec<String>| {
            let paths = paths.iter().map(String::as_str);
            self.most(&named.iter().copied().chain(paths).collect::<Vec<_>>())
        };
        let input = most(&["prompt_tokens", "input_tokens"], Vec::new());
        let output = most(&["completion_tokens", "output_tokens"], Vec::new());
        // It counts for nothing but what of the output is beside, and for all of embeddings; that it is odd counts.
        most(&["total_tokens"], Vec::new());
        let cached = most(&["cache_read_input_tokens"], both(&["cached_tokens"])).unwrap_or(0);
        let whole = most(
            &["cache_creation_input_tokens"],
            both(&["cache_write_tokens"]),
        )
        .unwrap_or(0);
        let short = most(&["cache_creation.ephemeral_5m_input_tokens"], Vec::new()).unwrap_or(0);
        let hour = most(&["cache_creation.ephemeral_1h_input_tokens"], Vec::new()).unwrap_or(0);
        let reasoning = most(&REASONING, Vec::new()).unwrap_or(0);
        let heard = most(&[], both(&["audio_tokens"])).unwrap_or(0);
        let spoken = most(&[], written(&["audio_tokens"])).unwrap_or(0);
        let seconds = most(&["prompt_audio_seconds"], Vec::new()).unwrap_or(0);
        let pages = most(&["pages_processed"], Vec::new()).unwrap_or(0);

        let by_total = match endpoint {
            Endpoint::Messages | Endpoint::Embeddings => 0,
            _ if !self.google => 0,
            _ => self.by_total(),
        };
        let none = (endpoint == Endpoint::Embeddings || by_total > 0).then_some(0);
        let input = match endpoint {
            Endpoint::Embeddings => input.max(self.total_alone()),
            _ => input,
        };
        let output = output.or(none);
        let Some((input, output)) = input.zip(output) else {
            return (None, self.odd || !self.ends.is_empty());
        };
        let write = whole.max(short + hour);
        let mut odd = self.odd;
        let mut expected = Expected {
            input,
            cached_input: cached,
            cache_write: write,
            cache_write_1h: hour,
            output,
            reasoning,
            audio_input: heard,
            audio_output: spoken,
            seconds,
            pages,
        };
        if endpoint == Endpoint::Messages {
            expected.input += cached + write;
        } else if input < cached + write {
            odd = true;
            expected.cached_input = cached.min(input);
            expected.cache_write = write.min(input - expected.cached_input);
            expected.cache_write_1h = hour.min(expected.cache_write);
        }
        if self.beside() {
            expected.output += reasoning;
        } else if output < reasoning {
            odd = true;
            expected.reasoning = output;
        }
        if expected.output < by_total {
            expected.reasoning += by_total - expected.output;
            expected.output = by_total;
        }
        odd |= heard > expected.input || spoken > expected.output;
        expected.audio_input = heard.min(expected.input);
        expected.audio_output = spoken.min(expected.output);
        (Some(expected), odd)
    }
}
