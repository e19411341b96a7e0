//! Requests that a vendor would not take, and what it says then.

use http::StatusCode;
use serde_json::{Value, json};

use crate::providers::Dialect;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The body is not a JSON object.
    NotJson,
    /// A member that has to be there is not.
    Missing(&'static str),
    /// A member is not what it has to be.
    Invalid {
        /// The member.
        param: &'static str,
        /// What it has to be, to follow "expected".
        expected: &'static str,
    },
    /// Nothing is served under this path.
    UnknownPath,
    /// The path is served with another method.
    WrongMethod,
    /// The body is larger than [`super::exchange::BODY_BYTES`].
    TooLarge,
    /// The body broke off, or its framing is wrong.
    Unreadable,
}

impl Rejection {
    /// The status, the same in both dialects.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::NotJson | Self::Missing(_) | Self::Invalid { .. } | Self::Unreadable => {
                StatusCode::BAD_REQUEST
            }
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// The body in the caller's dialect; `asked` is the method and path, `request_id` Anthropic's way to name the
    /// request.
    pub(super) fn body(&self, dialect: Dialect, asked: &str, request_id: &str) -> Value {
        match dialect {
            Dialect::Anthropic => json!({
                "type": "error",
                "error": {"type": self.anthropic_type(), "message": self.anthropic_message(asked)},
                "request_id": request_id,
            }),
            Dialect::OpenAi | Dialect::Gemini => json!({
                "error": {
                    "message": self.openai_message(asked),
                    "type": "invalid_request_error",
                    "param": self.param(),
                    "code": self.openai_code(),
                },
            }),
        }
    }

    const fn param(&self) -> Option<&'static str> {
        match self {
            Self::Missing(param) | Self::Invalid { param, .. } => Some(param),
            _ => None,
        }
    }

    const fn openai_code(&self) -> Option<&'static str> {
        match self {
            Self::Missing(_) => Some("missing_required_parameter"),
            Self::Invalid { .. } => Some("invalid_value"),
            Self::UnknownPath => Some("unknown_url"),
            Self::WrongMethod => Some("method_not_supported"),
            Self::TooLarge => Some("request_too_large"),
            Self::NotJson | Self::Unreadable => None,
        }
    }

    fn openai_message(&self, asked: &str) -> String {
        match self {
            Self::NotJson => "We could not parse the JSON body of your request. The body has to be a JSON object.".to_owned(),
            Self::Missing("model") => "you must provide a model parameter".to_owned(),
            Self::Missing(param) => format!("Missing required parameter: '{param}'."),
            Self::Invalid { param, expected } => format!("Invalid value for '{param}': expected {expected}."),
            Self::UnknownPath => format!("Invalid URL ({asked})"),
            Self::WrongMethod => format!("Not allowed ({asked}); this URL is served with another method."),
            Self::TooLarge => "The request is larger than this server takes.".to_owned(),
            Self::Unreadable => "The body of your request broke off.".to_owned(),
        }
    }

    const fn anthropic_type(&self) -> &'static str {
        match self {
            Self::UnknownPath => "not_found_error",
            Self::TooLarge => "request_too_large",
            _ => "invalid_request_error",
        }
    }

    fn anthropic_message(&self, asked: &str) -> String {
        match self {
            Self::NotJson => "The request body is not valid JSON: expected an object.".to_owned(),
            Self::Missing(param) => format!("{param}: Field required"),
            Self::Invalid { param, expected } => format!("{param}: Input should be {expected}"),
            Self::UnknownPath => format!("Not found ({asked})"),
            Self::WrongMethod => format!("Method not allowed ({asked})"),
            Self::TooLarge => "Request exceeds the maximum size".to_owned(),
            Self::Unreadable => "The request body broke off.".to_owned(),
        }
    }
}
