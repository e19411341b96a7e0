//! What the store asks while it applies a payment event: what is declared, and credit that is taken in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    accounts::{AccountSpec, Accounts, Declaration, Draws, PaymentStanding, Spoken},
    domain::{AccountId, NanoUsd, Vendor},
    store::LiveAccounts,
};

/// What is declared, by a file or through the API.
#[derive(Debug, Default)]
pub struct Declared {
    /// Every account, by id.
    accounts: Vec<Arc<AccountSpec>>,
    /// Customers of vendors, and whose they are.
    pub customers: BTreeMap<(Vendor, String), AccountId>,
}

/// Credit that is taken for entries that are on their way to the store. What is taken goes back unless it is kept.
#[derive(Debug)]
pub struct Withdrawals<'a> {
    accounts: &'a Accounts,
    taken: TakenDraws,
}

type TakenDraws = Arc<Mutex<Vec<(AccountId, NanoUsd, Draws)>>>;

/// What the store is given to apply an event with: it lists what is taken, so that it can go back.
#[derive(Debug)]
pub struct EventContext {
    accounts: Arc<Accounts>,
    declared: Arc<Declared>,
    taken: TakenDraws,
}

impl Declared {
    /// What the file and the administrator say; `customers` are the file's.
    pub fn of<'s>(
        accounts: impl IntoIterator<Item = &'s Arc<AccountSpec>>,
        customers: &BTreeMap<(Vendor, String), AccountId>,
    ) -> Self {
        let mut declared: Vec<_> = accounts.into_iter().cloned().collect();
        // The file's come first, and hold: sorting leaves equals in their order.
        declared.sort_by(|one, other| one.id.cmp(&other.id));
        declared.dedup_by(|later, first| later.id == first.id);
        declared.shrink_to_fit();
        Self {
            accounts: declared,
            customers: customers.clone(),
        }
    }

    /// The accounts of which something else is declared than what the standing was put in place of. An account that is
    /// not there any more says nothing.
    pub fn overruled<'s>(
        &self,
        standings: impl IntoIterator<Item = &'s PaymentStanding>,
    ) -> Vec<(AccountId, Spoken)> {
        let overruled = standings.into_iter().filter_map(|standing| {
            let declared = self.declaration(&standing.account)?;
            let spoken = standing.contradicted(&declared)?;
            Some((standing.account.clone(), spoken))
        });
        overruled.collect()
    }

    /// What is declared of an account.
    fn declaration(&self, account: &AccountId) -> Option<Declaration> {
        let place = self
            .accounts
            .binary_search_by(|spec| spec.id.cmp(account))
            .ok()?;
        Some(Declaration::of(&self.accounts[place]))
    }
}

impl<'a> Withdrawals<'a> {
    /// Nothing taken of `accounts` yet, and what the store is given to take it with.
    pub fn open(accounts: &'a Arc<Accounts>, declared: Arc<Declared>) -> (Self, Box<EventContext>) {
        let taken = TakenDraws::default();
        let context = EventContext {
            accounts: Arc::clone(accounts),
            declared,
            taken: Arc::clone(&taken),
        };
        (Self { accounts, taken }, Box::new(context))
    }

    /// The store has the entries.
    pub fn keep(self) {
        for (account, ..) in self.taken().drain(..) {
            self.accounts.drawn(&account);
        }
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Vec<(AccountId, NanoUsd, Draws)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Withdrawals<'_> {
    fn drop(&mut self) {
        for (account, amount, draws) in self.taken().drain(..) {
            self.accounts.give_back(&account, amount, &draws);
        }
    }
}

impl EventContext {
    fn note(&self, account: &AccountId, amount: NanoUsd, draws: &Draws) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push((account.clone(), amount, draws.clone()));
    }
}

impl LiveAccounts for EventContext {
    fn declared(&self, account: &AccountId) -> Option<Declaration> {
        self.declared.declaration(account)
    }

    fn account_of(&self, vendor: Vendor, customer: &str) -> Option<AccountId> {
        let key = (vendor, customer.to_owned());
        self.declared.customers.get(&key).cloned()
    }

    fn customer_of(&self, vendor: Vendor, account: &AccountId) -> Option<String> {
        let mut customers = self.declared.customers.iter();
        customers
            .find(|((of, _), owner)| *of == vendor && *owner == account)
            .map(|((_, customer), _)| customer.clone())
    }

    fn draw(&mut self, account: &AccountId, first: &[i64], amount: NanoUsd) -> Draws {
        let draws = self.accounts.draw_first(account, first, amount);
        self.note(account, amount, &draws);
        draws
    }

    fn empty(&mut self, account: &AccountId, lots: &[i64]) -> Draws {
        let draws = self.accounts.empty(account, lots);
        let amount = draws
            .iter()
            .fold(NanoUsd::ZERO, |sum, draw| sum.saturating_add(draw.amount));
        self.note(account, amount, &draws);
        draws
    }

    fn give_back(&mut self, account: &AccountId, amount: NanoUsd, draws: &Draws) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = |(of, _, had): &(AccountId, NanoUsd, Draws)| of == account && had == draws;
        if let Some(at) = taken.iter().position(noted) {
            taken.remove(at);
        }
        self.accounts.give_back(account, amount, draws);
    }
}
