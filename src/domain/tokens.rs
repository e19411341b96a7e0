//! What a call used, in the terms of every dialect.

/// Tokens of a call. `input` includes cached and cache-write tokens, `output` includes reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Usage {
    /// All input tokens.
    pub input: u64,
    /// Of the input: read from a cache.
    pub cached_input: u64,
    /// Of the input: written to a cache.
    pub cache_write: u64,
    /// All output tokens.
    pub output: u64,
    /// Of the output: reasoning the caller may not see.
    pub reasoning: u64,
}

impl Usage {
    /// What a token quota counts: input and output.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
