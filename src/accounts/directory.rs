//! The immutable picture of all keys, accounts and plans that requests read.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    ops::Deref,
    sync::{Arc, OnceLock},
};

use super::{
    AccountSpec, Book, CounterName, CounterRow, KeySpec, Levels, Owner, Plan, levels::Sources,
};
use crate::domain::{AccountId, Anchor, Clock, KeyDigest, KeyId, ModelName, Per, Timestamp, Unit};

/// An account as requests see it: what was written, with the plan in place of its name.
#[derive(Debug)]
pub struct Account {
    pub(super) spec: Arc<AccountSpec>,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Where `per: period` is counted from.
    pub anchor: Anchor,
    /// The state of its limits.
    pub book: Arc<Book>,
}

/// A key as requests see it: what was written, with the account in place of its name.
#[derive(Debug)]
pub struct Key {
    spec: Arc<KeySpec>,
    /// Who pays.
    pub account: Arc<Account>,
    /// Every limit that binds it.
    pub levels: Levels,
}

/// What a digest opens.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The key.
    pub key: Arc<Key>,
    /// Until when this secret opens it; set on the old secret of a rotation.
    pub until: Option<Timestamp>,
}

/// All keys by digest. Most keys are not in use, so what only calls need of one is made when the first comes.
#[derive(Debug)]
pub struct Directory {
    entries: Box<[Entry]>,
    places: Places,
    initial: Arc<InitialState>,
    generation: u64,
    /// Where keys have used something that are nobody's now: what they used goes on, whoever they come back to.
    gone: HashMap<KeyId, Arc<Book>>,
}

#[derive(Debug)]
struct Entry {
    spec: Arc<KeySpec>,
    account: Arc<Account>,
    key: OnceLock<Arc<Key>>,
}

/// Places among the entries, found by digest: a table with open addressing, at most half of it full. A digest is already
/// a hash, so its first bytes serve as one: digests are SHA-256 of secrets that no caller chooses freely, and finding
/// many with one prefix costs 2^64 hashes for each.
#[derive(Debug)]
struct Places(Box<[u32]>);

/// No place.
const EMPTY: u32 = u32::MAX;

/// What the state of limits begins from, in every directory.
#[derive(Debug)]
pub(super) struct InitialState {
    pub(super) clock: Clock,
    pub(super) stored: Stored,
}

/// Counters as they were stored, by owner.
#[derive(Debug, Default)]
pub(super) struct Stored(HashMap<Owner, Vec<StoredCounter>>);

#[derive(Debug, Clone, Copy)]
struct StoredCounter {
    unit: Unit,
    per: Per,
    window_start: Timestamp,
    used: u64,
}

impl Deref for Account {
    type Target = AccountSpec;

    fn deref(&self) -> &AccountSpec {
        &self.spec
    }
}

impl Deref for Key {
    type Target = KeySpec;

    fn deref(&self) -> &KeySpec {
        &self.spec
    }
}

impl Key {
    /// The lists of models that bind it: its own, its account's and its plan's. A model has to be in each of them.
    pub fn model_lists(&self) -> impl Iterator<Item = &BTreeSet<ModelName>> {
        let account = &self.account;
        let lists = [&self.own.models, &account.models, &account.plan.models];
        lists.into_iter().flatten()
    }

    /// Whether it is what would be made of these: nothing of what its limits come from was written anew.
    fn is_of(&self, spec: &Arc<KeySpec>, account: &Account) -> bool {
        Arc::ptr_eq(&self.spec, spec)
            && Arc::ptr_eq(&self.account.spec, &account.spec)
            && Arc::ptr_eq(&self.account.plan, &account.plan)
            && Arc::ptr_eq(&self.account.book, &account.book)
    }
}

impl Directory {
    /// Nobody. Limits of later directories begin from `initial`.
    pub(super) fn empty(initial: InitialState) -> Self {
        Self {
            entries: Box::default(),
            places: Places::of(&[]),
            initial: Arc::new(initial),
            generation: 0,
            gone: HashMap::new(),
        }
    }

    /// The directory that comes after this one. Keys that are in use, or have been, are made at once.
    pub(super) fn next(&self, keys: Vec<(Arc<KeySpec>, Arc<Account>)>) -> Self {
        let entry = |(spec, account)| Entry {
            spec,
            account,
            key: OnceLock::new(),
        };
        let entries: Box<[Entry]> = keys.into_iter().map(entry).collect();
        let mut next = Self {
            places: Places::of(&entries),
            entries,
            initial: Arc::clone(&self.initial),
            generation: self.generation + 1,
            gone: HashMap::new(),
        };
        let mut in_use: HashMap<&KeyId, &Arc<Key>> =
            self.keys().map(|key| (&key.id, key)).collect();
        let mut gone = self.gone.clone();
        let stored = &self.initial.stored;
        let spenders: HashSet<&AccountId> = self.keys().map(|key| &key.account.id).collect();
        let mut shown = HashSet::new();
        for entry in &next.entries {
            let Entry { spec, account, .. } = entry;
            let used = in_use.remove(&spec.id);
            let before = match used {
                Some(key) => Some(Arc::clone(&key.account.book)),
                None => gone.remove(&spec.id),
            };
            if let Some(book) = &before {
                // A counter is its key's, whoever pays for it now.
                account.book.adopt(&spec.id, book);
            }
            if let Some(key) = used.filter(|key| key.is_of(spec, account)) {
                let _ = entry.key.set(Arc::clone(key));
            } else if before.is_some() || stored.has(|| Owner::Key(spec.id.clone())) {
                next.key(entry);
            }
            // What an account has used is seen by one of its keys, though the one that used it has gone.
            let spent = || {
                spenders.contains(&account.id) || stored.has(|| Owner::Account(account.id.clone()))
            };
            if spec.own.revoked_at.is_none() && spent() && shown.insert(&account.id) {
                next.key(entry);
            }
        }
        let leave = in_use
            .into_iter()
            .filter(|(id, key)| key.account.book.counts(id));
        gone.extend(leave.map(|(id, key)| (id.clone(), Arc::clone(&key.account.book))));
        next.gone = gone;
        next
    }

