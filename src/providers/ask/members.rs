//! The members of a body that mean something here, and where they were found.

use super::AskError;
use crate::providers::{
    Endpoint,
    json::{Span, folded},
};

/// A member that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) enum Member {
    Model,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    Stream,
    StreamOptions,
    N,
    BestOf,
    Messages,
    Input,
    Tools,
    System,
    Prompt,
    Functions,
    /// One of those that name input kept elsewhere.
    StoredInput,
    /// One of those that name models to go to where `model` does not answer.
    Substitutes,
    /// What Google's imitation of OpenAI takes beside OpenAI's members.
    ExtraBody,
    /// Searching the web, as chat completions ask for it.
    WebSearch,
    /// Searching the web, as Alibaba's models are asked for it.
    EnableSearch,
    McpServers,
    /// What OpenRouter does beside answering.
    Plugins,
    Background,
    /// One of those that choose how a call is served.
    ServiceTier,
    /// The same, of Anthropic alone.
    Speed,
    /// How much Anthropic's models may think.
    Thinking,
    Modalities,
    Audio,
    CacheControl,
    User,
    SafetyIdentifier,
    Metadata,
    /// Whether prompts are to come back.
    Echo,
}

impl Member {
    /// The member of a name, if it is one that is read; `seen` remembers which were there.
    pub(super) fn of(name: &[u8], seen: &mut u32) -> Result<Option<Self>, AskError> {
        let exact = Self::named(name);
        let Some(found) = exact.or_else(|| folded(name, Self::named)) else {
            return Ok(None);
        };
        let member = found.name();
        if !member.is_empty() {
            let bit = 1 << found as u32;
            let again = *seen & bit != 0;
            *seen |= bit;
            if again || exact.is_none() {
                return Err(AskError::Ambiguous { member });
            }
        }
        Ok(Some(found))
    }

    /// The member of this very name. Of those without a [`Member::name`] every copy counts, in any case.
    const fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"max_tokens" => Self::MaxTokens,
            b"max_completion_tokens" => Self::MaxCompletionTokens,
            b"max_output_tokens" => Self::MaxOutputTokens,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"n" => Self::N,
            b"best_of" => Self::BestOf,
            b"messages" => Self::Messages,
            b"input" => Self::Input,
            b"tools" => Self::Tools,
            b"system" => Self::System,
            b"prompt" => Self::Prompt,
            b"functions" => Self::Functions,
            b"previous_response_id"
            | b"conversation"
            | b"cached_content"
            | b"cachedcontent"
            | b"container"
            | b"thread"
            | b"data_sources" => Self::StoredInput,
            b"extra_body" => Self::ExtraBody,
            b"fallbacks" | b"models" => Self::Substitutes,
            b"mcp_servers" => Self::McpServers,
            b"plugins" => Self::Plugins,
            b"web_search_options" => Self::WebSearch,
            b"enable_search" => Self::EnableSearch,
            b"background" => Self::Background,
            b"service_tier" => Self::ServiceTier,
            b"thinking" => Self::Thinking,
            b"speed" | b"inference_geo" => Self::Speed,
            b"modalities" => Self::Modalities,
            b"audio" => Self::Audio,
            b"cache_control" => Self::CacheControl,
            b"user" => Self::User,
            b"safety_identifier" => Self::SafetyIdentifier,
            b"metadata" => Self::Metadata,
            b"echo" => Self::Echo,
            _ => return None,
        })
    }

    /// The name of a member that must be there once and in its own case, since it decides what is held, checked or sent;
    /// empty for the others.
    pub(in crate::providers) const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::N => "n",
            Self::BestOf => "best_of",
            Self::Messages => "messages",
            Self::Input => "input",
            Self::Tools => "tools",
            _ => "",
        }
    }
}

impl Endpoint {
    /// Whether a body of this endpoint can ask for a stream.
    pub(super) const fn streams(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions | Self::Completions | Self::Responses | Self::Messages
        )
    }

    /// Whether a numeric member bounds the answers of this endpoint (OpenAI's and Anthropic's API references).
    pub(super) const fn takes(self, member: Member) -> bool {
        matches!(
            (self, member),
            (
                Self::ChatCompletions,
                Member::MaxTokens | Member::MaxCompletionTokens | Member::N
            ) | (
                Self::Completions,
                Member::MaxTokens | Member::N | Member::BestOf
            ) | (Self::Responses, Member::MaxOutputTokens)
                | (Self::Messages, Member::MaxTokens)
        )
    }
}

/// Where the members that can be edited stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::providers) struct Spans {
    /// Behind the body's opening brace.
    pub(in crate::providers) open: usize,
    /// Whether the body has no members.
    pub(in crate::providers) empty: bool,
    /// The model's value.
    pub(in crate::providers) model: Option<Span>,
    /// The stream options, if they are there.
    pub(in crate::providers) stream_options: Option<StreamOptions>,
    limits: [Option<Limit>; 3],
    /// Whether its prompts come back. Beside the other flags it would make every call's future larger.
    pub(super) echo: bool,
}

/// Where the stream options stand, and what in them can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) struct StreamOptions {
    /// The whole value.
    pub(in crate::providers) span: Span,
    /// Whether it is an object, and not `null`.
    pub(in crate::providers) object: bool,
    /// Whether that object has no members.
    pub(in crate::providers) empty: bool,
    /// The value of `include_usage`.
    pub(in crate::providers) include_usage: Option<Span>,
}

/// An output limit in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) struct Limit {
    pub(in crate::providers) member: Member,
    /// Its name, with the quotes.
    pub(in crate::providers) name: Span,
    pub(in crate::providers) span: Span,
    /// Its value, where it counts for the endpoint and is not `null`.
    pub(in crate::providers) value: Option<u64>,
}

impl StreamOptions {
    pub(super) const fn at(object: bool, start: usize) -> Self {
        Self {
            span: Span { start, end: start },
            object,
            empty: true,
            include_usage: None,
        }
    }

    pub(super) const fn end(&mut self, end: usize) {
        self.span.end = end;
    }
}

impl Spans {
    pub(super) const NONE: Self = Self {
        open: 0,
        empty: true,
        model: None,
        stream_options: None,
        limits: [None; 3],
        echo: false,
    };

    /// The output limits that the body names.
    pub(in crate::providers) fn limits(&self) -> impl Iterator<Item = Limit> {
        self.limits.into_iter().flatten()
    }

    /// Keeps an output limit; there are three names, and each is there at most once.
    pub(super) fn put_limit(&mut self, limit: Limit) {
        if let Some(free) = self.limits.iter_mut().find(|limit| limit.is_none()) {
            *free = Some(limit);
        }
    }
}
