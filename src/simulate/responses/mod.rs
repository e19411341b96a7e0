//! `POST /v1/responses`, after OpenAI's API reference and the shapes its SDKs parse.

mod stream;

use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Finish, Shape, Wish, effort_words},
    chance::Chance,
    fields::Fields,
    prompt::{Input, Prompt},
    rejection::Rejection,
    reply::Reply,
    route::CREATED,
    tools,
};

/// Members of the request that the answer repeats, and what they are when absent.
const REPEATED: [(&str, &str); 16] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("safety_identifier", "null"),
    ("store", "true"),
    ("temperature", "1.0"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

/// A response, ready to be sent whole or in events.
struct Outcome {
    /// All members that do not change while it is written.
    constant: Map<String, Value>,
    reasoning_id: String,
    item_id: String,
    call_id: String,
    /// Whether the reasoning was asked to be shown.
    shows_reasoning: bool,
    input: Input,
    answer: Answer,
}

/// Answers a response request.
pub(super) fn answer(fields: &Fields, chance: &mut Chance) -> Result<Reply, Rejection> {
    let model = fields.model()?;
    let prompt = prompt(fields)?;
    let stream = fields.switch("stream")?;
    let wish = Wish {
        question: prompt.question().to_owned(),
        limit: fields.count("max_output_tokens")?,
        stops: Vec::new(),
        thinking_words: effort_words(fields.word("reasoning", "effort")),
        tool: tools::wanted(fields, &prompt)?,
        shape: Shape::of(fields.value("text").and_then(|text| text.get("format"))),
    };
    let outcome = Outcome {
        constant: constant(fields, model, chance.id("resp_")),
        reasoning_id: chance.id("rs_"),
        item_id: chance.id(if wish.tool.is_some() { "fc_" } else { "msg_" }),
        call_id: chance.id("call_"),
        shows_reasoning: fields.word("reasoning", "summary").is_some(),
        input: prompt.input(),
        answer: Answer::compose(&wish, chance),
    };
    if stream {
        return Ok(Reply::Stream(stream::frames(outcome)));
    }
    Ok(Reply::json(&outcome.finished(), outcome.answer.tokens()))
}

fn prompt(fields: &Fields) -> Result<Prompt, Rejection> {
    let mut prompt = Prompt::default();
    if let Some(Value::Array(tools)) = fields.value("tools") {
        tools.iter().for_each(|tool| prompt.tool(tool));
    }
    if let Some(instructions) = fields.value("instructions") {
        prompt.preface(instructions);
    }
    match fields.value("input") {
        None => return Err(Rejection::Missing("input")),
        Some(text @ Value::String(_)) => prompt.message(text),
        Some(Value::Array(items)) if !items.is_empty() => {
            items.iter().for_each(|item| prompt.message(item));
        }
        Some(_) => {
            return Err(Rejection::Invalid {
                param: "input",
                expected: "a string, or an array that is not empty",
            });
        }
    }
    if fields.value("prompt_cache_key").is_some() {
        prompt.mark_history();
    }
    Ok(prompt)
}

fn constant(fields: &Fields, model: &str, id: String) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, absent) in REPEATED {
        let value = fields
            .value(name)
            .cloned()
            .or_else(|| serde_json::from_str(absent).ok());
        members.insert(name.to_owned(), value.unwrap_or_default());
    }
    let text = fields
        .value("text")
        .cloned()
        .unwrap_or_else(|| json!({"format": {"type": "text"}}));
    members.insert("text".to_owned(), text);
    members.insert(
        "reasoning".to_owned(),
        json!({
            "effort": fields.word("reasoning", "effort"),
            "summary": fields.word("reasoning", "summary"),
        }),
    );
    members.insert("id".to_owned(), id.into());
    members.insert("object".to_owned(), "response".into());
    members.insert("created_at".to_owned(), CREATED.into());
    members.insert("model".to_owned(), model.into());
    members.insert("service_tier".to_owned(), fields.service_tier().into());
    members.insert("error".to_owned(), Value::Null);
    members
}

impl Outcome {
    /// The response while it is written: no output, no usage.
    fn unfinished(&self) -> Value {
        let mut response = self.constant.clone();
        response.insert("status".to_owned(), "in_progress".into());
        response.insert("completed_at".to_owned(), Value::Null);
        response.insert("incomplete_details".to_owned(), Value::Null);
        response.insert("output".to_owned(), json!([]));
        response.insert("usage".to_owned(), Value::Null);
        response.into()
    }

    /// The response when all is written.
    fn finished(&self) -> Value {
        let mut response = self.constant.clone();
        let cut = self.answer.finish == Finish::Length;
        let (completed, details) = if cut {
            (Value::Null, json!({"reason": "max_output_tokens"}))
        } else {
            (CREATED.into(), Value::Null)
        };
        response.insert("status".to_owned(), self.status().into());
        response.insert("completed_at".to_owned(), completed);
        response.insert("incomplete_details".to_owned(), details);
        response.insert("output".to_owned(), self.output().into());
        response.insert("usage".to_owned(), self.usage());
        response.into()
    }

    fn status(&self) -> &'static str {
        match self.answer.finish {
            Finish::Length => "incomplete",
            _ => "completed",
        }
    }

    fn output(&self) -> Vec<Value> {
        let reasoning = self.reasons().then(|| self.reasoning_item());
        let item = self.speaks().then(|| self.item());
        reasoning.into_iter().chain(item).collect()
    }

    fn reasons(&self) -> bool {
        !self.answer.thinking.is_empty()
    }

    /// Reasoning that used up the limit leaves nothing to say.
    fn speaks(&self) -> bool {
        !self.answer.content.is_empty() || !self.reasons()
    }

    fn reasoning_item(&self) -> Value {
        let summary = if self.shows_reasoning {
            json!([{"type": "summary_text", "text": self.answer.thinking}])
        } else {
            json!([])
        };
        json!({"type": "reasoning", "id": self.reasoning_id, "summary": summary})
    }

    /// The message or the call, complete.
    fn item(&self) -> Value {
        match &self.answer.tool {
            Some(_) => self.call_item(self.status(), &self.answer.content),
            None => {
                let part = self.part(&self.answer.content);
                self.message_item(self.status(), json!([part]))
            }
        }
    }

    fn message_item(&self, status: &str, content: Value) -> Value {
        json!({
            "type": "message",
            "id": self.item_id,
            "role": "assistant",
            "status": status,
            "content": content,
        })
    }

    fn call_item(&self, status: &str, arguments: &str) -> Value {
        json!({
            "type": "function_call",
            "id": self.item_id,
            "call_id": self.call_id,
            "name": self.answer.tool,
            "arguments": arguments,
            "status": status,
        })
    }

    fn part(&self, text: &str) -> Value {
        json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    }

    /// OpenAI's usage: input includes cached tokens, output includes reasoning.
    fn usage(&self) -> Value {
        let output = self.answer.tokens();
        json!({
            "input_tokens": self.input.total,
            "input_tokens_details": {"cached_tokens": self.input.cached, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": self.answer.thinking_tokens()},
            "total_tokens": self.input.total + output,
        })
    }
}
