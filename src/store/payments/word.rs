//! What somebody declares of an account, against what payment events say of it.

use rusqlite::{OptionalExtension, Transaction};

use super::read;
use crate::{
    accounts::{AccountSpec, Over, PaymentStanding, Spoken},
    domain::{AccountId, PlanId, Timestamp},
    store::{
        columns::{Columns, RowError, instant},
        roster_rows,
    },
};

/// What stands before the instant in `declared_subscription` and `declared_plan` that says since when events have been
/// overruled. No declaration begins with it.
const AFTER: &str = "after ";

/// What an administrator declares who has changed an account as it is in force: of what was not spoken of, what was
/// declared before. What events say of it ends with them.
pub(in crate::store) fn declared(
    transaction: &Transaction<'_>,
    mut spec: AccountSpec,
    spoken: Spoken,
) -> Result<AccountSpec, RowError> {
    let mut select = transaction.prepare_cached("SELECT * FROM accounts WHERE id = ?")?;
    let mut rows = select.query([spec.id.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(spec);
    };
    let columns = Columns::new(row, "accounts", "id");
    if !spoken.plan {
        spec.plan = columns.word("plan", |id| PlanId::parse(id).ok())?;
    }
    if !spoken.subscription {
        spec.subscription = roster_rows::subscription(&columns)?;
    }
    Ok(spec)
}

/// Notes that an administrator has declared something of an account at `now`: what events say of it holds no more.
pub(in crate::store) fn declare(
    transaction: &Transaction<'_>,
    account: &AccountId,
    spoken: Spoken,
    now: Timestamp,
) -> Result<Option<PaymentStanding>, RowError> {
    match read::standing(transaction, account)? {
        Some(standing) => end_and_write(transaction, standing, spoken, Some(now)).map(Some),
        None => Ok(None),
    }
}

/// Ends what events say of accounts of which something else is declared. Without an instant nobody knows when that was
/// done, and all that has not come yet is taken for newer.
pub(super) fn overrule(
    transaction: &Transaction<'_>,
    accounts: &[(AccountId, Spoken)],
    now: Option<Timestamp>,
) -> Result<Vec<PaymentStanding>, RowError> {
    let mut overruled = Vec::with_capacity(accounts.len());
    for (account, spoken) in accounts {
        if let Some(standing) = read::standing(transaction, account)? {
            overruled.push(end_and_write(transaction, standing, *spoken, now)?);
        }
    }
    Ok(overruled)
}

fn end_and_write(
    transaction: &Transaction<'_>,
    mut standing: PaymentStanding,
    spoken: Spoken,
    now: Option<Timestamp>,
) -> Result<PaymentStanding, RowError> {
    // Where nobody knows when it was said, it was said after everything else.
    let before = standing
        .over_subscription
        .since
        .max(standing.over_plan.since);
    // The vendor's clock may be ahead of ours: what is known already is never newer.
    if let Some(at) = now.or(before).max(newest(transaction, &standing.account)?) {
        standing.end(spoken, at);
    }
    transaction
        .prepare_cached(
            "UPDATE payment_standings SET declared_subscription = ?, declared_plan = ?
             WHERE account = ?",
        )?
        .execute((
            text(&standing.over_subscription),
            text(&standing.over_plan),
            standing.account.as_str(),
        ))?;
    Ok(standing)
}

/// When the newest of what is known of an account's subscriptions happened.
fn newest(
    transaction: &Transaction<'_>,
    account: &AccountId,
) -> Result<Option<Timestamp>, RowError> {
    let newest: Option<Option<String>> = transaction
        .prepare_cached(
            "SELECT max(created_at) FROM payment_facts
             WHERE object IN (SELECT object FROM payment_facts WHERE account = ?)
                AND json_extract(fact, '$.fact') IN ('subscription', 'renewal_paid', 'renewal_due')",
        )?
        .query_row([account.as_str()], |row| row.get(0))
        .optional()?;
    Ok(newest.flatten().and_then(|text| text.parse().ok()))
}

/// What was declared, as its column has it: behind the instant of the last word against events, where there was one.
pub(super) fn text<T: ToString>(over: &Over<T>) -> String {
    let declared = over.declared.as_ref().map(ToString::to_string);
    let since = over.since.map(|at| format!("{AFTER}{}", instant(at)));
    let parts: Vec<String> = since.into_iter().chain(declared).collect();
    parts.join(" ")
}

/// Reads what [`text`] wrote.
pub(super) fn over<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Over<T>> {
    let Some(rest) = text.strip_prefix(AFTER) else {
        return Some(Over {
            declared: Some(read(text)?),
            since: None,
        });
    };
    let (since, declared) = match rest.split_once(' ') {
        Some((since, declared)) => (since, Some(read(declared)?)),
        None => (rest, None),
    };
    Some(Over {
        declared,
        since: Some(since.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::{over, text};
    use crate::{accounts::Over, domain::Timestamp};

    fn read(column: &str) -> Option<Over<String>> {
        over(column, |word| (!word.is_empty()).then(|| word.to_owned()))
    }

    #[test]
    fn what_is_written_is_read() {
        let declared = Some("active current_period_end=2026-12-01T00:00:00Z".to_owned());
        let since = Some(Timestamp::from_millis(1_795_176_000_123));
        for (declared, since) in [
            (declared.clone(), None),
            (declared, since),
            (None, since),
            // Any name may be a plan's.
            (Some("after".to_owned()), since),
            (Some("after".to_owned()), None),
        ] {
            let over = Over { declared, since };
            assert_eq!(read(&text(&over)), Some(over));
        }
        assert_eq!(
            text(&Over::<String> {
                declared: None,
                since
            }),
            "after 2026-11-20T12:00:00.123Z"
        );
    }

    #[test]
    fn what_nobody_writes_is_damaged() {
        for column in ["", "after ", "after noon", "after 2026-11-20T12:00:00Z "] {
            assert_eq!(read(column), None, "{column:?}");
        }
    }
}
