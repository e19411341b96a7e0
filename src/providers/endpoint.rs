//! Which endpoint a path is, in which dialect.
//!
//! Owns the table of known paths. A path that is almost a known one (another case, escaped letters, a slash at
//! its end) counts as known, because some provider may serve it, and what is known is checked and metered.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Dialect;

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/messages/count_tokens`.
    CountTokens,
    /// `GET /v1/models`.
    Models,
    /// `GET /v1/models/{id}`.
    Model,
    /// Anything else.
    Other,
}

/// Longest path, without its escapes, that can be a known endpoint other than [`Endpoint::Model`].
const LONGEST: usize = 32;

/// Endpoints by path, each with the dialect that has it. Model lists exist in both and are not here.
const PATHS: [(&str, Dialect, Endpoint); 6] = [
    (
        "/chat/completions",
        Dialect::OpenAi,
        Endpoint::ChatCompletions,
    ),
    ("/completions", Dialect::OpenAi, Endpoint::Completions),
    ("/responses", Dialect::OpenAi, Endpoint::Responses),
    ("/embeddings", Dialect::OpenAi, Endpoint::Embeddings),
    ("/messages", Dialect::Anthropic, Endpoint::Messages),
    (
        "/messages/count_tokens",
        Dialect::Anthropic,
        Endpoint::CountTokens,
    ),
];

/// What Gemini does with a model, in its paths (ai.google.dev, API reference).
const GEMINI_VERBS: [&str; 5] = [
    ":generateContent",
    ":streamGenerateContent",
    ":countTokens",
    ":embedContent",
    ":batchEmbedContents",
];

impl Endpoint {
    /// The dialect and the endpoint of a path, its route's prefix taken off, with or without `/v1`.
    ///
    /// `/v1/messages` and what is below it is Anthropic's, `/v1beta` and `/v1/models/{id}:generateContent` (and
    /// its sisters) Gemini's, the rest OpenAI's. Never allocates.
    pub fn classify(path: &str) -> (Dialect, Self) {
        if is_or_below(path, "/v1beta") {
            return (Dialect::Gemini, Self::Other);
        }
        let mut buffer = [0; LONGEST];
        let rest = without_version(path);
        if let Some(id) = below_models(rest) {
            if GEMINI_VERBS.iter().any(|verb| id.ends_with(verb)) {
                return (Dialect::Gemini, Self::Other);
            }
            return (Dialect::OpenAi, Self::Model);
        }
        let plain = without_escapes(path, &mut buffer);
        let plain = without_version(plain.unwrap_or(path));
        let found = PATHS.iter().find(|(known, ..)| same(plain, known));
        match found {
            Some((_, dialect, endpoint)) => (*dialect, *endpoint),
            None if same(plain, "/models") => (Dialect::OpenAi, Self::Models),
            None if is_or_below(plain, "/messages") => (Dialect::Anthropic, Self::Other),
            None => (Dialect::OpenAi, Self::Other),
        }
    }

    /// The endpoint of a path on a route whose dialect is fixed; [`Endpoint::Other`] for another dialect's paths.
    pub fn known(dialect: Dialect, path: &str) -> Self {
        match (Self::classify(path), dialect) {
            ((_, lists @ (Self::Models | Self::Model)), Dialect::OpenAi | Dialect::Anthropic) => {
                lists
            }
            ((by_path, endpoint), fixed) if by_path == fixed => endpoint,
            _ => Self::Other,
        }
    }

    /// Whether `path` is written as this endpoint's is, letter for letter, with or without `/v1`. What is almost a known
    /// path is known, so that no provider serves it unmetered; but only a route to one provider may pass it on.
    pub fn is_written(self, path: &str) -> bool {
        let rest = path.strip_prefix("/v1").unwrap_or(path);
        match self {
            Self::Models => rest == "/models",
            Self::Model => rest
                .strip_prefix("/models/")
                .is_some_and(|id| !id.is_empty() && !id.ends_with('/')),
            Self::Other => false,
            other => PATHS
                .iter()
                .any(|(known, _, endpoint)| *endpoint == other && *known == rest),
        }
    }

    /// The word in metrics, logs and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "messages.count_tokens",
            Self::Models | Self::Model => "models",
            Self::Other => "other",
        }
    }

    /// The methods it can be called with, as `Allow` lists them (RFC 9110 §10.2.1).
    ///
    /// OpenAI also lists stored objects with `GET /v1/chat/completions`; only a route to one provider serves that.
    pub const fn methods(self) -> &'static str {
        match self {
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Messages
            | Self::CountTokens => "POST",
            Self::Models | Self::Model => "GET, HEAD",
            Self::Other => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        }
    }

    /// Whether its answers use tokens that somebody pays for.
    pub const fn meters_tokens(self) -> bool {
        match self {
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Messages => true,
            Self::CountTokens | Self::Models | Self::Model | Self::Other => false,
        }
    }

    /// Whether its JSON body names a model and is read before it is forwarded.
    pub const fn has_ask(self) -> bool {
        self.meters_tokens() || matches!(self, Self::CountTokens)
    }
}

/// The model a path of [`Endpoint::Model`] names, without its escapes. Allocates only where there are escapes.
pub fn model_in_path(path: &str) -> Option<Cow<'_, str>> {
    let id = below_models(without_version(path))?;
    percent_decode_str(id).decode_utf8().ok()
}

/// What follows `/models/`, if anything does.
fn below_models(path: &str) -> Option<&str> {
    let (models, id) = path.split_at_checked("/models/".len())?;
    let id = id.strip_suffix('/').unwrap_or(id);
    (models.eq_ignore_ascii_case("/models/") && !id.is_empty()).then_some(id)
}

/// The path without a leading `/v1`.
fn without_version(path: &str) -> &str {
    match path.split_at_checked("/v1".len()) {
        Some((version, rest)) if version.eq_ignore_ascii_case("/v1") && rest.starts_with('/') => {
            rest
        }
        _ => path,
    }
}

/// The path without escapes, in `buffer`; `None` where it does not fit or is no text.
fn without_escapes<'a>(path: &'a str, buffer: &'a mut [u8; LONGEST]) -> Option<&'a str> {
    if !path.contains('%') {
        return Some(path);
    }
    let mut length = 0;
    for byte in percent_decode_str(path) {
        *buffer.get_mut(length)? = byte;
        length += 1;
    }
    std::str::from_utf8(buffer.get(..length)?).ok()
}

/// Whether two paths are the same, but for case and a slash at the end.
fn same(path: &str, known: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.eq_ignore_ascii_case(known)
}

/// Whether `path` is `prefix` or something below it.
fn is_or_below(path: &str, prefix: &str) -> bool {
    path.split_at_checked(prefix.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with('/'))
        })
}

#[cfg(test)]
mod tests;
