//! The handle on all accounts: publishes directories, keeps the limits' state across them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};

use super::{
    Account, Book, CounterName, CounterRow, Directory, Key, Levels, Lookup, Roster,
    directory::Prefix, levels::Sources,
};
use crate::domain::{AccountId, Clock, KeyDigest, PlanId, Subscription};

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
        self.directory.store(Arc::new(Directory { keys }));
        self.roster.store(Arc::new(roster));
    }
}

#[cfg(test)]
mod tests;
