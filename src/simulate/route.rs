//! Method, path and body to an answer. Pure: no clock, no socket.

use http::Method;

use super::{
    chance::Chance, chat, completions, embeddings, fields::Fields, messages, models,
    rejection::Rejection, reply::Reply, responses,
};
use crate::providers::Dialect;

/// Seconds since 1970 that every answer carries: the first of January 2026. A real clock would make two answers to
/// the same request differ.
pub(super) const CREATED: u64 = 1_767_225_600;

/// A request, read to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Its method.
    pub(super) method: &'a Method,
    /// Its path, as it came.
    pub(super) path: &'a str,
    /// The dialect its errors are written in.
    pub(super) dialect: Dialect,
    /// Its body.
    pub(super) body: &'a [u8],
}

impl Asked<'_> {
    /// The choices that belong to this request.
    pub(super) fn chance(&self, seed: u64) -> Chance {
        let path = without_version(self.path);
        Chance::of(
            seed,
            &[self.method.as_str().as_bytes(), path.as_bytes(), self.body],
        )
    }
}

/// The dialect of a path: Anthropic's for its own endpoints, and for any other where the caller says
/// `anthropic-version`.
pub(super) fn dialect(path: &str, says_anthropic: bool) -> Dialect {
    let path = without_version(path);
    if says_anthropic || path == "/messages" || path.starts_with("/messages/") {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    }
}

/// Answers `asked`.
pub(super) fn answer(asked: Asked<'_>, seed: u64) -> Result<Reply, Rejection> {
    let mut chance = asked.chance(seed);
    let path = without_version(asked.path);
    if path == "/models" || path.starts_with("/models/") {
        if asked.method != Method::GET {
            return Err(Rejection::WrongMethod);
        }
        return match path.strip_prefix("/models/") {
            None => Ok(models::list(asked.dialect)),
            Some("") => Err(Rejection::UnknownPath),
            Some(id) => Ok(models::one(id, asked.dialect)),
        };
    }
    let endpoint = match path {
        "/chat/completions" => chat::answer,
        "/completions" => completions::answer,
        "/responses" => responses::answer,
        "/messages" => messages::answer,
        "/messages/count_tokens" => messages::count_tokens,
        "/embeddings" => {
            if asked.method != Method::POST {
                return Err(Rejection::WrongMethod);
            }
            return embeddings::answer(&Fields::parse(asked.body)?, seed);
        }
        _ => return Err(Rejection::UnknownPath),
    };
    if asked.method != Method::POST {
        return Err(Rejection::WrongMethod);
    }
    endpoint(&Fields::parse(asked.body)?, &mut chance)
}

/// The path without one leading `/v1`, which a base URL may or may not have.
fn without_version(path: &str) -> &str {
    match path.strip_prefix("/v1") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}
