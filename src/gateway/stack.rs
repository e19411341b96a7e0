//! The stack: what happens to a request, in order. Each check takes the value that the one before it made, so leaving
//! one out, or exchanging two, does not compile.

use std::{convert::Infallible, mem, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, Request, Response, request::Parts};
use hyper::body::Incoming;

use super::{
    ReplyBody, Settings, Snapshot,
    answer::{self, Reply, ReplyContext},
    client,
    forward::Forward,
    headers, linger, local,
    observe::{Observation, ObservationContext},
    places,
    read::{RequestBody, read},
    route::{self, Place},
    vet,
    webhook::Payments,
};
use crate::{
    accounts::Accounts,
    admission::{self, Admitted, authenticate, policy, rate, reserve, standing},
    call::{Destination, Requirement},
    listener::{InFlight, Peer, Shutdown},
    metering::MeteringContext,
    overload::Overload,
    refusal::{Code, Detail, Refusal},
    store::Store,
    telemetry::AccessLog,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The gateway: everything that a request needs, shared by all connections.
#[derive(Debug)]
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) metering: Arc<MeteringContext>,
    store: Store,
    pub(super) observation: Arc<ObservationContext>,
    pub(super) shutdown: Shutdown,
    pub(super) payments: Option<Arc<dyn Payments>>,
}

impl Gateway {
    /// A gateway that serves `settings`.
    pub fn new(
        settings: Settings,
        accounts: Arc<Accounts>,
        metering: Arc<MeteringContext>,
        store: Store,
        log: AccessLog,
        shutdown: Shutdown,
    ) -> Self {
        let (metrics, clock) = (Arc::clone(&metering.metrics), metering.clock.clone());
        Self {
            snapshot: ArcSwap::from_pointee(Snapshot::compile(settings, None, &clock)),
            accounts,
            metering,
            store,
            observation: Arc::new(ObservationContext {
                log,
                metrics,
                clock,
                overload: Overload::unlimited(),
                shutdown: shutdown.clone(),
            }),
            shutdown,
            payments: None,
        }
    }

    /// What calls, bodies and connections are counted by; without one nothing is ever too much.
    #[must_use]
    pub fn under(self, overload: Overload) -> Self {
        let observation = ObservationContext {
            overload,
            ..(*self.observation).clone()
        };
        Self {
            observation: Arc::new(observation),
            ..self
        }
    }

    /// Who is told of payments; without one there are no endpoints for them.
    #[must_use]
    pub fn with_payments(self, payments: Arc<dyn Payments>) -> Self {
        Self {
            payments: Some(payments),
            ..self
        }
    }

    /// Puts other settings in force: the next request sees them, requests under way keep theirs.
    pub fn publish(&self, settings: Settings) {
        let next = Snapshot::compile(settings, Some(&self.snapshot.load()), &self.metering.clock);
        self.snapshot.store(Arc::new(next));
    }

