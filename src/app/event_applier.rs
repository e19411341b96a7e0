//! Payment events, from what was signed to what holds: in the store first, then in memory.

use std::{iter, sync::Arc};

use bytes::Bytes;

use super::event_context::{Declared, Withdrawals};
use crate::{
    accounts::{Accounts, PaymentStanding},
    admin::{Linked, Reason, Rejection},
    domain::Vendor,
    store::{
        Arrived, Effect, EventStatus, KeptEvent, LiveAccounts, NewLink, ParsedEvent, Received,
        Store, WriteError,
    },
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
        let standings = self.effect(received.effects.drain(..));
        tell(&received);
        Ok((received, standings))
    }

    /// Puts credit in force; the standings are for whoever asked.
    fn effect(&self, effects: impl Iterator<Item = Effect>) -> Vec<PaymentStanding> {
        let mut standings = Vec::new();
        for effect in effects {
            match effect {
                Effect::Standing(standing) => standings.push(standing),
                Effect::Lot { account, lot } => self.accounts.add_lot(&account, lot),
                Effect::Renewed { account, lots, lot } => {
                    self.accounts.renew(&account, &lots, lot);
                }
            }
        }
        standings
    }

    /// Makes a customer an account's, or nobody's, and looks again at the events that have waited for it.
    ///
    /// # Errors
    /// There is no such account or link, the file says something else, or the store cannot be written.
    pub async fn link(&self, link: NewLink) -> Result<(Linked, Vec<PaymentStanding>), Rejection> {
        let (withdrawals, context) = Withdrawals::open(self.accounts, Arc::clone(&self.declared));
        may_link(&*context, &link)?;
        let relinked = self.store.link_customer(link.clone(), context).await?;
        withdrawals.keep();
        if link.account.is_none() && relinked.before.is_none() {
            let words = format!(
                "Customer {:?} of {} is linked to no account; `faregate webhooks customers` shows all links.",
                link.customer,
                link.vendor.as_str()
            );
            return Err(Rejection::new(Reason::NotFound, words));
        }
        let mut standings = self.effect(relinked.effects.into_iter());
        let mut replayed = Vec::new();
        for id in relinked.waiting {
            match self.replay(&id).await {
                Ok((received, more)) => {
                    replayed.push(received);
                    standings.extend(more);
                }
                // The link is made, and what could not be looked at again still waits.
                Err(rejection) => {
                    tracing::warn!(event = %id, %rejection, "a payment event that has waited could not be replayed");
                }
            }
        }
        let linked = Linked {
            before: relinked.before,
            replayed,
        };
        Ok((linked, standings))
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

/// What the file says of a customer or an account holds.
fn may_link(declared: &dyn LiveAccounts, link: &NewLink) -> Result<(), Rejection> {
    let (vendor, customer) = (link.vendor.as_str(), &link.customer);
    let of_the_file = declared.account_of(link.vendor, customer);
    if let Some(owner) = of_the_file
        && link.account.as_ref() != Some(&owner)
    {
        let words = format!(
            "The configuration file says that customer {customer:?} of {vendor} is account {owner}. Change that in the \
             file and reload; then link the customer, which moves its subscriptions."
        );
        return Err(Rejection::new(Reason::ReadOnly, words));
    }
    let Some(account) = &link.account else {
        return Ok(());
    };
    if declared.declared(account).is_none() {
        let words = format!(
            "There is no account {:?}; `faregate accounts list` shows all.",
            account.as_str()
        );
        return Err(Rejection::new(Reason::NotFound, words));
    }
    match declared.customer_of(link.vendor, account) {
        Some(other) if other != *customer => {
            let words = format!(
                "The configuration file says that account {account} is customer {other:?} of {vendor}. Change that in \
                 the file and reload first."
            );
            Err(Rejection::new(Reason::ReadOnly, words))
        }
        _ => Ok(()),
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
