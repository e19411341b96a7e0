//! `POST /v1/completions`, OpenAI's older endpoint: text in, text out, a choice for each prompt and repetition.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Finish, Wish},
    chance::Chance,
    chat::{MOST_CHOICES, choices, stream_usage, usage},
    count::Tokens,
    fields::Fields,
    prompt::{Input, Prompt},
    rejection::Rejection,
    reply::{Frame, Frames, Reply},
    route::CREATED,
};

/// Output tokens where the request sets no limit, as with OpenAI.
const DEFAULT_LIMIT: u64 = 16;

#[derive(Clone)]
struct Head {
    id: String,
    model: String,
    usage: bool,
}

/// Answers a completion.
pub(super) fn answer(fields: &Fields, chance: &mut Chance) -> Result<Reply, Rejection> {
    let model = fields.model()?.to_owned();
    let prompts = prompts(fields)?;
    let limit = fields.count("max_tokens")?.unwrap_or(DEFAULT_LIMIT);
    let stops = fields.texts("stop");
    let repetitions = choices(fields)?;
    let stream = fields.switch("stream")?;
    let include_usage = stream_usage(fields)?;

    let id = chance.id("cmpl-");
    let answers: Vec<Answer> = prompts
        .iter()
        .flat_map(|prompt| std::iter::repeat_n(prompt, repetitions))
        .map(|prompt| {
            let wish = Wish {
                question: prompt.question().to_owned(),
                limit: Some(limit),
                stops: stops.clone(),
                ..Wish::default()
            };
            Answer::compose(&wish, chance)
        })
        .collect();
    let input = Input {
        total: prompts.iter().map(|prompt| prompt.input().total).sum(),
        cached: 0,
        written: 0,
    };
    let head = Head {
        id,
        model,
        usage: include_usage,
    };
    let usage = usage(input, answers.iter());
    if stream {
        return Ok(Reply::Stream(frames(head, answers, usage)));
    }
    let tokens = answers.iter().map(Answer::tokens).sum();
    let choices = answers
        .iter()
        .enumerate()
        .map(|(index, answer)| choice(index, &answer.content, Some(finish_reason(answer))))
        .collect();
    let mut completion = head.completion(choices);
    completion["usage"] = usage;
    Ok(Reply::json(&completion, tokens))
}

/// The prompts: one, several, or numbers that stand for tokens.
fn prompts(fields: &Fields) -> Result<Vec<Prompt>, Rejection> {
    let prompts: Vec<Prompt> = match fields.value("prompt") {
        // A vendor starts from nothing then.
        None => vec![Prompt::default()],
        Some(Value::Array(items)) if !items.is_empty() && items.iter().all(Value::is_u64) => {
            vec![token_prompt(items)]
        }
        Some(Value::Array(items)) => items.iter().filter_map(prompt).collect(),
        Some(one) => prompt(one).into_iter().collect(),
    };
    if prompts.is_empty() || prompts.len() as u64 > MOST_CHOICES {
        return Err(Rejection::Invalid {
            param: "prompt",
            expected: "a string, an array of tokens, or an array of at most 128 of them",
        });
    }
    Ok(prompts)
}

fn prompt(value: &Value) -> Option<Prompt> {
    match value {
        Value::String(text) => Some(Prompt::text(text)),
        Value::Array(tokens) if tokens.iter().all(Value::is_u64) => Some(token_prompt(tokens)),
        _ => None,
    }
}

/// A token's number counts one and has no text.
fn token_prompt(tokens: &[Value]) -> Prompt {
    Prompt::opaque(tokens.len() as u64)
}

fn finish_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Length => "length",
        Finish::Complete | Finish::StopText(_) | Finish::ToolCall => "stop",
    }
}

fn choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({"index": index, "text": text, "logprobs": null, "finish_reason": finish})
}

fn frames(head: Head, answers: Vec<Answer>, usage: Value) -> Frames {
    let last = head.usage.then(|| {
        let mut chunk = head.completion(Vec::new());
        chunk["usage"] = usage;
        Frame::data(&chunk, 0)
    });
    let choices = answers
        .into_iter()
        .enumerate()
        .flat_map(move |(index, answer)| {
            let finish = finish_reason(&answer);
            let closing = head.frame(choice(index, "", Some(finish)), 0);
            let head = head.clone();
            Tokens::of(answer.content)
                .map(move |token| head.frame(choice(index, &token, None), 1))
                .chain([closing])
        });
    Box::new(choices.chain(last).chain([Frame::done()]))
}

impl Head {
    fn completion(&self, choices: Vec<Value>) -> Value {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": CREATED,
            "model": self.model,
            "choices": choices,
        })
    }

    fn frame(&self, choice: Value, tokens: u64) -> Frame {
        let mut chunk = self.completion(vec![choice]);
        if self.usage {
            chunk["usage"] = Value::Null;
        }
        Frame::data(&chunk, tokens)
    }
}
