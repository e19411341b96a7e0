//! The body of a forwarded answer. It owns the reservation, which settles when the body ends or is dropped.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Answer, Charge, DrainPlace, Ending, Receipt,
    cut::{Aborted, CUT_OFF, Cut, Interruption, LastWord},
};
use crate::{
    listener::{Alarm, Shutdown, Until},
    refusal::Code,
    store::{Outcome, PATIENCE},
};

/// A comment that keeps a silent stream alive; event-stream parsers skip it (WHATWG HTML §9.2.6).
const HEARTBEAT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// How long after its last bytes a stream that falls silent is noted, so that a crash loses no more of it.
pub(super) const NOTED_AFTER: Duration = Duration::from_secs(1);

/// Longer than any call: streams without a heartbeat are noted all the same.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What happens upstream when a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectPolicy {
    /// The call is cancelled; what was observed is charged.
    Cancel,
    /// The answer is read to its end, bounded, and charged exactly.
    Drain,
}

pin_project! {
    /// A provider's answer on its way to the client.
    pub struct Metered<B>
    where
        B: Body<Data = Bytes>,
        B: Send,
        B: Unpin,
        B: 'static,
        B::Error: Interruption,
    {
        answer: Option<Answer<B>>,
        // The stream has said that it is complete: it is settled, and what follows is passed on.
        complete: bool,
        receipt: Option<Receipt>,
        interrupted: Option<Code>,
        cut: Cut,
        // What is yielded next, whatever the provider does.
        next: Option<Bytes>,
        // What was passed on is half an answer, and nothing can be put into it that says so.
        half: bool,
        // The end of the answer before it, once the record is on the disk.
        last: Option<Bytes>,
        on_disk: Option<oneshot::Receiver<()>>,
        last_frame: Instant,
        heartbeat: Option<Duration>,
        #[pin]
        timer: Option<Alarm>,
        shutdown: Until,
    }

    impl<B> PinnedDrop for Metered<B>
    where
        B: Body<Data = Bytes>,
        B: Send,
        B: Unpin,
        B: 'static,
        B::Error: Interruption,
    {
        fn drop(this: Pin<&mut Self>) {
            // Dropped before its end: the client has left, or we cut it off.
            let _ = this.leave();
        }
    }
}

impl<B> Metered<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Interruption,
{
    /// An answer on its way. Streams get a comment after each `heartbeat` of silence; `shutdown` cuts what is still open.
    pub fn new(
        answer: Answer<B>,
        heartbeat: Option<Duration>,
        shutdown: &Shutdown,
        cut: Cut,
    ) -> Self {
        let heartbeat = (answer.observer.is_stream()).then(|| heartbeat.unwrap_or(NEVER));
        let now = Instant::now();
        let first = heartbeat.map(|every| now + every.min(NOTED_AFTER));
        Self {
            answer: Some(answer),
            complete: false,
            receipt: None,
            interrupted: None,
            cut,
            next: None,
            half: false,
            last: None,
            on_disk: None,
            last_frame: now,
            heartbeat,
            timer: first.map(Alarm::new),
            shutdown: shutdown.cut_off(),
        }
    }

