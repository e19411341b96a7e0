//! Places that are answered here, without a provider: what needs no key, a key's limits, what a call would meet, and
//! payment events.

use http::{HeaderMap, request::Parts};
use hyper::body::Incoming;

use super::{
    Snapshot,
    answer::{Reply, ReplyContext},
    limits,
    local::{self, LocalAnswer},
    observe::Observation,
    preflight::{self, PreflightContext},
    route::Open,
    stack::{Gateway, over_share},
    webhook,
};
use crate::{
    admission::Admitted,
    call::Destination,
    domain::Vendor,
    refusal::{Code, Refusal},
};

impl Gateway {
    /// Answers what needs no key.
    pub(super) fn open(
        &self,
        place: &Open,
        snapshot: &Snapshot,
        context: &ReplyContext,
    ) -> Result<Reply, Refusal> {
        let mut fields = HeaderMap::new();
        let local = local::open(
            place,
            snapshot,
            context.representation,
            self.ready(),
            &mut fields,
        )?;
        Ok(Reply::Ours(local, fields))
    }

    /// Takes an event of a payment provider.
    pub(super) async fn webhook(
        &self,
        vendor: Vendor,
        snapshot: &Snapshot,
        head: &Parts,
        unread: &mut Option<Incoming>,
    ) -> Result<Reply, Refusal> {
        if self.shutdown.is_draining() {
            return Err(Code::Draining.into());
        }
        let payments = self.payments.as_ref().ok_or(Code::RouteNotFound)?;
        let signed = webhook::read(
            vendor,
            snapshot,
            &self.observation.overload,
            head,
            unread,
            self.metering.clock.now(),
        )
        .await?;
        let mut fields = HeaderMap::new();
        let told = webhook::take(payments, signed, &self.metering.tasks).await?;
        Ok(Reply::Ours(LocalAnswer::json(told, &mut fields), fields))
    }

    /// Tells a key its limits.
    pub(super) fn limits(
        &self,
        snapshot: &Snapshot,
        seen: &mut Observation,
        head: &Parts,
    ) -> Result<Reply, Refusal> {
        let admitted = self.admit_key(snapshot, seen, head)?;
        let mut fields = HeaderMap::new();
        let (key, clock) = (admitted.caller().key(), &self.metering.clock);
        let page = limits::page(key, snapshot.subscriptions, clock);
        Ok(Reply::Ours(LocalAnswer::json(page, &mut fields), fields))
    }

    /// Tells what a call would meet.
    pub(super) async fn preflight(
        &self,
        snapshot: &Snapshot,
        seen: &mut Observation,
        head: &Parts,
        unread: &mut Option<Incoming>,
    ) -> Result<Reply, Refusal> {
        // Its body takes as much room as that of the call.
        self.takes_calls()?;
        let admitted = self.admit_key(snapshot, seen, head)?;
        let key = admitted.caller().key();
        seen.calls_from(key).map_err(|_| over_share())?;
        let context = PreflightContext {
            snapshot,
            accounts: &self.accounts,
            metering: &self.metering,
            overload: &self.observation.overload,
            draining: self.shutdown.is_draining(),
        };
        let page = preflight::page(&context, admitted, seen, head, unread).await?;
        let mut fields = HeaderMap::new();
        Ok(Reply::Ours(LocalAnswer::json(page, &mut fields), fields))
    }
}

/// Lists models, or describes one, where a destination is that.
pub(super) fn list(
    destination: &Destination,
    snapshot: &Snapshot,
    admitted: &Admitted,
) -> Option<Result<Reply, Refusal>> {
    let mut fields = HeaderMap::new();
    let caller = admitted.caller();
    let listed = local::models(destination, snapshot, caller.key(), &mut fields)?;
    Some(match listed {
        Ok(local) => Ok(Reply::Ours(local, fields)),
        Err(refusal) => Err(refusal.about(caller.subject())),
    })
}
