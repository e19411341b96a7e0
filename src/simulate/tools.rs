//! Which tool a request wants called, if any.

use serde_json::{Value, json};

use super::{fields::Fields, prompt::Prompt, rejection::Rejection};

/// A tool that can be called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: String,
    /// The JSON schema of its arguments.
    pub(super) schema: Value,
}

/// What `tool_choice` says.
enum Choice {
    Auto,
    Never,
    Any,
    Named(String),
}

/// The tool to call: the chosen one, or the first that the last message speaks of.
pub(super) fn wanted(fields: &Fields, prompt: &Prompt) -> Result<Option<Tool>, Rejection> {
    let tools = match fields.value("tools") {
        None => return Ok(None),
        Some(Value::Array(tools)) => tools,
        Some(_) => {
            return Err(Rejection::Invalid {
                param: "tools",
                expected: "an array",
            });
        }
    };
    let mut callable = tools.iter().filter_map(tool);
    match choice(fields.value("tool_choice")) {
        Choice::Never => Ok(None),
        Choice::Any => Ok(callable.next()),
        Choice::Named(name) => match callable.find(|tool| tool.name == name) {
            Some(tool) => Ok(Some(tool)),
            None => Err(Rejection::Invalid {
                param: "tool_choice",
                expected: "the name of a function in 'tools'",
            }),
        },
        Choice::Auto if prompt.answers_tool() => Ok(None),
        Choice::Auto => Ok(asked_for(callable.collect(), prompt.question())),
    }
}

/// A function of any dialect. Tools that a vendor runs on its own side are not for the caller to run.
fn tool(value: &Value) -> Option<Tool> {
    let function = value.get("function").unwrap_or(value);
    let schema = function
        .get("parameters")
        .or_else(|| function.get("input_schema"));
    match value.get("type").and_then(Value::as_str) {
        None | Some("function") => {}
        Some("custom") if schema.is_some() => {}
        Some(_) => return None,
    }
    Some(Tool {
        name: function.get("name")?.as_str()?.to_owned(),
        schema: schema.cloned().unwrap_or_else(|| json!({"type": "object"})),
    })
}

fn choice(value: Option<&Value>) -> Choice {
    let Some(value) = value else {
        return Choice::Auto;
    };
    let kind = value
        .as_str()
        .or_else(|| value.get("type").and_then(Value::as_str));
    match kind {
        Some("none") => Choice::Never,
        Some("required" | "any") => Choice::Any,
        Some("function" | "tool") => {
            let function = value.get("function").unwrap_or(value);
            let name = function.get("name").and_then(Value::as_str);
            Choice::Named(name.unwrap_or_default().to_owned())
        }
        _ => Choice::Auto,
    }
}

fn asked_for(tools: Vec<Tool>, question: &str) -> Option<Tool> {
    let question = question.to_lowercase();
    let spoken_of = |tool: &Tool| {
        let name = tool.name.to_lowercase();
        question.contains(&name)
            || name
                .split(|c: char| !c.is_alphanumeric())
                // Short words of a name (`get`, `run`) are in every message.
                .any(|word| word.len() > 3 && question.contains(word))
    };
    if let Some(tool) = tools.iter().find(|tool| spoken_of(tool)) {
        return Some(tool.clone());
    }
    let any = question.contains("tool") || question.contains("function");
    tools.into_iter().next().filter(|_| any)
}
