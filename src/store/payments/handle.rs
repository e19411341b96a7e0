//! What the handle of the store does with payment events.

use super::{
    Arrived, CustomerFilter, CustomerRow, EventFilter, EventRow, KeptEvent, LiveAccounts, NewLink,
    Received, Relinked, customers, read, receive, word,
};
use crate::{
    accounts::{PaymentStanding, Spoken},
    domain::{AccountId, Timestamp},
    store::{Page, ReadError, Reader, Store, WriteError},
};

impl Store {
    /// Applies an event, once. It and all that follows from it are on the disk when this returns; the effects are left
    /// to whoever asks. What `accounts` was asked to take has to be given back where this fails.
    ///
    /// # Errors
    /// The store cannot be written; nothing was written then.
    pub async fn receive_payment(
        &self,
        arrived: Arrived,
        mut accounts: Box<dyn LiveAccounts>,
    ) -> Result<Received, WriteError> {
        let now = self.now();
        self.change(move |transaction| {
            receive::receive(transaction, &arrived, accounts.as_mut(), now)
        })
        .await
    }

    /// Makes a vendor's customer an account's, or nobody's. It is on the disk when this returns; the effects are left to
    /// whoever asks, and so are the events that have waited for it.
    ///
    /// # Errors
    /// The store cannot be written; nothing was written then.
    pub async fn link_customer(
        &self,
        link: NewLink,
        mut accounts: Box<dyn LiveAccounts>,
    ) -> Result<Relinked, WriteError> {
        let now = self.now();
        self.change(move |transaction| {
            customers::relink(transaction, &link, accounts.as_mut(), now)
        })
        .await
    }

    /// A page of customers that are linked to accounts.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn customers(
        &self,
        filter: CustomerFilter,
    ) -> Result<Page<CustomerRow, String>, ReadError> {
        self.read(move |connection| customers::page(connection, &filter))
            .await
    }

    /// Ends what payment events say of accounts of which a file says something else: what was told until `now`, or,
    /// where nobody knows when the file was written, what is in the store. It is on the disk when this returns.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn overrule_payments(
        &self,
        accounts: Vec<(AccountId, Spoken)>,
        now: Option<Timestamp>,
    ) -> Result<Vec<PaymentStanding>, WriteError> {
        self.change(move |transaction| word::overrule(transaction, &accounts, now))
            .await
    }

    /// A page of events, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn payment_events(
        &self,
        filter: EventFilter,
    ) -> Result<Page<EventRow, i64>, ReadError> {
        self.read(move |connection| read::page(connection, &filter))
            .await
    }

    /// An event and its body, which is not kept where it is too large.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn payment_event(&self, id: String) -> Result<Option<KeptEvent>, ReadError> {
        self.read(move |connection| read::one(connection, &id))
            .await
    }
}

impl Reader {
    /// A page of events, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn payment_events(&self, filter: &EventFilter) -> Result<Page<EventRow, i64>, ReadError> {
        self.look(|connection| read::page(connection, filter))
    }

    /// A page of customers that are linked to accounts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn customers(
        &self,
        filter: &CustomerFilter,
    ) -> Result<Page<CustomerRow, String>, ReadError> {
        self.look(|connection| customers::page(connection, filter))
    }

    /// The standing of every account of which events tell one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn standings(&self) -> Result<Vec<PaymentStanding>, ReadError> {
        self.look(super::standings)
    }
}
