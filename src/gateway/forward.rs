//! The last step: an admitted call goes to its provider, and its answer comes back metered.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Version, header, request, response};

use super::{Snapshot, headers, judge::judge, mask, read::RequestBody, relay::Relayed};
use crate::{
    accounts::{Key, Levels},
    admission::{Held, subject},
    call::Destination,
    domain::RequestId,
    listener::{Shutdown, Until},
    metering::{
        Answer, Charge, Cut, DisconnectPolicy, Ending, Interruption, Metered, MeteringContext,
        Observer, Receipt, Reservation,
    },
    overload::Room,
    providers::{Ask, Edits, Endpoint, Observed},
    refusal::{Code, Refusal},
    store::{Outcome, Unwritten},
    upstream::{
        self, Encoding, Failure, FailureKind, Outgoing, OutputLimitField, Processed, Upstream,
    },
};

/// A call that may be forwarded, because it holds a reservation.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) held: Held,
    pub(super) upstream: Arc<Upstream>,
    pub(super) head: request::Parts,
    pub(super) destination: Destination,
    pub(super) body: RequestBody,
    /// What the body takes of the room for all.
    pub(super) room: Room,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) metering: Arc<MeteringContext>,
    pub(super) shutdown: Shutdown,
    pub(super) id: RequestId,
}

/// A provider's answer, on its way.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) parts: response::Parts,
    pub(super) body: Pin<Box<Metered<Relayed>>>,
    /// The output limit that was written into the body, where limits made it less than it would have been.
    pub(super) clamped: Option<u64>,
}

/// A call without an answer to pass on.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) refusal: Refusal,
    /// What it used all the same.
    pub(super) receipt: Option<Receipt>,
    /// The provider's id of the call, where its answer is not passed on.
    pub(super) upstream_id: Option<HeaderValue>,
}

tokio::task_local! {
    /// Set where a call goes on without its client. What is on its way by then the provider bills; what is not, it never
    /// gets.
    static UNREAD: ();
}

type Exchange = Pin<Box<dyn Future<Output = Result<Answered, Unanswered>> + Send>>;

/// A call under way, to be awaited. When its client leaves before the answer's head, it is cancelled or goes on without a reader.
pub(super) struct UnderWay {
    exchange: Option<Exchange>,
    metering: Arc<MeteringContext>,
    policy: DisconnectPolicy,
}

impl Interruption for Failure {
    fn code(&self) -> Code {
        self.kind.code()
    }

    fn is_the_clients(&self) -> bool {
        matches!(self.kind, FailureKind::ClientBody(_))
    }
}

