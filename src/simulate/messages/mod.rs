//! `POST /v1/messages` and `/v1/messages/count_tokens`, after Anthropic's API reference and the shapes its SDKs parse.

mod stream;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Finish, Shape, Wish},
    chance::Chance,
    fields::Fields,
    prompt::{Input, Prompt},
    rejection::Rejection,
    reply::Reply,
    tools,
};

/// Words of thinking where it is switched on; the budget in tokens is far above that.
const THINKING_WORDS: u64 = 40;

/// A message, ready to be sent whole or in events.
struct Message {
    id: String,
    model: String,
    call_id: String,
    signature: String,
    input: Input,
    answer: Answer,
}

/// Answers a message.
pub(super) fn answer(fields: &Fields, chance: &mut Chance) -> Result<Reply, Rejection> {
    let model = fields.model()?.to_owned();
    let limit = fields.count("max_tokens")?;
    if limit.is_none() {
        return Err(Rejection::Missing("max_tokens"));
    }
    let prompt = prompt(fields)?;
    let stream = fields.switch("stream")?;
    let thinks = matches!(
        fields.word("thinking", "type"),
        Some("enabled" | "adaptive")
    );
    let wish = Wish {
        question: prompt.question().to_owned(),
        limit,
        stops: fields.texts("stop_sequences"),
        thinking_words: if thinks { THINKING_WORDS } else { 0 },
        tool: tools::wanted(fields, &prompt)?,
        shape: Shape::of(
            fields
                .value("output_config")
                .and_then(|config| config.get("format")),
        ),
    };
    let message = Message {
        id: chance.id("msg_"),
        model,
        call_id: chance.id("toolu_"),
        signature: chance.id("sig"),
        input: prompt.input(),
        answer: Answer::compose(&wish, chance),
    };
    if stream {
        return Ok(Reply::Stream(stream::frames(message)));
    }
    let tokens = message.answer.tokens();
    let mut whole = message.envelope(message.content());
    whole["stop_reason"] = message.stop_reason().into();
    whole["stop_sequence"] = message.stop_sequence();
    whole["usage"] = message.usage(tokens);
    Ok(Reply::json(&whole, tokens))
}

/// Counts a message's input without answering it.
pub(super) fn count_tokens(fields: &Fields, _: &mut Chance) -> Result<Reply, Rejection> {
    fields.model()?;
    let input = prompt(fields)?.input();
    Ok(Reply::json(&json!({"input_tokens": input.total}), 0))
}

fn prompt(fields: &Fields) -> Result<Prompt, Rejection> {
    let mut prompt = Prompt::default();
    if let Some(Value::Array(tools)) = fields.value("tools") {
        tools.iter().for_each(|tool| prompt.tool(tool));
    }
    match fields.value("system") {
        Some(Value::Array(blocks)) => blocks.iter().for_each(|block| prompt.preface(block)),
        Some(text) => prompt.preface(text),
        None => {}
    }
    for message in fields.list("messages")? {
        prompt.message(message);
    }
    if fields.value("cache_control").is_some() {
        prompt.mark();
    }
    Ok(prompt)
}

impl Message {
    /// The message around `content`, before anything is known about its end.
    fn envelope(&self, content: Value) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": null,
            "stop_sequence": null,
            "usage": self.usage(0),
        })
    }

    fn content(&self) -> Value {
        let mut blocks = Vec::new();
        if !self.answer.thinking.is_empty() {
            blocks.push(json!({
                "type": "thinking",
                "thinking": self.answer.thinking,
                "signature": self.signature,
            }));
        }
        match &self.answer.tool {
            Some(name) => {
                // Arguments that the limit cut are no JSON any more, and a vendor leaves them out.
                let input: Value =
                    serde_json::from_str(&self.answer.content).unwrap_or_else(|_| json!({}));
                blocks.push(json!({
                    "type": "tool_use",
                    "id": self.call_id,
                    "name": name,
                    "input": input,
                }));
            }
            // Thinking that used up the limit leaves no text at all.
            None if self.answer.content.is_empty() && !blocks.is_empty() => {}
            None => blocks.push(json!({"type": "text", "text": self.answer.content})),
        }
        blocks.into()
    }

    fn stop_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Complete => "end_turn",
            Finish::Length => "max_tokens",
            Finish::StopText(_) => "stop_sequence",
            Finish::ToolCall => "tool_use",
        }
    }

    fn stop_sequence(&self) -> Value {
        match &self.answer.finish {
            Finish::StopText(text) => text.as_str().into(),
            _ => Value::Null,
        }
    }

    /// Anthropic's usage: `input_tokens` leaves out what was read from or written to the cache; output includes
    /// thinking.
    fn usage(&self, output: u64) -> Value {
        let Input {
            total,
            cached,
            written,
        } = self.input;
        json!({
            "input_tokens": total.saturating_sub(cached).saturating_sub(written),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": cached,
            "cache_creation": {
                "ephemeral_5m_input_tokens": written,
                "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": output,
            "output_tokens_details": {
                "thinking_tokens": self.answer.thinking_tokens().min(output),
            },
            "service_tier": "standard",
        })
    }
}
