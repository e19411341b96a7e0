//! How many tokens a text may be: a rough figure at once, and a count by a vendor's own tokenizer.

mod vocabulary;

use tiktoken_rs::CoreBPE;

use super::ProviderKind;

/// Largest body that is counted, in bytes. Above it the bound by bytes has to do.
const LARGEST: usize = 64 << 10;

/// Longest run of characters of one class that the tokenizer gets whole: its work grows with the square of it.
const RUN: usize = 128;

/// Tokens that a vendor adds around a message: OpenAI's cookbook counts 3 for each and 3 for the answer's start,
/// and a name takes one more.
const PER_MESSAGE: u64 = 4;

/// Tokens that a call has beyond its messages.
const PER_CALL: u64 = 16;

/// About how many tokens a text of `bytes` is: four bytes to a token, as in English prose.
pub const fn estimate_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// The input tokens of a call, counted over the text of its body and erring upwards; `None` for a body above 64 KiB.
///
/// The JSON around the prompt counts too, so that the figure holds without a look at what is prompt. OpenAI's own
/// models are counted with their tokenizer. Anthropic's tokenizers are not published, and imitators of OpenAI
/// serve models of all kinds: both get a fifth on top, which is a margin and no measurement.
///
/// Takes up to some ten milliseconds of computing, and the first call more to build its tables: call it on a thread
/// for such work, off the asynchronous ones.
pub fn count_input(kind: ProviderKind, model: &str, body: &[u8]) -> Option<u64> {
    if body.len() > LARGEST {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let tokenizer = tokenizer(model);
    let mut counted = 0_u64;
    for piece in Pieces::of(text) {
        counted = counted.saturating_add(tokenizer.count_ordinary(piece) as u64);
    }
    let messages = text.matches("\"role\"").count() as u64;
    let bound = counted
        .saturating_add(messages.saturating_mul(PER_MESSAGE))
        .saturating_add(PER_CALL);
    Some(match kind {
        ProviderKind::OpenAi if has_openai_tokenizer(model) => bound,
        ProviderKind::Simulated => bound,
        ProviderKind::OpenAi | ProviderKind::Anthropic | ProviderKind::Http => {
            bound.saturating_add(bound.div_ceil(5))
        }
    })
}

/// The tokenizer for a model: the older vocabulary for the models that had it, else the present one.
fn tokenizer(model: &str) -> &'static CoreBPE {
    let older =
        model.starts_with("gpt-4") && !model.starts_with("gpt-4o") && !model.starts_with("gpt-4.")
            || model.starts_with("gpt-3.5")
            || model.starts_with("text-embedding-");
    if older {
        vocabulary::cl100k()
    } else {
        vocabulary::o200k()
    }
}

/// Whether a model's name is one of OpenAI's own.
fn has_openai_tokenizer(model: &str) -> bool {
    let families = ["gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-"];
    families.iter().any(|family| model.starts_with(family))
}

/// A text in pieces none of which has a long run of one class. More pieces make more tokens; where merging is so
/// unlucky that they make fewer, it is by one or two, which [`PER_CALL`] covers.
#[derive(Debug)]
struct Pieces<'a> {
    rest: &'a str,
}

/// Classes that tokenizers keep together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Space,
    Other,
}

impl<'a> Pieces<'a> {
    const fn of(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl Class {
    fn of(character: char) -> Self {
        if character.is_whitespace() {
            Self::Space
        } else if character.is_alphanumeric() {
            Self::Letter
        } else {
            Self::Other
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut class, mut run) = (None, 0);
        for (at, character) in self.rest.char_indices() {
            let own = Some(Class::of(character));
            run = if own == class { run + 1 } else { 1 };
            class = own;
            if run > RUN {
                let (piece, rest) = self.rest.split_at(at);
                self.rest = rest;
                return Some(piece);
            }
        }
        Some(std::mem::take(&mut self.rest))
    }
}

#[cfg(test)]
mod tests;
