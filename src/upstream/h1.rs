//! HTTP/1.1 to a provider, driven by the call itself.
//!
//! A connection has no task of its own: whoever waits for the answer reads the socket. So a frame goes from the socket
//! to the client's connection without a hand-over between tasks, and chunks that came together leave together. What is
//! left of a request goes out while its answer is read.
//!
//! Owns the bytes of requests and answers (RFC 9112). Must not know pools, deadlines or what an answer means.

mod answer;
mod chunks;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod request;
mod wire;

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, response::Parts, uri::PathAndQuery};

use self::{
    answer::Length,
    chunks::{Chunks, Decoded},
    request::Upload,
};
use super::{BodyError, Outgoing};

pub(super) use self::wire::Wire;

/// Interim answers (RFC 9110 §15.2) before the real one.
const MAX_INTERIM: usize = 10;

/// Why an exchange broke.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The provider's bytes are not HTTP as we accept it.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection ended or failed.
    #[error("{0}")]
    Lost(#[from] io::Error),
    /// The client's body broke.
    #[error("{0}")]
    Client(BodyError),
}

/// The body of an answer, and what is left of its request.
#[derive(Debug)]
pub(super) struct Answer {
    left: Left,
    upload: Option<Upload>,
}

/// What of the body is to come.
#[derive(Debug)]
enum Left {
    Bytes(u64),
    Chunks(Chunks),
    UntilClose,
}

/// Sends a request, which is taken, to the host and path at `address`, and waits for the head of its answer. Says too
/// whether the connection may serve another call when the answer has ended.
///
/// # Errors
/// No answer. A request that is still there has not been begun with, and may be sent on another connection.
pub(super) async fn send(
    wire: &mut Wire,
    request: &mut Option<Request<Outgoing>>,
    address: (&HeaderValue, &PathAndQuery),
) -> Result<(Parts, Answer, bool), Broken> {
    let mut upload = request
        .as_mut()
        .map(|request| Upload::begin(wire, request, address));
    let begun = poll_fn(|cx| match &mut upload {
        Some(upload) => upload.poll_write(cx, wire),
        None => Poll::Ready(Ok(())),
    });
    if let Err(error) = begun.await {
        if let (Some(request), Some(upload)) = (request, upload) {
            *request.body_mut() = upload.into_body();
        }
        return Err(error.into());
    }
    let mut is_head = false;
    if let Some(request) = request.take() {
        let (request, _) = request.into_parts();
        is_head = request.method == Method::HEAD;
        wire.fields = request.headers;
        // The buffer that they were read into is to be free.
        wire.fields.clear();
    }
    let mut interim = 0;
    loop {
        let head = poll_fn(|cx| {
            poll_upload(&mut upload, cx, wire)?;
            wire.poll_head(cx)
        });
        let head = head.await?;
        let answer::Head {
            parts,
            length,
            reusable,
        } = answer::read(head, is_head, std::mem::take(&mut wire.fields))
            .map_err(Broken::Malformed)?;
        if parts.status.is_informational() {
            interim += 1;
            // Nobody has asked for another protocol: `Upgrade` is never sent.
            if parts.status == http::StatusCode::SWITCHING_PROTOCOLS || interim > MAX_INTERIM {
                return Err(Broken::Malformed("an interim answer too many"));
            }
            continue;
        }
        let left = match length {
            Length::Known(bytes) => Left::Bytes(bytes),
            Length::Chunked => Left::Chunks(Chunks::default()),
            Length::UntilClose => Left::UntilClose,
        };
        return Ok((parts, Answer { left, upload }, reusable));
    }
}

/// Sends more of the request, if there is more. A connection that takes no more may still have an answer for us: a
/// provider that refuses a large body closes before it has read it.
fn poll_upload(
    upload: &mut Option<Upload>,
    cx: &mut Context<'_>,
    wire: &mut Wire,
) -> Result<(), Broken> {
    let Some(sending) = upload else { return Ok(()) };
    match sending.poll(cx, wire) {
        Poll::Pending => return Ok(()),
        Poll::Ready(Ok(())) => *upload = None,
        Poll::Ready(Err(Broken::Client(error))) => return Err(Broken::Client(error)),
        Poll::Ready(Err(_)) => sending.stop(),
    }
    Ok(())
}

impl Answer {
    /// The next bytes, as many as are there. They have been the last where [`Self::is_over`] says so.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        if let Err(error) = self.poll_upload(cx, wire) {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match self.left.take(wire) {
                Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::More) => {}
                Err(words) => return Poll::Ready(Some(Err(Broken::Malformed(words)))),
            }
            match std::task::ready!(wire.poll_fill(cx)) {
                Ok(0) if matches!(self.left, Left::UntilClose) => {
                    self.left = Left::Bytes(0);
                    return Poll::Ready(None);
                }
                Ok(0) => {
                    let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Some(Err(cut.into())));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// Sends more of the request, if there is more.
    pub(super) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
    ) -> Result<(), Broken> {
        poll_upload(&mut self.upload, cx, wire)
    }

    /// What of the client's body has not been taken.
    pub(super) fn into_upload(self) -> Option<Outgoing> {
        self.upload.map(Upload::into_rest)
    }

    /// Whether nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        match &self.left {
            Left::Bytes(left) => *left == 0,
            Left::Chunks(chunks) => chunks.is_over(),
            Left::UntilClose => false,
        }
    }

    /// Whether all of the request has been sent.
    pub(super) const fn has_all_been_sent(&self) -> bool {
        self.upload.is_none()
    }

    /// Whether it ends where its connection does, wherever that is.
    pub(super) const fn ends_with_connection(&self) -> bool {
        matches!(self.left, Left::UntilClose)
    }

    /// How many bytes are to come, where that is known.
    pub(super) const fn len(&self) -> Option<u64> {
        match self.left {
            Left::Bytes(left) => Some(left),
            Left::Chunks(_) | Left::UntilClose => None,
        }
    }
}

impl Left {
    /// What of the body has been read already.
    fn take(&mut self, wire: &mut Wire) -> Result<Decoded, &'static str> {
        let read = wire.read();
        match self {
            Self::Bytes(0) => Ok(Decoded::End),
            Self::Chunks(chunks) => chunks.decode(read),
            Self::Bytes(_) | Self::UntilClose if read.is_empty() => Ok(Decoded::More),
            Self::Bytes(left) => {
                let here = usize::try_from(*left).map_or(read.len(), |left| left.min(read.len()));
                *left -= here as u64;
                Ok(Decoded::Data(read.split_to(here).freeze()))
            }
            Self::UntilClose => Ok(Decoded::Data(read.split().freeze())),
        }
    }
}
