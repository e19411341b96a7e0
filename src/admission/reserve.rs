//! [`Permitted`] → [`Reservation`]: everything that the call may use is taken, from every level or from none.

use std::sync::Arc;

use super::{
    Notice, Permitted, Request,
    weigh::{Weighed, output_limit, weigh},
};
use crate::{
    accounts::{Book, Taken},
    call::Model,
    domain::ProviderId,
    metering::{Draft, MeteringContext, Reservation},
    providers::{Ask, estimate_tokens},
    refusal::Refusal,
};

/// An admitted call.
#[derive(Debug)]
pub struct Held {
    /// What it holds.
    pub reservation: Reservation,
    /// The output limit to write into the body, where limits need one and the client named none or more.
    pub output_limit: Option<u64>,
    /// The same, where it is less than the client named, or than it would be without limits.
    pub clamped: Option<u64>,
    /// What to tell beside the answer.
    pub notice: Option<Notice>,
    /// The model, where the call names one.
    pub model: Option<Arc<Model>>,
    /// Where it goes.
    pub provider: ProviderId,
}

/// Takes what the call may use, and a place in the ledger.
///
/// # Errors
/// 402 or 429 by the level that binds; 503 when the call could not be recorded.
pub async fn reserve(
    permitted: Permitted,
    request: Request<'_>,
    metering: &Arc<MeteringContext>,
) -> Result<Held, Refusal> {
    let weighed = weigh(&permitted, &request, metering, Book::hold).await?;
    // From here on nothing may fail: what was taken goes back only through its reservation.
    let Weighed {
        slot,
        provider,
        wanted,
        found: taken,
    } = weighed;
    let (admitted, model, terms) = permitted.into_parts();
    let caller = admitted.caller();
    tell_shadow(&taken, caller.account().id.as_str());

    let levels = &caller.key().levels;
    let output_limit = output_limit(&wanted, request.ask, levels, taken.output);
    let named = request.ask.is_some_and(|ask| ask.output_limit.is_some());
    let clamped = output_limit.filter(|_| taken.lowered || named);
    let key = Arc::clone(caller.key());
    let (subscriber, seat) = admitted.into_parts();
    let draft = Draft {
        id: request.id,
        at: request.at,
        arrived: request.arrived,
        key,
        route: Arc::clone(&request.destination.route.path),
        provider: provider.clone(),
        model: model.clone(),
        terms,
        limit_written: output_limit.is_some(),
        endpoint: request.destination.endpoint,
        stream: request.ask.is_some_and(|ask| ask.stream),
        end_user: request.ask.and_then(|ask| ask.end_user.clone()),
        idempotency_key: request.idempotency_key,
        // No more than is held for it: a picture has more bytes than a model reads tokens.
        input_estimate: estimate_tokens(request.body.len() as u64).min(wanted.input),
        echoed: request.ask.map_or(0, Ask::echoed),
    };
    let reservation = Reservation::open(metering, taken, seat, slot, draft);
    Ok(Held {
        reservation,
        output_limit,
        clamped,
        notice: subscriber.notice(),
        model,
        provider,
    })
}

fn tell_shadow(taken: &Taken, account: &str) {
    if let Some(bound) = taken.shadow {
        tracing::info!(
            account,
            unit = bound.unit.as_str(),
            limit = bound.limit,
            used = bound.used,
            "a limit in shadow mode would have refused this call"
        );
    }
}
