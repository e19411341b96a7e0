//! The handle on all accounts: publishes directories, keeps the limits' state across them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};

use super::{
    Account, Book, CounterRow, Credit, CreditRow, Directory, Draw, Draws, Lookup, Lot, Plan,
    Roster,
    directory::{InitialState, Stored},
};
use crate::domain::{
    AccountId, Clock, ClockTrust, ClockWatch, KeyDigest, NanoUsd, PlanId, Subscription, Timestamp,
};

/// All accounts. Requests read the published directory without a lock.
#[derive(Debug)]
pub struct Accounts {
    directory: ArcSwap<Directory>,
    roster: ArcSwap<Roster>,
    memory: Mutex<Memory>,
    /// When lots expire, and whose they are: nobody has to look at every account to find out.
    expiring: Mutex<BTreeSet<(Timestamp, AccountId)>>,
    clock: Clock,
    clock_watch: Mutex<ClockWatch>,
}

/// How far the wall clock may jump before expired credit is recorded later.
const JUMP: Duration = Duration::from_secs(60);

/// What survives a change of the directory, by id.
#[derive(Debug, Default)]
struct Memory {
    books: HashMap<AccountId, Arc<Book>>,
    plans: HashMap<PlanId, Arc<Plan>>,
}

impl Accounts {
    /// No accounts yet; `stored` counters are continued when their accounts appear.
    pub fn new(clock: Clock, stored: Vec<CounterRow>) -> Self {
        let initial = InitialState {
            clock: clock.clone(),
            stored: Stored::of(stored),
        };
        Self {
            directory: ArcSwap::from_pointee(Directory::empty(initial)),
            roster: ArcSwap::default(),
            memory: Mutex::default(),
            expiring: Mutex::default(),
            clock,
            clock_watch: Mutex::new(ClockWatch::within(JUMP)),
        }
    }

    /// Continues stored credit, by account; accounts may appear later.
    #[must_use]
    pub fn with_credit(self, stored: &[CreditRow]) -> Self {
        for row in stored {
            let ends = row.lots.iter().filter_map(|lot| lot.expires_at);
            ends.for_each(|end| self.expires(end, &row.account));
        }
        let books = stored
            .iter()
            .map(|row| (row.account.clone(), Arc::new(Book::with_credit(row))));
        self.memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .books
            .extend(books);
        self
    }

    /// Compares the clock with the newest record that was stored. One that is far from it may be wrong, and is doubted until
    /// it has been steady for an hour: what expires meanwhile is not recorded, and is there again with the right time.
    #[must_use]
    pub fn since(self, newest: Option<Timestamp>) -> Self {
        if self.clock_watch().look(&self.clock, newest) == ClockTrust::Jumped
            && let Some(newest) = newest
        {
            let now = self.clock.now();
            let course = if now < newest {
                "behind"
            } else {
                "more than a day ahead of"
            };
            tracing::warn!(
                %now, %newest,
                "the clock is {course} the newest record of the store; if it is right, nothing has to be done: credit that \
                 expires is recorded when it has been steady for an hour; if it is wrong, correct it, and start again: \
                 quotas and subscriptions go by it"
            );
        }
        self
    }

    /// The credit of an account; nothing for one that never had any.
    pub fn credit(&self, account: &AccountId) -> Credit {
        self.book(account).credit(self.clock.now())
    }

    /// Adds credit that is in the store: the next request sees it.
    pub fn add_lot(&self, account: &AccountId, lot: Lot) {
        self.book(account).add_lot(lot);
        if let Some(end) = lot.expires_at {
            self.expires(end, account);
        }
    }

    /// Puts what is left of some lots into another, as the store has done: it is under other terms from now on.
    pub fn renew(&self, account: &AccountId, lots: &[i64], lot: Lot) {
        self.book(account).renew(lots, lot);
        if let Some(end) = lot.expires_at {
            self.expires(end, account);
        }
    }

    /// Takes credit away, for an entry that is on its way to the store: nobody spends it meanwhile. It ends with
    /// [`Self::drawn`] or [`Self::give_back`].
    #[must_use = "an entry that could not be written gives it back"]
    pub fn draw(&self, account: &AccountId, amount: NanoUsd) -> Draws {
        self.draw_first(account, &[], amount)
    }

