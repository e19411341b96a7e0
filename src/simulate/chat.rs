//! `POST /v1/chat/completions`, after OpenAI's API reference and the shapes its SDKs parse.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Finish, Shape, Wish, effort_words},
    chance::Chance,
    count::Tokens,
    fields::Fields,
    prompt::{Input, Prompt},
    rejection::Rejection,
    reply::{Frame, Frames, Reply},
    route::CREATED,
    tools,
};

/// Answers of one request at most, as with OpenAI.
pub(super) const MOST_CHOICES: u64 = 128;

/// One choice, with the id of its tool call.
struct Choice {
    index: usize,
    answer: Answer,
    call_id: String,
}

/// What every chunk of a stream says.
#[derive(Clone)]
struct Head {
    id: String,
    model: String,
    service_tier: String,
    /// Whether chunks have a `usage` member: `null` until the last.
    usage: bool,
}

/// Answers a chat completion.
pub(super) fn answer(fields: &Fields, chance: &mut Chance) -> Result<Reply, Rejection> {
    let model = fields.model()?.to_owned();
    let prompt = prompt(fields)?;
    let wish = Wish {
        question: prompt.question().to_owned(),
        limit: match fields.count("max_completion_tokens")? {
            Some(limit) => Some(limit),
            None => fields.count("max_tokens")?,
        },
        stops: fields.texts("stop"),
        thinking_words: effort_words(fields.value("reasoning_effort").and_then(Value::as_str)),
        tool: tools::wanted(fields, &prompt)?,
        shape: Shape::of(fields.value("response_format")),
    };
    let stream = fields.switch("stream")?;
    let include_usage = stream_usage(fields)?;
    let count = choices(fields)?;

    let id = chance.id("chatcmpl-");
    let choices: Vec<Choice> = (0..count)
        .map(|index| Choice {
            index,
            call_id: chance.id("call_"),
            answer: Answer::compose(&wish, chance),
        })
        .collect();
    let usage = usage(prompt.input(), choices.iter().map(|choice| &choice.answer));
    if stream {
        let head = Head {
            id,
            model,
            service_tier: fields.service_tier().to_owned(),
            usage: include_usage,
        };
        return Ok(Reply::Stream(frames(head, choices, usage)));
    }
    let tokens = choices.iter().map(|choice| choice.answer.tokens()).sum();
    let completion = json!({
        "id": id,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": choices.iter().map(whole).collect::<Vec<_>>(),
        "usage": usage,
        "service_tier": fields.service_tier(),
        "system_fingerprint": "fp_simulated",
    });
    Ok(Reply::json(&completion, tokens))
}

/// How many answers are asked for.
pub(super) fn choices(fields: &Fields) -> Result<usize, Rejection> {
    let count = fields.count("n")?.unwrap_or(1);
    match usize::try_from(count) {
        Ok(choices) if count <= MOST_CHOICES => Ok(choices),
        _ => Err(Rejection::Invalid {
            param: "n",
            expected: "an integer less than or equal to 128",
        }),
    }
}

/// Whether a stream is to end with its usage. OpenAI refuses the options without a stream.
pub(super) fn stream_usage(fields: &Fields) -> Result<bool, Rejection> {
    match fields.value("stream_options") {
        None => Ok(false),
        Some(Value::Object(options)) if fields.switch("stream")? => {
            Ok(options.get("include_usage") == Some(&Value::Bool(true)))
        }
        Some(_) => Err(Rejection::Invalid {
            param: "stream_options",
            expected: "an object, and only when 'stream' is true",
        }),
    }
}

/// OpenAI's usage: input includes cached tokens, output includes reasoning.
pub(super) fn usage<'a>(input: Input, answers: impl Iterator<Item = &'a Answer>) -> Value {
    let (output, reasoning) = answers.fold((0, 0), |(output, reasoning), answer| {
        (
            output + answer.tokens(),
            reasoning + answer.thinking_tokens(),
        )
    });
    json!({
        "prompt_tokens": input.total,
        "completion_tokens": output,
        "total_tokens": input.total + output,
        "prompt_tokens_details": {"cached_tokens": input.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn prompt(fields: &Fields) -> Result<Prompt, Rejection> {
    let mut prompt = Prompt::default();
    if let Some(Value::Array(tools)) = fields.value("tools") {
        tools.iter().for_each(|tool| prompt.tool(tool));
    }
    for message in fields.list("messages")? {
        prompt.message(message);
    }
    if fields.value("prompt_cache_key").is_some() {
        prompt.mark_history();
    }
    Ok(prompt)
}

fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Complete | Finish::StopText(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCall => "tool_calls",
    }
}

fn whole(choice: &Choice) -> Value {
    let answer = &choice.answer;
    let mut message = json!({
        "role": "assistant",
        "content": answer.content,
        "refusal": null,
        "annotations": [],
    });
    if let Some(name) = &answer.tool {
        message["content"] = Value::Null;
        message["tool_calls"] = json!([{
            "id": choice.call_id,
            "type": "function",
            "function": {"name": name, "arguments": answer.content},
        }]);
    }
    json!({
        "index": choice.index,
        "message": message,
        "logprobs": null,
        "finish_reason": finish_reason(&answer.finish),
    })
}

fn frames(head: Head, choices: Vec<Choice>, usage: Value) -> Frames {
    let last = head.usage.then(|| {
        let mut chunk = head.chunk(json!([]));
        chunk["usage"] = usage;
        Frame::data(&chunk, 0)
    });
    let choices = choices
        .into_iter()
        .flat_map(move |choice| choice_frames(head.clone(), choice));
    Box::new(choices.chain(last).chain([Frame::done()]))
}

/// A choice from the chunk that opens it to the chunk that says why it ended.
fn choice_frames(head: Head, choice: Choice) -> impl Iterator<Item = Frame> + Send {
    let Choice {
        index,
        answer,
        call_id,
    } = choice;
    // Reasoning is not shown, but it takes its time.
    let thought = answer.thinking_tokens();
    let calls = answer.tool.is_some();
    let opening = match &answer.tool {
        None => json!({"role": "assistant", "content": "", "refusal": null}),
        Some(name) => json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "tool_calls": [{
                "index": 0,
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }],
        }),
    };
    let first = head.delta(index, opening, None, thought);
    let last = head.delta(index, json!({}), Some(finish_reason(&answer.finish)), 0);
    let deltas = Tokens::of(answer.content).map(move |token| {
        let delta = if calls {
            json!({"tool_calls": [{"index": 0, "function": {"arguments": token}}]})
        } else {
            json!({"content": token})
        };
        head.delta(index, delta, None, 1)
    });
    std::iter::once(first).chain(deltas).chain([last])
}

impl Head {
    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.model,
            "service_tier": self.service_tier,
            "system_fingerprint": "fp_simulated",
            "choices": choices,
        });
        if self.usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn delta(&self, index: usize, delta: Value, finish: Option<&str>, tokens: u64) -> Frame {
        let choice = json!({
            "index": index,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish,
        });
        Frame::data(&self.chunk(json!([choice])), tokens)
    }
}
