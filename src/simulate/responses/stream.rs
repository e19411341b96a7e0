//! A response as events, each with the next `sequence_number`.

use serde_json::{Value, json};

use super::Outcome;
use crate::simulate::{
    count::Tokens,
    reply::{Frame, Frames},
};

/// An event and the output tokens it stands for.
type Event = (Value, u64);

/// The events of `outcome`, from `response.created` to `response.completed` or `response.incomplete`.
pub(super) fn frames(outcome: Outcome) -> Frames {
    let unfinished = outcome.unfinished();
    let start = ["response.created", "response.in_progress"]
        .map(|kind| (json!({"type": kind, "response": unfinished}), 0));
    let end = format!("response.{}", outcome.status());
    let end = (json!({"type": end, "response": outcome.finished()}), 0);
    let first = usize::from(outcome.reasons());
    let reasoning = outcome.reasons().then(|| reasoning_events(&outcome));
    let item = outcome.speaks().then(|| item_events(&outcome, first));
    let events = start
        .into_iter()
        .chain(reasoning.into_iter().flatten())
        .chain(item.into_iter().flatten())
        .chain([end]);
    Box::new(events.enumerate().map(|(number, (mut event, tokens))| {
        event["sequence_number"] = number.into();
        Frame::event(&event, tokens)
    }))
}

/// A list of events with deltas in the middle.
type Events = Box<dyn Iterator<Item = Event> + Send>;

fn reasoning_events(outcome: &Outcome) -> Events {
    let id = outcome.reasoning_id.clone();
    let text = outcome.answer.thinking.clone();
    let empty = json!({"type": "reasoning", "id": id, "summary": []});
    let added = added(0, &empty);
    let done = done(0, &outcome.reasoning_item());
    if !outcome.shows_reasoning {
        // Reasoning is not shown, but it takes its time.
        return Box::new([added, (done.0, outcome.answer.thinking_tokens())].into_iter());
    }
    let at =
        |kind: &str| json!({"type": kind, "item_id": id, "output_index": 0, "summary_index": 0});
    let with = |kind: &str, member: &str, value: Value| {
        let mut event = at(kind);
        event[member] = value;
        (event, 0)
    };
    let part = |text: &str| json!({"type": "summary_text", "text": text});
    let before = with("response.reasoning_summary_part.added", "part", part(""));
    let after = [
        with("response.reasoning_summary_text.done", "text", json!(text)),
        with("response.reasoning_summary_part.done", "part", part(&text)),
        done,
    ];
    let deltas = deltas(at("response.reasoning_summary_text.delta"), text);
    Box::new([added, before].into_iter().chain(deltas).chain(after))
}

fn item_events(outcome: &Outcome, index: usize) -> Events {
    let id = &outcome.item_id;
    let text = outcome.answer.content.clone();
    let done = done(index, &outcome.item());
    if let Some(name) = &outcome.answer.tool {
        let at = |kind: &str| json!({"type": kind, "item_id": id, "output_index": index});
        let mut written = at("response.function_call_arguments.done");
        written["name"] = json!(name);
        written["arguments"] = json!(text);
        let added = added(index, &outcome.call_item("in_progress", ""));
        let deltas = deltas(at("response.function_call_arguments.delta"), text);
        return Box::new(
            [added]
                .into_iter()
                .chain(deltas)
                .chain([(written, 0), done]),
        );
    }
    let at = |kind: &str| json!({"type": kind, "item_id": id, "output_index": index, "content_index": 0});
    let with = |kind: &str, member: &str, value: Value| {
        let mut event = at(kind);
        event[member] = value;
        event
    };
    let before = [
        added(index, &outcome.message_item("in_progress", json!([]))),
        (
            with("response.content_part.added", "part", outcome.part("")),
            0,
        ),
    ];
    let mut written = with("response.output_text.done", "text", json!(text));
    written["logprobs"] = json!([]);
    let after = [
        (written, 0),
        (
            with("response.content_part.done", "part", outcome.part(&text)),
            0,
        ),
        done,
    ];
    let delta = with("response.output_text.delta", "logprobs", json!([]));
    Box::new(before.into_iter().chain(deltas(delta, text)).chain(after))
}

fn added(index: usize, item: &Value) -> Event {
    (
        json!({"type": "response.output_item.added", "output_index": index, "item": item}),
        0,
    )
}

fn done(index: usize, item: &Value) -> Event {
    (
        json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        0,
    )
}

/// `like` again and again, with one token of `text` in each.
fn deltas(like: Value, text: String) -> impl Iterator<Item = Event> + Send {
    Tokens::of(text).map(move |token| {
        let mut event = like.clone();
        event["delta"] = token.into();
        (event, 1)
    })
}
