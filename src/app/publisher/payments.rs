//! Payment events: applied to the store, then put in force.

use std::sync::Arc;

use super::{Declared, Parts, Publisher};
use crate::{
    accounts::{PaymentStanding, Roster},
    admin::{Linked, Rejection},
    app::{Applied, EventApplier},
    gateway::{Boxed, Payments, Signed, Taken, Untaken},
    store::{Arrived, NewLink, ParsedEvent, Received},
    webhooks,
};

impl Payments for Arc<Publisher> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a future behind a trait object has to be boxed, and a payment event is no call"
    )]
    fn take(&self, signed: Signed) -> Boxed<'_, Result<Taken, Untaken>> {
        Box::pin(self.receive(signed))
    }
}

impl Publisher {
    async fn receive(&self, signed: Signed) -> Result<Taken, Untaken> {
        let Signed {
            vendor,
            event,
            payload,
        } = signed;
        let event = ParsedEvent::of(vendor, event).map_err(Untaken::Nameless)?;
        let arrived = Arrived {
            event,
            payload,
            replayed: false,
        };
        let _one_at_a_time = self.paying.acquire().await;
        let (declared, settings) = self.declared_and_settings();
        let applied = self.applier(declared, &settings).apply(arrived).await.map_err(|error| {
            tracing::error!(%error, "a payment event could not be written; its vendor sends it again");
            Untaken::Unavailable
        })?;
        let Received {
            status, duplicate, ..
        } = self.put_in_force(applied);
        Ok(Taken { status, duplicate })
    }

    pub(super) async fn replay(&self, id: &str) -> Result<Received, Rejection> {
        let _one_at_a_time = self.paying.acquire().await;
        let (declared, settings) = self.declared_and_settings();
        let applied = self.applier(declared, &settings).replay(id).await?;
        Ok(self.put_in_force(applied))
    }

    pub(super) async fn link(&self, link: NewLink) -> Result<Linked, Rejection> {
        let _one_at_a_time = self.paying.acquire().await;
        let (declared, settings) = self.declared_and_settings();
        let (linked, standings) = self.applier(declared, &settings).link(link).await?;
        self.stand(standings);
        Ok(linked)
    }

    /// Ends what payment events said of accounts of which `file` says something else, before it is put in force: whoever
    /// writes the old words again later does not mean the old events.
    pub(super) async fn overrule(&self, file: &Roster) {
        let (overruled, now) = {
            let parts = self.parts();
            let mut overruled = parts.unwritten.clone();
            if !parts.standings.is_empty() {
                let declared = file.accounts.iter().chain(&parts.accounts);
                let declared = Declared::of(declared, &file.customers);
                for (account, spoken) in declared.overruled(parts.standings.values()) {
                    overruled.entry(account).or_default().join(spoken);
                }
            }
            // A file that is found at the start may have been written at any time while nobody was there.
            let now = parts.started.then(|| self.store.now());
            (overruled, now)
        };
        if overruled.is_empty() {
            return;
        }
        let list = overruled.clone().into_iter().collect();
        let written = self.store.overrule_payments(list, now).await;
        let mut parts = self.parts();
        match written {
            Ok(standings) => parts.stand(standings),
            // A file that closes an account is put in force whatever state the store is in.
            Err(error) => {
                tracing::error!(
                    %error,
                    "the store could not record that the file overrules payment events; the next reload tries again"
                );
                for (account, spoken) in &overruled {
                    if let Some(standing) = parts.standings.get_mut(account) {
                        standing.end(*spoken, self.store.now());
                    }
                }
                parts.unwritten = overruled;
            }
        }
    }

    fn applier<'a>(
        &'a self,
        declared: Arc<Declared>,
        settings: &'a webhooks::Settings,
    ) -> EventApplier<'a> {
        EventApplier {
            accounts: &self.accounts,
            store: &self.store,
            settings,
            declared,
        }
    }

    /// What is declared now, and how events are read.
    fn declared_and_settings(&self) -> (Arc<Declared>, Arc<webhooks::Settings>) {
        let parts = self.parts();
        (Arc::clone(&parts.declared), Arc::clone(&parts.webhooks))
    }

    fn put_in_force(&self, (received, standings): Applied) -> Received {
        self.stand(standings);
        // Who is to hear of it hears now instead of in a few seconds.
        if !received.duplicate {
            self.notifier.look();
        }
        received
    }

    fn stand(&self, standings: Vec<PaymentStanding>) {
        if standings.is_empty() {
            return;
        }
        let mut parts = self.parts();
        parts.stand(standings);
        self.publish(&mut parts);
        drop(parts);
        self.warn_of_misfits();
    }
}

impl Parts {
    /// Takes over what payment events say, as the store has it now.
    pub(super) fn stand(&mut self, standings: impl IntoIterator<Item = PaymentStanding>) {
        for standing in standings {
            self.unwritten.remove(&standing.account);
            self.standings.insert(standing.account.clone(), standing);
        }
    }
}
