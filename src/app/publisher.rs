//! Accounts and keys from both places, the file and the store, published as one directory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;

use super::{
    CreditLedger, Declared,
    merge::{Standings, merged, warn_of_both},
};
use crate::{
    accounts::{AccountSpec, Accounts, KeySpec, Lot, PaymentStanding, Roster, Spoken},
    admin::{CreditSheet, Linked, OPENING, Registry, Rejection, misfits},
    domain::{AccountId, NanoUsd, RequestId, Timestamp},
    gateway,
    listener::Shutdown,
    notify::Notifier,
    store::{
        CallDetails, CallFilter, CallRow, CustomerFilter, CustomerRow, EntryFilter, EntryKind,
        EntryRow, EventFilter, EventRow, Loaded, NewEntry, NewLink, NewTransfer,
        NotificationFilter, NotificationId, NotificationRow, Page, Posted, Received, Store,
        USUAL_PRIORITY, UsageQuery, UsageRow, WriteError,
    },
    webhooks,
};

/// Merges what the file and the store say, and publishes it. Every change of accounts, keys and credit goes through it.
#[derive(Debug)]
pub struct Publisher {
    accounts: Arc<Accounts>,
    store: Store,
    shutdown: Shutdown,
    parts: Mutex<Parts>,
    /// Whom to ask for tests, and to tell of messages that are to be sent again.
    notifier: Notifier,
    /// Payment events come one at a time, and so does what is declared: what is published must be what was written last.
    paying: Semaphore,
}

#[derive(Debug, Default)]
struct Parts {
    file: Roster,
    accounts: Vec<Arc<AccountSpec>>,
    keys: Vec<Arc<KeySpec>>,
    first_seen: HashMap<AccountId, Timestamp>,
    /// Opening credit of the file that has been posted, or found to be posted.
    opened: HashMap<AccountId, NanoUsd>,
    /// What payment events say of accounts.
    standings: Standings,
    declared: Arc<Declared>,
    webhooks: Arc<webhooks::Settings>,
    /// Whether a file is in force.
    started: bool,
    /// What files have overruled of what events say, and the store could not be told.
    unwritten: HashMap<AccountId, Spoken>,
}

impl Publisher {
    /// Publishes what the store has loaded; the file comes with [`Self::set_file`].
    pub fn new(
        accounts: Arc<Accounts>,
        store: Store,
        notifier: Notifier,
        shutdown: Shutdown,
        loaded: Loaded,
    ) -> Self {
        let Loaded {
            accounts: created,
            keys,
            standings,
            first_seen,
            counters: _,
            credit: _,
            newest: _,
        } = loaded;
        let of_account = |standing: PaymentStanding| (standing.account.clone(), standing);
        let parts = Parts {
            file: Roster::default(),
            accounts: created,
            keys,
            first_seen,
            opened: HashMap::new(),
            standings: standings.into_iter().map(of_account).collect(),
            declared: Arc::default(),
            webhooks: Arc::default(),
            started: false,
            unwritten: HashMap::new(),
        };
        Self {
            accounts,
            store,
            shutdown,
            parts: Mutex::new(parts),
            notifier,
            paying: Semaphore::new(1),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, parts: &mut Parts) {
        let declared = parts.file.accounts.iter().chain(&parts.accounts);
        parts.declared = Arc::new(Declared::of(declared, &parts.file.customers));
        self.accounts.publish(merged(
            &parts.file,
            &parts.accounts,
            &parts.keys,
            &parts.first_seen,
            &parts.standings,
        ));
    }

    /// What was created fitted the file of its time; another file may not.
    fn warn_of_misfits(&self) {
        for words in misfits(&self.accounts.roster()) {
            tracing::warn!("{words}");
        }
    }

    /// Puts the file's plans, accounts and keys in force, beside what was created, and how payment events are read. At
    /// that moment `beside` is called, which puts the rest of the file in force: calls never meet the limits of one file
    /// and the prices of another.
    ///
    /// # Errors
    /// When the accounts were first seen, or their opening credit, could not be written.
    pub async fn set_file(
        &self,
        mut file: Roster,
        webhooks: webhooks::Settings,
        beside: impl FnOnce(),
    ) -> Result<(), WriteError> {
        let _one_at_a_time = self.paying.acquire().await;
        let new: Vec<AccountId> = {
            let parts = self.parts();
            let ids = file.accounts.iter().map(|account| &account.id);
            ids.filter(|id| !parts.first_seen.contains_key(*id))
                .cloned()
                .collect()
        };
        // A file that takes a key away is put in force whatever state the store is in.
        let first_seen = if new.is_empty() {
            HashMap::new()
        } else {
            self.store.remember_accounts(new).await?
        };
        self.open_credit(&file).await?;
        self.overrule(&file).await;
        let mut parts = self.parts();
        parts.first_seen.extend(first_seen);
        for account in &mut file.accounts {
            if let Some(seen) = parts.first_seen.get(&account.id) {
                Arc::make_mut(account).created_at = *seen;
            }
        }
        parts.file = file;
        parts.webhooks = Arc::new(webhooks);
        parts.started = true;
        beside();
        self.publish(&mut parts);
        warn_of_both(&parts.file, &parts.accounts, &parts.keys);
        self.warn_of_misfits();
        Ok(())
    }

    /// Credit in the store and in memory.
    pub fn credit_ledger(&self) -> CreditLedger<'_> {
        CreditLedger {
            accounts: &self.accounts,
            store: &self.store,
        }
    }

