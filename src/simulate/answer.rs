//! What the simulated model says, before a dialect puts it into words of its own.

use serde_json::{Value, json};

use super::{
    arguments::example,
    chance::Chance,
    count::{clip, count},
    prose,
    tools::Tool,
};

/// What is asked of the model, in no dialect.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// The last message.
    pub(super) question: String,
    /// Output tokens at most, thinking included.
    pub(super) limit: Option<u64>,
    /// Texts that end the answer; they are not part of it.
    pub(super) stops: Vec<String>,
    /// Words of thinking before the answer; 0 is none.
    pub(super) thinking_words: u64,
    /// The tool to call instead of an answer.
    pub(super) tool: Option<Tool>,
    /// The shape of the answer, if it is not prose.
    pub(super) shape: Option<Shape>,
}

/// The shape of an answer that is not prose.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Any JSON object.
    AnyJson,
    /// JSON that fits a schema.
    Schema(Value),
}

/// What the model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// What it thought first; empty when it did not, or was not asked to.
    pub(super) thinking: String,
    /// The name of the tool that is called; `content` is its arguments then.
    pub(super) tool: Option<String>,
    /// The text, or the tool's arguments as JSON text.
    pub(super) content: String,
    /// Why it ended.
    pub(super) finish: Finish,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finish {
    /// All was said.
    Complete,
    /// The limit was reached.
    Length,
    /// This text of the caller's came up.
    StopText(String),
    /// A tool is called.
    ToolCall,
}

impl Shape {
    /// The shape a format object asks for: OpenAI's `response_format` and `text.format`, Anthropic's
    /// `output_config.format`. They differ in where the schema stands.
    pub(super) fn of(format: Option<&Value>) -> Option<Self> {
        let format = format?;
        match format.get("type")?.as_str()? {
            "json_object" => Some(Self::AnyJson),
            "json_schema" => {
                let outer = format.get("json_schema").unwrap_or(format);
                let schema = outer.get("schema").cloned();
                Some(Self::Schema(
                    schema.unwrap_or_else(|| json!({"type": "object"})),
                ))
            }
            _ => None,
        }
    }
}

impl Answer {
    /// Makes up an answer.
    pub(super) fn compose(wish: &Wish, chance: &mut Chance) -> Self {
        let limit = wish.limit.unwrap_or(u64::MAX);
        let mut thinking = match wish.thinking_words {
            0 => String::new(),
            words => prose::thoughts(words, chance),
        };
        let thought = count(&thinking);
        let left = limit.saturating_sub(thought);
        if thought > limit {
            thinking.truncate(clip(&thinking, limit).len());
        }
        let (mut content, mut finish) = match (&wish.tool, &wish.shape) {
            (Some(tool), _) => (example(&tool.schema, chance).to_string(), Finish::ToolCall),
            (None, Some(Shape::Schema(schema))) => {
                (example(schema, chance).to_string(), Finish::Complete)
            }
            (None, Some(Shape::AnyJson)) => {
                let text = prose::answer(&wish.question, chance);
                (json!({"answer": text}).to_string(), Finish::Complete)
            }
            (None, None) => (prose::answer(&wish.question, chance), Finish::Complete),
        };
        if wish.tool.is_none()
            && let Some((at, stop)) = first_stop(&content, &wish.stops)
        {
            content.truncate(at);
            finish = Finish::StopText(stop.to_owned());
        }
        let kept = clip(&content, left).len();
        if kept < content.len() {
            content.truncate(kept);
            finish = Finish::Length;
        }
        Self {
            thinking,
            tool: wish.tool.as_ref().map(|tool| tool.name.clone()),
            content,
            finish,
        }
    }

    /// Tokens of the thinking.
    pub(super) fn thinking_tokens(&self) -> u64 {
        count(&self.thinking)
    }

    /// All output tokens, thinking included.
    pub(super) fn tokens(&self) -> u64 {
        self.thinking_tokens() + count(&self.content)
    }
}

/// Where the first of `stops` begins in `text`.
fn first_stop<'a>(text: &str, stops: &'a [String]) -> Option<(usize, &'a str)> {
    stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop.as_str())))
        .min_by_key(|(at, _)| *at)
}

/// Words of thinking for OpenAI's `effort`; 0 where none is asked for.
pub(super) fn effort_words(effort: Option<&str>) -> u64 {
    match effort {
        Some("low") => 20,
        Some("medium") => 40,
        Some("high") => 80,
        Some("xhigh" | "max") => 160,
        _ => 0,
    }
}
