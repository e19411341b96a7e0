//! What can be done to accounts and keys: what is there, and what is wanted, make what will be there, or words.
//!
//! Pure. Only the API calls it, which the command line asks too, by HTTP or beside a stopped daemon.

mod accounts;
mod bounds;
mod keys;

use std::collections::BTreeSet;

use super::{
    input::Change,
    problem::{Reason, Rejection},
};
use crate::{
    accounts::{AccountSpec, KeySpec, Roster, Source},
    domain::{Limits, ModelName, PlanId, Quota, RateLimits, Unit},
};

pub(in crate::admin) use accounts::{AccountChange, NewAccount, change_account, create_account};
pub(crate) use bounds::misfits;
pub(in crate::admin) use keys::{
    KeyChange, MadeKey, NewKey, change_key, create_key, revoke_key, rotate_key,
};

/// Changes that accounts and keys have in common.
#[derive(Debug, Clone, Default)]
pub(in crate::admin) struct CommonChange {
    /// Whether it is refused for now; clearing lets it in again.
    pub(in crate::admin) disabled: Change<bool>,
    /// The models it may use; clearing leaves that to the level above.
    pub(in crate::admin) models: Change<BTreeSet<ModelName>>,
    /// Its own rate limits, replaced whole.
    pub(in crate::admin) rates: Change<RateLimits>,
    /// Its own quotas of requests and tokens, replaced whole.
    pub(in crate::admin) quotas: Change<Vec<Quota>>,
    /// Its own budgets, replaced whole.
    pub(in crate::admin) budgets: Change<Vec<Quota>>,
}

impl CommonChange {
    /// Changes the members it names.
    pub(super) fn apply(
        self,
        disabled: &mut bool,
        models: &mut Option<BTreeSet<ModelName>>,
        limits: &mut Limits,
    ) {
        self.disabled.apply_or_default(disabled);
        self.models.apply(models);
        self.rates.apply_or_default(&mut limits.rates);
        let all = std::mem::take(&mut limits.quotas);
        let (mut budgets, mut quotas): (Vec<Quota>, Vec<Quota>) =
            all.into_iter().partition(|quota| quota.unit == Unit::Usd);
        self.quotas.apply_or_default(&mut quotas);
        self.budgets.apply_or_default(&mut budgets);
        limits.quotas = quotas;
        limits.quotas.append(&mut budgets);
    }
}

/// The account of an id.
pub(super) fn account<'r>(roster: &'r Roster, id: &str) -> Result<&'r AccountSpec, Rejection> {
    let found = roster.accounts.iter().find(|spec| spec.id.as_str() == id);
    found.map(|spec| &**spec).ok_or_else(|| {
        let words = format!("There is no account {id:?}; `faregate accounts list` shows all.");
        Rejection::new(Reason::NotFound, words)
    })
}

/// The key of an id.
pub(super) fn key<'r>(roster: &'r Roster, id: &str) -> Result<&'r KeySpec, Rejection> {
    let found = roster.keys.iter().find(|spec| spec.id.as_str() == id);
    found.map(|spec| &**spec).ok_or_else(|| {
        let words = format!("There is no key {id:?}; `faregate keys list` shows all.");
        Rejection::new(Reason::NotFound, words)
    })
}

fn plan_exists(roster: &Roster, plan: &PlanId) -> Result<(), Rejection> {
    if roster.plans.iter().any(|known| known.id == *plan) {
        return Ok(());
    }
    let known: Vec<&str> = roster.plans.iter().map(|plan| plan.id.as_str()).collect();
    let known = if known.is_empty() {
        "the configuration file declares none".to_owned()
    } else {
        format!("the configuration file declares {}", known.join(", "))
    };
    Err(Rejection::invalid(format!(
        "There is no plan {:?}; {known}.",
        plan.as_str()
    )))
}

fn writable(kind: &str, id: &str, source: Source) -> Result<(), Rejection> {
    match source {
        Source::Api => Ok(()),
        Source::Config => Err(Rejection::new(
            Reason::ReadOnly,
            format!(
                "{kind} {id:?} is declared in the configuration file, which is the only place to change it. \
                 Edit the file and reload."
            ),
        )),
    }
}
