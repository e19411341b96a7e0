//! The admin listener: accounts, keys, usage, metrics, probes. Private, and open only with a token.
//!
//! Rank 5. Owns the administrative API and the rules of what may be changed. Must not know how requests are admitted
//! or forwarded, nor where the changes are kept: that is the [`Registry`]'s.
//!
//! `/metrics`, `/healthz` and `/readyz` answer without a token: the listener is not reachable from outside, scrapers
//! and probes should hold no credential, and none of the three names an account or a key.

mod api;
mod credit;
mod input;
mod operations;
mod payments;
mod problem;
mod query;
mod read;
mod route;
mod service;
mod view;

use std::{future::Future, sync::Arc};

pub use api::{Api, Done};
pub use credit::{LARGEST, OPENING, POSTABLE};
pub use input::{Change, YEAR};
pub(crate) use operations::misfits;
pub use problem::{Reason, Rejection};
pub use service::Admin;

use crate::{
    accounts::{AccountSpec, KeySpec, Roster, Spoken},
    domain::{AccountId, NanoUsd, RequestId},
    store::{
        CallDetails, CallFilter, CallRow, CustomerFilter, CustomerRow, EntryFilter, EntryRow,
        EventFilter, EventRow, LotRow, NewEntry, NewLink, NewTransfer, NotificationFilter,
        NotificationId, NotificationRow, Page, Posted, Received, UsageQuery, UsageRow,
    },
};

/// What the API reads and changes.
///
/// Changes come one at a time. A change is durable and in force when its future has ended: a key that was put works
/// on the very next request.
pub trait Registry: Send + Sync {
    /// All plans, accounts and keys as they are in force.
    fn roster(&self) -> Arc<Roster>;

    /// Writes an account, new or changed, and publishes it. What payment events said of what was spoken of is over.
    fn put_account(
        &self,
        account: AccountSpec,
        spoken: Spoken,
    ) -> impl Future<Output = Result<(), Rejection>> + Send;

    /// Writes a key, new or changed, and publishes it.
    fn put_key(&self, key: KeySpec) -> impl Future<Output = Result<(), Rejection>> + Send;

    /// A page of calls, newest first.
    fn calls(
        &self,
        filter: CallFilter,
    ) -> impl Future<Output = Result<Page<CallRow>, Rejection>> + Send;

    /// One call; `None` where none of this id was forwarded, or its record is no longer kept.
    fn call(
        &self,
        id: RequestId,
    ) -> impl Future<Output = Result<Option<CallDetails>, Rejection>> + Send;

    /// Sums over calls.
    fn usage(
        &self,
        query: UsageQuery,
    ) -> impl Future<Output = Result<Vec<UsageRow>, Rejection>> + Send;

    /// A page of messages to people, newest first.
    fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> impl Future<Output = Result<Page<NotificationRow>, Rejection>> + Send;

    /// Has a message sent again; the row as it is then, or `None` when there is none. One that was delivered stays as it
    /// is.
    fn retry_notification(
        &self,
        id: NotificationId,
    ) -> impl Future<Output = Result<Option<NotificationRow>, Rejection>> + Send;

    /// Sends a test to everybody who is told anything; to how many.
    fn test_notification(&self) -> impl Future<Output = Result<usize, Rejection>> + Send;

    /// Posts an entry of credit.
    fn credit_add(&self, entry: NewEntry)
    -> impl Future<Output = Result<Posted, Rejection>> + Send;

    /// Moves credit from one account to another; the entries of both, the giver's first.
    fn credit_transfer(
        &self,
        transfer: NewTransfer,
    ) -> impl Future<Output = Result<[Posted; 2], Rejection>> + Send;

    /// The credit of an account.
    fn credit(
        &self,
        account: AccountId,
    ) -> impl Future<Output = Result<CreditSheet, Rejection>> + Send;

    /// A page of entries, newest first.
    fn entries(
        &self,
        filter: EntryFilter,
    ) -> impl Future<Output = Result<Page<EntryRow, i64>, Rejection>> + Send;

    /// A page of payment events, newest first.
    fn payment_events(
        &self,
        filter: EventFilter,
    ) -> impl Future<Output = Result<Page<EventRow, i64>, Rejection>> + Send;

    /// Looks at a payment event again. One that was applied stays as it is.
    fn replay_payment(
        &self,
        id: String,
    ) -> impl Future<Output = Result<Received, Rejection>> + Send;

    /// A page of payment providers' customers and whose they are, but not those of the configuration file.
    fn customers(
        &self,
        filter: CustomerFilter,
    ) -> impl Future<Output = Result<Page<CustomerRow, String>, Rejection>> + Send;

    /// Makes a customer an account's, or nobody's, and applies the events that have waited for it.
    fn link_customer(
        &self,
        link: NewLink,
    ) -> impl Future<Output = Result<Linked, Rejection>> + Send;

    /// Whether requests are taken; `Err` says in a few words why not.
    fn ready(&self) -> Result<(), &'static str>;
}

/// A link that was made or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Whose the customer was.
    pub before: Option<AccountId>,
    /// What became of the events that had waited for it.
    pub replayed: Vec<Received>,
}

/// The credit of an account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditSheet {
    /// Entries less charges; below zero when a call cost more than it held.
    pub balance: NanoUsd,
    /// Held by calls under way; `None` where nobody knows: a daemon may be running that cannot be asked.
    pub held: Option<NanoUsd>,
    /// What it is made of, in the order of drawing.
    pub lots: Vec<LotRow>,
}

#[cfg(test)]
mod tests;