impl Forward {
    /// Sends the call and waits for the head of its answer: a provider's failure comes as a refusal, with the reservation
    /// settled. What is sent goes into the box, and takes no room in the future of its request.
    pub(super) fn send(self) -> UnderWay {
        let stream = self.body.ask().is_some_and(|ask| ask.stream);
        // A provider bills an answer that is not a stream whether somebody reads it or not.
        let usual = if stream || !self.destination.endpoint.meters_tokens() {
            DisconnectPolicy::Cancel
        } else {
            DisconnectPolicy::Drain
        };
        let policy = self.upstream.settings().on_client_disconnect;
        let policy = policy.unwrap_or(usual);
        let metering = Arc::clone(&self.metering);
        let key = self
            .held
            .reservation
            .draft()
            .map(|draft| Arc::clone(&draft.key));
        let exchange = key.map(|key| -> Exchange {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one box of a forwarded call: it may have to outlive its client"
            )]
            Box::pin(self.exchange(policy, key))
        });
        UnderWay {
            exchange,
            metering,
            policy,
        }
    }

    fn exchange(
        self,
        policy: DisconnectPolicy,
        key: Arc<Key>,
    ) -> impl Future<Output = Result<Answered, Unanswered>> + Send {
        let Self {
            held,
            upstream,
            head,
            destination,
            body,
            room,
            snapshot,
            metering,
            shutdown,
            id,
        } = self;
        let Held {
            mut reservation,
            output_limit,
            clamped,
            notice,
            model,
            provider: _,
        } = held;
        let settings = upstream.settings();
        // A usage chunk that only we asked for is hidden again.
        let adds_usage = settings.stream_usage && body.ask().is_some_and(Ask::lacks_usage);
        let answer_room = room.another();
        let edits = Edits {
            model: model.as_ref().map(|model| model.upstream_name.as_str()),
            include_usage: adds_usage,
            ..limit_edits(destination.endpoint, settings, output_limit, &key.levels)
        };
        let (body, small) = outgoing(body, edits, room);
        // What is understood has to be read: answers for their usage, errors for whose fault they tell of.
        let encoding = if destination.endpoint.has_ask() {
            Encoding::Identity
        } else {
            Encoding::AsAsked
        };
        // What is made before the block has one place in the future; an argument of an async function has two.
        async move {
            let recorded = reservation.hold_on_disk().await;
            if let Err(unwritten) = recorded {
                return Err(failed(reservation, &unrecorded(unwritten), &upstream));
            }
            let sends = || about_to_send(&mut reservation);
            // A stream of HTTP/2 has to be woken at the end of the drain; what HTTP/1 has under way is polled by its connection.
            let cut_off = (head.version == Version::HTTP_2).then(|| shutdown.cut_off());
            let sent = {
                let sending =
                    pin!(upstream.send(head, destination.target(), encoding, body, sends));
                until_cut_off(sending, &metering, cut_off).await
            };
            let response = match sent {
                Some(Ok(response)) => response,
                Some(Err(failure)) => return Err(failed(reservation, &failure, &upstream)),
                None => return Err(Unanswered::of(Code::Draining, reservation.cut_off())),
            };
            drop(small);
            reservation.answered(response.status());
            let (mut parts, body) = response.into_parts();
            hide_credential(&upstream, &mut parts);
            let delimited = body.is_delimited();
            let (reservation, body) =
                judge(reservation, &mut parts, body, &destination, &upstream).await?;
            let observer = Observer::new(destination.endpoint, &parts.headers, adds_usage);
            if observer.is_stream() {
                // A hidden chunk or a comment changes the length.
                parts.headers.remove(header::CONTENT_LENGTH);
            }
            headers::limits(
                &key,
                notice,
                reservation.taken(),
                destination.dialect,
                &metering.clock,
                &mut parts.headers,
            );
            let cut = Cut {
                links: Arc::clone(&snapshot.links),
                dialect: destination.dialect,
                id,
                subject: subject(&key),
            };
            let answer = Answer {
                body,
                delimited,
                observer,
                allowance: reservation.allowance(),
                reservation,
                metering,
                status: parts.status,
                policy,
                ahead: Bytes::new(),
                room: answer_room,
            };
            let body = Metered::new(answer, snapshot.heartbeat, &shutdown, cut);
            #[expect(
                clippy::disallowed_methods,
                reason = "the answer's body is polled in place by the connection"
            )]
            let body = Box::pin(body);
            Ok(Answered {
                parts,
                body,
                clamped,
            })
        }
    }
}

/// Awaits the head of an answer that somebody waits for; `None` where our own drain ends first.
async fn until_cut_off<F: Future>(
    mut sending: Pin<&mut F>,
    metering: &MeteringContext,
    mut cut_off: Option<Until>,
) -> Option<F::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(answer) = sending.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        if let Some(cut_off) = &mut cut_off {
            let _ = Pin::new(cut_off).poll(cx);
        }
        if metering.cuts_off() && UNREAD.try_with(|()| ()).is_err() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// Notes that a call is about to be sent, unless it has no client any more.
fn about_to_send(reservation: &mut Reservation) -> Result<(), Failure> {
    if UNREAD.try_with(|()| ()).is_ok() {
        return Err(Failure::unsent(FailureKind::Abandoned));
    }
    reservation.forwarding().map_err(unrecorded)
}

/// A call that is not sent, because its record could not be written.
fn unrecorded(unwritten: Unwritten) -> Failure {
    Failure::unsent(FailureKind::Unrecorded).because(unwritten)
}

