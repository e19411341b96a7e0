//! What a call used, in the terms of every dialect.

/// Tokens of a call, and whatever else of it is counted. `input` includes cached, cache-write and audio tokens,
/// `output` includes reasoning and audio.
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
    /// Of the cache writes: those that are kept for an hour.
    #[serde(skip_serializing_if = "nothing")]
    pub cache_write_1h: u64,
    /// Of the input: sound.
    #[serde(skip_serializing_if = "nothing")]
    pub audio_input: u64,
    /// Of the output: sound.
    #[serde(skip_serializing_if = "nothing")]
    pub audio_output: u64,
    /// Pictures that were made.
    #[serde(skip_serializing_if = "nothing")]
    pub images: u64,
    /// Seconds of sound that were read, a part of one counted as one.
    #[serde(skip_serializing_if = "nothing")]
    pub seconds: u64,
    /// Pages of documents that were read.
    #[serde(skip_serializing_if = "nothing")]
    pub pages: u64,
}

impl Usage {
    /// How many counts it has.
    pub const COUNTS: usize = 11;

    /// Its counts in the order of its members, which files keep.
    pub fn counts(mut self) -> [u64; Self::COUNTS] {
        self.members().map(|count| *count)
    }

    /// What has these counts, in the order of [`Self::counts`].
    pub fn of_counts(counts: [u64; Self::COUNTS]) -> Self {
        let mut usage = Self::default();
        for (member, count) in usage.members().into_iter().zip(counts) {
            *member = count;
        }
        usage
    }

    /// The members in the order that files keep: what is new goes to the end.
    const fn members(&mut self) -> [&mut u64; Self::COUNTS] {
        let Self {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
            cache_write_1h,
            audio_input,
            audio_output,
            images,
            seconds,
            pages,
        } = self;
        [
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
            cache_write_1h,
            audio_input,
            audio_output,
            images,
            seconds,
            pages,
        ]
    }

    /// What a token quota counts: input and output.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference to the function it is given"
)]
const fn nothing(count: &u64) -> bool {
    *count == 0
}
