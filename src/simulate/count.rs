//! What a token is here.
//!
//! A token is at most four bytes of a word (always whole characters) together with the white space before it; white
//! space at the very end of a text is a token of its own. So `Hello world` has four: `Hell`, `o`, ` worl`, `d`. The
//! rule needs no vocabulary, is never far from a real tokenizer on English prose, never counts more tokens than bytes,
//! and lets anybody check a usage figure by hand. Of the input, text, tool definitions and tool results are counted;
//! role names and JSON punctuation are not. A part that is not text counts [`OPAQUE`].

/// Bytes of a word in one token.
const BYTES: usize = 4;

/// Tokens of an image, a sound or a file in the input.
pub(super) const OPAQUE: u64 = 256;

/// How many tokens `text` has.
pub(super) fn count(text: &str) -> u64 {
    let mut tokens = 0;
    let mut at = 0;
    while let Some(end) = end_of_token(text, at) {
        tokens += 1;
        at = end;
    }
    tokens
}

/// The first `tokens` tokens of `text`.
pub(super) fn clip(text: &str, tokens: u64) -> &str {
    let mut at = 0;
    for _ in 0..tokens {
        match end_of_token(text, at) {
            Some(end) => at = end,
            None => break,
        }
    }
    &text[..at]
}

/// The tokens of a text, one after the other; together they are the text.
#[derive(Debug)]
pub(super) struct Tokens {
    text: String,
    at: usize,
}

impl Tokens {
    /// The tokens of `text`.
    pub(super) const fn of(text: String) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Tokens {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let end = end_of_token(&self.text, self.at)?;
        let token = self.text[self.at..end].to_owned();
        self.at = end;
        Some(token)
    }
}

/// Where the token that starts at `at` ends; `None` at the end of the text. Both are character boundaries.
fn end_of_token(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if rest.is_empty() {
        return None;
    }
    let word = rest.trim_start();
    let space = rest.len() - word.len();
    let mut end = 0;
    for character in word.chars() {
        let longer = end + character.len_utf8();
        if character.is_whitespace() || (end > 0 && longer > BYTES) {
            break;
        }
        end = longer;
    }
    Some(at + space + end)
}
