//! The members of a request's body, read with a vendor's strictness: `null` is as good as absent, a wrong type is not.

use serde_json::{Map, Value};

use super::rejection::Rejection;

/// A request's body.
#[derive(Debug, Clone)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Parses a body; only an object will do.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Rejection> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Rejection::NotJson),
        }
    }

    /// A member that is there and not `null`.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The public name of the model: required, a string, not empty.
    pub(super) fn model(&self) -> Result<&str, Rejection> {
        match self.value("model") {
            None => Err(Rejection::Missing("model")),
            Some(Value::String(model)) if !model.is_empty() => Ok(model),
            Some(_) => Err(Rejection::Invalid {
                param: "model",
                expected: "a string that is not empty",
            }),
        }
    }

    /// How OpenAI says that the call was served: as it asks, which `auto` leaves open.
    pub(super) fn service_tier(&self) -> &str {
        let asked = self.value("service_tier").and_then(Value::as_str);
        asked.filter(|tier| *tier != "auto").unwrap_or("default")
    }

    /// A switch; absent is off.
    pub(super) fn switch(&self, param: &'static str) -> Result<bool, Rejection> {
        match self.value(param) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(_) => Err(Rejection::Invalid {
                param,
                expected: "a boolean",
            }),
        }
    }

    /// A count of at least one.
    pub(super) fn count(&self, param: &'static str) -> Result<Option<u64>, Rejection> {
        match self.value(param) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(count) if count > 0 => Ok(Some(count)),
                _ => Err(Rejection::Invalid {
                    param,
                    expected: "an integer greater than or equal to 1",
                }),
            },
        }
    }

    /// A list with something in it.
    pub(super) fn list(&self, param: &'static str) -> Result<&[Value], Rejection> {
        match self.value(param) {
            None => Err(Rejection::Missing(param)),
            Some(Value::Array(items)) if !items.is_empty() => Ok(items),
            Some(_) => Err(Rejection::Invalid {
                param,
                expected: "an array that is not empty",
            }),
        }
    }

    /// The texts of a member that is one string or several.
    pub(super) fn texts(&self, param: &str) -> Vec<String> {
        match self.value(param) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(texts)) => texts
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// A string inside an object: `reasoning.effort` is `word("reasoning", "effort")`.
    pub(super) fn word(&self, outer: &str, inner: &str) -> Option<&str> {
        self.value(outer)?.get(inner)?.as_str()
    }
}
