//! The house hears of payments.

use std::sync::Arc;

use super::{Bursar, House};
use crate::{
    admin::Rejection,
    app::Booked,
    gateway::{Boxed, Payments, Signed, Taken, Untaken},
    store::{Arrived, Received, Story},
};

impl Payments for Arc<House> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a future behind a trait object has to be boxed, and a payment event is no call"
    )]
    fn take(&self, signed: Signed) -> Boxed<'_, Result<Taken, Untaken>> {
        Box::pin(self.book(signed))
    }
}

impl House {
    async fn book(&self, signed: Signed) -> Result<Taken, Untaken> {
        let Signed {
            vendor,
            event,
            payload,
        } = signed;
        let story = Story::of(vendor, event).map_err(Untaken::Nameless)?;
        let arrived = Arrived {
            story,
            payload,
            replayed: false,
        };
        let _one_at_a_time = self.paying.acquire().await;
        let (declared, settings) = self.ground();
        let bursar = Bursar {
            accounts: &self.accounts,
            store: &self.store,
            settings: &settings,
            declared,
        };
        let booked = bursar.book(arrived).await.map_err(|error| {
            tracing::error!(%error, "a payment event could not be written; its vendor sends it again");
            Untaken::Unavailable
        })?;
        let Received {
            status, duplicate, ..
        } = self.put_in_force(booked);
        Ok(Taken { status, duplicate })
    }

    pub(super) async fn replay(&self, id: &str) -> Result<Received, Rejection> {
        let _one_at_a_time = self.paying.acquire().await;
        let (declared, settings) = self.ground();
        let bursar = Bursar {
            accounts: &self.accounts,
            store: &self.store,
            settings: &settings,
            declared,
        };
        let booked = bursar.replay(id).await?;
        Ok(self.put_in_force(booked))
    }

    fn ground(&self) -> (Arc<crate::app::Declared>, Arc<crate::webhooks::Settings>) {
        let parts = self.parts();
        (Arc::clone(&parts.declared), Arc::clone(&parts.webhooks))
    }

    fn put_in_force(&self, (received, standings): Booked) -> Received {
        if !standings.is_empty() {
            let mut parts = self.parts();
            for standing in standings {
                parts.standings.insert(standing.account.clone(), standing);
            }
            self.publish(&mut parts);
            drop(parts);
            self.warn_of_misfits();
        }
        // Who is to hear of it hears now instead of in a few seconds.
        if let Some(notifier) = self.notifier.get().filter(|_| !received.duplicate) {
            notifier.look();
        }
        received
    }
}
