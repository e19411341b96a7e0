//! One roster of what the file, the store and payment events say.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    accounts::{AccountSpec, KeySpec, PaymentStanding, Roster},
    domain::{AccountId, SubscriptionStatus, Timestamp},
};

/// What payment events say, by account.
pub type Standings = HashMap<AccountId, PaymentStanding>;

/// One roster of what the file and the store say. Where both name the same id or secret the file wins. An account of the
/// file that `first_seen` does not have keeps its dates as they are. What payment events say holds in place of what was
/// declared when they said it.
pub fn merged(
    file: &Roster,
    accounts: &[Arc<AccountSpec>],
    keys: &[Arc<KeySpec>],
    first_seen: &HashMap<AccountId, Timestamp>,
    standings: &Standings,
) -> Roster {
    let mut roster = file.clone();
    // What nothing changes is what was written, and not a copy of it.
    let pay = |account: &mut Arc<AccountSpec>| {
        if let Some(standing) = standings.get(&account.id) {
            standing.overlay(Arc::make_mut(account), |plan| {
                file.plans.iter().any(|known| known.id == *plan)
            });
        }
    };
    for account in &mut roster.accounts {
        pay(account);
        if let Some(seen) = first_seen.get(&account.id) {
            if account.created_at != *seen {
                Arc::make_mut(account).created_at = *seen;
            }
            date(account);
        }
    }
    let named: HashSet<_> = file.accounts.iter().map(|account| &account.id).collect();
    for account in accounts {
        if !named.contains(&account.id) {
            let mut account = Arc::clone(account);
            pay(&mut account);
            date(&mut account);
            roster.accounts.push(account);
        }
    }
    let of_the_file = keys_of(file);
    let others = keys.iter().filter(|key| !of_the_file(key));
    roster.keys.extend(others.map(Arc::clone));
    roster
}

/// Whether a file has a key's id, or one of its secrets.
fn keys_of(file: &Roster) -> impl Fn(&KeySpec) -> bool {
    let named: HashSet<_> = file.keys.iter().map(|key| &key.id).collect();
    let digests: HashSet<_> = file
        .keys
        .iter()
        .flat_map(|key| &*key.digests)
        .map(|(digest, _)| digest)
        .collect();
    move |key| {
        let mut own = key.digests.iter();
        named.contains(&key.id) || own.any(|(digest, _)| digests.contains(digest))
    }
}

/// Names in the log what both the file and the store have.
pub(super) fn warn_of_both(file: &Roster, accounts: &[Arc<AccountSpec>], keys: &[Arc<KeySpec>]) {
    let named: HashSet<_> = file.accounts.iter().map(|account| &account.id).collect();
    for account in accounts
        .iter()
        .filter(|account| named.contains(&account.id))
    {
        tracing::warn!(account = %account.id, "the file and the store both have this account; the file's is used");
    }
    let of_the_file = keys_of(file);
    for key in keys.iter().filter(|key| of_the_file(key)) {
        tracing::warn!(key = %key.id, "the file and the store both have this key; the file's is used");
    }
}

/// A payment that is due without a date counts from when the account was first seen: its grace must end some day.
fn date(account: &mut Arc<AccountSpec>) {
    let undated = account.subscription.as_ref().is_some_and(|stated| {
        stated.status == SubscriptionStatus::PastDue
            && stated.period.is_none()
            && stated.past_due_since.is_none()
    });
    if undated {
        let account = Arc::make_mut(account);
        if let Some(subscription) = &mut account.subscription {
            subscription.past_due_since = Some(account.created_at);
        }
    }
}

#[cfg(test)]
mod tests;
