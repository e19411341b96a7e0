//! What an answer says it used, in the terms of every dialect.
//!
//! A provider's figures are not trusted: what is no count, is absurdly large, shrinks in a stream or contradicts
//! itself is marked suspect, and is never read as less than was said before.

use super::{
    Endpoint, estimate_tokens,
    json::{Fault, Kind, Reader, Text, Value},
};
use crate::domain::{ServiceTier, Usage};

/// Most tokens that one call can have used, a hundred times the largest context windows; a figure above it is a mistake.
const ABSURD: u64 = 1 << 27;

/// What was seen of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    /// What the provider says the call used; `None` where it said nothing that makes sense.
    pub usage: Option<Usage>,
    /// Whether the provider's figures contradict themselves or each other. `usage` is then an upper reading at best:
    /// settle by your own count, never by a credit.
    pub suspect: bool,
    /// Whether the stream was cut off before its last figures, so that `usage` is what they were so far.
    pub partial: bool,
    /// Bytes of text, reasoning and tool calls in the answer, without escapes.
    pub output_bytes: u64,
    /// Bytes of the answer that could not be read, and may be text of it.
    pub unread_bytes: u64,
    /// Bytes of sound in the answer, as base64.
    pub output_sound: u64,
    /// Events of a stream that carried such text.
    pub output_events: u64,
    /// Pictures in the answer.
    pub images: u64,
    /// Whether the stream told of an error after its head.
    pub error_event: bool,
    /// How the call was served, where the provider says so.
    pub service_tier: Option<ServiceTier>,
}

/// The figures of all usage objects of one answer, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    audio_input: Option<u64>,
    audio_output: Option<u64>,
    seconds: Option<u64>,
    pages: Option<u64>,
    images: u64,
    /// Pictures of a stream that tells of each and then of all: those that were told of, whether one more is being drawn,
    /// and all.
    drawn: u64,
    drawing: bool,
    all_drawn: u64,
    /// What steps used that are not in the figures above.
    apart: Usage,
    /// Whether these are the figures of one step, and whether it is such a one.
    step: bool,
    is_apart: bool,
    seen: bool,
    suspect: bool,
    /// Whether the last usage object had a figure for the output that is more than zero.
    tells_output: bool,
    /// How the call was served, as the provider said last.
    service_tier: Option<ServiceTier>,
    /// Whether reasoning was once counted beside the output. It stays so: no later total takes back what was said.
    beside: bool,
}

/// Steps of a call that Anthropic bills beside its figures: a conversation that is summarized on the way, and a model that
/// is asked for advice (API reference, `usage.iterations`).
const APART: [&str; 2] = ["compaction", "advisor_message"];

/// Bytes of the longest tokens that tokenizers have (OpenAI's o200k: 128 spaces).
const LONGEST_TOKEN: u64 = 128;

/// Bytes of base64 to a token of sound: 50 ms of 24,000 samples a second of two bytes each, as streams have it (OpenAI's guide
/// to audio).
const SOUND_TOKEN: u64 = 3200;

/// So many events with less than two bytes each are a text cut into characters, and no tokens.
const CHARACTERS: u64 = 64;

impl Observed {
    /// Tokens of output that were seen at the very least, by the answer's text and not by the provider's word. An event
    /// carries a token or more, except from servers that cut a finished text into characters.
    pub fn output_at_least(&self) -> u64 {
        let (events, bytes) = (self.output_events, self.output_bytes);
        let by_events = if events > CHARACTERS && bytes < events.saturating_mul(2) {
            bytes / 6
        } else {
            events
        };
        by_events.max(bytes / LONGEST_TOKEN)
    }

    /// What to settle by, and whether it is an estimate: the provider's figures where they are whole and make
    /// sense, else our own count of the answer on `input_tokens` of input. No count of ours is above `most`, where the
    /// provider was told to stop: what cannot be read may be anything, and was not all text.
    pub fn settle(&self, input_tokens: u64, most: Option<u64>) -> (Usage, bool) {
        let most = most.unwrap_or(u64::MAX);
        let spoken = self.output_sound.div_ceil(SOUND_TOKEN).min(most);
        let counted = estimate_tokens(self.output_bytes.saturating_add(self.unread_bytes));
        let counted = counted.saturating_add(spoken).min(most);
        // Text is not written with no tokens, nor on none: zero is how some imitators say that they do not count.
        let uncounted = |usage: &Usage| usage.output == 0 && self.output_bytes > 0;
        match self.usage.filter(|_| !self.suspect) {
            Some(usage) if !self.partial && !uncounted(&usage) => (usage, false),
            Some(usage) if usage.input > 0 || !uncounted(&usage) => {
                let usage = Usage {
                    output: usage.output.max(counted),
                    audio_output: usage.audio_output.max(spoken),
                    ..usage
                };
                (usage, true)
            }
            _ => {
                let usage = Usage {
                    input: input_tokens,
                    output: counted,
                    audio_output: spoken,
                    images: self.images,
                    ..Usage::default()
                };
                (usage, true)
            }
        }
    }
}

