//! What there is to tell: every account is looked at every few seconds, and what was told before is not told again.
//!
//! Looking costs the requests nothing but the moment in which an account's limits are read, as its own page of limits
//! reads them. Nothing here is sent or written.

mod credit;
mod limits;
mod standing;

use std::collections::HashMap;

use serde_json::{Value, json};

pub(crate) use credit::Balances;

use super::{
    Settings,
    event::{Found, Notice},
};
use crate::{
    accounts::{AccountSpec, Accounts, Roster},
    domain::{AccountId, Clock, EmailAddress, PlanId, Timestamp},
    refusal::{Links, Remedy},
    store::Mark,
};

/// Accounts and keys that are looked at before others get their turn on this thread: under a millisecond.
const AT_ONCE: usize = 256;

/// What was told so far.
#[derive(Debug, Default)]
pub(crate) struct Marks(HashMap<String, (i64, i64)>);

/// One look around.
struct Look<'a> {
    accounts: &'a Accounts,
    balances: &'a Balances,
    settings: &'a Settings,
    clock: &'a Clock,
    now: Timestamp,
    told: &'a Marks,
    /// What this look has found already: the limits of an account are met at each of its keys.
    fresh: Marks,
    found: Vec<Found>,
}

/// Looks at every account and key.
pub(crate) async fn look(
    accounts: &Accounts,
    settings: &Settings,
    clock: &Clock,
    told: &Marks,
    balances: &Balances,
) -> Vec<Found> {
    let mut look = Look {
        accounts,
        balances,
        settings,
        clock,
        now: clock.now(),
        told,
        fresh: Marks::default(),
        found: Vec::new(),
    };
    let roster = accounts.roster();
    let plans: HashMap<&PlanId, _> = roster.plans.iter().map(|plan| (&plan.id, plan)).collect();
    for some in roster.accounts.chunks(AT_ONCE) {
        for account in some {
            if let Some(plan) = plans.get(&account.plan) {
                look.standing(account, plan);
                look.credit(account, plan);
            }
        }
        tokio::task::yield_now().await;
    }
    let directory = accounts.directory().clone();
    for (index, key) in directory.keys().enumerate() {
        look.limits(key);
        if index % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
    }
    let mut found = look.found;
    if found.iter().any(|found| found.notice.is_some()) {
        address(&mut found, &roster);
    }
    found
}

/// Notes where each account's people are written to.
fn address(found: &mut [Found], roster: &Roster) {
    let known: HashMap<&AccountId, &EmailAddress> = roster
        .accounts
        .iter()
        .filter_map(|account| Some((&account.id, account.email.as_ref()?)))
        .collect();
    for notice in found.iter_mut().filter_map(|found| found.notice.as_mut()) {
        let email = notice.account.as_ref().and_then(|id| known.get(id));
        notice.email = email.map(|email| (*email).clone());
    }
}

/// A notice about an account as a whole.
fn about(account: &AccountSpec, notice: Notice) -> Notice {
    Notice {
        account: Some(account.id.clone()),
        plan: Some(account.plan.clone()),
        ..notice
    }
}

/// Something that somebody of the account can do, and where, when a page is configured.
fn action(remedy: Remedy, links: &Links, account: &AccountId) -> Value {
    let rel = remedy.as_str();
    match remedy.page(links, Some(account)) {
        Some(page) => json!({"rel": rel, "href": page}),
        None => json!({"rel": rel}),
    }
}

impl Look<'_> {
    /// What was seen last at a place.
    fn last(&self, slot: &str) -> Option<(i64, i64)> {
        self.fresh.get(slot).or_else(|| self.told.get(slot))
    }

    /// Whether this much was told of this one.
    fn is_told(&self, slot: &str, at: i64, level: i64) -> bool {
        let last = self.last(slot);
        last.is_some_and(|(told_at, told)| told_at == at && told >= level)
    }

    /// Notes what is seen, and tells it where there is something to tell.
    fn note(&mut self, slot: String, at: i64, level: i64, notice: Option<Notice>) {
        let mark = Mark { slot, at, level };
        self.fresh.put(&mark);
        self.found.push(Found { mark, notice });
    }
}

impl Marks {
    /// What was told, as the store has it.
    pub(crate) fn of(stored: Vec<Mark>) -> Self {
        let mut marks = Self::default();
        for mark in &stored {
            marks.put(mark);
        }
        marks
    }

    /// Notes what has been told now.
    pub(crate) fn put(&mut self, mark: &Mark) {
        self.0.insert(mark.slot.clone(), (mark.at, mark.level));
    }

    fn get(&self, slot: &str) -> Option<(i64, i64)> {
        self.0.get(slot).copied()
    }
}

#[cfg(test)]
mod tests;
