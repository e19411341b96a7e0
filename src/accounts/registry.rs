//! The handle on all accounts: publishes directories, keeps the limits' state across them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};

use super::{
    Account, Book, CounterName, CounterRow, Credit, Directory, Draw, Draws, Key, Levels, Lookup,
    Lot, PurseRow, Roster, directory::Prefix, levels::Sources,
};
use crate::domain::{AccountId, Clock, KeyDigest, NanoUsd, PlanId, Subscription};

/// All accounts. Requests read the published directory without a lock.
#[derive(Debug)]
pub struct Accounts {
    directory: ArcSwap<Directory>,
    roster: ArcSwap<Roster>,
    memory: Mutex<Memory>,
    clock: Clock,
}

/// What survives a change of the directory, by id.
#[derive(Debug, Default)]
struct Memory {
    books: HashMap<AccountId, Arc<Book>>,
    stored: HashMap<CounterName, CounterRow>,
}

impl Accounts {
    /// No accounts yet; `stored` counters are continued when their accounts appear.
    pub fn new(clock: Clock, stored: Vec<CounterRow>) -> Self {
        let stored = stored
            .into_iter()
            .map(|row| (row.name.clone(), row))
            .collect();
        Self {
            directory: ArcSwap::default(),
            roster: ArcSwap::default(),
            memory: Mutex::new(Memory {
                books: HashMap::new(),
                stored,
            }),
            clock,
        }
    }

    /// Continues stored credit, by account; accounts may appear later.
    #[must_use]
    pub fn with_credit(self, purses: &[PurseRow]) -> Self {
        let books = purses
            .iter()
            .map(|purse| (purse.account.clone(), Arc::new(Book::with_credit(purse))));
        self.memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .books
            .extend(books);
        self
    }

    /// The credit of an account; nothing for one that never had any.
    pub fn credit(&self, account: &AccountId) -> Credit {
        self.book(account).credit(self.clock.now())
    }

    /// Adds credit that is in the store: the next request sees it.
    pub fn add_lot(&self, account: &AccountId, lot: Lot) {
        self.book(account).add_lot(lot);
    }

    /// Takes credit away, for an entry that is on its way to the store: nobody spends it meanwhile. It ends with
    /// [`Self::drawn`] or [`Self::give_back`].
    #[must_use = "an entry that could not be written gives it back"]
    pub fn draw(&self, account: &AccountId, amount: NanoUsd) -> Draws {
        self.book(account).draw(amount, self.clock.now())
    }

    /// Takes what is left of some lots and no call holds, for an entry that is on its way to the store. It ends as
    /// [`Self::draw`] does.
    #[must_use = "an entry that could not be written gives it back"]
    pub fn empty(&self, account: &AccountId, lots: &[i64]) -> Draws {
        self.book(account).empty(lots, self.clock.now())
    }

    /// Gives back what [`Self::draw`] took, because the store has no entry of it.
    pub fn give_back(&self, account: &AccountId, amount: NanoUsd, draws: &Draws) {
        self.book(account).give_back(amount, draws);
    }

    /// Says that the entry of what [`Self::draw`] took is in the store: it will not be given back.
    pub fn drawn(&self, account: &AccountId) {
        self.book(account).drawn();
    }

    /// Credit that has expired and is not in the store yet, by account. Whoever asks writes it, or puts it back.
    #[must_use = "what is not written would be lost without a record"]
    pub fn take_expired(&self) -> Vec<(AccountId, Vec<Draw>)> {
        let books: Vec<_> = {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            let books = memory.books.iter();
            books
                .map(|(id, book)| (id.clone(), Arc::clone(book)))
                .collect()
        };
        let now = self.clock.now();
        books
            .into_iter()
            .map(|(id, book)| (id, book.take_expired(now)))
            .filter(|(_, expired)| !expired.is_empty())
            .collect()
    }

    /// Says that the store could not take what [`Self::take_expired`] gave.
    pub fn put_back_expired(&self, account: &AccountId, expired: Vec<Draw>) {
        self.book(account).put_back_expired(expired);
    }

    fn book(&self, account: &AccountId) -> Arc<Book> {
        let memory = &mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(memory.books.entry(account.clone()).or_default())
    }

    /// The directory that is in force.
    pub fn directory(&self) -> Guard<Arc<Directory>> {
        self.directory.load()
    }

    /// What the directory was made from.
    pub fn roster(&self) -> Arc<Roster> {
        self.roster.load_full()
    }

    /// Looks a key up by its digest.
    pub fn lookup(&self, digest: &KeyDigest) -> Option<Lookup> {
        self.directory.load().lookup(digest).cloned()
    }

    /// Puts `roster` in force: the next request sees it, requests under way keep what they were admitted by. An
    /// account whose plan is unknown, or a key whose account is, opens nothing.
    pub fn publish(&self, roster: Roster) {
        let memory = &mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let plans: HashMap<&PlanId, Arc<_>> = roster
            .plans
            .iter()
            .map(|plan| (&plan.id, Arc::new(plan.clone())))
            .collect();
        let mut accounts = HashMap::with_capacity(roster.accounts.len());
        for spec in &roster.accounts {
            let Some(plan) = plans.get(&spec.plan) else {
                continue;
            };
            let account = Arc::new(Account {
                id: spec.id.clone(),
                plan: Arc::clone(plan),
                disabled: spec.disabled,
                subscription: spec.subscription.clone(),
                models: spec.models.clone(),
                anchor: Subscription::anchor(spec.subscription.as_ref(), spec.created_at),
                book: Arc::clone(memory.books.entry(spec.id.clone()).or_default()),
            });
            accounts.insert(&spec.id, (account, &spec.limits));
        }
        let stored = |name: &CounterName| memory.stored.get(name).cloned();
        let mut keys = HashMap::with_capacity_and_hasher(
            roster.keys.len(),
            std::hash::BuildHasherDefault::<Prefix>::new(),
        );
        for spec in &roster.keys {
            let Some((account, own)) = accounts.get(&spec.account) else {
                continue;
            };
            let sources = Sources {
                account: &account.id,
                key: &spec.id,
                plan: &account.plan.limits,
                own,
                per_key: &account.plan.per_key,
                narrow: &spec.limits,
                credit: account.plan.credit_required,
                anchor: account.anchor,
            };
            let key = Arc::new(Key {
                id: spec.id.clone(),
                account: Arc::clone(account),
                expires_at: spec.expires_at,
                revoked: spec.revoked_at.is_some(),
                disabled: spec.disabled,
                models: spec.models.clone(),
                allowed_ips: spec.allowed_ips.clone(),
                levels: Levels::compile(&sources, &account.book, &self.clock, &stored),
            });
            for (digest, until) in &spec.digests {
                keys.insert(
                    *digest,
                    Lookup {
                        key: Arc::clone(&key),
                        until: *until,
                    },
                );
            }
        }
        for (account, _) in accounts.values() {
            account.book.trim();
        }
        self.directory.store(Arc::new(Directory { keys }));
        self.roster.store(Arc::new(roster));
    }
}

#[cfg(test)]
mod tests;
