//! Each check takes what the one before it gave, so none can be left out.

use std::sync::Arc;

use faregate::{
    accounts::Accounts,
    admission::{Admitted, Caller, Held, Permitted, Request, Subscriber, policy, rate, reserve},
    call::{Catalogue, Destination, Requirement},
    domain::{Clock, Timestamp},
    metering::MeteringContext,
    refusal::Refusal,
};

fn no_standing(caller: Caller, clock: &Clock) -> Result<Admitted, Refusal> {
    rate(caller, Requirement::Full, clock)
}

fn no_rate(
    subscriber: Subscriber,
    to: &Destination,
    catalogue: &Catalogue,
    accounts: &Accounts,
    now: Timestamp,
) -> Result<Permitted, Refusal> {
    policy(subscriber, to, None, catalogue, accounts, now)
}

async fn no_policy(
    admitted: Admitted,
    request: Request<'_>,
    metering: &Arc<MeteringContext>,
) -> Result<Held, Refusal> {
    reserve(admitted, request, metering).await
}

fn main() {}