    /// Gives the accounts of a file the credit that they open with, each once for all time.
    async fn open_credit(&self, file: &Roster) -> Result<(), WriteError> {
        let grants: Vec<NewEntry> = {
            let parts = self.parts();
            let opening = file.accounts.iter().filter_map(|account| {
                let amount = account.opening_credit?;
                (parts.opened.get(&account.id) != Some(&amount)).then(|| opening(account, amount))
            });
            opening.collect()
        };
        if grants.is_empty() {
            return Ok(());
        }
        let posted = self.store.post_grants(grants.clone()).await?;
        let mut parts = self.parts();
        for (grant, posted) in grants.into_iter().zip(posted) {
            let account = grant.account;
            match posted {
                Ok(Some(posted)) if !posted.existed => self.accounts.add_lot(
                    &account,
                    Lot {
                        entry: posted.number,
                        remaining: grant.amount,
                        priority: grant.priority,
                        expires_at: grant.expires_at,
                    },
                ),
                Ok(_) => {}
                Err(WriteError::IdConflict) => tracing::warn!(
                    %account,
                    "the account's `credit` has changed, and opening credit is given once; `faregate credit add \
                     {account} <amount>` gives more"
                ),
                Err(error) => {
                    tracing::warn!(%account, %error, "the account's opening credit was not given");
                }
            }
            parts.opened.insert(account, grant.amount);
        }
        Ok(())
    }
}

fn opening(account: &AccountSpec, amount: NanoUsd) -> NewEntry {
    NewEntry {
        id: Some(format!("{OPENING}{}", account.id)),
        account: account.id.clone(),
        kind: EntryKind::Grant,
        amount,
        author: "config".to_owned(),
        reason: Some("opening credit".to_owned()),
        expires_at: None,
        priority: USUAL_PRIORITY,
        related: None,
    }
}

impl Registry for Arc<Publisher> {
    fn roster(&self) -> Arc<Roster> {
        self.accounts.roster()
    }

    async fn put_account(&self, account: AccountSpec, spoken: Spoken) -> Result<(), Rejection> {
        let _one_at_a_time = self.paying.acquire().await;
        let (declared, standing) = self.store.put_account(account, spoken).await?;
        let mut parts = self.parts();
        parts.stand(standing);
        let account = Arc::new(declared);
        match parts
            .accounts
            .iter_mut()
            .find(|other| other.id == account.id)
        {
            Some(other) => *other = account,
            None => parts.accounts.push(account),
        }
        self.publish(&mut parts);
        Ok(())
    }

    async fn put_key(&self, key: KeySpec) -> Result<(), Rejection> {
        self.store.put_key(key.clone()).await?;
        let mut parts = self.parts();
        let key = Arc::new(key);
        match parts.keys.iter_mut().find(|other| other.id == key.id) {
            Some(other) => *other = key,
            None => parts.keys.push(key),
        }
        self.publish(&mut parts);
        Ok(())
    }

    async fn calls(&self, filter: CallFilter) -> Result<Page<CallRow>, Rejection> {
        Ok(self.store.calls(filter).await?)
    }

    async fn call(&self, id: RequestId) -> Result<Option<CallDetails>, Rejection> {
        Ok(self.store.call(id).await?)
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, Rejection> {
        Ok(self.store.usage(query).await?)
    }

    async fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> Result<Page<NotificationRow>, Rejection> {
        Ok(self.store.notifications(filter).await?)
    }

    async fn retry_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationRow>, Rejection> {
        let row = self.store.retry_notification(id).await?;
        self.notifier.look();
        Ok(row)
    }

    async fn test_notification(&self) -> Result<usize, Rejection> {
        Ok(self.notifier.test().await?)
    }

    async fn credit_add(&self, entry: NewEntry) -> Result<Posted, Rejection> {
        self.credit_ledger().add(entry).await
    }

    async fn credit_transfer(&self, transfer: NewTransfer) -> Result<[Posted; 2], Rejection> {
        self.credit_ledger().transfer(transfer).await
    }

    async fn credit(&self, account: AccountId) -> Result<CreditSheet, Rejection> {
        self.credit_ledger().sheet(account).await
    }

    async fn entries(&self, filter: EntryFilter) -> Result<Page<EntryRow, i64>, Rejection> {
        Ok(self.store.entries(filter).await?)
    }

    async fn payment_events(&self, filter: EventFilter) -> Result<Page<EventRow, i64>, Rejection> {
        Ok(self.store.payment_events(filter).await?)
    }

    async fn replay_payment(&self, id: String) -> Result<Received, Rejection> {
        self.replay(&id).await
    }

    async fn customers(
        &self,
        filter: CustomerFilter,
    ) -> Result<Page<CustomerRow, String>, Rejection> {
        Ok(self.store.customers(filter).await?)
    }

    async fn link_customer(&self, link: NewLink) -> Result<Linked, Rejection> {
        self.link(link).await
    }

    fn ready(&self) -> Result<(), &'static str> {
        gateway::ready(&self.shutdown, &self.store)
    }
}

mod payments;