    /// What the call used, once it has ended.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_ref()
    }

    /// Why the answer broke off, if it did.
    pub fn interrupted(&self) -> Option<Code> {
        self.interrupted
    }

    /// Ends an answer whose client has left, as dropping it would, and tells what it used. `None` when it had ended
    /// before, or is read on because the provider bills it anyway.
    pub fn leave(self: Pin<&mut Self>) -> Option<Receipt> {
        let this = self.project();
        let answer = this.answer.take().filter(|_| !*this.complete);
        let ending = if this.shutdown.has_come() {
            // Connections that are left at the end of a drain are dropped, whoever still reads them.
            answer?.cut_off()
        } else {
            answer?.leave()
        };
        ending.map(|ending| ending.receipt)
    }

    /// Reads an answer on whose client was gone before it was here.
    pub fn read_on(self: Pin<&mut Self>, place: DrainPlace) {
        if let Some(answer) = self.project().answer.take() {
            answer.read_on(place);
        }
    }

    /// Ends the answer early. Where the last word is ours, a stream gets one event that says why, and anything else is broken
    /// off, so that nobody takes half of it for the whole.
    fn break_off(
        self: Pin<&mut Self>,
        code: Code,
        outcome: Outcome,
        last_word: LastWord,
    ) -> Option<Result<Frame<Bytes>, Aborted>> {
        let this = self.project();
        let mut answer = this.answer.take()?;
        // Made before the answer is settled, which ends what its observer knows.
        let now = answer.metering.clock.now();
        let takes_events = answer.observer.takes_events();
        let event = takes_events.then(|| this.cut.event(code, now, &answer.observer));
        *this.interrupted = Some(code);
        let provider = answer
            .reservation
            .draft()
            .map(|draft| draft.provider.as_str());
        tracing::warn!(provider, code = code.as_str(), "an answer was broken off");
        let ending = answer.settle(outcome);
        *this.receipt = ending.map(|ending| ending.receipt);
        match last_word {
            LastWord::Ours => Some(event.map(Frame::data).ok_or(Aborted)),
            LastWord::Theirs => None,
        }
    }

    /// Takes in what came of the answer; what of it goes out at once.
    fn came(mut self: Pin<&mut Self>, data: Bytes) -> Option<Bytes> {
        let this = self.as_mut().project();
        let answer = this.answer.as_mut()?;
        let pass = answer.push(data);
        if let Some(code) = answer.overrun() {
            self.cut_overrun(code);
            return pass;
        }
        // Clients stop reading at the event that completes a stream; when the transfer itself ends may be much later.
        if !answer.is_over() && !answer.observer.ended() {
            answer.checkpoint();
            self.moved();
            return pass;
        }
        // Settled before its last frame is given away: who has read an answer whole finds it recorded.
        *this.next = answer.observer.finish();
        *this.last = pass;
        let ending = answer.settle(Outcome::Completed);
        *this.complete = !answer.is_over();
        if !*this.complete {
            *this.answer = None;
        }
        self.ended(ending);
        None
    }

    /// Cuts a stream that is longer than what was held for it. Its last frame has been seen, is charged and goes out
    /// before the event that says why.
    fn cut_overrun(mut self: Pin<&mut Self>, code: Code) {
        let this = self.as_mut().project();
        let Some(mut answer) = this.answer.take() else {
            return;
        };
        *this.interrupted = Some(code);
        tracing::warn!(
            code = code.as_str(),
            "an answer was longer than the output limit that the provider got"
        );
        if answer.observer.takes_events() {
            let now = answer.metering.clock.now();
            *this.next = Some(this.cut.event(code, now, &answer.observer));
        } else {
            *this.half = true;
        }
        let observed = answer.observer.observed();
        let ending = answer.reservation.settle(
            Outcome::UpstreamFailed,
            answer.status.as_u16(),
            Charge::Overrun(observed),
        );
        self.ended(ending);
    }

    /// Notes what the call came to.
    fn ended(self: Pin<&mut Self>, ending: Option<Ending>) {
        let mut this = self.project();
        if let Some(Ending { receipt, on_disk }) = ending {
            *this.receipt = Some(receipt);
            if on_disk.is_some() {
                // Nothing is kept alive any more, so the timer is free for this.
                *this.heartbeat = None;
                this.timer.set(Some(Alarm::new(Instant::now() + PATIENCE)));
            }
            *this.on_disk = on_disk;
        }
    }

    /// Waits until the record is on the disk, but no longer than for any write: the answer is the client's, who pays for it,
    /// and the record stays in the file of calls under way until the disk takes it.
    fn poll_on_disk(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Aborted>> {
        let mut this = self.project();
        let Some(on_disk) = this.on_disk.as_mut() else {
            return Poll::Ready(Ok(()));
        };
        let confirmed = match Pin::new(on_disk).poll(cx) {
            Poll::Ready(confirmed) => confirmed.map_err(|_| Aborted),
            Poll::Pending => {
                if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                    ready!(timer.poll(cx));
                }
                tracing::warn!(
                    request_id = %this.cut.id,
                    "an answer ended before its record was on the disk, which takes too long; the record is in the file of \
                     calls under way until then"
                );
                Ok(())
            }
        };
        *this.on_disk = None;
        this.timer.set(None);
        Poll::Ready(confirmed)
    }

    /// What follows a complete stream, which is paid for: it is passed on, and however it ends, nothing is lost.
    fn poll_rest(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let this = self.project();
        while let Some(answer) = this.answer.as_mut() {
            match answer.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => return Poll::Ready(Some(Frame::data(data))),
                Poll::Ready(Some(Err(_)) | None) => *this.answer = None,
                Poll::Pending => {
                    ready!(Pin::new(&mut *this.shutdown).poll(cx));
                    *this.answer = None;
                }
            }
        }
        Poll::Ready(None)
    }

    /// Notes that a frame came, behind what was noted of it. A timer that a silence has set to its heartbeat is set back, so
    /// that the next silence is noted as well; while events come, it is as near already.
    fn moved(self: Pin<&mut Self>) {
        let this = self.project();
        *this.last_frame = Instant::now();
        let noted = *this.last_frame + NOTED_AFTER;
        if let Some(timer) = this.timer.as_pin_mut()
            && timer.at() > noted
        {
            timer.set(noted);
        }
    }

    fn heartbeat(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(every) = *this.heartbeat else {
            return Poll::Pending;
        };
        loop {
            let Some(mut timer) = this.timer.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            ready!(timer.as_mut().poll(cx));
            let due = *this.last_frame + every;
            let noted = *this.last_frame + NOTED_AFTER;
            let now = Instant::now();
            // The timer is set anew only when it fires, not with every frame.
            if noted > now && noted < due {
                timer.set(noted);
                continue;
            }
            let Some(answer) = this.answer.as_mut() else {
                return Poll::Pending;
            };
            answer.checkpoint();
            if due > now {
                timer.set(due);
                continue;
            }
            timer.set(now + every);
            if answer.observer.at_boundary() {
                *this.last_frame = now;
                return Poll::Ready(());
            }
        }
    }
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Interruption,
{
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        loop {
            let confirmed = ready!(self.as_mut().poll_on_disk(cx));
            let this = self.as_mut().project();
            if confirmed.is_err() {
                // The store was closed without the record: nobody may take the answer for a delivered one.
                (*this.last, *this.next) = (None, None);
                *this.answer = None;
                return Poll::Ready(Some(Err(Aborted)));
            }
            if let Some(next) = this.last.take().or_else(|| this.next.take()) {
                return Poll::Ready(Some(Ok(Frame::data(next))));
            }
            if *this.complete {
                return self.poll_rest(cx).map(|frame| frame.map(Ok));
            }
            let Some(answer) = this.answer.as_mut() else {
                let half = std::mem::take(this.half);
                return Poll::Ready(half.then_some(Err(Aborted)));
            };
            match answer.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    if let Some(pass) = self.as_mut().came(data) {
                        return Poll::Ready(Some(Ok(Frame::data(pass))));
                    }
                }
                Poll::Ready(Some(Err(interruption))) => {
                    let outcome = if interruption.is_the_clients() {
                        Outcome::ClientClosed
                    } else {
                        Outcome::UpstreamFailed
                    };
                    let last_word = answer.last_word();
                    return Poll::Ready(self.break_off(interruption.code(), outcome, last_word));
                }
                Poll::Ready(None) => {
                    // Before an unfinished event is looked at, which no client of a cut stream gets.
                    let last_word = answer.last_word();
                    let held_back = answer.observer.finish();
                    if answer.is_cut_short() {
                        let (code, outcome) = (Code::UpstreamDisconnected, Outcome::UpstreamFailed);
                        return Poll::Ready(self.break_off(code, outcome, last_word));
                    }
                    if let Some(mut answer) = this.answer.take() {
                        *this.next = held_back;
                        let ending = answer.settle(Outcome::Completed);
                        self.as_mut().ended(ending);
                    }
                }
                Poll::Pending => {
                    if Pin::new(&mut *this.shutdown).poll(cx).is_ready() {
                        let last_word = answer.last_word();
                        return Poll::Ready(self.break_off(Code::Draining, CUT_OFF, last_word));
                    }
                    ready!(self.heartbeat(cx));
                    return Poll::Ready(Some(Ok(Frame::data(HEARTBEAT))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_none()
            && self.next.is_none()
            && !self.half
            && self.last.is_none()
            && self.on_disk.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.answer {
            // A stream may lose a chunk or gain a comment.
            Some(answer) if !answer.observer.is_stream() => answer.body.size_hint(),
            Some(_) => SizeHint::default(),
            None => {
                let left = self.last.iter().chain(&self.next);
                SizeHint::with_exact(left.map(|bytes| bytes.len() as u64).sum())
            }
        }
    }
}

impl<B> fmt::Debug for Metered<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Interruption,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metered")
            .field("ended", &self.answer.is_none())
            .finish_non_exhaustive()
    }
}
