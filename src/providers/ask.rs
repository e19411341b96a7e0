//! What a call asks for, read once from its body.
//!
//! Owns which members of a body decide about money and limits, and refuses a body in which two readers could
//! see two different values for one of them. Must not know plans, accounts or what a model costs.

mod extras;
mod input;
mod members;

use bytes::Bytes;

pub(super) use members::{Limit, Member, Spans, StreamOptions};

use super::{
    Endpoint,
    json::{DEPTH, Fault, Kind, MEMBERS, Reader, Span, Text, Value, folds_to},
};
use crate::domain::{Extras, Feature, InvalidId, ModelName};

/// Longest end user's name that is kept, in bytes.
const END_USER: usize = 256;

/// What a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The model it names, if it names one.
    pub model: Option<ModelName>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// The most output tokens it wants for each answer, as it says; `u64::MAX` where it says more.
    pub output_limit: Option<u64>,
    /// The least output limit with which the provider takes the call, where the client's own is not less: Anthropic wants
    /// more than the budget for thinking, and responses have at least 16 (their API references).
    pub least_output: u64,
    /// How many answers the provider makes: the larger of `n` and `best_of`, at least 1, for each prompt.
    pub answers: u64,
    /// Whether it offers tools, whose definitions cost input tokens beyond their bytes.
    pub tools: bool,
    /// Whether the body does not show how large the input is: images, files, audio, stored objects, server tools.
    pub opaque_input: bool,
    /// Whether it names models to go to where its own does not answer (Anthropic's `fallbacks`, OpenRouter's `models`).
    pub substitutes: bool,
    /// What it asks for beyond plain text, as far as that may have a price of its own.
    pub extras: Extras,
    /// `stream_options.include_usage`, as the client set it; `null` counts as unset.
    pub include_usage: Option<bool>,
    /// Whom the call names as its end user (`user`, `safety_identifier`, `metadata.user_id`), at most 256 bytes.
    pub end_user: Option<String>,
    /// Bytes of the body, an upper bound of the tokens of a text.
    pub input_bytes: u64,
    /// How many texts it has, at least 1, each of which may fill the context window: prompts of completions, each answered
    /// for itself, and texts of embeddings.
    pub texts: u64,
    /// Bytes of the prompts of completions beside the longest one: they are in other windows.
    pub beside: u64,
    pub(super) endpoint: Endpoint,
    pub(super) spans: Spans,
}

/// Why a body was not understood. No text of the body is in it, but for an allowed name's wrong character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It is not one JSON document in UTF-8.
    #[error("the body is not JSON: expected {wanted} at byte {at}")]
    NotJson {
        /// Bytes before the fault.
        at: usize,
        /// What the grammar wants there.
        wanted: &'static str,
    },
    /// It is JSON, but no object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// It is nested too deeply.
    #[error("the body nests more than {DEPTH} objects and arrays, at byte {at}")]
    TooDeep {
        /// Bytes before the fault.
        at: usize,
    },
    /// Its objects have too many members.
    #[error("the objects of the body have more than {MEMBERS} members, at byte {at}")]
    TooMany {
        /// Bytes before the fault.
        at: usize,
    },
    /// A member that decides something is there twice, or in another case.
    #[error(
        "the body has {member:?} twice or in another case, so that readers could differ; send it once, in lower case"
    )]
    Ambiguous {
        /// The member's right name.
        member: &'static str,
    },
    /// A member has a value of the wrong type.
    #[error("{member:?} must be {wanted}")]
    WrongType {
        /// The member.
        member: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// The model's name is no name.
    #[error("\"model\" {0}")]
    ModelName(InvalidId),
    /// No model is named, and one is needed.
    #[error("\"model\" is missing; name the model to call")]
    ModelMissing,
}

impl From<Fault> for AskError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax { at, wanted } => Self::NotJson { at, wanted },
            Fault::TooDeep { at } => Self::TooDeep { at },
            Fault::TooMany { at } => Self::TooMany { at },
        }
    }
}

impl Ask {
    /// Reads the body of a call to `endpoint`: one pass, whose only allocations are the model's and end user's names.
    ///
    /// # Errors
    /// The body is not one JSON object, is nested too deeply, or says something that decides about limits in a
    /// way that two readers could understand differently.
    pub fn read(endpoint: Endpoint, body: &Bytes) -> Result<Self, AskError> {
        if body.starts_with(b"\xef\xbb\xbf") {
            let wanted = "an object, not a byte order mark,";
            return Err(AskError::NotJson { at: 0, wanted });
        }
        let mut reader = Reader::of_request(body);
        let read = Self::document(endpoint, &mut reader, body.len() as u64);
        // Most bodies are ASCII, which has been seen by now. What is not in UTF-8 is nothing else either.
        if (read.is_err() || !reader.is_ascii())
            && let Err(error) = std::str::from_utf8(body)
        {
            return Err(AskError::NotJson {
                at: error.valid_up_to(),
                wanted: "UTF-8",
            });
        }
        read
    }

