//! Answers that are cut: why, how their calls end, and what their clients read of it.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::Observer;
use crate::{
    domain::{RequestId, Timestamp},
    providers::Dialect,
    refusal::{Code, Links, Refusal, Representation, Scene, Subject, stream_event},
    store::Outcome,
};

/// How a call ends that our own shutdown cuts: its client was there, and nobody waited for what the provider had to say.
pub(super) const CUT_OFF: Outcome = Outcome::Indeterminate;

/// Why an answer broke off, as a client's or a provider's failure.
pub trait Interruption {
    /// The code of the failure.
    fn code(&self) -> Code;

    /// Whether the client's own body broke, and nothing of the provider's.
    fn is_the_clients(&self) -> bool;
}

/// Who says why an answer ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastWord {
    /// We do.
    Ours,
    /// The provider has.
    Theirs,
}

/// What the one event that ends a cut stream is written with.
#[derive(Debug)]
pub struct Cut {
    /// Where people read on.
    pub links: Arc<Links>,
    /// The stream's wire format.
    pub dialect: Dialect,
    /// Our id of the request.
    pub id: RequestId,
    /// Whose stream it is.
    pub subject: Subject,
}

impl Cut {
    /// The event itself, behind an empty line where what `observer` has seen ends within another.
    pub(super) fn event(&self, code: Code, now: Timestamp, observer: &Observer) -> Bytes {
        let scene = Scene {
            dialect: self.dialect,
            representation: Representation::Dialect,
            request_id: self.id,
            links: &self.links,
            now,
        };
        let event = stream_event(&Refusal::new(code).about(self.subject.clone()), &scene);
        if observer.at_boundary() {
            event
        } else {
            [b"\n\n", &event[..]].concat().into()
        }
    }
}

/// The transfer was broken off on purpose, so that no client takes half an answer for a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was broken off")
    }
}

impl std::error::Error for Aborted {}
