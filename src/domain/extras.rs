//! What a call asks for beyond plain text, as far as it may have a price of its own.

use std::fmt;

/// A provider's word for a way of serving a call that has another price, such as `flex` or `priority`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceTier([u8; Self::LONGEST]);

/// Something that a provider does beside answering, and may charge for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// The answer is made later and fetched by its id.
    Background,
    /// It searches the web.
    WebSearch,
    /// It reads pages of the web.
    WebFetch,
    /// It runs code in a container of its own.
    CodeExecution,
    /// It searches files that it keeps.
    FileSearch,
    /// It calls other servers by the Model Context Protocol.
    Mcp,
    /// It makes pictures with another model.
    ImageGeneration,
    /// It looks for tools among those it was told of.
    ToolSearch,
    /// Something that is not known here.
    Other,
}

/// A set of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u16);

/// What a call asks for beyond plain text. The default is plain text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extras {
    /// How it wants to be served, where that is not as usual.
    pub service_tier: Option<ServiceTier>,
    /// What the provider is to do beside answering.
    pub features: Features,
    /// Whether its input has sound.
    pub audio_input: bool,
    /// Whether its answer may have sound.
    pub audio_output: bool,
    /// Whether its answer may have pictures.
    pub image_output: bool,
    /// Whether some of its input is not in the body and may be sound or pages of documents.
    pub unseen_input: bool,
    /// Whether input may be written to a cache.
    pub cache_write: bool,
    /// Whether input may be written to a cache that keeps it for an hour.
    pub cache_write_1h: bool,
}

impl Extras {
    /// Plain text alone.
    pub const PLAIN: Self = Self {
        service_tier: None,
        features: Features::NONE,
        audio_input: false,
        audio_output: false,
        image_output: false,
        unseen_input: false,
        cache_write: false,
        cache_write_1h: false,
    };

    /// Whether pictures can come of it, the model's own or another's.
    pub const fn makes_images(&self) -> bool {
        self.image_output || self.features.contains(Feature::ImageGeneration)
    }
}

impl ServiceTier {
    /// Longest word, in bytes.
    const LONGEST: usize = 16;

    /// What no provider calls a tier: a text that is no such word, or several tiers at once. No price names it.
    pub const UNKNOWN: Self = Self(*b"(unknown)\0\0\0\0\0\0\0");

    /// A word of letters, digits, `_` and `-`, taken in lower case; `None` where it is none or longer than 16 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let mut word = [0; Self::LONGEST];
        if text.is_empty() || !text.bytes().all(plain) {
            return None;
        }
        word.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        word.make_ascii_lowercase();
        Some(Self(word))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        let word = self.0.get(..end.unwrap_or(Self::LONGEST));
        word.and_then(|word| std::str::from_utf8(word).ok())
            .unwrap_or_default()
    }

    /// Whether calls are served in this way when they ask for nothing: `auto` and `default` (OpenAI), `standard`,
    /// `standard_only` and, for where it is computed, `global` (Anthropic), `on_demand` (Groq).
    ///
    /// `auto` leaves the choice to a setting at the provider, which is the operator's own, and part of the price.
    pub fn is_usual(&self) -> bool {
        let usual = [
            "auto",
            "default",
            "standard",
            "standard_only",
            "on_demand",
            "global",
        ];
        usual.contains(&self.as_str())
    }
}

impl fmt::Display for ServiceTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ServiceTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Feature {
    /// All features that have a name.
    pub const ALL: [Self; 8] = [
        Self::Background,
        Self::WebSearch,
        Self::WebFetch,
        Self::CodeExecution,
        Self::FileSearch,
        Self::Mcp,
        Self::ImageGeneration,
        Self::ToolSearch,
    ];

    /// The word in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::WebSearch => "web_search",
            Self::WebFetch => "web_fetch",
            Self::CodeExecution => "code_execution",
            Self::FileSearch => "file_search",
            Self::Mcp => "mcp",
            Self::ImageGeneration => "image_generation",
            Self::ToolSearch => "tool_search",
            Self::Other => "other",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Features {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub const fn insert(&mut self, feature: Feature) {
        self.0 |= feature.bit();
    }

    /// Whether one is in it.
    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        let all = Feature::ALL.into_iter().chain([Feature::Other]);
        all.filter(move |feature| self.contains(*feature))
    }
}
