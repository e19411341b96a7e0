//! What an answer says it used, in the terms of every dialect.
//!
//! A provider's figures are not trusted: what is no count, is absurdly large, shrinks in a stream or contradicts
//! itself is marked suspect, and is never read as less than was said before.

use super::{
    Endpoint,
    json::{Fault, Kind, Reader, Text, Value},
};
use crate::domain::{ServiceTier, Usage};

/// Most tokens that one call can have used, a hundred times the largest context windows; a figure above it is a mistake.
const ABSURD: u64 = 1 << 27;

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
    /// Whether one was in the last document.
    seen_last: bool,
    suspect: bool,
    /// Whether the last usage object had a figure for the output that is more than zero.
    tells_output: bool,
    /// How the call was served, as the provider said last.
    service_tier: Option<ServiceTier>,
    /// Whether reasoning was once counted beside the output. It stays so: no later total takes back what was said.
    beside: bool,
    /// The output by the total, where that had once more than was told. It stays so as well.
    by_total: u64,
    /// Whether a model answers whose thoughts are in the total alone.
    thinks_untold: bool,
    /// The total, where nothing else was told. It stays so too.
    total_alone: u64,
}

/// Steps of a call that Anthropic bills beside its figures: a conversation that is summarized on the way, and a model that
/// is asked for advice (API reference, `usage.iterations`).
const APART: [&str; 2] = ["compaction", "advisor_message"];

/// Where a member's figure goes; nowhere where it is none that counts.
type Figure = for<'a> fn(&'a mut Tally, &[u8]) -> Option<&'a mut Option<u64>>;

