//! Why an administrative request was not done, in words for a person and a code for a program.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    domain::Timestamp,
    store::{ReadError, WriteError},
};

/// The media type of RFC 9457 §3.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// A request that was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Rejection {
    /// What kind of reason it is.
    pub reason: Reason,
    /// What happened, where, and what to do next.
    pub detail: String,
}

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request says something that cannot be.
    Invalid,
    /// The token is missing or wrong.
    Unauthorized,
    /// What it names does not exist.
    NotFound,
    /// The path exists, not with this method.
    MethodNotAllowed,
    /// It contradicts what is there.
    Conflict,
    /// What it would change is declared in the configuration file.
    ReadOnly,
    /// The body is larger than a megabyte.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// The store does not take it now.
    Unavailable,
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::Invalid,
        Self::Unauthorized,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::ReadOnly,
        Self::TooLarge,
        Self::TooSlow,
        Self::Unavailable,
    ];

    /// The word programs branch on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::ReadOnly => "read_only",
            Self::TooLarge => "body_too_large",
            Self::TooSlow => "request_timeout",
            Self::Unavailable => "store_unavailable",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::ReadOnly => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Rejection {
    /// A rejection with its words.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    /// The request says something that cannot be.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, detail)
    }

    /// Something is to end at an instant that has passed.
    pub fn passed(end: Timestamp) -> Self {
        Self::invalid(format!("`expires_at` is {end}, which has passed."))
    }

    /// The store does not take it now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Reason::Unavailable, detail)
    }

    /// The body of RFC 9457. `about:blank` says that the title is the status's own phrase (§4.2.1).
    pub(super) fn to_json(&self) -> Value {
        let status = self.reason.status();
        json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": self.reason.as_str(),
            "detail": self.detail,
        })
    }
}

impl From<ReadError> for Rejection {
    fn from(error: ReadError) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// A secret that another key has contradicts what is there; whatever else the store refuses, it may take later.
impl From<WriteError> for Rejection {
    fn from(error: WriteError) -> Self {
        let reason = match error {
            WriteError::SecretTaken => Reason::Conflict,
            _ => Reason::Unavailable,
        };
        Self::new(reason, error.to_string())
    }
}