    /// Answers one request. Nothing that goes wrong leaves without an answer.
    ///
    /// # Errors
    /// None.
    pub fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        in_flight: InFlight,
    ) -> impl Future<Output = Result<Response<ReplyBody>, Infallible>> + Send {
        let snapshot = self.snapshot.load_full();
        let (mut head, body) = request.into_parts();
        let client = client::address(peer.addr.ip(), &snapshot.trusted_proxies, &head.headers);
        let mut seen = Observation::begin(&self.observation, &head, client, in_flight);
        let mut context = ReplyContext::of(&head, peer, &snapshot);
        let mut unread = Some(body);
        // What is made before the block has one place in the future; an argument of an async function has two.
        async move {
            let passed = self.pass(&snapshot, &mut context, &mut seen, &mut head, &mut unread);
            // A panic is our fault, and this request's alone: it is answered, and what it held goes back.
            let reply = AssertUnwindSafe(passed).catch_unwind().await;
            let reply = reply.unwrap_or_else(|_| Err(Code::InternalError.into()));
            match unread {
                Some(body) => {
                    let most = snapshot.limits.json_body as u64;
                    linger::leave(body, context.version, most, &self.metering.tasks).await;
                }
                // It was refused while its body was read, or was to be passed on: the rest is let go of by now.
                None if reply.is_err() && !context.whole => linger::until_noticed().await,
                None => {}
            }
            Ok(match reply {
                Ok(reply) => {
                    // Its next request comes through the load balancer, and perhaps to an instance with less to do.
                    context.closes |= self.observation.overload.closes();
                    answer::respond(reply, context, seen)
                }
                Err(refusal) => {
                    // A refusal is written into the request's own map, which costs no other.
                    let mut fields = head.headers;
                    fields.clear();
                    let clock = &self.metering.clock;
                    answer::refuse(&refusal, &snapshot, context, seen, fields, clock)
                }
            })
        }
    }

    /// The path of a request. What goes on to a provider takes the head along.
    async fn pass(
        &self,
        snapshot: &Arc<Snapshot>,
        context: &mut ReplyContext,
        seen: &mut Observation,
        head: &mut Parts,
        unread: &mut Option<Incoming>,
    ) -> Result<Reply, Refusal> {
        vet::vet(head, context.tls, &snapshot.limits).inspect_err(|_| {
            context.dialect = route::dialect_at(snapshot, head.uri.path());
        })?;
        if headers::is_cors_preflight(head) {
            let mut fields = HeaderMap::new();
            let local = local::cors_preflight(context.origin.as_ref(), head, &mut fields);
            return Ok(Reply::Ours(local, fields));
        }
        let place = route::route(snapshot, head);
        if place.is_err() {
            context.dialect = route::dialect_at(snapshot, head.uri.path());
        }
        let destination = match place? {
            Place::Open(place) => return self.open(&place, snapshot, context),
            Place::Limits => return self.limits(snapshot, seen, head),
            Place::Webhook(vendor) => {
                return apart(self.webhook(vendor, snapshot, head, unread)).await;
            }
            Place::Preflight => return apart(self.preflight(snapshot, seen, head, unread)).await,
            Place::Listing(destination) | Place::Remote(destination) => destination,
        };
        seen.goes_to(&destination);
        // Before the body is read and before anything is taken.
        if self.shutdown.is_draining() {
            return Err(Code::Draining.into());
        }
        self.takes_calls()?;
        let admitted = self.admit(snapshot, seen, head, &destination)?;
        if destination.requirement() == Requirement::Key
            && destination.route.provider.is_none()
            && let Some(list) = places::list(&destination, snapshot, &admitted)
        {
            return list;
        }

        let mut room = self
            .observation
            .overload
            .room(Some(&admitted.caller().account().book));
        let body = read(snapshot, seen, &destination, head, unread, &mut room).await?;
        let upload = match &body {
            RequestBody::Passing(body) => body.progress(),
            RequestBody::Understood(..) => None,
        };
        context.whole = upload.is_none();
        let ask = body.ask();
        seen.asks(
            ask.and_then(|ask| ask.model.as_ref()),
            ask.is_some_and(|ask| ask.stream),
            body.bytes().len() as u64,
        );
        let permitted = policy(
            admitted,
            &destination,
            ask,
            &snapshot.catalogue,
            &self.accounts,
            seen.at,
        )?;
        let request = admission::Request {
            id: seen.id,
            at: seen.at,
            arrived: seen.arrived,
            destination: &destination,
            ask,
            body: body.bytes(),
            idempotency_key: idempotency_key(&head.headers),
        };
        let held = reserve(permitted, request, &self.metering).await?;
        seen.served_by(&held.provider);
        let upstream = snapshot.upstreams.get(&held.provider).cloned();
        let forward = Forward {
            held,
            upstream: upstream.ok_or(Code::InternalError)?,
            head: mem::replace(head, Request::new(()).into_parts().0),
            destination,
            body,
            room,
            snapshot: Arc::clone(snapshot),
            metering: Arc::clone(&self.metering),
            shutdown: self.shutdown.clone(),
            id: seen.id,
        };
        let sent = forward.send().await;
        // What is left of an upload that was answered before its end may not come any more, and nobody waits for it long.
        context.closes |= upload.as_ref().is_some_and(|upload| upload.is_partial());
        sent.map(Reply::Theirs).map_err(|unanswered| {
            if let Some(receipt) = &unanswered.receipt {
                seen.settled(receipt);
            }
            seen.named(unanswered.upstream_id.as_ref());
            unanswered.refusal
        })
    }

    /// Whether there is room for any call.
    pub(super) fn takes_calls(&self) -> Result<(), Code> {
        let opens = self.observation.overload.opens();
        opens.map_err(|_| Code::Overloaded)
    }

    /// The checks that need only the head: who, in what standing, how often.
    fn admit(
        &self,
        snapshot: &Snapshot,
        seen: &mut Observation,
        head: &Parts,
        destination: &Destination,
    ) -> Result<Admitted, Refusal> {
        let clock = &self.metering.clock;
        let directory = self.accounts.directory();
        let caller = authenticate(
            &directory,
            &snapshot.guesses,
            head,
            Some(&destination.route),
            seen.client,
            seen.at,
        )?;
        seen.calls_from(caller.key()).map_err(|_| over_share())?;
        admission::meterable(&caller, destination)?;
        let subscriber = standing(
            caller,
            destination.requirement(),
            snapshot.subscriptions,
            clock,
        )?;
        rate(subscriber, destination.requirement(), clock)
    }

    /// What is asked about a key needs the key, and counts as a request.
    pub(super) fn admit_key(
        &self,
        snapshot: &Snapshot,
        seen: &mut Observation,
        head: &Parts,
    ) -> Result<Admitted, Refusal> {
        let clock = &self.metering.clock;
        let directory = self.accounts.directory();
        let guesses = &snapshot.guesses;
        let caller = authenticate(&directory, guesses, head, None, seen.client, seen.at)?;
        seen.comes_from(caller.key());
        let subscriber = standing(caller, Requirement::Key, snapshot.subscriptions, clock)?;
        rate(subscriber, Requirement::Key, clock)
    }

    /// Why calls are not taken, where they are not.
    ///
    /// # Errors
    /// The reason, in words without quotes.
    pub fn ready(&self) -> Result<(), &'static str> {
        ready(&self.shutdown, &self.store)
    }
}

/// Why no calls are taken, where none are.
///
/// # Errors
/// The reason, in words without quotes.
pub fn ready(shutdown: &Shutdown, store: &Store) -> Result<(), &'static str> {
    if shutdown.is_draining() {
        return Err("shutting down");
    }
    if store.health().is_writable() {
        Ok(())
    } else {
        Err("the store cannot be written")
    }
}

/// The refusal of one call more than an account may have under way while places are scarce.
pub(super) fn over_share() -> Refusal {
    let words = "The gateway has nearly as much work as it can do, and this account has most of it under way. Try \
again shortly, with fewer calls at once.";
    Refusal::new(Code::Overloaded).with(Detail::Say(words))
}

/// Keeps what is rare, events of payments and questions, out of the future of every call.
fn apart<F: Future>(rare: F) -> Pin<Box<F>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "once for what is rare, and nothing for a call"
    )]
    Box::pin(rare)
}

/// The client's idempotency key, for the record; longer ones are not kept.
fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let key = headers
        .get(IDEMPOTENCY_KEY)?
        .to_str()
        .ok()?
        .trim_matches('"');
    (!key.is_empty() && key.len() <= 255).then(|| key.to_owned())
}
