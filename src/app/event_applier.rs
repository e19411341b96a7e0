//! Payment events, from what was signed to what holds: in the store first, then in memory.

use std::{iter, sync::Arc};

use bytes::Bytes;

use super::event_context::{Declared, Withdrawals};
use crate::{
    accounts::{Accounts, PaymentStanding},
    admin::{Reason, Rejection},
    domain::Vendor,
    store::{Arrived, Effect, EventStatus, KeptEvent, ParsedEvent, Received, Store, WriteError},
    webhooks::{self, Verified},
};

/// Applies payment events. They come to it one at a time: what is published must be what was written last.
#[derive(Debug, Clone)]
pub struct EventApplier<'a> {
    /// Credit in memory.
    pub accounts: &'a Arc<Accounts>,
    /// What is on the disk.
    pub store: &'a Store,
    /// How events are read.
    pub settings: &'a webhooks::Settings,
    /// What is declared.
    pub declared: Arc<Declared>,
}

/// An event that was applied, and the standings that whoever asked has to publish.
pub type Applied = (Received, Vec<PaymentStanding>);

impl EventApplier<'_> {
    /// Applies an event. It is durable, and its credit can be spent, when this returns.
    ///
    /// # Errors
    /// The store cannot be written; nothing has moved.
    pub async fn apply(&self, arrived: Arrived) -> Result<Applied, WriteError> {
        let (withdrawals, context) = Withdrawals::open(self.accounts, Arc::clone(&self.declared));
        let mut received = self.store.receive_payment(arrived, context).await?;
        withdrawals.keep();
        let mut standings = Vec::new();
        for effect in received.effects.drain(..) {
            match effect {
                Effect::Standing(standing) => standings.push(standing),
                Effect::Lot { account, lot } => self.accounts.add_lot(&account, lot),
                Effect::Renewed { account, lots, lot } => {
                    self.accounts.renew(&account, &lots, lot);
                }
            }
        }
        tell(&received);
        Ok((received, standings))
    }

    /// Looks at an event again that is in the store, by its id there or by its vendor's own.
    ///
    /// # Errors
    /// There is none of that id, its body was not kept, or the store cannot be used.
    pub async fn replay(&self, id: &str) -> Result<Applied, Rejection> {
        let Some(KeptEvent { row, payload }) = self.kept(id).await? else {
            let words = format!("There is no event {id:?}; `faregate webhooks list` shows all.");
            return Err(Rejection::new(Reason::NotFound, words));
        };
        let vendor = row.vendor;
        let Some(payload) = payload else {
            let words = format!(
                "The body of event {id:?} was too large to be kept; send it again from the payment provider's \
                 dashboard."
            );
            return Err(Rejection::new(Reason::Conflict, words));
        };
        let payload = Bytes::from(payload);
        let read = webhooks::read(&Verified::kept(vendor, &row.id, &payload), self.settings);
        let event = ParsedEvent::of(vendor, read).map_err(|words| {
            Rejection::new(
                Reason::Conflict,
                format!("Event {id:?} cannot be read: {words}."),
            )
        })?;
        let arrived = Arrived {
            event,
            payload,
            replayed: true,
        };
        Ok(self.apply(arrived).await?)
    }

    /// A vendor's dashboard shows ids without the word that the store puts before them.
    async fn kept(&self, id: &str) -> Result<Option<KeptEvent>, Rejection> {
        let whole = Vendor::ALL.map(|vendor| format!("{}:{id}", vendor.as_str()));
        for id in iter::once(id.to_owned()).chain(whole) {
            let found = self.store.payment_event(id).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn tell(received: &Received) {
    let Received { id, status, .. } = received;
    let account = received.account.as_ref().map(tracing::field::display);
    let words = received.words.as_deref();
    match status {
        _ if received.duplicate => {
            tracing::debug!(event = %id, %status, "a payment event came again");
        }
        EventStatus::Applied => {
            tracing::info!(event = %id, account, words, "a payment event was applied");
        }
        EventStatus::Ignored => {
            tracing::debug!(event = %id, words, "a payment event changes nothing");
        }
        EventStatus::Parked | EventStatus::Failed => tracing::warn!(
            event = %id, %status, account, words,
            "a payment event waits for somebody to look at it; `faregate webhooks list` shows it"
        ),
    }
}
