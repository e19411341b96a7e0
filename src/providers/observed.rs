//! What was seen of an answer, and what a call is settled by.
//!
//! Owns our own count, and when it goes before the provider's word. Must not know how figures are read.

use super::estimate_tokens;
use crate::domain::{ServiceTier, Usage};

/// Bytes of the longest tokens that tokenizers have (OpenAI's o200k: 128 spaces).
const LONGEST_TOKEN: u64 = 128;

/// Bytes of base64 to a token of sound: 50 ms of 24,000 samples a second of two bytes each, as streams have it (OpenAI's guide
/// to audio).
const SOUND_TOKEN: u64 = 3200;

/// So many events with less than two bytes each are a text cut into characters, and no tokens.
const CHARACTERS: u64 = 64;

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
    /// Whether it told of an error after its head.
    pub error_event: bool,
    /// How the call was served, where the provider says so.
    pub service_tier: Option<ServiceTier>,
}

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

    /// Whether it told of an error, and of nothing else: neither a word of an answer nor a figure came with it.
    pub const fn is_error_alone(&self) -> bool {
        let made = self.output_bytes > 0
            || self.unread_bytes > 0
            || self.output_sound > 0
            || self.images > 0;
        self.error_event && !made && self.usage.is_none() && !self.suspect
    }

    /// The same without so many bytes of text, which came back of the input. A prompt comes at once: of what came in several
    /// events two bytes of each stay, so that who asks a provider for it that leaves it out hides no answer behind it.
    pub fn without_echo(self, bytes: u64) -> Self {
        let words = if self.output_events > 1 {
            self.output_events.saturating_mul(2)
        } else {
            0
        };
        let rest = self.output_bytes.saturating_sub(bytes);
        Self {
            output_bytes: rest.max(words.min(self.output_bytes)),
            ..self
        }
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

#[cfg(test)]
mod tests;
