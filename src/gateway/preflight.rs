//! `POST /v1/faregate/preflight`: what a call with this body would meet now, without making it.

use bytes::Bytes;
use http::{Request, request::Parts, uri::PathAndQuery};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::{
    Snapshot, local,
    observe::Observation,
    read::{RequestBody, read},
    route::{self, Place},
    vet,
};
use crate::{
    accounts::Accounts,
    admission::{self, Admitted, Foretold},
    call::Destination,
    domain::{CURRENCY, NanoUsd},
    metering::MeteringContext,
    overload::Overload,
    providers::Dialect,
    refusal::{Code, Detail, Foreseen, Refusal, Representation, Scene},
    upstream::Outgoing,
};

/// The call that is asked about where `for` names none.
const USUAL: &str = "/v1/chat/completions";

/// What the call that is asked about would be judged by.
#[derive(Debug)]
pub(super) struct PreflightContext<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) accounts: &'a Accounts,
    pub(super) metering: &'a MeteringContext,
    pub(super) overload: &'a Overload,
    /// Whether no calls are taken any more.
    pub(super) draining: bool,
}

#[derive(Serialize)]
struct Page<'a, B> {
    admitted: bool,
    hold: Option<Hold>,
    /// What would be written into the body, where the call needs an output limit of ours.
    output_limit: Option<u64>,
    binds: Option<B>,
    refusal: Option<&'a Foreseen<'a>>,
}

#[derive(Serialize)]
struct Hold {
    tokens: u64,
    cost: Option<NanoUsd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'static str>,
}

/// The answer to whoever asks, as JSON.
///
/// # Errors
/// The question itself is none: its `for` is no path, or its body is none that a call could have.
pub(super) async fn page(
    context: &PreflightContext<'_>,
    admitted: Admitted,
    seen: &mut Observation,
    head: &Parts,
    unread: &mut Option<Incoming>,
) -> Result<Bytes, Refusal> {
    let call = call(head)?;
    let redact = admitted.caller().account().plan.redact_amounts;
    let (dialect, foretold) = match destination(context.snapshot, &call) {
        Ok(destination) => {
            let dialect = destination.dialect;
            let foretold = foretell(context, admitted, seen, head, unread, destination).await?;
            (dialect, foretold)
        }
        Err(refusal) => {
            let dialect = route::dialect_at(context.snapshot, call.uri.path());
            (dialect, Err(refusal))
        }
    };
    Ok(match &foretold {
        Ok(foretold) => local::document(&fits(foretold, redact)),
        Err(refusal) => {
            let scene = scene(context, seen, dialect);
            let foreseen = Foreseen::new(refusal, &scene);
            local::document(&Page {
                admitted: false,
                hold: None,
                output_limit: None,
                binds: foreseen.binds(),
                refusal: Some(&foreseen),
            })
        }
    })
}

/// Reads the body as the call's would be, and takes the call through the checks.
async fn foretell(
    context: &PreflightContext<'_>,
    admitted: Admitted,
    seen: &mut Observation,
    head: &Parts,
    unread: &mut Option<Incoming>,
    destination: Destination,
) -> Result<Result<Foretold, Refusal>, Refusal> {
    // A body that no call's checks read decides nothing, so it is not read here either.
    let body = if destination.endpoint.has_ask() {
        let mut room = context
            .overload
            .room(Some(&admitted.caller().account().book));
        read(
            context.snapshot,
            seen,
            &destination,
            head,
            unread,
            &mut room,
        )
        .await?
    } else {
        RequestBody::Passing(Outgoing::empty())
    };
    let model = body.ask().and_then(|ask| ask.model.as_ref());
    seen.asks(model, false, body.bytes().len() as u64);
    if context.draining {
        return Ok(Err(Code::Draining.into()));
    }
    let request = admission::Request {
        id: seen.id,
        at: seen.at,
        arrived: seen.arrived,
        destination: &destination,
        ask: body.ask(),
        body: body.bytes(),
        idempotency_key: None,
    };
    let foretold = admission::preflight(
        admitted,
        request,
        &context.snapshot.catalogue,
        context.accounts,
        context.snapshot.subscriptions,
        context.metering,
    );
    Ok(foretold.await)
}

/// The head of the call that `for` names.
fn call(head: &Parts) -> Result<Parts, Refusal> {
    let query = head.uri.query().unwrap_or_default();
    let mut named = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("for="));
    let malformed = || {
        let words = "`for` has to be the path of a call, once, such as `?for=/v1/messages`.";
        Refusal::new(Code::InvalidPath).with(Detail::Say(words))
    };
    let path = match (named.next(), named.next()) {
        (None, _) => USUAL.into(),
        (Some(path), None) => percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| malformed())?,
        (Some(_), Some(_)) => return Err(malformed()),
    };
    if !path.starts_with('/') {
        return Err(malformed());
    }
    let target: PathAndQuery = path.parse().map_err(|_| malformed())?;
    let (call, ()) = Request::post(target)
        .body(())
        .map_err(|_| malformed())?
        .into_parts();
    vet::target(&call).map_err(|_| malformed())?;
    Ok(call)
}

/// Where the call would go.
fn destination(snapshot: &Snapshot, call: &Parts) -> Result<Destination, Refusal> {
    match route::route(snapshot, call)? {
        Place::Remote(destination) | Place::Listing(destination) => Ok(destination),
        Place::Open(_) | Place::Limits | Place::Preflight | Place::Webhook(_) => {
            Err(Code::RouteNotFound.into())
        }
    }
}

fn scene<'a>(context: &'a PreflightContext<'_>, seen: &Observation, dialect: Dialect) -> Scene<'a> {
    Scene {
        dialect,
        representation: Representation::Dialect,
        request_id: seen.id,
        links: &context.snapshot.links,
        now: context.metering.clock.now(),
    }
}

/// What would be held, unless figures must not be named.
fn fits(foretold: &Foretold, redact: bool) -> Page<'static, ()> {
    let Foretold {
        tokens,
        money,
        output_limit,
    } = *foretold;
    Page {
        admitted: true,
        hold: (!redact).then(|| Hold {
            tokens,
            cost: money,
            currency: money.map(|_| CURRENCY),
        }),
        output_limit: output_limit.filter(|_| !redact),
        binds: None,
        refusal: None,
    }
}