impl Tally {
    /// Reads a usage object; `null` says nothing. Returns whether it was an object.
    ///
    /// The names are OpenAI's for chat and completions (`prompt_tokens`), OpenAI's for responses
    /// (`input_tokens`), Anthropic's (`cache_read_input_tokens`), Mistral's (`prompt_audio_seconds`, `pages_processed`),
    /// and of what was read from a cache DeepSeek's (`prompt_cache_hit_tokens`) and Moonshot's (`cached_tokens`); no two APIs
    /// use one name for two things but for whether `input_tokens` includes the cache, which [`Tally::usage`] knows.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Result<bool, Fault> {
        match reader.kind()? {
            Kind::Object => {}
            Kind::Null => {
                reader.skip()?;
                return Ok(false);
            }
            _ => {
                reader.skip()?;
                self.seen = true;
                self.suspect = true;
                return Ok(false);
            }
        }
        self.seen = true;
        self.tells_output = false;
        let suspect = &mut self.suspect;
        reader.members(|reader, name| {
            let is = |wanted: &[&str]| wanted.iter().any(|wanted| name.is(wanted));
            let field = if is(&["prompt_tokens", "input_tokens"]) {
                &mut self.input
            } else if is(&["completion_tokens", "output_tokens"]) {
                let value = reader.skip()?;
                self.tells_output = value.unsigned() > Some(0);
                put(&mut self.output, &value, suspect);
                return Ok(());
            } else if is(&["total_tokens"]) {
                &mut self.total
            } else if is(&[
                "cache_read_input_tokens",
                "prompt_cache_hit_tokens",
                "cached_tokens",
            ]) {
                &mut self.cached
            } else if is(&["cache_creation_input_tokens"]) {
                &mut self.cache_write
            } else if is(&["prompt_audio_seconds"]) {
                &mut self.seconds
            } else if is(&["pages_processed"]) {
                &mut self.pages
            } else if is(&["cache_creation"]) {
                return reader.members(|reader, name| {
                    let value = reader.skip()?;
                    if name.is("ephemeral_5m_input_tokens") {
                        put(&mut self.cache_write_5m, &value, suspect);
                    } else if name.is("ephemeral_1h_input_tokens") {
                        put(&mut self.cache_write_1h, &value, suspect);
                    }
                    Ok(())
                });
            } else if is(&["iterations"]) && !self.step {
                let steps = steps_apart(reader, suspect)?;
                if steps.total() > self.apart.total() {
                    self.apart = steps;
                }
                return Ok(());
            } else if is(&["type"]) {
                let kind = reader.skip()?;
                let is = |wanted: &&str| kind.text().is_some_and(|kind| kind.is(wanted));
                self.is_apart = APART.iter().any(is);
                return Ok(());
            } else if is(&["prompt_tokens_details", "input_tokens_details"]) {
                return reader.members(|reader, name| {
                    let value = reader.skip()?;
                    if name.is("cached_tokens") {
                        put(&mut self.cached, &value, suspect);
                    } else if name.is("cache_write_tokens") {
                        put(&mut self.cache_write, &value, suspect);
                    } else if name.is("audio_tokens") {
                        put(&mut self.audio_input, &value, suspect);
                    }
                    Ok(())
                });
            } else if is(&["completion_tokens_details", "output_tokens_details"]) {
                return reader.members(|reader, name| {
                    let value = reader.skip()?;
                    if name.is("reasoning_tokens") || name.is("thinking_tokens") {
                        put(&mut self.reasoning, &value, suspect);
                    } else if name.is("audio_tokens") {
                        put(&mut self.audio_output, &value, suspect);
                    }
                    Ok(())
                });
            } else {
                reader.skip()?;
                return Ok(());
            };
            put(field, &reader.skip()?, suspect);
            Ok(())
        })?;
        self.beside |= self.counts_beside();
        Ok(true)
    }

    /// Some imitators of OpenAI count reasoning beside the output; their total tells.
    fn counts_beside(&self) -> bool {
        let (Some(input), Some(output)) = (self.input, self.output) else {
            return false;
        };
        let reasoning = self.reasoning.unwrap_or(0);
        reasoning > 0 && self.total == Some(input + output + reasoning)
    }

    /// Reads how the call was served. `auto` says that this is not decided.
    pub(super) fn served(&mut self, value: &Value<'_>) {
        let text = value.text().and_then(Text::decode);
        let tier = text.and_then(|text| ServiceTier::parse(&text));
        self.service_tier = tier.filter(|tier| tier.as_str() != "auto");
    }

    /// How the call was served, where the provider has said so.
    pub(super) const fn service_tier(&self) -> Option<ServiceTier> {
        self.service_tier
    }

    /// Whether a usage object has come.
    pub(super) const fn has_figures(&self) -> bool {
        self.seen
    }

    /// Whether the last usage object said how long the output is: zero, or nothing, is how some say that they do not count.
    pub(super) const fn tells_output(&self) -> bool {
        self.tells_output
    }

    /// Tokens of output that a stream has said so far; 0 where its figures make no sense.
    pub(super) fn output_so_far(&self) -> u64 {
        self.output.filter(|_| !self.suspect).unwrap_or(0)
    }

    /// Counts pictures, each of which comes once.
    pub(super) const fn made_images(&mut self, images: u64) {
        self.images = self.images.saturating_add(images);
    }

    /// Counts pictures that a stream has told of and will tell of again with the whole.
    pub(super) fn drew(&mut self, images: u64) {
        self.drawn = self.drawn.saturating_add(images);
        self.drawing &= images == 0;
    }

    /// Notes that a picture is being drawn of which something is to be seen.
    pub(super) const fn draws(&mut self) {
        self.drawing = true;
    }

    /// Notes the pictures of the whole.
    pub(super) fn has_drawn(&mut self, images: u64) {
        self.all_drawn = self.all_drawn.max(images);
    }

    /// Pictures in the answer.
    pub(super) fn images(&self) -> u64 {
        let drawn = self.drawn.saturating_add(u64::from(self.drawing));
        self.images.saturating_add(drawn.max(self.all_drawn))
    }

    /// What was used, and whether the figures are suspect.
    pub(super) fn usage(&self, endpoint: Endpoint) -> (Option<Usage>, bool) {
        let no_output = matches!(endpoint, Endpoint::Embeddings).then_some(0);
        let (Some(input), Some(output)) = (self.input, self.output.or(no_output)) else {
            return (None, self.suspect || self.seen);
        };
        let cached = self.cached.unwrap_or(0);
        let hour = self.cache_write_1h.unwrap_or(0);
        // The parts by how long they are kept may come without the whole.
        let parts = hour + self.cache_write_5m.unwrap_or(0);
        let write = self.cache_write.unwrap_or(0).max(parts);
        let reasoning = self.reasoning.unwrap_or(0);
        let mut suspect = self.suspect;
        let mut usage = Usage {
            input,
            cached_input: cached,
            cache_write: write,
            output,
            reasoning,
            cache_write_1h: hour,
            audio_input: self.audio_input.unwrap_or(0),
            audio_output: self.audio_output.unwrap_or(0),
            images: self.images(),
            seconds: self.seconds.unwrap_or(0),
            pages: self.pages.unwrap_or(0),
        };
        if endpoint == Endpoint::Messages {
            // Anthropic counts what it reads from and writes to its cache beside the input. None is above 2^40.
            usage.input = input + cached + write;
            usage = sum(usage, self.apart);
        } else if cached + write > input {
            suspect = true;
            usage.cached_input = cached.min(input);
            usage.cache_write = write.min(input - usage.cached_input);
            usage.cache_write_1h = hour.min(usage.cache_write);
        }
        if self.beside {
            usage.output = output + reasoning;
        } else if reasoning > output {
            suspect = true;
            usage.reasoning = output;
        }
        for (part, whole) in [
            (&mut usage.audio_input, usage.input),
            (&mut usage.audio_output, usage.output),
        ] {
            suspect |= *part > whole;
            *part = whole.min(*part);
        }
        (Some(usage), suspect)
    }
}

