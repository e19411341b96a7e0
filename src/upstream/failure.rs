//! What went wrong between us and a provider, or between us and the client whose body we were passing on.

use std::{error::Error as StdError, fmt};

use crate::refusal::Code;

use super::{h1::Broken, outgoing::BodyError};

/// A call that a provider did not answer, or not to the end.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// Whether the provider may have worked on the call.
    pub processed: Processed,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No address, or nobody listens there.
    Unreachable,
    /// No TLS connection that we trust.
    Tls,
    /// No usable connection in time.
    ConnectTimeout,
    /// Connected, but too slow.
    Timeout(Deadline),
    /// The provider broke off.
    Disconnected,
    /// What the provider sent is not HTTP as we accept it.
    InvalidResponse,
    /// The client's body broke; the provider is not to blame.
    ClientBody(BodyError),
    /// The request has no form that could be sent; a check before us has let it pass.
    Unsendable,
    /// Whoever sends it could not write down that it does.
    Unrecorded,
    /// Whoever asked for it had left before it was sent.
    Abandoned,
}

/// Which deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// To the head of the answer.
    FirstByte,
    /// Between two frames of the answer.
    Idle,
    /// Of the whole call.
    Total,
}

/// Whether a provider may have worked on a call. Only what it cannot have seen is ever sent again (RFC 9110 §9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processed {
    /// Not a byte of the request was sent, or the provider said that it did not look at it.
    No,
    /// The request was on its way.
    Maybe,
}

impl Failure {
    /// A failure of a call that may have been processed.
    pub(super) fn new(kind: FailureKind) -> Self {
        Self {
            kind,
            processed: Processed::Maybe,
            source: None,
        }
    }

    /// A failure before anything was sent.
    pub(crate) fn unsent(kind: FailureKind) -> Self {
        Self {
            processed: Processed::No,
            ..Self::new(kind)
        }
    }

    pub(crate) fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// What broke an exchange over HTTP/1.
    pub(super) fn of_connection(broken: Broken) -> Self {
        let kind = match &broken {
            Broken::Malformed(_) => FailureKind::InvalidResponse,
            Broken::Lost(_) => FailureKind::Disconnected,
            Broken::Client(error) => FailureKind::ClientBody(*error),
        };
        Self::new(kind).because(broken)
    }

    /// What hyper says of a request that it had taken. An error of the client's body is known to the body alone: it
    /// reaches us only as a reset of ours.
    pub(super) fn of_exchange(error: hyper::Error, client: Option<BodyError>) -> Self {
        let processed = match cause::<h2::Error>(&error) {
            Some(error) if never_processed(error) => Processed::No,
            _ => Processed::Maybe,
        };
        let kind = client.map_or_else(|| kind_of(&error), FailureKind::ClientBody);
        Self {
            kind,
            processed,
            source: Some(error.into()),
        }
    }
}

impl FailureKind {
    /// The code that answers it. A client that is gone reads none; what stands there is for the record.
    pub const fn code(self) -> Code {
        match self {
            Self::Unreachable => Code::UpstreamUnreachable,
            Self::Tls => Code::UpstreamTls,
            Self::ConnectTimeout => Code::UpstreamConnectTimeout,
            Self::Timeout(_) => Code::UpstreamTimeout,
            Self::Disconnected => Code::UpstreamDisconnected,
            Self::InvalidResponse => Code::UpstreamInvalidResponse,
            Self::ClientBody(BodyError::TooSlow) => Code::RequestTimeout,
            Self::ClientBody(BodyError::TooLarge) => Code::BodyTooLarge,
            Self::ClientBody(BodyError::Malformed | BodyError::Disconnected) | Self::Abandoned => {
                Code::InvalidFraming
            }
            Self::Unsendable => Code::InternalError,
            Self::Unrecorded => Code::BillingUnavailable,
        }
    }
}

/// RFC 9113 §8.7: a refused stream, and one above the last stream of a GOAWAY, has not been processed. h2 gives a
/// stream the peer's GOAWAY as its error only when it is above that last stream.
fn never_processed(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

fn kind_of(error: &hyper::Error) -> FailureKind {
    if error.is_parse() {
        return FailureKind::InvalidResponse;
    }
    if let Some(body) = cause::<BodyError>(error) {
        return FailureKind::ClientBody(*body);
    }
    if error.is_user() {
        return FailureKind::Unsendable;
    }
    if let Some(stream) = cause::<h2::Error>(error) {
        return if stream.is_library() {
            FailureKind::InvalidResponse
        } else {
            FailureKind::Disconnected
        };
    }
    FailureKind::Disconnected
}

/// The first error of type `E` below `error`.
pub(super) fn cause<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

// === impl fmt and Error: one level each, the rest is in source() ===

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the provider cannot be reached",
            Self::Tls => "no trusted TLS connection to the provider",
            Self::ConnectTimeout => "no connection to the provider in time",
            Self::Timeout(Deadline::FirstByte) => "the provider did not begin to answer in time",
            Self::Timeout(Deadline::Idle) => "the provider fell silent",
            Self::Timeout(Deadline::Total) => "the call took longer than it may",
            Self::Disconnected => "the provider broke off",
            Self::InvalidResponse => "the provider's answer is not valid HTTP",
            Self::ClientBody(error) => return fmt::Display::fmt(error, f),
            Self::Unsendable => "the request cannot be sent",
            Self::Unrecorded => "the call cannot be recorded",
            Self::Abandoned => "the client left before the call was sent",
        })
    }
}
