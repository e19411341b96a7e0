//! The standing of an account: what all facts about its subscriptions together say.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{
    Effect, EventStatus,
    receive::{Desk, Verdict, dated},
};
use crate::{
    accounts::PaymentStanding,
    domain::{AccountId, Subscription},
    store::columns::{Columns, RowError, instant},
    webhooks::{Dated, best, stand},
};

/// Moves the standing of `account` to what all facts say, after one about `object` has come.
pub(super) fn settle(
    desk: &mut Desk<'_>,
    account: &AccountId,
    object: &str,
) -> Result<Verdict, RowError> {
    let mut stands = Vec::new();
    for (object, facts) in subscriptions(desk, account)? {
        stands.extend(stand(&facts).map(|stand| (object, stand)));
    }
    if !stands.iter().any(|(known, _)| known == object) {
        let words =
            format!("nothing is known of {object} but this; an event about itself will tell");
        return Ok(Verdict::new(EventStatus::Parked, words));
    }
    let Some((object, stand)) = best(stands) else {
        return Ok(Verdict::applied(None));
    };
    let Some(declared) = desk.around.declared(account) else {
        let words = format!("there is no account {account}; create it, then replay the event");
        return Ok(Verdict::new(EventStatus::Parked, words));
    };
    let held = super::read::standing(desk.transaction, account)?;
    // What was said before holds anew where something else has been declared since.
    let same = held.is_some_and(|held| {
        held.subscription == stand.subscription && held.plan == stand.plan && held.over == declared
    });
    if same {
        let words = "it changes nothing that holds".to_owned();
        return Ok(Verdict::applied(Some(words)));
    }
    let standing = PaymentStanding {
        account: account.clone(),
        object,
        subscription: stand.subscription,
        plan: stand.plan,
        over: declared,
    };
    put(desk, &standing)?;
    let words = told(&standing);
    desk.effects.push(Effect::Standing(standing));
    Ok(Verdict::applied(Some(words)))
}

fn told(standing: &PaymentStanding) -> String {
    let status = standing.subscription.status.as_str();
    match &standing.plan {
        Some(plan) => format!("the subscription is {status}, on plan {plan}"),
        None => format!("the subscription is {status}"),
    }
}

fn subscriptions(
    desk: &Desk<'_>,
    account: &AccountId,
) -> Result<BTreeMap<String, Vec<Dated>>, RowError> {
    let mut select = desk.transaction.prepare_cached(
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

fn put(desk: &Desk<'_>, standing: &PaymentStanding) -> rusqlite::Result<()> {
    let PaymentStanding {
        account,
        object,
        subscription,
        plan,
        over,
    } = standing;
    let Subscription {
        status,
        period,
        past_due_since,
        trial_end,
        cancel_at,
        cancel_at_period_end,
        ends_at,
    } = subscription;
    desk.transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO payment_standings (account, object, at, subscription_status,
                current_period_start, current_period_end, past_due_since, trial_end, cancel_at,
                cancel_at_period_end, ends_at, plan, declared_subscription, declared_plan)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            account.as_str(),
            object,
            instant(desk.now),
            status.as_str(),
            period.map(|period| instant(period.start)),
            period.map(|period| instant(period.end)),
            past_due_since.map(instant),
            trial_end.map(instant),
            cancel_at.map(instant),
            cancel_at_period_end,
            ends_at.map(instant),
            plan.as_ref().map(|plan| plan.as_str()),
            over.subscription,
            over.plan.as_str(),
        ])?;
    Ok(())
}
