//! What a request says to the model: how much it is, how much of it a cache would hold, and what is asked last.

use serde_json::Value;

use super::count::{OPAQUE, count};

/// The input of a call, in the order a vendor reads it: tools, system, messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Prompt {
    total: u64,
    before_last: u64,
    marked: u64,
    question: String,
    answers_tool: bool,
}

/// Input tokens, the cached ones among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Input {
    /// All of them.
    pub(super) total: u64,
    /// Of these, read from a cache.
    pub(super) cached: u64,
    /// Of these, written to a cache.
    pub(super) written: u64,
}

impl Prompt {
    /// Text outside the messages: a system prompt, a tool.
    pub(super) fn preface(&mut self, block: &Value) {
        self.add(block, &mut String::new());
    }

    /// A tool's definition, counted as the JSON text it is.
    pub(super) fn tool(&mut self, tool: &Value) {
        self.total = self.total.saturating_add(count(&tool.to_string()));
        self.mark_if_asked(tool);
    }

    /// One message, or one item of a Responses input. The last one is what the answer is about.
    pub(super) fn message(&mut self, message: &Value) {
        self.before_last = self.total;
        let mut text = String::new();
        match message.get("content") {
            Some(Value::Array(parts)) => {
                for part in parts {
                    self.add(part, &mut text);
                }
                self.mark_if_asked(message);
            }
            _ => self.add(message, &mut text),
        }
        if let Some(calls) = message.get("tool_calls").and_then(Value::as_array) {
            for call in calls {
                let function = call.get("function").unwrap_or(call);
                self.add(function, &mut String::new());
            }
        }
        self.answers_tool = answers_tool(message);
        self.question = text;
    }

    /// A prompt that is nothing but text.
    pub(super) fn text(text: &str) -> Self {
        Self {
            total: count(text),
            question: text.to_owned(),
            ..Self::default()
        }
    }

    /// A prompt of `tokens` tokens whose text nobody knows.
    pub(super) fn opaque(tokens: u64) -> Self {
        Self {
            total: tokens,
            ..Self::default()
        }
    }

    /// Marks everything so far for the cache.
    pub(super) const fn mark(&mut self) {
        self.marked = self.total;
    }

    /// Marks everything before the last message for the cache.
    pub(super) const fn mark_history(&mut self) {
        self.marked = self.before_last;
    }

    /// The text of the last message.
    pub(super) fn question(&self) -> &str {
        &self.question
    }

    /// Whether the last message brings a tool's result, which wants words and not another call.
    pub(super) const fn answers_tool(&self) -> bool {
        self.answers_tool
    }

    /// What is charged as input.
    pub(super) fn input(&self) -> Input {
        let cached = self.marked.min(self.before_last);
        Input {
            total: self.total,
            cached,
            written: self.marked - cached,
        }
    }

    fn add(&mut self, block: &Value, text: &mut String) {
        self.total = self.total.saturating_add(weigh(block, text));
        self.mark_if_asked(block);
    }

    fn mark_if_asked(&mut self, block: &Value) {
        if block.get("cache_control").is_some_and(Value::is_object) {
            self.mark();
        }
    }
}

/// Tokens of a block of content in any dialect; its text goes to `text`.
fn weigh(block: &Value, text: &mut String) -> u64 {
    let mut tokens: u64 = 0;
    let mut read = |part: &str| {
        tokens = tokens.saturating_add(count(part));
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(part);
    };
    match block {
        Value::String(part) => read(part),
        Value::Array(parts) => {
            for part in parts {
                tokens = tokens.saturating_add(weigh(part, text));
            }
        }
        Value::Object(members) => {
            if let Some(
                "image" | "image_url" | "input_image" | "input_audio" | "audio" | "file"
                | "input_file" | "document",
            ) = members.get("type").and_then(Value::as_str)
            {
                return OPAQUE;
            }
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("text" | "thinking" | "content" | "output" | "refusal", _) => {
                        tokens = tokens.saturating_add(weigh(value, text));
                    }
                    ("arguments", Value::String(part)) => {
                        tokens = tokens.saturating_add(count(part));
                    }
                    ("input", Value::Object(_)) => {
                        tokens = tokens.saturating_add(count(&value.to_string()));
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
    tokens
}

fn answers_tool(message: &Value) -> bool {
    let is = |value: &Value, member: &str, word: &str| {
        value.get(member).and_then(Value::as_str) == Some(word)
    };
    is(message, "role", "tool")
        || is(message, "type", "function_call_output")
        || message
            .get("content")
            .and_then(Value::as_array)
            .is_some_and(|parts| parts.iter().any(|part| is(part, "type", "tool_result")))
}
