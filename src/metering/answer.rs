//! An answer that has not ended: its body, who reads along, and what settles it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;

use super::{
    Charge, DrainPlace, Ending, MeteringContext, Observer, Reservation,
    body::DisconnectPolicy,
    cut::{CUT_OFF, LastWord},
    drain,
};
use crate::{overload::Room, providers::end_of_event, refusal::Code, store::Outcome};

/// An answer that has not ended.
#[derive(Debug)]
pub struct Answer<B> {
    /// Its body.
    pub body: B,
    /// Whether the transfer says where it ends.
    pub delimited: bool,
    /// Who reads along.
    pub observer: Observer,
    /// What it holds.
    pub reservation: Reservation,
    /// Where it is settled.
    pub metering: Arc<MeteringContext>,
    /// The status that the client got.
    pub status: StatusCode,
    /// What happens when the client leaves.
    pub policy: DisconnectPolicy,
    /// Output tokens that are held for, and the code of an answer that passes them.
    pub allowance: Option<(u64, Code)>,
    /// What has come and was not looked at yet.
    pub ahead: Bytes,
    /// What is kept of it until it is settled takes this of the room for all.
    pub room: Room,
}

impl<B> Answer<B> {
    /// Settles it by what it said so far, once.
    pub(super) fn settle(&mut self, outcome: Outcome) -> Option<Ending> {
        let observed = self.observer.observed();
        self.room.clear();
        // A provider fails by its status, or in a stream whose status was sent long ago by an event. A document that has
        // nothing but an error is no answer either.
        let told = observed.error_event && self.observer.is_stream() || observed.is_error_alone();
        let event = told && self.status.is_success();
        let outcome = match outcome {
            Outcome::Completed if event || self.status.is_server_error() => Outcome::UpstreamFailed,
            outcome => outcome,
        };
        let charge = Charge::by(self.status, observed);
        let reservation = self.reservation.take();
        reservation.settle(outcome, self.status.as_u16(), charge)
    }

    /// Takes note of a frame, and gives back what is to be passed on. A document is kept for what it says in the end, as
    /// long as there is room: without it, it passes all the same, and is charged by our own count.
    pub(super) fn push(&mut self, frame: Bytes) -> Option<Bytes> {
        let keeps = self.observer.keeps(frame.len());
        if keeps && self.room.grow_answer(frame.len()).is_err() {
            self.observer.forget();
            tracing::warn!("there was no room to keep an answer: it is charged by our own count");
        }
        let passed = self.observer.push(frame);
        if !self.observer.keeps(0) {
            self.room.clear();
        }
        passed
    }

    /// Notes how far it is, so that a crash loses little of it. Of a stream alone: half a document says nothing yet, and
    /// looking at it would take what was read of it.
    pub(super) fn checkpoint(&mut self) {
        let (reservation, observer) = (&mut self.reservation, &mut self.observer);
        if observer.is_stream() {
            reservation.checkpoint(observer.output_at_least(), || observer.observed());
        }
    }

    /// Whether it ended with its connection before it was whole.
    pub(super) fn is_cut_short(&self) -> bool {
        !self.delimited && self.status.is_success() && !self.observer.is_whole()
    }

    /// Who says why it ends early: its provider where the client has whole events so far, and one of them tells of an error.
    pub(super) fn last_word(&mut self) -> LastWord {
        let observer = &mut self.observer;
        if observer.takes_events() && observer.at_boundary() && observer.observed().error_event {
            LastWord::Theirs
        } else {
            LastWord::Ours
        }
    }

    /// The code that cuts it, where it is longer than what is held for it.
    pub(super) fn overrun(&self) -> Option<Code> {
        let (most, code) = self.allowance?;
        (self.observer.output_at_least() > most).then_some(code)
    }
}

impl<B> Answer<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    /// The next bytes. As much as has come together, but event by event where the next may be one too many: whoever
    /// writes beyond what is held is cut there, and not a buffer later.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        while self.ahead.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                // Trailers are not passed on: nothing in the answer's head announced them.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => return Poll::Ready(Some(Ok(data))),
                    Ok(data) => self.ahead = data,
                    Err(_) => {}
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let data = std::mem::take(&mut self.ahead);
        if self.observer.is_stream() && self.is_near_its_end(data.len()) {
            self.ahead = data;
            let event = end_of_event(&self.ahead);
            return Poll::Ready(Some(Ok(self.ahead.split_to(event))));
        }
        Poll::Ready(Some(Ok(data)))
    }

    /// Whether nothing more comes, and the transfer has said so. One that ends with its connection is over when its body
    /// is asked for more, and whether it is whole then, its content tells.
    pub(super) fn is_over(&self) -> bool {
        self.delimited && self.ahead.is_empty() && self.body.is_end_stream()
    }

    /// Whether so many bytes may be more than is held for: no token has less than one.
    fn is_near_its_end(&self, bytes: usize) -> bool {
        let seen = self.observer.output_at_least();
        self.allowance
            .is_some_and(|(most, _)| seen.saturating_add(bytes as u64) > most)
    }

    /// Our shutdown ends it, and the provider is cancelled.
    pub(super) fn cut_off(mut self) -> Option<Ending> {
        let outcome = if self.is_over() {
            Outcome::Completed
        } else {
            CUT_OFF
        };
        self.settle(outcome)
    }

    /// The client is gone: the provider is cancelled, or read to its end without a reader.
    pub(super) fn leave(mut self) -> Option<Ending> {
        if self.is_over() {
            return self.settle(Outcome::Completed);
        }
        let place = match self.policy {
            DisconnectPolicy::Drain => self.metering.drain_place(),
            // The client has all that was written; nobody is to leave the thoughts behind it to us, which the figures tell
            // that come now.
            DisconnectPolicy::Cancel if self.observer.awaits_figures() => {
                self.metering.drain_place().map(DrainPlace::for_figures)
            }
            DisconnectPolicy::Cancel => None,
        };
        match place {
            Some(place) => {
                drain::drain(self, place);
                None
            }
            None => self.settle(Outcome::ClientClosed),
        }
    }

    /// The client was gone before this was here, and there is a place to read it on.
    pub(super) fn read_on(mut self, place: DrainPlace) {
        if self.is_over() {
            self.settle(Outcome::Completed);
        } else {
            drain::drain(self, place);
        }
    }
}
