//! One JSON document of an answer: the whole of it, or one event's data.
//!
//! One reader for every endpoint, since no two of them give one member two meanings. It takes the figures,
//! measures the text, and sees whether the document ends the stream or tells of an error.

use memchr::memmem;

use super::{
    json::{Fault, Kind, Reader, Span, Text},
    usage::Tally,
};

/// Deepest content within content that is measured; the deepest real one is a tool call's arguments in a delta.
const NESTED: usize = 6;

/// Places that may be the figures of an event that was not kept, looked at from its end.
const PLACES: usize = 16;

/// Events that end a text, a call of a tool or what holds them, behind the last word of which a client may leave (OpenAI's
/// and Anthropic's API references).
const FINISHES: [&str; 7] = [
    "content_block_stop",
    "response.output_item.done",
    "response.content_part.done",
    "response.output_text.done",
    "response.refusal.done",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.done",
];

/// What a model wrote or drew.
#[derive(Debug, Clone, Copy, Default)]
struct Made {
    /// Bytes of text.
    text: u64,
    /// How many texts that is, and where the last one stands.
    texts: u32,
    last: Option<Span>,
    images: u64,
    /// Bytes of sound, as base64.
    sound: u64,
}

/// A document while it is read.
#[derive(Debug, Default)]
struct Document<'a> {
    /// What its `type` says.
    kind: Option<Text<'a>>,
    /// What it has whole, what it adds to a text, and what is in its item and in the response that it repeats.
    made: Made,
    delta: Made,
    item: Made,
    whole: Made,
    usage: bool,
    /// Whether it has a list of choices, and nothing in it.
    no_choices: bool,
    /// Whether it has something that a chunk of nothing but figures has not.
    more: bool,
    finishes: bool,
    error: bool,
}

/// What one document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Bytes of text that the model wrote.
    pub(super) text: u64,
    /// Bytes of text of an item that has ended, and of all items of a response: most of it came before, word by word.
    pub(super) item: u64,
    pub(super) whole: u64,
    /// Bytes of sound that the model spoke, as base64.
    pub(super) sound: u64,
    /// Whether it is a chunk of no choices that has a usage object and no error: the one that `include_usage` adds. Some
    /// imitators of OpenAI leave its list of choices out; it has nothing else then.
    pub(super) usage_chunk: bool,
    /// Whether it has a usage object that is the last of its stream.
    pub(super) final_usage: bool,
    /// Whether it is the last of its stream.
    pub(super) ends: bool,
    /// Whether it has a usage object of its own, the last one or not.
    pub(super) usage: bool,
    /// Whether it says that a choice, an item or a block has ended: nothing more is written there.
    pub(super) finishes: bool,
    /// Whether it tells of an error.
    pub(super) error: bool,
    /// The one text that the model wrote, where there is one, it is all that was counted, and it has no escapes.
    pub(super) only: Option<Span>,
}

/// Reads a document; `None` if it is not one. The tally changes only where it is.
pub(super) fn read(document: &[u8], tally: &mut Tally) -> Option<Seen> {
    let mut figures = *tally;
    figures.begin();
    let seen = document_of(&mut Reader::of_answer(document), &mut figures).ok()?;
    *tally = figures;
    Some(seen)
}

/// Reads the figures of an event that was too large to be kept, off its last bytes; returns whether there were any.
///
/// They stand near the end of a response, which has its pictures before them. What looks like them elsewhere is deeper, or
/// in a text, where its quotes are escaped.
pub(super) fn read_end(end: &[u8], tally: &mut Tally) -> bool {
    let end = end.trim_ascii_end();
    let mut found = memmem::rfind_iter(end, b"\"usage\"").take(PLACES);
    found.any(|at| {
        let rest = [b"{", end.get(at..).unwrap_or_default()].concat();
        let mut figures = *tally;
        let read = rest_of(&mut Reader::of_answer(&rest), &rest, &mut figures) == Ok(true);
        if read {
            *tally = figures;
        }
        read
    })
}

/// Reads the last members of an object that is the document, or is in it alone.
fn rest_of(reader: &mut Reader<'_>, text: &[u8], tally: &mut Tally) -> Result<bool, Fault> {
    let mut usage = false;
    reader.members(|reader, name| {
        if name == b"usage" {
            usage |= tally.read(reader)?;
        } else {
            reader.skip()?;
        }
        Ok::<(), Fault>(())
    })?;
    let behind = text.get(reader.at()..).unwrap_or_default();
    Ok(usage && matches!(behind.trim_ascii(), b"" | b"}"))
}

