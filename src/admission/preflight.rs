//! What a call would meet now, for whoever asks before calling.

use super::{
    Admitted, Request,
    authenticate::open_to,
    binding, meterable, policy, standing,
    weigh::{Weighed, output_limit, weigh},
};
use crate::{
    accounts::{Accounts, Book},
    call::{Catalogue, Requirement},
    domain::{NanoUsd, SubscriptionPolicy},
    metering::MeteringContext,
    refusal::Refusal,
};

/// What a call would hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foretold {
    /// Of every token quota.
    pub tokens: u64,
    /// Of every budget and of credit; `None` where nothing of the call has a price.
    pub money: Option<NanoUsd>,
    /// The output limit that would be written into the body, where that is ours to do.
    pub output_limit: Option<u64>,
}

/// Takes a call through every check behind the rates and weighs it, and leaves nothing behind: no seat, no hold, no
/// place in the ledger. `admitted` is the question itself, which has counted as a request and needs no more than a key.
///
/// # Errors
/// What the call would be refused with.
pub async fn preflight(
    admitted: Admitted,
    request: Request<'_>,
    catalogue: &Catalogue,
    accounts: &Accounts,
    subscriptions: SubscriptionPolicy,
    metering: &MeteringContext,
) -> Result<Foretold, Refusal> {
    let (destination, clock) = (request.destination, &metering.clock);
    let requirement = destination.requirement();
    open_to(admitted.caller(), &destination.route)?;
    meterable(admitted.caller(), destination)?;
    let admitted =
        admitted.standing(|caller| standing(caller, requirement, subscriptions, clock))?;
    let caller = admitted.caller();
    let (book, levels) = (&caller.account().book, &caller.key().levels);
    if requirement == Requirement::Full {
        book.seat(levels)
            .map_err(|bound| binding::refuse(&bound, caller.subject(), clock.now()))?;
    }
    let permitted = policy(
        admitted,
        destination,
        request.ask,
        catalogue,
        accounts,
        request.at,
    )?;
    let Weighed { wanted, found, .. } = weigh(&permitted, &request, metering, Book::weigh).await?;
    let levels = &permitted.caller().key().levels;
    Ok(Foretold {
        tokens: found.tokens(),
        money: permitted.terms().map(|_| found.money()),
        output_limit: output_limit(&wanted, request.ask, levels, found.output),
    })
}
