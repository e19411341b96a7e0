//! What accounts and keys need of the configuration file: plans and models that exist, and for a token quota a bound of
//! every model it allows, because a call is held by the most it can use. The file itself is held to the same rules when
//! it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::CommonChange;
use crate::{
    accounts::{AccountSpec, Extent, KeySpec, Roster},
    admin::{input::Change, problem::Rejection},
    domain::{Limits, ModelName, Per, Unit},
};

/// A list of models, of the plan, the account or the key; `None` leaves it to the others.
type List<'a> = Option<&'a BTreeSet<ModelName>>;

/// Accounts and keys that are named where many have the same fault.
const SHOWN: usize = 4;

impl CommonChange {
    /// Whether it bears on which models a token quota or a budget allows. A change that does not must go through whatever
    /// holds: an account is disabled in a hurry.
    pub(super) const fn bears_on_models(&self) -> bool {
        !matches!(
            (&self.models, &self.quotas, &self.budgets),
            (Change::Keep, Change::Keep, Change::Keep)
        )
    }
}

/// Whether the models an account names exist, and its token quotas and those of its keys can be held.
pub(super) fn check_account(roster: &Roster, account: &AccountSpec) -> Result<(), Rejection> {
    check_names(roster, account.models.as_ref())?;
    let own = fault_of_account(roster, account);
    let keys = roster.keys.iter().filter(|key| key.account == account.id);
    let fault = own.or_else(|| {
        keys.filter(|key| key.own.revoked_at.is_none())
            .find_map(|key| fault_of_key(roster, account, key))
    });
    fault.map_or(Ok(()), |words| Err(Rejection::invalid(words)))
}

/// Whether what an account and its keys count per billing period can be counted from somewhere.
pub(super) fn check_period(roster: &Roster, account: &AccountSpec) -> Result<(), Rejection> {
    let keys = roster.keys.iter().filter(|key| key.account == account.id);
    let mut keys = keys.filter(|key| key.own.revoked_at.is_none());
    let fault = unplaced_of_account(roster, account)
        .or_else(|| keys.find_map(|key| unplaced_of_key(roster, account, key)));
    fault.map_or(Ok(()), |words| Err(Rejection::invalid(words)))
}

/// Whether the models a key names exist, and its token quotas can be held.
pub(super) fn check_key(
    roster: &Roster,
    account: &AccountSpec,
    key: &KeySpec,
) -> Result<(), Rejection> {
    check_names(roster, key.own.models.as_ref())?;
    let fault = fault_of_key(roster, account, key);
    fault.map_or(Ok(()), |words| Err(Rejection::invalid(words)))
}

/// What does not fit the configuration file of accounts and keys that were created under another one. Each text is a
/// sentence or two that name one and say what to do.
pub(crate) fn misfits(roster: &Roster) -> Vec<String> {
    let accounts = roster.accounts.iter().flat_map(|account| {
        without_plan(roster, account)
            .into_iter()
            .chain(fault_of_account(roster, account))
    });
    // Every key looks its account up: a million of them must not go through a million accounts each.
    let owners = roster.accounts.iter().map(|account| (&account.id, account));
    let owners: HashMap<_, _> = owners.collect();
    let keys = roster
        .keys
        .iter()
        .filter(|key| key.own.revoked_at.is_none());
    let keys = keys.filter_map(|key| {
        match owners.get(&key.account) {
            Some(account) => fault_of_key(roster, account, key),
            None => Some(format!(
                "Key {:?} opens nothing: its account {:?} is declared nowhere any more. Create the account, or revoke \
                 the key.",
                key.id.as_str(),
                key.account.as_str()
            )),
        }
    });
    accounts.chain(keys).chain(unknown_models(roster)).collect()
}

/// Who names a model that the file does not have: a sentence for each model, because a renamed one may stand in many keys.
fn unknown_models(roster: &Roster) -> Vec<String> {
    let Some(models) = &roster.models else {
        return Vec::new();
    };
    let accounts = roster.accounts.iter();
    let accounts =
        accounts.map(|account| (account.models.as_ref(), "account", account.id.as_str()));
    let keys = roster.keys.iter();
    let keys = keys
        .filter(|key| key.own.revoked_at.is_none())
        .map(|key| (key.own.models.as_ref(), "key", key.id.as_str()));
    let mut named: BTreeMap<&ModelName, (Vec<String>, usize)> = BTreeMap::new();
    for (list, kind, id) in accounts.chain(keys) {
        let unknown = list.into_iter().flatten();
        for model in unknown.filter(|name| !models.contains_key(*name)) {
            let (shown, count) = named.entry(model).or_default();
            *count += 1;
            if shown.len() < SHOWN {
                shown.push(format!("{kind} {id:?}"));
            }
        }
    }
    let told = named.iter().map(|(model, (shown, count))| {
        let more = match count - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "Calls for model {:?} are refused: it is not in the configuration file, and is named in the `models` of \
             {}{more}. Put it back, or change these with `PATCH /admin/v1/accounts/{{id}}` or \
             `PATCH /admin/v1/keys/{{id}}`.",
            model.as_str(),
            shown.join(", ")
        )
    });
    told.collect()
}

