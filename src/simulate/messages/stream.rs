//! A message as events: `message_start`, blocks of content, `message_delta` with cumulative usage, `message_stop`.

use serde_json::{Value, json};

use super::Message;
use crate::simulate::{
    count::Tokens,
    reply::{Frame, Frames},
};

/// What one block of content is made of.
struct Block {
    /// The block as `content_block_start` shows it: empty.
    start: Value,
    /// The type of its deltas.
    delta: &'static str,
    /// The member of a delta that has the text.
    member: &'static str,
    /// Its text.
    text: String,
    /// A delta after the last piece of text.
    seal: Option<Value>,
}

/// The events of `message`.
pub(super) fn frames(message: Message) -> Frames {
    let total = message.answer.tokens();
    let mut envelope = message.envelope(json!([]));
    envelope["usage"] = message.usage(total.min(1));
    let start = Frame::event(&json!({"type": "message_start", "message": envelope}), 0);
    let end = json!({
        "type": "message_delta",
        "delta": {"stop_reason": message.stop_reason(), "stop_sequence": message.stop_sequence()},
        "usage": message.usage(total),
    });
    let end = [
        Frame::event(&end, 0),
        Frame::event(&json!({"type": "message_stop"}), 0),
    ];
    let blocks = blocks(message)
        .into_iter()
        .enumerate()
        .flat_map(|(index, block)| block_frames(index, block));
    Box::new(std::iter::once(start).chain(blocks).chain(end))
}

fn blocks(message: Message) -> Vec<Block> {
    let answer = message.answer;
    let mut blocks = Vec::new();
    if !answer.thinking.is_empty() {
        blocks.push(Block {
            start: json!({"type": "thinking", "thinking": "", "signature": ""}),
            delta: "thinking_delta",
            member: "thinking",
            text: answer.thinking,
            seal: Some(json!({"type": "signature_delta", "signature": message.signature})),
        });
    }
    match answer.tool {
        Some(name) => blocks.push(Block {
            start: json!({"type": "tool_use", "id": message.call_id, "name": name, "input": {}}),
            delta: "input_json_delta",
            member: "partial_json",
            text: answer.content,
            seal: None,
        }),
        None if answer.content.is_empty() && !blocks.is_empty() => {}
        None => blocks.push(Block {
            start: json!({"type": "text", "text": ""}),
            delta: "text_delta",
            member: "text",
            text: answer.content,
            seal: None,
        }),
    }
    blocks
}

fn block_frames(index: usize, block: Block) -> impl Iterator<Item = Frame> + Send {
    let Block {
        start,
        delta,
        member,
        text,
        seal,
    } = block;
    let start = json!({"type": "content_block_start", "index": index, "content_block": start});
    // Anthropic sends a ping after the first block has begun.
    let ping = (index == 0).then(|| Frame::event(&json!({"type": "ping"}), 0));
    let pieces = Tokens::of(text).map(move |token| {
        let mut piece = json!({"type": delta});
        piece[member] = token.into();
        delta_frame(index, &piece, 1)
    });
    let seal = seal.map(|seal| delta_frame(index, &seal, 0));
    let stop = json!({"type": "content_block_stop", "index": index});
    std::iter::once(Frame::event(&start, 0))
        .chain(ping)
        .chain(pieces)
        .chain(seal)
        .chain([Frame::event(&stop, 0)])
}

fn delta_frame(index: usize, delta: &Value, tokens: u64) -> Frame {
    let event = json!({"type": "content_block_delta", "index": index, "delta": delta});
    Frame::event(&event, tokens)
}
