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

/// Reads a body that has to be understood, and takes room for it; leaves any other to be passed on as it comes.
pub(super) async fn read(
    snapshot: &Snapshot,
    seen: &mut Observation,
    destination: &Destination,
    (head, unread): (&Parts, &mut Option<Incoming>),
    room: &mut Room,
) -> Result<(Option<Ask>, Bytes, Outgoing), Refusal> {
    let limits = &snapshot.limits;
    let understood = destination.endpoint.has_ask();
    let most = if understood {
        limits.json_body as u64
    } else {
        limits.upload_body
    };
    admission::announced(&head.headers, most, understood)?;
    if understood {
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
        return Ok((None, Bytes::new(), Outgoing::empty()));
    }
    if !understood {
        return Ok((
            None,
            Bytes::new(),
            Outgoing::stream(Passing::new(body, bounds, seen.uploads())),
        ));
    }
    let bytes = peek(body, bounds, room).await?;
    let ask = Ask::read(destination.endpoint, &bytes).map_err(|error| misread(&error))?;
    Ok((Some(ask), bytes, Outgoing::empty()))
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
