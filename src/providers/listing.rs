//! The bodies of model lists, in the shapes that the vendors' SDKs read.

use bytes::Bytes;
use serde::Serialize;

use super::{Dialect, ProviderKind};

/// What stands for a release date that nobody knows, as Anthropic's reference allows.
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00Z";

/// A model as OpenAI's list has it (API reference, models).
#[derive(Debug, Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

/// OpenAI's list.
#[derive(Debug, Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

/// A model as Anthropic's list has it (API reference, models).
#[derive(Debug, Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'static str,
}

/// Anthropic's list, always one page.
#[derive(Debug, Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

/// The body of `GET /v1/models`: names, each with who serves it, in their order.
///
/// Gemini's dialect, which has a list of its own shape, gets OpenAI's.
pub fn models<'a>(
    dialect: Dialect,
    models: impl Iterator<Item = (&'a str, ProviderKind)>,
) -> Bytes {
    match dialect {
        Dialect::Anthropic => {
            let data: Vec<_> = models.map(|(name, _)| AnthropicModel::new(name)).collect();
            let list = AnthropicList {
                has_more: false,
                first_id: data.first().map(|model| model.id),
                last_id: data.last().map(|model| model.id),
                data,
            };
            json(&list)
        }
        Dialect::OpenAi | Dialect::Gemini => json(&OpenAiList {
            object: "list",
            data: models.map(OpenAiModel::new).collect(),
        }),
    }
}

/// The body of `GET /v1/models/{id}`.
pub fn model(dialect: Dialect, name: &str, provider: ProviderKind) -> Bytes {
    match dialect {
        Dialect::Anthropic => json(&AnthropicModel::new(name)),
        Dialect::OpenAi | Dialect::Gemini => json(&OpenAiModel::new((name, provider))),
    }
}

impl<'a> OpenAiModel<'a> {
    const fn new((id, provider): (&'a str, ProviderKind)) -> Self {
        Self {
            id,
            object: "model",
            created: 0,
            owned_by: provider.as_str(),
        }
    }
}

impl<'a> AnthropicModel<'a> {
    const fn new(id: &'a str) -> Self {
        Self {
            kind: "model",
            id,
            display_name: id,
            created_at: UNKNOWN_DATE,
        }
    }
}

fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value)
        .expect("names, numbers and words always have a JSON form")
        .into()
}

#[cfg(test)]
mod tests;