impl Tally {
    /// Reads a usage object; `null` says nothing. Returns whether it was an object.
    ///
    /// The names are OpenAI's for chat and completions (`prompt_tokens`), OpenAI's for responses
    /// (`input_tokens`), Anthropic's (`cache_read_input_tokens`), Mistral's (`prompt_audio_seconds`, `pages_processed`),
    /// and of what was read from a cache DeepSeek's (`prompt_cache_hit_tokens`) and Moonshot's (`cached_tokens`); no two APIs
    /// use one name for two things but for whether `input_tokens` includes the cache, which [`Tally::usage`] knows.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Result<bool, Fault> {
        let kind = reader.kind()?;
        if kind != Kind::Object {
            reader.skip()?;
            let there = kind != Kind::Null;
            self.seen |= there;
            self.seen_last |= there;
            self.suspect |= there;
            return Ok(false);
        }
        (self.seen, self.seen_last) = (true, true);
        self.tells_output = false;
        reader.members(|reader, name| self.member(reader, name))?;
        self.beside |= self.counts_beside();
        self.by_total = self.by_total.max(self.output_by_total().unwrap_or(0));
        if self.input.is_none() && self.output.unwrap_or(0) == 0 {
            self.total_alone = self.total.unwrap_or(0);
        }
        Ok(true)
    }

    /// Reads one member of a usage object.
    fn member(&mut self, reader: &mut Reader<'_>, name: &[u8]) -> Result<(), Fault> {
        let figure = match name {
            b"prompt_tokens" | b"input_tokens" => &mut self.input,
            b"completion_tokens" | b"output_tokens" => {
                let value = reader.skip()?;
                self.tells_output = value.count() > Some(0);
                self.suspect |= put(&mut self.output, &value);
                return Ok(());
            }
            b"total_tokens" => &mut self.total,
            b"prompt_tokens_details" | b"input_tokens_details" => {
                return self.details(reader, Self::figure_of_input);
            }
            b"completion_tokens_details" | b"output_tokens_details" => {
                return self.details(reader, Self::figure_of_output);
            }
            b"cache_read_input_tokens" | b"prompt_cache_hit_tokens" | b"cached_tokens" => {
                &mut self.cached
            }
            b"cache_creation_input_tokens" => &mut self.cache_write,
            b"cache_creation" => return self.details(reader, Self::figure_of_cache),
            b"prompt_audio_seconds" => &mut self.seconds,
            b"pages_processed" => &mut self.pages,
            b"iterations" if !self.step => {
                let (steps, unsound) = steps_apart(reader)?;
                self.suspect |= unsound;
                if steps.total() > self.apart.total() {
                    self.apart = steps;
                }
                return Ok(());
            }
            b"type" => {
                let kind = reader.skip()?.text();
                let is = |wanted: &str| kind.is_some_and(|kind| kind.is(wanted));
                self.is_apart = APART.into_iter().any(is);
                return Ok(());
            }
            _ => return reader.skip().map(drop),
        };
        let value = reader.skip()?;
        self.suspect |= put(figure, &value);
        Ok(())
    }

    /// Reads an object of figures that are parts of others.
    fn details(&mut self, reader: &mut Reader<'_>, figure: Figure) -> Result<(), Fault> {
        reader.members(|reader, name| {
            let value = reader.skip()?;
            if let Some(figure) = figure(self, name) {
                self.suspect |= put(figure, &value);
            }
            Ok(())
        })
    }

    /// The figure that a member of Anthropic's `cache_creation` is: what was written, by how long it is kept.
    const fn figure_of_cache(&mut self, name: &[u8]) -> Option<&mut Option<u64>> {
        Some(match name {
            b"ephemeral_5m_input_tokens" => &mut self.cache_write_5m,
            b"ephemeral_1h_input_tokens" => &mut self.cache_write_1h,
            _ => return None,
        })
    }

    /// The figure that a member of the input's details is.
    const fn figure_of_input(&mut self, name: &[u8]) -> Option<&mut Option<u64>> {
        Some(match name {
            b"cached_tokens" => &mut self.cached,
            b"cache_write_tokens" => &mut self.cache_write,
            b"audio_tokens" => &mut self.audio_input,
            _ => return None,
        })
    }

    /// The figure that a member of the output's details is.
    const fn figure_of_output(&mut self, name: &[u8]) -> Option<&mut Option<u64>> {
        Some(match name {
            b"reasoning_tokens" | b"thinking_tokens" => &mut self.reasoning,
            b"audio_tokens" => &mut self.audio_output,
            _ => return None,
        })
    }

    /// Some imitators of OpenAI count reasoning beside the output; their total tells.
    fn counts_beside(&self) -> bool {
        let (Some(input), Some(output)) = (self.input, self.output) else {
            return false;
        };
        let reasoning = self.reasoning.unwrap_or(0);
        reasoning > 0 && self.total == Some(input + output + reasoning)
    }

    /// The output by the total, where that has tokens which nothing else tells of: what a model thought, as Google's imitation
    /// of OpenAI has it. Sound by the second, pages and a cache beside the input may be in a total as well.
    fn output_by_total(&self) -> Option<u64> {
        // Where the input is not counted, it is in the total as well.
        let input = self.input.filter(|input| *input > 0)?;
        let total = self.total?;
        let named = [self.reasoning, self.seconds, self.pages];
        if named.into_iter().flatten().any(|count| count > 0) {
            return None;
        }
        let untold = total.checked_sub(input + self.output.unwrap_or(0))?;
        let (cached, write) = (self.cached.unwrap_or(0), self.cache_write.unwrap_or(0));
        let is_of_input = [cached, write, cached + write].contains(&untold);
        (!is_of_input).then(|| total - input)
    }

    /// Reads which model answers. Of Google's, whoever serves them, what they thought may be in the total alone; another's
    /// total that is more than its parts is a mistake of whoever added it up.
    pub(super) fn made_by(&mut self, value: &Value<'_>) {
        let name = value.text().and_then(Text::decode);
        self.thinks_untold |= name.is_some_and(|name| name.contains("gemini"));
    }

    /// Reads how the call was served. `auto` says that this is not decided.
    pub(super) fn served(&mut self, value: &Value<'_>) {
        let text = value.text().and_then(Text::decode);
        let text = text.filter(|text| !text.eq_ignore_ascii_case("auto"));
        self.service_tier = text.and_then(|text| ServiceTier::parse(&text));
    }

    /// How the call was served, where the provider has said so.
    pub(super) const fn service_tier(&self) -> Option<ServiceTier> {
        self.service_tier
    }

    /// Begins another document of the answer.
    pub(super) const fn begin(&mut self) {
        self.seen_last = false;
    }

    /// Whether a usage object was in the last document.
    pub(super) const fn has_figures(&self) -> bool {
        self.seen_last
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
        let by_total = match endpoint {
            Endpoint::Messages | Endpoint::Embeddings => 0,
            _ if !self.thinks_untold => 0,
            _ => self.by_total,
        };
        let no_output = (endpoint == Endpoint::Embeddings || by_total > 0).then_some(0);
        // Embeddings have nothing but input.
        let all_input =
            Some(self.total_alone).filter(|total| endpoint == Endpoint::Embeddings && *total > 0);
        let input = self.input.max(all_input);
        let (Some(input), Some(output)) = (input, self.output.or(no_output)) else {
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
        if by_total > usage.output {
            usage.reasoning += by_total - usage.output;
            usage.output = by_total;
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

/// Takes a figure, where the value is one: the largest counts, since figures of a stream are running totals. Returns whether
/// that is suspect.
fn put(figure: &mut Option<u64>, value: &Value<'_>) -> bool {
    if value.kind == Kind::Null {
        return false;
    }
    let Some(count) = value.count().filter(|count| *count <= ABSURD) else {
        return true;
    };
    let before = figure.replace(figure.unwrap_or(0).max(count));
    // Zero behind a figure is how some say "as before".
    before.is_some_and(|before| count < before && count > 0)
}

/// Sums up the steps of one call that are billed beside what its usage object says itself, and whether that is suspect.
fn steps_apart(reader: &mut Reader<'_>) -> Result<(Usage, bool), Fault> {
    let (mut steps, mut suspect) = (Usage::default(), false);
    reader.elements(|reader| {
        let mut step = Tally {
            step: true,
            ..Tally::default()
        };
        step.read(reader)?;
        let (usage, unsound) = step.usage(Endpoint::Messages);
        if step.is_apart {
            suspect |= unsound;
            steps = sum(steps, usage.unwrap_or_default());
        }
        Ok::<(), Fault>(())
    })?;
    suspect |= steps.total() > ABSURD;
    Ok((steps, suspect))
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

#[cfg(test)]
mod tests;
