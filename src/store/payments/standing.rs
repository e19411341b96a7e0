//! The standing of an account: what all facts about its subscriptions together say.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{
    Effect, EventStatus,
    receive::{Applier, Verdict, dated},
    word,
};
use crate::{
    accounts::{Over, PaymentStanding},
    domain::{AccountId, Subscription, Timestamp},
    store::columns::{Columns, RowError, instant},
    webhooks::{Dated, Stand, best, stand},
};

/// Moves the standing of `account` to what all facts say, after one about `object` has come.
pub(super) fn settle(
    applier: &mut Applier<'_>,
    account: &AccountId,
    object: &str,
) -> Result<Verdict, RowError> {
    let subscriptions = subscriptions(applier, account)?;
    let stood = |(object, facts): (&String, &Vec<Dated>)| Some((object.clone(), stand(facts)?));
    let mut stands: Vec<(String, Stand)> = subscriptions.iter().filter_map(stood).collect();
    if !stands.iter().any(|(known, _)| known == object) {
        let words =
            format!("nothing is known of {object} but this; an event about itself will tell");
        return Ok(Verdict::new(EventStatus::Parked, words));
    }
    let Some(declared) = applier.accounts.declared(account) else {
        let words = format!("there is no account {account}; create it, then replay the event");
        return Ok(Verdict::new(EventStatus::Parked, words));
    };
    let held = super::read::standing(applier.transaction, account)?;
    // A subscription of which nothing was told since it was overruled stays so, whatever happens to others.
    let (overruled, plan_overruled) = held.as_ref().map_or((None, None), |held| {
        (held.over_subscription.since, held.over_plan.since)
    });
    stands.retain(|(object, _)| newest(&subscriptions[object]) > overruled);
    let Some((object, stand)) = best(stands) else {
        let words = "it changes nothing that holds: something else was declared after it";
        return Ok(Verdict::applied(Some(words.to_owned())));
    };
    let told_at = newest(&subscriptions[&object]);
    let standing = PaymentStanding {
        account: account.clone(),
        object,
        subscription: stand.subscription,
        plan: stand.plan,
        over_subscription: over(declared.subscription, overruled, told_at),
        over_plan: over(declared.plan, plan_overruled, told_at),
    };
    let same = held.is_some_and(|held| {
        // Which of two equal subscriptions it follows from makes no difference.
        let object = standing.object.clone();
        PaymentStanding { object, ..held } == standing
    });
    if same {
        let words = "it changes nothing that holds";
        return Ok(Verdict::applied(Some(words.to_owned())));
    }
    put(applier, &standing)?;
    let words = told(&standing);
    applier.effects.push(Effect::Standing(standing));
    Ok(Verdict::applied(Some(words)))
}

/// Moves the standing of `account` to what its facts say after some of them have become another account's. Where none is
/// left, what is declared holds.
pub(super) fn restate(applier: &mut Applier<'_>, account: &AccountId) -> Result<(), RowError> {
    if let Some(mut held) = super::read::standing(applier.transaction, account)? {
        held.withdraw();
        put(applier, &held)?;
        applier.effects.push(Effect::Standing(held));
    }
    let subscriptions = subscriptions(applier, account)?;
    let mut told = subscriptions
        .iter()
        .filter(|(_, facts)| stand(facts).is_some());
    if let Some((object, _)) = told.next() {
        settle(applier, account, object)?;
    }
    Ok(())
}

/// When the last of these facts happened.
fn newest(facts: &[Dated]) -> Option<Timestamp> {
    facts.iter().map(|dated| dated.at).max()
}

/// What was told at `told_at` holds over what is declared, unless events were overruled after it.
fn over<T>(declared: T, since: Option<Timestamp>, told_at: Option<Timestamp>) -> Over<T> {
    Over {
        declared: (told_at > since).then_some(declared),
        since,
    }
}

fn told(standing: &PaymentStanding) -> String {
    let status = standing.subscription.status.as_str();
    let bought = standing.plan.as_ref();
    match bought.filter(|_| standing.over_plan.declared.is_some()) {
        Some(plan) => format!("the subscription is {status}, on plan {plan}"),
        None => format!("the subscription is {status}"),
    }
}

fn subscriptions(
    applier: &Applier<'_>,
    account: &AccountId,
) -> Result<BTreeMap<String, Vec<Dated>>, RowError> {
    let mut select = applier.transaction.prepare_cached(
        "SELECT event, object, created_at, fact FROM payment_facts
         WHERE object IN (SELECT object FROM payment_facts WHERE account = ?)
            AND json_extract(fact, '$.fact') IN ('subscription', 'renewal_paid', 'renewal_due')",
    )?;
    let mut rows = select.query([account.as_str()])?;
    let mut subscriptions: BTreeMap<String, Vec<Dated>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "payment_facts", "event");
        let facts = subscriptions.entry(columns.plain("object")?).or_default();
        facts.push(dated(&columns)?);
    }
    Ok(subscriptions)
}

fn put(applier: &Applier<'_>, standing: &PaymentStanding) -> rusqlite::Result<()> {
    let PaymentStanding {
        account,
        object,
        subscription,
        plan,
        over_subscription,
        over_plan,
    } = standing;
    let Subscription {
        status,
        period,
        period_end: _,
        past_due_since,
        trial_end,
        cancel_at,
        cancel_at_period_end,
        ends_at,
    } = subscription;
    applier
        .transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO payment_standings (account, object, at, subscription_status,
                current_period_start, current_period_end, past_due_since, trial_end, cancel_at,
                cancel_at_period_end, ends_at, plan, declared_subscription, declared_plan)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            account.as_str(),
            object,
            instant(applier.now),
            status.as_str(),
            period.map(|period| instant(period.start)),
            subscription.current_period_end().map(instant),
            past_due_since.map(instant),
            trial_end.map(instant),
            cancel_at.map(instant),
            cancel_at_period_end,
            ends_at.map(instant),
            plan.as_ref().map(|plan| plan.as_str()),
            word::text(over_subscription),
            word::text(over_plan),
        ])?;
    Ok(())
}
