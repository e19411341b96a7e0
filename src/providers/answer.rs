//! One JSON document of an answer: the whole of it, or one event's data.
//!
//! One reader for every endpoint, since no two of them give one member two meanings. It takes the figures,
//! measures the text, and sees whether the document ends the stream or tells of an error.

use super::{
    json::{Fault, Kind, Reader, Text},
    usage::Tally,
};

/// Deepest content within content that is measured; the deepest real one is a tool call's arguments in a delta.
const NESTED: usize = 6;

/// Members whose strings, or whose own such members, are text that the model wrote.
const WRITTEN: [&str; 16] = [
    "content",
    "text",
    "thinking",
    "partial_json",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "summary",
    "arguments",
    "tool_calls",
    "function_call",
    "function",
    "custom",
    "name",
    "code",
];

/// What one document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Bytes of text that the model wrote.
    pub(super) text: u64,
    /// Whether it is a chunk of no choices that has a usage object: the one that `include_usage` adds.
    pub(super) usage_chunk: bool,
    /// Whether it has a usage object that is the last of its stream.
    pub(super) final_usage: bool,
    /// Whether it is the last of its stream.
    pub(super) ends: bool,
    /// Whether it tells of an error.
    pub(super) error: bool,
}

/// Reads a document; `None` if it is not one. The tally changes only where it is.
pub(super) fn read(document: &[u8], tally: &mut Tally) -> Option<Seen> {
    let mut figures = *tally;
    let seen = document_of(&mut Reader::new(document), &mut figures).ok()?;
    *tally = figures;
    Some(seen)
}

fn document_of(reader: &mut Reader<'_>, tally: &mut Tally) -> Result<Seen, Fault> {
    let mut seen = Seen::default();
    let (mut usage, mut no_choices) = (false, false);
    let mut kind = None;
    let mut delta = 0;
    reader.members(|reader, name| {
        if name.is("usage") {
            usage |= tally.read(reader)?;
        } else if name.is("choices") {
            no_choices = reader.kind()? == Kind::Array;
            reader.elements(|reader| {
                no_choices = false;
                choice(reader, &mut seen.text)
            })?;
        } else if name.is("delta") {
            // Of responses (a string) and messages (an object); which deltas are text, the type says.
            delta += written(reader, 0)?;
        } else if name.is("message") || name.is("response") {
            // Messages' first event, and responses' events of their whole.
            reader.members(|reader, name| {
                if name.is("usage") {
                    tally.read(reader)?;
                } else {
                    reader.skip()?;
                }
                Ok::<(), Fault>(())
            })?;
        } else if name.is("content") || name.is("output") {
            // The answers of messages and responses that are no stream.
            seen.text += written(reader, 0)?;
        } else {
            let value = reader.skip()?;
            if name.is("type") {
                kind = value.text();
            } else if name.is("error") {
                seen.error |= value.kind != Kind::Null;
            }
        }
        Ok::<(), Fault>(())
    })?;
    reader.end()?;
    let is = |wanted: &str| kind.is_some_and(|kind| kind.is(wanted));
    if !is("response.audio.delta") {
        seen.text += delta;
    }
    seen.usage_chunk = usage && no_choices;
    seen.final_usage = seen.usage_chunk || (usage && is("message_delta"));
    seen.ends = is("message_stop")
        || is("response.completed")
        || is("response.incomplete")
        || is("response.failed");
    seen.error |= is("error") || is("response.failed");
    Ok(seen)
}

/// Adds the text of one of `choices`.
fn choice(reader: &mut Reader<'_>, text: &mut u64) -> Result<(), Fault> {
    reader.members(|reader, name| {
        if name.is("delta") || name.is("message") || name.is("text") {
            *text += written(reader, 0)?;
        } else {
            reader.skip()?;
        }
        Ok(())
    })
}

/// Bytes of text in a value that the model wrote.
fn written(reader: &mut Reader<'_>, level: usize) -> Result<u64, Fault> {
    let mut bytes = 0;
    match reader.kind()? {
        Kind::Array if level < NESTED => reader.elements(|reader| {
            bytes += written(reader, level + 1)?;
            Ok::<(), Fault>(())
        })?,
        Kind::Object if level < NESTED => reader.members(|reader, name| {
            if name.is("input") {
                // A tool's input, as JSON and not as text.
                let span = reader.skip()?.span;
                bytes += (span.end - span.start) as u64;
            } else if WRITTEN.iter().any(|known| name.is(known)) {
                bytes += written(reader, level + 1)?;
            } else {
                reader.skip()?;
            }
            Ok::<(), Fault>(())
        })?,
        _ => bytes = reader.skip()?.text().map_or(0, Text::len),
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