/// What is sent of a body, and room that is to be kept until it was.
fn outgoing(body: RequestBody, edits: Edits<'_>, room: Room) -> (Outgoing, Option<Room>) {
    match body {
        RequestBody::Passing(body) => (body, None),
        RequestBody::Understood(ask, bytes) => {
            let (body, room) = room.keep(ask.edit(&bytes, &edits));
            (Outgoing::full(body), room)
        }
    }
}

/// Hides our credential in the fields of an answer that says what is wrong: it may quote them.
fn hide_credential(upstream: &Upstream, parts: &mut response::Parts) {
    if let Some(credential) = &upstream.settings().credential
        && !parts.status.is_success()
    {
        mask::hide_in_fields(credential, &mut parts.headers);
    }
}

/// Settles a call that got no answer.
fn failed(reservation: Reservation, failure: &Failure, upstream: &Upstream) -> Unanswered {
    let code = failure.kind.code();
    let cause = std::error::Error::source(failure)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::warn!(provider = %upstream.id(), code = code.as_str(), error = %failure, cause, "a call failed");
    let status = code.status().as_u16();
    let ending = match (failure.kind, failure.processed) {
        // It was not sent: dropped, it never happened.
        (FailureKind::Unrecorded, _) => None,
        // What the provider has seen of it is no request.
        (FailureKind::ClientBody(_) | FailureKind::Abandoned, _) => {
            reservation.settle(Outcome::ClientClosed, status, Charge::Void)
        }
        (_, Processed::No) => reservation.settle(Outcome::UpstreamFailed, status, Charge::Void),
        // The provider may be working on it, and may bill it.
        (_, Processed::Maybe) => reservation.settle(
            Outcome::Indeterminate,
            status,
            Charge::Metered(Observed::default()),
        ),
    };
    Unanswered::of(code, ending)
}

/// What `limit` changes in a body, where any.
fn limit_edits(
    endpoint: Endpoint,
    settings: &upstream::Settings,
    limit: Option<u64>,
    levels: &Levels,
) -> Edits<'static> {
    let field = limit_field(endpoint, settings);
    // Nothing is held by an output that nothing limits: then the body stays as it came.
    let reads_one_name =
        levels.limits_output() && settings.output_limit_field == OutputLimitField::MaxTokens;
    Edits {
        output_limit: field.zip(limit),
        limit_name: field.filter(|_| reads_one_name),
        ..Edits::default()
    }
}

/// The member that limits the output of a call.
fn limit_field(endpoint: Endpoint, settings: &upstream::Settings) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions => Some(settings.output_limit_field.as_str()),
        Endpoint::Completions | Endpoint::Messages => Some("max_tokens"),
        Endpoint::Responses => Some("max_output_tokens"),
        _ => None,
    }
}

impl Unanswered {
    /// Our own fault, before anything was sent.
    fn ours() -> Self {
        Self::of(Code::InternalError, None)
    }

    fn of(code: Code, ending: Option<Ending>) -> Self {
        Self {
            refusal: code.into(),
            receipt: ending.map(|ending| ending.receipt),
            upstream_id: None,
        }
    }
}

impl Future for UnderWay {
    type Output = Result<Answered, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Taken out while it is asked: what panics is gone, and must not go on without a reader.
        let Some(mut exchange) = self.exchange.take() else {
            return Poll::Ready(Err(Unanswered::ours()));
        };
        let answered = exchange.as_mut().poll(cx);
        if answered.is_pending() {
            self.exchange = Some(exchange);
        }
        answered
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // At the end of our own drain nothing is read on: dropped here, it is settled as what we cut.
        let reads_on = self.policy == DisconnectPolicy::Drain && !self.metering.cuts_off();
        let Some(exchange) = self.exchange.take().filter(|_| reads_on) else {
            return;
        };
        // Without a free place the exchange is dropped here, which cancels the call and charges its input.
        let Some(place) = self.metering.drain_place() else {
            return;
        };
        let stopped = self.metering.drains_stopped();
        self.metering.tasks.spawn(async move {
            let answered = tokio::select! {
                answered = tokio::time::timeout_at(place.until, UNREAD.scope((), exchange)) => answered,
                () = stopped => return,
            };
            if let Ok(Ok(mut answered)) = answered {
                answered.body.as_mut().read_on(place);
            }
        });
    }
}
