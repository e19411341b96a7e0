//! Whose a provider's answer is. Its bill, its limits and our credential are not the caller's.

use std::{future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::{
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    response::Parts,
};
use http_body::Body;

use super::{forward::Unanswered, relay::Relayed};
use crate::{
    call::Destination,
    metering::{Charge, Reservation, is_events},
    providers::Encoding,
    refusal::{Code, Refusal},
    store::Outcome,
    upstream::{self, Failure, Upstream, UpstreamBody, Verdict},
};

/// Decides whether an answer is the caller's, and what of it.
pub(super) async fn judge(
    mut reservation: Reservation,
    parts: &mut Parts,
    body: UpstreamBody,
    destination: &Destination,
    upstream: &Upstream,
) -> Result<(Reservation, Relayed), Unanswered> {
    // What its body says may name another cause; the client may leave before it has come.
    if destination.endpoint.has_ask() && refused(parts, &[]).is_err() {
        reservation.failed_upstream();
    }
    match relayed(parts, body, destination, upstream).await {
        Ok(body) => Ok((reservation, body)),
        Err(refusal) => {
            let upstream_id = parts.headers.get(upstream::X_UPSTREAM_REQUEST_ID);
            let code = refusal.code;
            tracing::warn!(
                provider = %upstream.id(),
                code = code.as_str(),
                status = parts.status.as_u16(),
                upstream_request_id = upstream_id.and_then(|id| id.to_str().ok()),
                "the provider's answer is not the caller's"
            );
            let status = code.status().as_u16();
            let ending = reservation.settle(Outcome::UpstreamFailed, status, Charge::Void);
            Err(Unanswered {
                refusal,
                receipt: ending.map(|ending| ending.receipt),
                upstream_id: upstream_id.cloned(),
            })
        }
    }
}

async fn relayed(
    parts: &mut Parts,
    mut body: UpstreamBody,
    destination: &Destination,
    upstream: &Upstream,
) -> Result<Relayed, Refusal> {
    let credential = upstream.settings().credential.as_ref();
    if parts.status.is_success() {
        let body = Relayed::whole(body);
        // A stream's status was sent before anything went wrong with it.
        return Ok(if is_events(&parts.headers) {
            body.masked_in_errors(credential)
        } else {
            body
        });
    }
    let is_understood = destination.endpoint.has_ask();
    if !is_understood && credential.is_some() {
        // What else it says, a 403 among it, may be about what the caller asked for. These are about who pays for it.
        if matches!(parts.status.as_u16(), 401 | 402 | 429) {
            refused(parts, &[])?;
        }
    }
    if is_understood && parts.status.is_redirection() {
        // Followed, a redirect would carry the provider's credential to wherever it points.
        return Err(Code::UpstreamInvalidResponse.into());
    }
    let encoding = parts.headers.get(CONTENT_ENCODING);
    let encoding = Encoding::parse(encoding.map(|value| value.to_str().unwrap_or("?")));
    let is_packed = encoding != Encoding::Identity && credential.is_some();
    let decides = is_understood && upstream::wants_body(parts.status);
    let read = if decides || is_packed {
        // Half of what decides decides nothing, and nothing of it has been passed on yet.
        let read = beginning(&mut body).await;
        read.map_err(|failure| failure.kind.code())?
    } else {
        Bytes::new()
    };
    let plain = encoding.plain(&read);
    if is_understood {
        refused(parts, plain.as_ref().unwrap_or(&read))?;
    }
    // What a provider says is wrong may quote what it was sent, and our credential is nobody's to read.
    if !is_packed || read.is_empty() {
        return Ok(Relayed::after(read, body).masked(credential));
    }
    // Compressed it could be neither found nor hidden.
    let plain = plain.filter(|_| body.is_end_stream());
    let (plain, body) = match plain {
        Some(plain) => (plain, body),
        None if is_understood => return Err(Code::UpstreamInvalidResponse.into()),
        // The client has asked for a compression that is not read here, and the provider's refusal is the client's all the
        // same: it goes without its words.
        None => {
            parts.headers.remove(CONTENT_TYPE);
            (Bytes::new(), UpstreamBody::none())
        }
    };
    parts.headers.remove(CONTENT_ENCODING);
    parts.headers.insert(CONTENT_LENGTH, plain.len().into());
    Ok(Relayed::after(plain, body).masked(credential))
}

/// Refuses what is the operator's affair, by what the provider says.
fn refused(parts: &Parts, said: &[u8]) -> Result<(), Refusal> {
    match upstream::classify(parts.status, &parts.headers, said) {
        Verdict::Relay => Ok(()),
        Verdict::Refuse(code, wait) => {
            let refusal = Refusal::new(code);
            Err(wait.into_iter().fold(refusal, Refusal::retry_after))
        }
    }
}

/// The beginning of an error's body, or all of it where it is short.
async fn beginning(body: &mut UpstreamBody) -> Result<Bytes, Failure> {
    let mut read = BytesMut::new();
    while read.len() < upstream::MAX_READ {
        let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await else {
            break;
        };
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
    }
    Ok(read.freeze())
}
