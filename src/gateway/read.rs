//! The body of a request: read and understood where a known endpoint is called, passed on as it comes elsewhere.

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use hyper::body::Incoming;

use super::{Snapshot, observe::Observation, request_body::Passing};
use crate::{
    admission::{self, Bounds, peek},
    call::Destination,
    domain::InvalidId,
    overload::Room,
    providers::{Ask, AskError},
    refusal::{Code, Detail, Refusal},
    upstream::Outgoing,
};

/// A request's body.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most calls have the large one, and a box would be an allocation of each"
)]
pub(super) enum RequestBody {
    /// Read whole: what it asks for, and its bytes.
    Understood(Ask, Bytes),
    /// Passed on as it comes.
    Passing(Outgoing),
}

/// The bytes of a body that was not read.
static NOTHING: Bytes = Bytes::new();

impl RequestBody {
    /// What it asks for, where it was read.
    pub(super) const fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Understood(ask, _) => Some(ask),
            Self::Passing(_) => None,
        }
    }

    /// Its bytes, where it was read.
    pub(super) const fn bytes(&self) -> &Bytes {
        match self {
            Self::Understood(_, bytes) => bytes,
            Self::Passing(_) => &NOTHING,
        }
    }
}

/// Reads a body that has to be understood, and takes room for it; leaves any other to be passed on as it comes.
pub(super) async fn read(
    snapshot: &Snapshot,
    seen: &mut Observation,
    destination: &Destination,
    head: &Parts,
    unread: &mut Option<Incoming>,
    room: &mut Room,
) -> Result<RequestBody, Refusal> {
    let limits = &snapshot.limits;
    let understood = destination.endpoint.has_ask();
    let most = if understood {
        limits.json_body as u64
    } else {
        limits.upload_body
    };
    admission::announced(&head.headers, most)?;
    if understood {
        admission::uncompressed(&head.headers)?;
        admission::described(&head.headers)?;
    }
    let bounds = Bounds {
        bytes: most,
        idle: limits.body_idle,
        total: limits.body_total,
    };
    let body = unread.take().ok_or(Code::InternalError)?;
    if !understood && body.is_end_stream() {
        // A request without a body can be sent again, and leaves its connection for the next.
        return Ok(RequestBody::Passing(Outgoing::empty()));
    }
    if !understood {
        let passing = Passing::new(body, bounds, seen.uploads());
        return Ok(RequestBody::Passing(Outgoing::stream(passing)));
    }
    let bytes = peek(body, bounds, room).await?;
    // What cannot be understood came all the same.
    seen.asks(None, false, bytes.len() as u64);
    let ask = Ask::read(destination.endpoint, &bytes).map_err(|error| misread(&error))?;
    Ok(RequestBody::Understood(ask, bytes))
}

fn misread(error: &AskError) -> Refusal {
    let code = match error {
        AskError::Ambiguous { .. } => Code::AmbiguousJson,
        AskError::ModelName(InvalidId::TooLong(_) | InvalidId::Character(..)) => {
            Code::ModelNotFound
        }
        _ => Code::InvalidJson,
    };
    Refusal::new(code).with(Detail::Explain(sentence(&error.to_string()).into()))
}

/// Our errors are lower-case clauses; an answer is made of sentences.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
