//! All checks, in their order.

use std::{net::IpAddr, sync::Arc};

use faregate::{
    accounts::Accounts,
    admission::{Guesses, Held, Request, authenticate, policy, rate, reserve, standing},
    call::Catalogue,
    domain::SubscriptionPolicy,
    metering::MeteringContext,
    refusal::Refusal,
};

pub async fn pass(
    head: &http::request::Parts,
    client: IpAddr,
    subscriptions: SubscriptionPolicy,
    request: Request<'_>,
    accounts: &Accounts,
    catalogue: &Catalogue,
    guesses: &Guesses,
    metering: &Arc<MeteringContext>,
) -> Result<Held, Refusal> {
    let (to, clock) = (request.destination, &metering.clock);
    let directory = accounts.directory();
    let (route, now) = (Some(&*to.route), clock.now());
    let caller = authenticate(&directory, guesses, head, route, client, now)?;
    let subscriber = standing(caller, to.requirement(), subscriptions, clock)?;
    let admitted = rate(subscriber, to.requirement(), clock)?;
    let permitted = policy(admitted, to, None, catalogue, accounts, request.at)?;
    reserve(permitted, request, metering).await
}

fn main() {}
