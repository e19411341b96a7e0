//! What a call asks for beyond plain text, as far as that may have a price of its own.
//!
//! What is not known here counts as asked for: a price then has to name it, and cannot.

use super::{Ask, AskError};
use crate::{
    domain::{Extras, Feature, ServiceTier},
    providers::json::{Kind, Reader, Text, Value, folds_to},
};

/// Types of tools that run at the provider, as they begin (OpenAI's, Anthropic's and Groq's API references).
const SERVER_TOOLS: [(&str, Feature); 9] = [
    ("web_search", Feature::WebSearch),
    ("browser_search", Feature::WebSearch),
    ("web_fetch", Feature::WebFetch),
    ("code_execution", Feature::CodeExecution),
    ("code_interpreter", Feature::CodeExecution),
    ("file_search", Feature::FileSearch),
    ("mcp", Feature::Mcp),
    ("image_generation", Feature::ImageGeneration),
    ("tool_search", Feature::ToolSearch),
];

impl Ask {
    /// Takes note of a tool that runs at the provider, and brings input of its own.
    pub(super) const fn server_tool(&mut self, feature: Feature) {
        self.opaque_input = true;
        self.extras.features.insert(feature);
    }

    /// Takes note of a tool of this type.
    pub(super) fn server_tool_of(&mut self, kind: &str) {
        let known = SERVER_TOOLS.iter().find(|(tool, _)| kind.starts_with(tool));
        self.server_tool(known.map_or(Feature::Other, |(_, feature)| *feature));
    }

    /// Reads what OpenRouter is to do beside answering, of which some has a price of its own (its guide to plugins).
    pub(super) fn plugins(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        reader.elements(|reader| {
            let mut feature = Feature::Other;
            reader.members(|reader, name| {
                let value = reader.skip()?;
                if name == b"id" && value.text().is_some_and(|id| id.is("web")) {
                    feature = Feature::WebSearch;
                }
                Ok::<(), AskError>(())
            })?;
            self.server_tool(feature);
            Ok(())
        })
    }

    /// Reads how the call wants to be served. Several ways at once are one that no price names.
    pub(super) fn served(&mut self, value: &Value<'_>) {
        let text = value.text().and_then(Text::decode);
        let tier = text.and_then(|text| ServiceTier::parse(&text));
        let tier = tier.unwrap_or(ServiceTier::UNKNOWN);
        if tier.is_usual() {
            return;
        }
        self.extras.service_tier = match self.extras.service_tier {
            Some(other) if other != tier => Some(ServiceTier::UNKNOWN),
            _ => Some(tier),
        };
    }

    /// Reads what an answer is to be made of: text, sound, pictures.
    pub(super) fn modalities(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        reader.elements(|reader| {
            let value = reader.skip()?;
            let text = value.text().and_then(Text::decode).unwrap_or_default();
            let is = |wanted: &[u8]| folds_to(text.as_bytes(), wanted);
            if is(b"audio") {
                self.extras.audio_output = true;
            } else if is(b"image") {
                self.extras.image_output = true;
            } else if !is(b"text") {
                self.extras.features.insert(Feature::Other);
            }
            Ok(())
        })
    }
}

/// Reads where input is to be written to a cache, and for how long (Anthropic's API reference: `5m` unless it says `1h`).
pub(super) fn cache_control(reader: &mut Reader<'_>, extras: &mut Extras) -> Result<(), AskError> {
    extras.cache_write |= reader.kind()? != Kind::Null;
    reader.members(|reader, name| {
        let value = reader.skip()?;
        let short = value.text().is_some_and(|text| text.is("5m"));
        extras.cache_write_1h |= name == b"ttl" && !short && value.kind != Kind::Null;
        Ok(())
    })
}
