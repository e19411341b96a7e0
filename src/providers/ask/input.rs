//! Whether the body shows how large its input is.
//!
//! A part counts as text only if its type is known to be; whatever is new or unknown counts as opaque, because a
//! hold that is too large costs nobody money and one that is too small does.

use super::{Ask, AskError, extras::cache_control};
use crate::providers::json::{Kind, Reader, Text, folds_to};

/// Types of messages, items and parts whose tokens all stand in the body (OpenAI's and Anthropic's API references).
const SHOWN: [&str; 25] = [
    "text",
    "input_text",
    "output_text",
    "summary_text",
    "reasoning_text",
    "refusal",
    "message",
    "reasoning",
    "thinking",
    "redacted_thinking",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_call",
    "mcp_list_tools",
    "tool_use",
    "tool_result",
    "server_tool_use",
    "search_result",
    "web_search_tool_result",
];

/// Types of tools that the client runs, as they begin. Others run at the provider and bring input of their own.
const CLIENT_TOOLS: [&str; 10] = [
    "function",
    "custom",
    "bash_",
    "text_editor_",
    "memory_",
    "browser_toolset_",
    "computer",
    "local_shell",
    "apply_patch",
    "namespace",
];

/// Types of parts that are sound (OpenAI's API reference, and vLLM's).
const AUDIO: [&str; 3] = ["input_audio", "audio", "audio_url"];

/// Deepest parts within parts that are looked into: a message's content, a tool result's, a document's, one spare.
const NESTED: usize = 4;

impl Ask {
    /// Reads messages, items, system blocks or texts.
    pub(super) fn input(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        self.opaque_input |= self.opaque(reader, 0)?;
        Ok(())
    }

    /// Reads what Google's imitation of OpenAI takes beside OpenAI's members: input that it keeps is named there (Gemini's guide
    /// to OpenAI compatibility).
    pub(super) fn extra_body(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        reader.members(|reader, _| {
            reader.members(|reader, name| {
                let value = reader.skip()?;
                let kept = folds_to(name, b"cached_content") || folds_to(name, b"cachedcontent");
                self.opaque_input |= kept && value.kind != Kind::Null;
                Ok(())
            })
        })
    }

    /// Reads the prompts of completions: a text, a text as numbers of tokens, or a list of either, each of which is
    /// answered for itself (OpenAI's API reference, "Create completion").
    pub(super) fn prompts(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        self.opaque_input |= reader.kind()? == Kind::Object;
        let (mut listed, mut all, mut longest) = (0, 0, 0);
        reader.elements(|reader| {
            let is_prompt = matches!(reader.kind()?, Kind::String | Kind::Array);
            let start = reader.at();
            reader.skip()?;
            if is_prompt {
                let bytes = (reader.at() - start) as u64;
                (listed, all, longest) = (listed + 1, all + bytes, bytes.max(longest));
            }
            Ok::<(), AskError>(())
        })?;
        // A reader may heed either copy.
        self.texts = self.texts.max(listed);
        self.beside = self.beside.max(all - longest);
        Ok(())
    }

    /// Reads the texts of embeddings: one, one as numbers of tokens, or a list of either or of parts (OpenAI's API
    /// reference, "Create embeddings").
    pub(super) fn texts(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        if reader.kind()? != Kind::Array {
            return self.input(reader);
        }
        let mut listed = 0;
        reader.elements(|reader| {
            let kind = reader.kind()?;
            listed += u64::from(matches!(kind, Kind::String | Kind::Array | Kind::Object));
            self.input(reader)
        })?;
        self.texts = self.texts.max(listed);
        Ok(())
    }

    /// Reads the tools that are offered.
    pub(super) fn tools(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        if !matches!(reader.kind()?, Kind::Array | Kind::Null) {
            self.tools = true;
        }
        reader.elements(|reader| self.tool(reader))
    }