    fn document(endpoint: Endpoint, reader: &mut Reader<'_>, bytes: u64) -> Result<Self, AskError> {
        if reader.kind()? != Kind::Object {
            reader.skip()?;
            reader.end()?;
            return Err(AskError::NotAnObject);
        }
        let mut ask = Self::nothing(endpoint, bytes);
        ask.spans.open = reader.at() + 1;
        let mut seen = 0;
        reader.members(|reader, name| ask.member(reader, name, &mut seen))?;
        reader.end()?;
        ask.output_limit = ask.largest_limit();
        if endpoint == Endpoint::Completions {
            ask.answers = ask.answers.saturating_mul(ask.texts);
        }
        // Anthropic reads neither sound nor anything else that costs more than text.
        ask.extras.unseen_input =
            ask.opaque_input && !matches!(endpoint, Endpoint::Messages | Endpoint::CountTokens);
        Ok(ask)
    }

    /// The model, for those who cannot do without one.
    ///
    /// # Errors
    /// [`AskError::ModelMissing`].
    pub const fn model(&self) -> Result<&ModelName, AskError> {
        match &self.model {
            Some(model) => Ok(model),
            None => Err(AskError::ModelMissing),
        }
    }

    /// Whether the answer is a stream that says what it used only if `include_usage` is set for it.
    ///
    /// Then the usage chunk is an extra one, which the client did not ask for and must not see.
    pub const fn lacks_usage(&self) -> bool {
        let chat = matches!(
            self.endpoint,
            Endpoint::ChatCompletions | Endpoint::Completions
        );
        chat && self.stream && !matches!(self.include_usage, Some(true))
    }

    /// Bytes of its prompts, at most, that come back before what is written behind them (`echo` of completions), over all
    /// answers.
    pub const fn echoed(&self) -> u64 {
        if self.spans.echo {
            self.input_bytes.saturating_mul(self.answers)
        } else {
            0
        }
    }

    const fn nothing(endpoint: Endpoint, input_bytes: u64) -> Self {
        let mut extras = Extras::PLAIN;
        // Caches of OpenAI and its imitators are written to unasked.
        extras.cache_write = matches!(
            endpoint,
            Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses
        );
        Self {
            model: None,
            stream: false,
            output_limit: None,
            least_output: match endpoint {
                Endpoint::Responses => 16,
                _ => 1,
            },
            answers: 1,
            texts: 1,
            beside: 0,
            tools: false,
            opaque_input: false,
            substitutes: false,
            extras,
            include_usage: None,
            end_user: None,
            input_bytes,
            endpoint,
            spans: Spans::NONE,
        }
    }

    /// Reads one member of the body.
    fn member(
        &mut self,
        reader: &mut Reader<'_>,
        name: &[u8],
        seen: &mut u32,
    ) -> Result<(), AskError> {
        self.spans.empty = false;
        let Some(member) = Member::of(name, seen)? else {
            reader.skip()?;
            return Ok(());
        };
        match member {
            Member::Input if self.endpoint == Endpoint::Embeddings => self.texts(reader)?,
            Member::Messages | Member::Input | Member::System => self.input(reader)?,
            Member::Tools => self.tools(reader)?,
            Member::StreamOptions => self.stream_options(reader)?,
            Member::Metadata => self.metadata(reader)?,
            Member::Modalities => self.modalities(reader)?,
            Member::Plugins => self.plugins(reader)?,
            Member::ExtraBody => self.extra_body(reader)?,
            Member::Thinking if self.endpoint == Endpoint::Messages => self.thinking(reader)?,
            Member::CacheControl => extras::cache_control(reader, &mut self.extras)?,
            Member::Prompt if self.endpoint == Endpoint::Completions => self.prompts(reader)?,
            other => {
                let name = reader.name_span();
                let value = reader.skip()?;
                self.value(other, name, &value)?;
            }
        }
        Ok(())
    }