fn without_plan(roster: &Roster, account: &AccountSpec) -> Option<String> {
    let known = roster.plans.iter().any(|plan| plan.id == account.plan);
    (!known).then(|| {
        format!(
            "The keys of account {:?} open nothing: its plan {:?} is not in the configuration file. Put the plan back, \
             or give the account another one with `faregate accounts set-plan`.",
            account.id.as_str(),
            account.plan.as_str()
        )
    })
}

fn fault_of_account(roster: &Roster, account: &AccountSpec) -> Option<String> {
    let lists = [plan_models(roster, account), account.models.as_ref()];
    let whose = || format!("account {:?}", account.id.as_str());
    fault(roster, &account.limits, &lists, whose).or_else(|| unplaced_of_account(roster, account))
}

fn fault_of_key(roster: &Roster, account: &AccountSpec, key: &KeySpec) -> Option<String> {
    let lists = [
        plan_models(roster, account),
        account.models.as_ref(),
        key.own.models.as_ref(),
    ];
    let whose = || name_of(roster, key);
    fault(roster, &key.own.limits, &lists, whose).or_else(|| unplaced_of_key(roster, account, key))
}

fn unplaced_of_account(roster: &Roster, account: &AccountSpec) -> Option<String> {
    let plan = roster.plans.iter().find(|plan| plan.id == account.plan);
    let of_plan = plan
        .into_iter()
        .flat_map(|plan| [&plan.limits, &plan.per_key]);
    let counted = of_plan.chain([&account.limits]);
    unplaced(account, counted, || {
        format!("account {:?}", account.id.as_str())
    })
}

fn unplaced_of_key(roster: &Roster, account: &AccountSpec, key: &KeySpec) -> Option<String> {
    unplaced(account, [&key.own.limits], || name_of(roster, key))
}

/// What a key is called in words. A name that was made for one that is then refused is nobody's, and is not told.
fn name_of(roster: &Roster, key: &KeySpec) -> String {
    let made = key.id.as_str().strip_prefix("key-") == Some(key.public_part.as_str());
    if made && !roster.keys.iter().any(|known| known.id == key.id) {
        return "this key".to_owned();
    }
    format!("key {:?}", key.id.as_str())
}

/// What is said where something is counted per billing period, and the subscription says only when that ends.
fn unplaced<'l>(
    account: &AccountSpec,
    counted: impl IntoIterator<Item = &'l Limits>,
    whose: impl FnOnce() -> String,
) -> Option<String> {
    account.subscription.as_ref()?.period_end?;
    let counts = |limits: &Limits| limits.count_per(Per::Period);
    counted.into_iter().any(counts).then(|| {
        format!(
            "What {} uses is counted per billing period, and the subscription of account {:?} says only when that \
             ends: state `current_period_start` as well.",
            whose(),
            account.id.as_str()
        )
    })
}

fn plan_models<'r>(roster: &'r Roster, account: &AccountSpec) -> List<'r> {
    let plan = roster.plans.iter().find(|plan| plan.id == account.plan);
    plan.and_then(|plan| plan.models.as_ref())
}

fn fault(
    roster: &Roster,
    limits: &Limits,
    lists: &[List<'_>],
    whose: impl FnOnce() -> String,
) -> Option<String> {
    let has = |unit: Unit| limits.quotas.iter().any(|quota| quota.unit == unit);
    let what = match (has(Unit::Usd), has(Unit::Tokens)) {
        (true, _) => "budget",
        (false, true) => "token quota",
        (false, false) => return None,
    };
    let Some(models) = &roster.models else {
        return Some(format!(
            "The {what} of {} needs to know its models, and the configuration file lists none: add `models` with a \
             `context_window` each to the file and reload, or limit requests.",
            whose()
        ));
    };
    let missing = |lacks: &dyn Fn(&Extent) -> bool| {
        let lacking = models.iter().filter(|(_, extent)| lacks(extent));
        let names = lacking
            .map(|(name, _)| name)
            .filter(|name| lists.iter().flatten().all(|list| list.contains(*name)))
            .map(ModelName::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    let boundless = missing(&|extent| !extent.bounded);
    let unpriced = missing(&|extent| what == "budget" && !extent.priced);
    let (needs, missing) = match (boundless.is_empty(), unpriced.is_empty()) {
        (true, true) => return None,
        (false, _) => ("`context_window`", boundless),
        (true, false) => ("a price", unpriced),
    };
    Some(format!(
        "The {what} of {whose} needs {needs} for every model it allows; missing for {missing}. Add it to these models \
         in the configuration file and reload, or leave them out of the `models` of {whose}.",
        whose = whose(),
    ))
}

fn check_names(roster: &Roster, named: List<'_>) -> Result<(), Rejection> {
    let (Some(models), Some(named)) = (&roster.models, named) else {
        return Ok(());
    };
    let Some(unknown) = named.iter().find(|name| !models.contains_key(*name)) else {
        return Ok(());
    };
    let known: Vec<&str> = models.keys().map(ModelName::as_str).collect();
    let known = if known.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    };
    Err(Rejection::invalid(format!(
        "`models` names {:?}, which is not a model of the configuration file; {known}.",
        unknown.as_str()
    )))
}