/// Sums up the steps of one call that are billed beside what its usage object says itself.
fn steps_apart(reader: &mut Reader<'_>, suspect: &mut bool) -> Result<Usage, Fault> {
    let mut steps = Usage::default();
    reader.elements(|reader| {
        let mut step = Tally {
            step: true,
            ..Tally::default()
        };
        step.read(reader)?;
        let (usage, unsound) = step.usage(Endpoint::Messages);
        if step.is_apart {
            *suspect |= unsound;
            steps = sum(steps, usage.unwrap_or_default());
        }
        Ok::<(), Fault>(())
    })?;
    *suspect |= steps.total() > ABSURD;
    Ok(steps)
}

/// Both together, of what Anthropic counts.
const fn sum(one: Usage, other: Usage) -> Usage {
    Usage {
        input: one.input.saturating_add(other.input),
        cached_input: one.cached_input.saturating_add(other.cached_input),
        cache_write: one.cache_write.saturating_add(other.cache_write),
        cache_write_1h: one.cache_write_1h.saturating_add(other.cache_write_1h),
        output: one.output.saturating_add(other.output),
        reasoning: one.reasoning.saturating_add(other.reasoning),
        ..one
    }
}

/// Takes a figure: the largest counts, since figures of a stream are running totals.
fn put(figure: &mut Option<u64>, value: &Value<'_>, suspect: &mut bool) {
    if value.kind == Kind::Null {
        return;
    }
    let Some(count) = value.unsigned().filter(|count| *count <= ABSURD) else {
        *suspect = true;
        return;
    };
    // Zero behind a figure is how some say "as before".
    *suspect |= figure.is_some_and(|before| count < before && count > 0);
    *figure = Some(figure.map_or(count, |before| before.max(count)));
}

#[cfg(test)]
mod tests;