fn document_of(reader: &mut Reader<'_>, tally: &mut Tally) -> Result<Seen, Fault> {
    let mut document = Document::default();
    reader.members(|reader, name| document.member(reader, name, tally))?;
    reader.end()?;
    Ok(document.seen(tally))
}

impl<'a> Document<'a> {
    /// Reads one member.
    fn member(
        &mut self,
        reader: &mut Reader<'a>,
        name: &[u8],
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        match name {
            b"usage" => self.usage |= tally.read(reader)?,
            b"choices" => self.choices(reader, tally)?,
            b"model" => tally.made_by(&reader.skip()?),
            b"service_tier" => tally.served(&reader.skip()?),
            // What else a chunk of a chat has around its choices and figures.
            b"id" | b"object" | b"created" | b"system_fingerprint" => drop(reader.skip()?),
            _ => {
                self.more |= reader.kind()? != Kind::Null;
                self.rest(reader, name, tally)?;
            }
        }
        Ok(())
    }

    /// Reads a member that a chunk of a chat has not.
    fn rest(
        &mut self,
        reader: &mut Reader<'a>,
        name: &[u8],
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        match name {
            // Of responses (a string) and messages (an object); which deltas are text, the type says.
            b"delta" => written(reader, 0, &mut self.delta),
            b"message" | b"response" => self.nested(reader, tally),
            // The answers of messages and responses that are no stream.
            b"content" | b"output" => written(reader, 0, &mut self.made),
            // A picture is there before the event of the whole, and whoever has it may leave.
            b"item" => written(reader, 0, &mut self.item),
            // Mistral's, of documents.
            b"usage_info" => tally.read(reader).map(drop),
            // Groq's, of a stream that was not asked for them.
            b"x_groq" => reader.members(|reader, name| {
                if name == b"usage" {
                    self.usage |= tally.read(reader)?;
                    return Ok(());
                }
                reader.skip().map(drop)
            }),
            b"type" => {
                self.kind = reader.skip()?.text();
                Ok(())
            }
            b"error" => {
                let told = reader.skip()?;
                let empty = told.kind == Kind::String && told.span.end - told.span.start == 2;
                self.error |= !empty && !matches!(told.kind, Kind::Null | Kind::False);
                Ok(())
            }
            _ => reader.skip().map(drop),
        }
    }

    fn choices(&mut self, reader: &mut Reader<'a>, tally: &mut Tally) -> Result<(), Fault> {
        let kind = reader.kind()?;
        self.no_choices = kind == Kind::Array;
        self.more |= !matches!(kind, Kind::Array | Kind::Null);
        reader.elements(|reader| {
            (self.no_choices, self.more) = (false, true);
            choice(
                reader,
                &mut self.made,
                &mut self.finishes,
                tally,
                &mut self.usage,
            )
        })
    }

    /// Reads what messages' first event has, and responses' events of their whole.
    fn nested(&mut self, reader: &mut Reader<'a>, tally: &mut Tally) -> Result<(), Fault> {
        reader.members(|reader, name| {
            match name {
                b"usage" => drop(tally.read(reader)?),
                // Its text came before, in deltas of its own.
                b"output" => written(reader, 0, &mut self.whole)?,
                b"service_tier" => tally.served(&reader.skip()?),
                _ => drop(reader.skip()?),
            }
            Ok(())
        })
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.is_some_and(|known| known.is(kind))
    }

    /// What it says, when all of it has been read.
    fn seen(mut self, tally: &mut Tally) -> Seen {
        if !self.is("response.audio.delta") {
            self.made.text += self.delta.text;
        }
        self.count_images(tally);
        let figures = self.usage && self.no_choices;
        // Without a figure of its own it leaves the one that messages begin with, which is no more than a start.
        let last_delta = self.usage && self.is("message_delta") && tally.tells_output();
        let item_done = self.is("response.output_item.done");
        Seen {
            text: self.made.text,
            item: if item_done { self.item.text } else { 0 },
            whole: self.whole.text,
            sound: self.made.sound + self.delta.sound,
            // Nobody has asked for an error that comes with them, and everybody is to see it.
            usage_chunk: self.usage && !self.error && (self.no_choices || !self.more),
            final_usage: figures || last_delta,
            ends: self.is("message_stop")
                || self.is("response.completed")
                || self.is("response.incomplete")
                || self.is("response.failed"),
            usage: self.usage,
            finishes: self.finishes || FINISHES.into_iter().any(|kind| self.is(kind)),
            error: self.error || self.is("error") || self.is("response.failed"),
            only: self.only(),
        }
    }

