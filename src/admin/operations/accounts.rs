//! Creating and changing accounts.

use std::collections::BTreeSet;

use super::{
    CommonChange, account,
    bounds::{check_account, check_period},
    plan_exists, writable,
};
use crate::{
    accounts::{AccountSpec, Roster, Source, Spoken},
    admin::{
        input::Change,
        problem::{Reason, Rejection},
    },
    domain::{
        AccountId, EmailAddress, Limits, ModelName, PlanId, Subscription, SubscriptionStatus,
        Timestamp,
    },
};

/// An account to be created.
#[derive(Debug, Clone)]
pub(in crate::admin) struct NewAccount {
    /// Its name.
    pub(in crate::admin) id: AccountId,
    /// Its plan, which must exist.
    pub(in crate::admin) plan: PlanId,
    /// Whether all its keys are refused from the start.
    pub(in crate::admin) disabled: bool,
    /// Its standing with the payment provider.
    pub(in crate::admin) subscription: Option<Subscription>,
    /// Models it may use; `None` leaves that to the plan.
    pub(in crate::admin) models: Option<BTreeSet<ModelName>>,
    /// Limits of its own, beside the plan's.
    pub(in crate::admin) limits: Limits,
    /// Where e-mail about it is sent.
    pub(in crate::admin) email: Option<EmailAddress>,
}

/// What changes about an account.
#[derive(Debug, Clone, Default)]
pub(in crate::admin) struct AccountChange {
    /// The new plan. Usage stays; the new limits apply.
    pub(in crate::admin) plan: Option<PlanId>,
    /// The new standing, whole.
    pub(in crate::admin) subscription: Change<Subscription>,
    /// Where e-mail about it is sent.
    pub(in crate::admin) email: Change<EmailAddress>,
    /// The rest.
    pub(in crate::admin) common: CommonChange,
}

impl AccountChange {
    /// Of what it speaks, whether or not it changes that.
    pub(in crate::admin) const fn spoken(&self) -> Spoken {
        Spoken {
            subscription: !matches!(self.subscription, Change::Keep),
            plan: self.plan.is_some(),
        }
    }
}

/// A new account.
///
/// # Errors
/// The id is taken, the plan or a model does not exist, or a token quota allows a model without a bound.
pub(in crate::admin) fn create_account(
    roster: &Roster,
    new: NewAccount,
    now: Timestamp,
) -> Result<AccountSpec, Rejection> {
    if account(roster, new.id.as_str()).is_ok() {
        let words = format!("Account {:?} exists already.", new.id.as_str());
        return Err(Rejection::new(Reason::Conflict, words));
    }
    plan_exists(roster, &new.plan)?;
    let subscription = new.subscription.map(|stated| dated(stated, None, now));
    let spec = AccountSpec {
        id: new.id,
        plan: new.plan,
        source: Source::Api,
        created_at: now,
        disabled: new.disabled,
        subscription,
        models: new.models,
        limits: new.limits,
        email: new.email,
        opening_credit: None,
    };
    check_account(roster, &spec)?;
    Ok(spec)
}

/// An account after a change.
///
/// # Errors
/// There is no such account, plan or model, the account is declared in the configuration file, or a token quota would
/// allow a model without a bound.
pub(in crate::admin) fn change_account(
    roster: &Roster,
    id: &str,
    change: AccountChange,
    now: Timestamp,
) -> Result<AccountSpec, Rejection> {
    let mut spec = account(roster, id)?.clone();
    writable("Account", id, spec.source)?;
    let bears_on_models = change.plan.is_some() || change.common.bears_on_models();
    if let Some(plan) = change.plan {
        plan_exists(roster, &plan)?;
        spec.plan = plan;
    }
    let held = spec.subscription.clone();
    let restated = matches!(change.subscription, Change::Set(_));
    let stated = match change.subscription {
        Change::Set(stated) => Change::Set(dated(stated, held.as_ref(), now)),
        other => other,
    };
    stated.apply(&mut spec.subscription);
    change.email.apply(&mut spec.email);
    change
        .common
        .apply(&mut spec.disabled, &mut spec.models, &mut spec.limits);
    if bears_on_models {
        check_account(roster, &spec)?;
    } else if restated {
        check_period(roster, &spec)?;
    }
    Ok(spec)
}

/// Writes down since when a payment is due where nobody said: the grace period has to start somewhere, and it must
/// not start again when the same standing is stated twice.
fn dated(mut stated: Subscription, held: Option<&Subscription>, now: Timestamp) -> Subscription {
    if stated.status == SubscriptionStatus::PastDue && stated.past_due_since.is_none() {
        let since = held
            .filter(|held| held.status == SubscriptionStatus::PastDue)
            .and_then(|held| held.past_due_since);
        stated.past_due_since = Some(since.unwrap_or(now));
    }
    stated
}