    /// Reads a tool that is offered.
    fn tool(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        self.tools = true;
        reader.members(|reader, name| {
            if name == b"cache_control" {
                return cache_control(reader, &mut self.extras);
            }
            let value = reader.skip()?;
            if folds_to(name, b"type") {
                let kind = value.text().and_then(Text::decode).unwrap_or_default();
                if !CLIENT_TOOLS.iter().any(|tool| kind.starts_with(tool)) {
                    self.server_tool_of(&kind);
                }
                // A set of dozens is one word here, and the provider writes them out.
                self.opaque_input |= kind.contains("_toolset");
            }
            Ok(())
        })
    }

    /// Reads a change of the tools in the middle of a conversation, which may define one.
    fn tool_change(&mut self, reader: &mut Reader<'_>) -> Result<(), AskError> {
        reader.members(|reader, name| {
            if name == b"definition" {
                return self.tool(reader);
            }
            reader.skip()?;
            Ok(())
        })
    }

    /// Whether a value that is input, or holds parts that are, hides how large it is.
    fn opaque(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<bool, AskError> {
        match reader.kind()? {
            Kind::Array => {
                let mut found = false;
                reader.elements(|reader| {
                    found |= match reader.kind()? {
                        Kind::Object => self.part(reader, level)?,
                        _ => {
                            reader.skip()?;
                            false
                        }
                    };
                    Ok::<(), AskError>(())
                })?;
                Ok(found)
            }
            Kind::Object => self.part(reader, level),
            _ => {
                reader.skip()?;
                Ok(false)
            }
        }
    }

    /// Whether a message, an item or a part hides how large it is.
    fn part(&mut self, reader: &mut Reader<'_>, level: usize) -> Result<bool, AskError> {
        if level >= NESTED {
            reader.skip()?;
            (self.extras.cache_write, self.extras.cache_write_1h) = (true, true);
            return Ok(true);
        }
        let (mut typed, mut shown, mut plain, mut hidden) = (false, true, true, false);
        let mut role = false;
        // A document is text only if its source says so.
        let (mut document, mut source_shown) = (false, false);
        reader.members(|reader, name| {
            match name {
                b"content" | b"output" => hidden |= self.opaque(reader, level + 1)?,
                b"source" => {
                    plain = false;
                    source_shown = text_source(reader)?;
                }
                // Tools may be offered in the middle of a conversation, and cost what they cost at its head.
                b"tools" => {
                    plain = false;
                    self.tools(reader)?;
                }
                b"tool" => {
                    plain = false;
                    self.tool_change(reader)?;
                }
                b"cache_control" => cache_control(reader, &mut self.extras)?,
                b"type" => {
                    typed = true;
                    let kind = reader.skip()?.text();
                    let is = |wanted: &str| kind.is_some_and(|kind| kind.is(wanted));
                    document |= is("document");
                    shown &= SHOWN.into_iter().any(is) || is("document");
                    self.extras.audio_input |= AUDIO.into_iter().any(is);
                }
                b"audio" => {
                    // An assistant's earlier answer in sound, by its id.
                    let there = reader.skip()?.kind != Kind::Null;
                    hidden |= there;
                    self.extras.audio_input |= there;
                }
                b"role" => {
                    role = true;
                    reader.skip()?;
                }
                // With its role and content, what a part without a type may have that is text alone.
                b"text" | b"name" => drop(reader.skip()?),
                _ => plain &= reader.skip()?.kind == Kind::Null,
            }
            Ok::<(), AskError>(())
        })?;
        // A message has a role and whatever else it likes; an item with neither type nor role is a reference to one
        // that the provider keeps. A part without a type must be plain.
        let nameless = !typed && if level == 0 { !role } else { !plain };
        Ok(hidden || !shown || nameless || (document && !source_shown))
    }
}

/// Whether a document's source is text that stands in the body.
fn text_source(reader: &mut Reader<'_>) -> Result<bool, AskError> {
    let mut text = false;
    reader.members(|reader, name| {
        let value = reader.skip()?;
        if name == b"type" {
            text = value.text().is_some_and(|kind| kind.is("text"));
        }
        Ok::<(), AskError>(())
    })?;
    Ok(text)
}