    fn count_images(&self, tally: &mut Tally) {
        tally.made_images(self.made.images + self.delta.images);
        if self.is("response.output_item.done") {
            tally.drew(self.item.images);
        } else if self.is("response.image_generation_call.partial_image") {
            tally.draws();
        }
        tally.has_drawn(self.whole.images);
    }

    /// The one text that counts, where nothing else was counted. `made` has the delta's by now.
    fn only(&self) -> Option<Span> {
        let (made, delta) = (&self.made, &self.delta);
        let alone = made.texts + delta.texts == 1
            && made.images + delta.images == 0
            && made.sound + delta.sound == 0;
        // Where something else was counted, or its text was not, the lengths differ; those of an empty text would not.
        made.last
            .or(delta.last)
            .filter(|only| alone && made.text > 0 && (only.end - only.start) as u64 == made.text)
    }
}

/// Adds what is in one of `choices`.
fn choice(
    reader: &mut Reader<'_>,
    made: &mut Made,
    finishes: &mut bool,
    tally: &mut Tally,
    usage: &mut bool,
) -> Result<(), Fault> {
    reader.members(|reader, name| {
        match name {
            b"delta" | b"message" | b"text" => written(reader, 0, made)?,
            // Moonshot's, of a stream that was not asked for them.
            b"usage" => *usage |= tally.read(reader)?,
            // An empty one is none: some imitators of OpenAI have it in every chunk.
            b"finish_reason" => {
                let reason = reader.skip()?.text();
                *finishes |= reason.is_some_and(|reason| !reason.is(""));
            }
            _ => drop(reader.skip()?),
        }
        Ok(())
    })
}

/// Adds what is in a value that the model wrote.
///
/// Pictures are items of OpenAI's image tool in responses, and `images` beside the text of a chat, as models that
/// draw by themselves have it (OpenRouter, Gemini).
fn written(reader: &mut Reader<'_>, level: usize, made: &mut Made) -> Result<(), Fault> {
    match reader.kind()? {
        Kind::Array if level < NESTED => {
            reader.elements(|reader| written(reader, level + 1, made))?;
        }
        Kind::Object if level < NESTED => {
            let mut thought = Made::default();
            reader.members(|reader, name| {
                match name {
                    // A tool's input, as JSON and not as text.
                    b"input" => {
                        let span = reader.skip()?.span;
                        made.text += (span.end - span.start) as u64;
                    }
                    b"audio" => spoken(reader, made)?,
                    b"images" => reader.elements(|reader| {
                        made.images += 1;
                        reader.skip().map(drop)
                    })?,
                    // What a model thought, in the words of several imitators of OpenAI (OpenRouter, vLLM, DeepSeek): where
                    // there are several, they have the same text.
                    b"reasoning" | b"reasoning_content" | b"reasoning_details" => {
                        let mut copy = Made::default();
                        written(reader, level + 1, &mut copy)?;
                        let both = copy.text.min(thought.text) > 0;
                        if copy.text > thought.text {
                            thought = copy;
                        }
                        // No text alone: which of the two is the longer one depends on both.
                        thought.texts = thought.texts.saturating_add(u32::from(both));
                    }
                    // Members whose strings, or whose own such members, are text that the model wrote.
                    b"content" | b"text" | b"thinking" | b"partial_json" | b"refusal"
                    | b"summary" | b"arguments" | b"tool_calls" | b"function_call"
                    | b"function" | b"custom" | b"name" | b"code" => {
                        written(reader, level + 1, made)?;
                    }
                    b"type" => {
                        let kind = reader.skip()?.text();
                        let drawn = kind.is_some_and(|kind| kind.is("image_generation_call"));
                        made.images += u64::from(drawn);
                    }
                    _ => drop(reader.skip()?),
                }
                Ok::<(), Fault>(())
            })?;
            made.text += thought.text;
            made.texts = made.texts.saturating_add(thought.texts);
            made.last = thought.last.or(made.last);
        }
        _ => {
            let value = reader.skip()?;
            if let Some(text) = value.text() {
                made.text += text.len();
                made.texts = made.texts.saturating_add(1);
                made.last = value.inside();
            }
        }
    }
    Ok(())
}

/// Adds the sound of a chat: what it says, and how that sounds.
fn spoken(reader: &mut Reader<'_>, made: &mut Made) -> Result<(), Fault> {
    reader.members(|reader, name| {
        if name == b"transcript" {
            return written(reader, NESTED, made);
        }
        let value = reader.skip()?;
        if name == b"data" {
            made.sound += value.text().map_or(0, Text::len);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