    /// The key that a digest opens.
    pub fn lookup(&self, digest: &KeyDigest) -> Option<Lookup> {
        let place = self.places.find(&self.entries, digest).1?;
        let entry = &self.entries[place];
        Some(Lookup {
            key: Arc::clone(self.key(entry)),
            until: entry.opened_until(digest)?,
        })
    }

    /// The keys of which something may have been used. All others have used nothing.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.entries.iter().filter_map(|entry| entry.key.get())
    }

    fn key<'e>(&self, entry: &'e Entry) -> &'e Arc<Key> {
        entry.key.get_or_init(|| {
            let Entry { spec, account, .. } = entry;
            let sources = Sources {
                account: &account.id,
                key: &spec.id,
                plan: &account.plan.limits,
                own: &account.limits,
                per_key: &account.plan.per_key,
                narrow: &spec.own.limits,
                credit: account.plan.credit_required,
                anchor: account.anchor,
                generation: self.generation,
            };
            let InitialState { clock, stored } = &*self.initial;
            let stored = |name: &CounterName| stored.rows(name);
            Arc::new(Key {
                spec: Arc::clone(spec),
                account: Arc::clone(account),
                levels: Levels::compile(&sources, &account.book, clock, &stored),
            })
        })
    }
}

impl Entry {
    /// Whether the secret of `digest` opens it, and until when.
    fn opened_until(&self, digest: &KeyDigest) -> Option<Option<Timestamp>> {
        let mut openers = self.spec.digests.iter();
        let opener = openers.find(|(known, _)| known == digest);
        opener.map(|(_, until)| *until)
    }
}

impl Places {
    /// The places of all entries; where two have one secret, it opens the later one.
    fn of(entries: &[Entry]) -> Self {
        let secrets = entries
            .iter()
            .map(|entry| entry.spec.digests.len())
            .sum::<usize>();
        let slots = secrets.saturating_mul(2).next_power_of_two();
        let mut places = Self(vec![EMPTY; slots].into());
        for (place, entry) in (0..EMPTY).zip(entries) {
            for (digest, _) in &*entry.spec.digests {
                let (slot, _) = places.find(entries, digest);
                places.0[slot] = place;
            }
        }
        places
    }

    /// The slot that a digest has or would have, and the place among the entries that is in it.
    fn find(&self, entries: &[Entry], digest: &KeyDigest) -> (usize, Option<usize>) {
        let last = self.0.len() - 1;
        let prefix = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        let mut slot = u64::from_le_bytes(prefix) as usize & last;
        loop {
            let place = self.0[slot];
            if place == EMPTY {
                return (slot, None);
            }
            let place = place as usize;
            if entries[place].opened_until(digest).is_some() {
                return (slot, Some(place));
            }
            slot = (slot + 1) & last;
        }
    }
}

impl Stored {
    pub(super) fn of(rows: Vec<CounterRow>) -> Self {
        let mut stored = Self::default();
        for row in rows {
            let CounterRow {
                name: CounterName { owner, unit, per },
                window_start,
                used,
            } = row;
            let counters = stored.0.entry(owner).or_default();
            counters.reserve_exact(1);
            counters.push(StoredCounter {
                unit,
                per,
                window_start,
                used,
            });
        }
        stored
    }

    /// Whether anything of an owner was stored.
    fn has(&self, owner: impl FnOnce() -> Owner) -> bool {
        !self.0.is_empty() && self.0.contains_key(&owner())
    }

    /// The windows of a counter, the newest first.
    fn rows(&self, name: &CounterName) -> Vec<CounterRow> {
        let counters = self.0.get(&name.owner).into_iter().flatten();
        let found = counters.filter(|counter| counter.unit == name.unit && counter.per == name.per);
        let mut rows: Vec<_> = found
            .map(|counter| CounterRow {
                name: name.clone(),
                window_start: counter.window_start,
                used: counter.used,
            })
            .collect();
        rows.sort_unstable_by_key(|row| Reverse(row.window_start));
        rows
    }
}

#[cfg(test)]
mod tests;
