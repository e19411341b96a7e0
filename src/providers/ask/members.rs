//! The members of a body that mean something here, and where they were found.

use super::AskError;
use crate::providers::{
    Endpoint,
    json::{Span, Text},
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
}

/// Members that must be there once and in their own case: each decides what is held, checked or sent.
const EXACT: [(&str, Member); 11] = [
    ("model", Member::Model),
    ("max_tokens", Member::MaxTokens),
    ("max_completion_tokens", Member::MaxCompletionTokens),
    ("max_output_tokens", Member::MaxOutputTokens),
    ("stream", Member::Stream),
    ("stream_options", Member::StreamOptions),
    ("n", Member::N),
    ("best_of", Member::BestOf),
    ("messages", Member::Messages),
    ("input", Member::Input),
    ("tools", Member::Tools),
];

/// Members of which every copy counts, in any case.
const LOOSE: [(&str, Member); 28] = [
    ("system", Member::System),
    ("prompt", Member::Prompt),
    ("functions", Member::Functions),
    ("previous_response_id", Member::StoredInput),
    ("conversation", Member::StoredInput),
    ("cached_content", Member::StoredInput),
    ("cachedcontent", Member::StoredInput),
    ("container", Member::StoredInput),
    ("thread", Member::StoredInput),
    ("data_sources", Member::StoredInput),
    ("extra_body", Member::ExtraBody),
    ("fallbacks", Member::Substitutes),
    ("models", Member::Substitutes),
    ("mcp_servers", Member::McpServers),
    ("plugins", Member::Plugins),
    ("web_search_options", Member::WebSearch),
    ("enable_search", Member::EnableSearch),
    ("background", Member::Background),
    ("service_tier", Member::ServiceTier),
    ("thinking", Member::Thinking),
    ("speed", Member::Speed),
    ("inference_geo", Member::Speed),
    ("modalities", Member::Modalities),
    ("audio", Member::Audio),
    ("cache_control", Member::CacheControl),
    ("user", Member::User),
    ("safety_identifier", Member::SafetyIdentifier),
    ("metadata", Member::Metadata),
];

/// Longest name in the tables, unescaped and in ASCII.
const LONGEST: u64 = 21;

impl Member {
    /// The member of a name, if it is one that is read; `seen` remembers which were there.
    pub(super) fn of(name: Text<'_>, seen: &mut u32) -> Result<Option<Self>, AskError> {
        // A folded letter takes up to three bytes for one.
        if name.len() > LONGEST * 3 {
            return Ok(None);
        }
        // Nearly all are, and then the length tells most of the thirty names apart.
        let plain = name.is_plain();
        let folds_to = |known: &str| {
            let fits = !plain || name.len() == known.len() as u64;
            fits && name.folds_to(known)
        };
        for (bit, (known, member)) in EXACT.into_iter().enumerate() {
            if folds_to(known) {
                let again = *seen & 1 << bit != 0;
                *seen |= 1 << bit;
                if again || !name.is(known) {
                    return Err(AskError::Ambiguous { member: known });
                }
                return Ok(Some(member));
            }
        }
        let loose = LOOSE.into_iter().find(|(known, _)| folds_to(known));
        Ok(loose.map(|(_, member)| member))
    }

    /// The name of a member that must be exact; empty for the others.
    pub(in crate::providers) fn name(self) -> &'static str {
        let found = EXACT.into_iter().find(|(_, member)| *member == self);
        found.map_or("", |(name, _)| name)
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