    /// The same, from some lots before all others: what goes back of a payment is its own.
    #[must_use = "an entry that could not be written gives it back"]
    pub fn draw_first(&self, account: &AccountId, lots: &[i64], amount: NanoUsd) -> Draws {
        self.book(account).draw(lots, amount, self.clock.now())
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

    /// Whether expired credit may be recorded, after which it is lost for good. Until then a clock that was ahead and is put
    /// right gives it back.
    fn may_record(&self) -> bool {
        let trust = self.clock_watch().look(&self.clock, None);
        if trust == ClockTrust::Jumped {
            tracing::warn!(
                now = %self.clock.now(),
                "the clock has jumped; credit that expires is recorded when it has been steady for an hour"
            );
        }
        trust == ClockTrust::Trusted
    }

    /// Credit that has expired and is not in the store yet, by account. Whoever asks writes it, or puts it back. None while
    /// the clock is in doubt.
    #[must_use = "what is not written would be lost without a record"]
    pub fn take_expired(&self) -> Vec<(AccountId, Vec<Draw>)> {
        if !self.may_record() {
            return Vec::new();
        }
        let now = self.clock.now();
        let due = {
            let expiring = &mut *self.expiring();
            let mut due = BTreeSet::new();
            while expiring.first().is_some_and(|(end, _)| *end <= now) {
                due.extend(expiring.pop_first());
            }
            due
        };
        let mut lost = Vec::new();
        for (end, account) in due {
            let (expired, more) = self.book(&account).take_expired(now);
            if more {
                self.expires(end, &account);
            }
            if !expired.is_empty() {
                lost.push((account, expired));
            }
        }
        lost
    }

    /// The same for one account.
    #[must_use = "what is not written would be lost without a record"]
    pub fn take_expired_of(&self, account: &AccountId) -> Vec<Draw> {
        if !self.may_record() {
            return Vec::new();
        }
        // Whether there is more is found out when its time is looked at, which stays on the list.
        let (expired, _) = self.book(account).take_expired(self.clock.now());
        expired
    }

    /// Says that the store could not take what [`Self::take_expired`] gave.
    pub fn put_back_expired(&self, account: &AccountId, expired: Vec<Draw>) {
        self.book(account).put_back_expired(expired);
        self.expires(self.clock.now(), account);
    }

    fn expires(&self, at: Timestamp, account: &AccountId) {
        self.expiring().insert((at, account.clone()));
    }

    fn clock_watch(&self) -> MutexGuard<'_, ClockWatch> {
        self.clock_watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn expiring(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, AccountId)>> {
        self.expiring.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.directory.load().lookup(digest)
    }

    /// Puts `roster` in force: the next request sees it, requests under way keep what they were admitted by. An
    /// account whose plan is unknown, or a key whose account is, opens nothing.
    pub fn publish(&self, roster: Roster) {
        let memory = &mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut memory.plans);
        for plan in &roster.plans {
            // A plan that stays as it is stays the same one, and so do the keys on it.
            let same = before.get(&plan.id).filter(|old| *old.spec() == *plan);
            let kept = same.map_or_else(|| Arc::new(Plan::new(plan.clone())), Arc::clone);
            memory.plans.insert(plan.id.clone(), kept);
        }
        let mut accounts = HashMap::with_capacity(roster.accounts.len());
        for spec in &roster.accounts {
            let Some(plan) = memory.plans.get(&spec.plan) else {
                continue;
            };
            let account = Arc::new(Account {
                spec: Arc::clone(spec),
                plan: Arc::clone(plan),
                anchor: Subscription::anchor(spec.subscription.as_ref(), spec.created_at),
                book: Arc::clone(memory.books.entry(spec.id.clone()).or_default()),
            });
            accounts.insert(&spec.id, account);
        }
        let mut keys = Vec::with_capacity(roster.keys.len());
        for spec in &roster.keys {
            if let Some(account) = accounts.get(&spec.account) {
                keys.push((Arc::clone(spec), Arc::clone(account)));
            }
        }
        drop(accounts);
        let next = self.directory.load().next(keys);
        self.directory.store(Arc::new(next));
        self.roster.store(Arc::new(roster));
    }
}

#[cfg(test)]
mod tests;
