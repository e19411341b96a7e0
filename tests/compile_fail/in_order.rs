//! All checks, in their order.

use std::{net::IpAddr, sync::Arc};

use faregate::{
    accounts::Accounts,
    admission::{Held, Request, authenticate, policy, rate, reserve, standing},
    call::Catalogue,
    domain::SubscriptionPolicy,
    metering::Desk,
    refusal::Refusal,
};

pub async fn pass(
    head: &http::request::Parts,
    client: IpAddr,
    subscriptions: SubscriptionPolicy,
    request: Request<'_>,
    accounts: &Accounts,
    catalogue: &Catalogue,
    desk: &Arc<Desk>,
) -> Result<Held, Refusal> {
    let (to, clock) = (request.destination, &desk.clock);
    let directory = accounts.directory();
    let caller = authenticate(&directory, head, Some(&to.route), client, clock.now())?;
    let subscriber = standing(caller, to.toll(), subscriptions, clock)?;
    let admitted = rate(subscriber, to.toll(), clock)?;
    let permitted = policy(admitted, to, None, catalogue, accounts, request.at)?;
    reserve(permitted, request, desk).await
}

fn main() {}
