//! Which wire format a client speaks, and which ones a provider understands.

/// The wire format of a call and of the errors that answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's API and all that imitates it.
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
}

impl Dialect {
    /// The word in configuration, metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// What a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// Speaks OpenAI's dialect.
    OpenAi,
    /// Speaks Anthropic's dialect.
    Anthropic,
    /// Any HTTP API, passed through by a route.
    Http,
    /// The simulated provider, which speaks both.
    Simulated,
}

impl ProviderKind {
    /// The word in configuration, metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Http => "http",
            Self::Simulated => "simulated",
        }
    }

    /// Whether a model of this provider can be called in `dialect`.
    pub const fn speaks(self, dialect: Dialect) -> bool {
        matches!(
            (self, dialect),
            (Self::OpenAi, Dialect::OpenAi)
                | (Self::Anthropic, Dialect::Anthropic)
                | (Self::Simulated, Dialect::OpenAi | Dialect::Anthropic)
        )
    }
}