    /// Takes a member whose value needs no look inside.
    fn value(&mut self, member: Member, name: Span, value: &Value<'_>) -> Result<(), AskError> {
        let null = value.kind == Kind::Null;
        match member {
            Member::Model => {
                self.model = Some(model(value)?);
                self.spans.model = Some(value.span);
            }
            Member::Stream if self.endpoint.streams() => {
                self.stream = boolean("stream", value)?.unwrap_or(false);
            }
            Member::MaxTokens | Member::MaxCompletionTokens | Member::MaxOutputTokens => {
                let limit = if self.endpoint.takes(member) && !null {
                    Some(unsigned(member.name(), value)?)
                } else {
                    None
                };
                self.spans.put_limit(Limit {
                    member,
                    name,
                    span: value.span,
                    value: limit,
                });
            }
            Member::N | Member::BestOf if self.endpoint.takes(member) && !null => {
                let member = member.name();
                let wanted = "an integer of at least 1";
                let count = value.unsigned().filter(|count| *count > 0);
                let count = count.ok_or(AskError::WrongType { member, wanted })?;
                self.answers = self.answers.max(count);
            }
            Member::Functions => self.tools |= !null,
            Member::Prompt => {
                // A text for completions; for responses a prompt stored at the provider.
                self.opaque_input |= value.kind == Kind::Object;
            }
            Member::StoredInput => self.opaque_input |= !null,
            Member::Substitutes => self.substitutes |= !asks_for_nothing(value),
            Member::WebSearch if !null => self.server_tool(Feature::WebSearch),
            Member::EnableSearch if !null && value.kind != Kind::False => {
                self.server_tool(Feature::WebSearch);
            }
            Member::McpServers if !asks_for_nothing(value) => self.server_tool(Feature::Mcp),
            Member::Background if self.endpoint == Endpoint::Responses => {
                let background = boolean("background", value)?;
                if background == Some(true) {
                    self.extras.features.insert(Feature::Background);
                }
            }
            Member::ServiceTier if !null => self.served(value),
            Member::Speed if !null && self.endpoint == Endpoint::Messages => self.served(value),
            Member::Audio if !null && self.endpoint == Endpoint::ChatCompletions => {
                self.extras.audio_output = true;
            }
            Member::Echo if self.endpoint == Endpoint::Completions => {
                self.spans.echo = !null && value.kind != Kind::False;
            }
            Member::User | Member::SafetyIdentifier => self.named(value),
            _ => {}
        }
        Ok(())
    }

    fn stream_options(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        let start = reader.kind()?;
        let mut options = StreamOptions::at(start == Kind::Object, reader.at());
        if !matches!(start, Kind::Object | Kind::Null) && self.endpoint.streams() {
            let member = "stream_options";
            let wanted = "an object";
            return Err(AskError::WrongType { member, wanted });
        }
        let mut include = None;
        reader.members(|reader, name| {
            options.empty = false;
            if !folds_to(name, b"include_usage") {
                reader.skip()?;
                return Ok(());
            }
            let member = "stream_options.include_usage";
            if name != b"include_usage" || options.include_usage.is_some() {
                return Err(AskError::Ambiguous { member });
            }
            let value = reader.skip()?;
            options.include_usage = Some(value.span);
            include = boolean(member, &value)?;
            Ok(())
        })?;
        options.end(reader.at());
        self.include_usage = include;
        self.spans.stream_options = Some(options);
        Ok(())
    }

    /// Every copy of a budget counts; one that is no number is the provider's to refuse.
    fn thinking(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        reader.members(|reader, name| {
            let value = reader.skip()?;
            let budget = value
                .unsigned()
                .filter(|_| folds_to(name, b"budget_tokens"));
            if let Some(budget) = budget {
                self.least_output = self.least_output.max(budget.saturating_add(1));
            }
            Ok(())
        })
    }

    fn metadata(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        reader.members(|reader, name| {
            let value = reader.skip()?;
            if name == b"user_id" {
                self.named(&value);
            }
            Ok(())
        })
    }

    /// Keeps the first name that the call gives its end user, cut to its bound.
    fn named(&mut self, value: &Value<'_>) {
        if self.end_user.is_some() {
            return;
        }
        let text = value.text().and_then(Text::decode);
        self.end_user = text
            .filter(|text| !text.is_empty())
            .map(|text| text[..text.floor_char_boundary(END_USER)].to_owned());
    }

    /// The largest of the limits given: a provider may heed any of them, and a hold must cover each.
    fn largest_limit(&self) -> Option<u64> {
        self.spans.limits().filter_map(|limit| limit.value).max()
    }
}

fn model(value: &Value<'_>) -> Result<ModelName, AskError> {
    let text = value.text().and_then(Text::decode);
    let text = text.ok_or(AskError::WrongType {
        member: "model",
        wanted: "a string",
    })?;
    ModelName::parse(&text).map_err(AskError::ModelName)
}

/// Whether a list has nothing in it: it is `null`, or `[]` without a space.
fn asks_for_nothing(list: &Value<'_>) -> bool {
    let Span { start, end } = list.span;
    list.kind == Kind::Null || list.kind == Kind::Array && end - start == 2
}

fn boolean(member: &'static str, value: &Value<'_>) -> Result<Option<bool>, AskError> {
    match value.kind {
        Kind::True => Ok(Some(true)),
        Kind::False => Ok(Some(false)),
        Kind::Null => Ok(None),
        _ => Err(AskError::WrongType {
            member,
            wanted: "true or false",
        }),
    }
}

fn unsigned(member: &'static str, value: &Value<'_>) -> Result<u64, AskError> {
    let wanted = "an integer of at least 0";
    value
        .unsigned()
        .ok_or(AskError::WrongType { member, wanted })
}

#[cfg(test)]
mod tests;
