//! How a provider is reached.

use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderName, HeaderValue,
    uri::{Authority, Scheme},
};

use crate::{
    domain::{ProviderId, SecretFinder},
    metering::DisconnectPolicy,
    providers::ProviderKind,
};

/// One provider.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub id: ProviderId,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where it is.
    pub base_url: BaseUrl,
    /// What opens it.
    pub credential: Option<Credential>,
    /// TLS towards it, with the roots it is checked against; the same `Arc` for the same roots.
    pub tls: Arc<rustls::ClientConfig>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// What happens upstream when a client leaves; `None` is `cancel` for streams and `drain` for the rest.
    pub on_client_disconnect: Option<DisconnectPolicy>,
    /// Whether streams are asked for usage (`stream_options.include_usage`).
    pub stream_usage: bool,
    /// The member an output limit of ours is written to in chat completions.
    pub output_limit_field: OutputLimitField,
}

/// A parsed base URL: `http` or `https`, a host, a path without a slash at its end. No query, fragment or user.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Empty, or `/` and segments.
    pub path: String,
}

/// A header field that opens a provider.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
    secret: Option<SecretFinder>,
}

/// What is shorter could be a word of any text, and is no secret.
const SHORTEST_SECRET: usize = 8;

impl Credential {
    /// A field of that name with the whole value, `Bearer ` included; it should be marked sensitive.
    pub fn new(header: HeaderName, value: HeaderValue) -> Self {
        let bytes = value.as_bytes();
        let secret = match bytes.split_at_checked(7) {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") => secret,
            _ => bytes,
        };
        let secret = (secret.len() >= SHORTEST_SECRET).then(|| SecretFinder::new(secret));
        Self {
            header,
            value,
            secret,
        }
    }

    /// The field's name.
    pub const fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The field's value.
    pub const fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Finds what is secret of the value, without the word for how it is presented; `None` where it is no secret at all.
    pub const fn secret(&self) -> Option<&SecretFinder> {
        self.secret.as_ref()
    }
}

/// Deadlines of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To a usable connection, name and TLS included.
    pub connect: Duration,
    /// From the request's last byte to the answer's head.
    pub first_byte: Duration,
    /// Between two frames of the answer.
    pub idle: Duration,
    /// From start to end.
    pub total: Duration,
}

/// The member of a chat completion's body that limits its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputLimitField {
    /// `max_completion_tokens`, OpenAI's present name.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`, which many imitators still want.
    MaxTokens,
}

impl OutputLimitField {
    /// The member's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(300),
            idle: Duration::from_secs(300),
            total: Duration::from_secs(3600),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        // What is secret of it is of its value.
        (&self.header, &self.value) == (&other.header, &other.value)
    }
}

impl Eq for Credential {}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: <secret>", self.header)
    }
}
