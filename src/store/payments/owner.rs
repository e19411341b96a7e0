//! Whose an event is.

use rusqlite::{OptionalExtension, params};

use super::{EventStatus, receive::Applier};
use crate::{
    domain::{AccountId, Vendor},
    store::columns::{Columns, RowError, instant},
    webhooks::{News, PaymentEvent},
};

/// The account that an event is about, or why that cannot be told. What was found for the object before, what the
/// customer belongs to and what the event names must be the same.
pub(super) fn of(
    applier: &Applier<'_>,
    event: &PaymentEvent,
    object: Option<&str>,
) -> Result<Result<AccountId, String>, RowError> {
    let (vendor, party) = (event.vendor, &event.party);
    let named = match party.account.as_deref().map(AccountId::parse) {
        Some(Ok(account)) => Some(account),
        Some(Err(wrong)) => return Ok(Err(format!("the account that it names {wrong}"))),
        None => None,
    };
    let found = match object {
        Some(object) => assigned(applier, object)?,
        None => None,
    };
    let belongs = match &party.customer {
        Some(customer) => match applier.accounts.account_of(vendor, customer) {
            Some(account) => Some(account),
            None => applier.linked(vendor, customer)?,
        },
        None => None,
    };
    let customer = party.customer.as_deref().unwrap_or_default();
    let (names, belonging, earlier) = (
        "it names account",
        "its customer belongs to account",
        "an earlier event about the same is of account",
    );
    let agreed = [
        (&named, names, &belongs, belonging),
        (&belongs, belonging, &found, earlier),
        (&named, names, &found, earlier),
    ];
    for (one, of_one, other, of_other) in agreed {
        if let (Some(one), Some(other)) = (one, other)
            && one != other
        {
            return Ok(Err(format!("{of_one} {one}, and {of_other} {other}")));
        }
    }
    let Some(account) = found.or(belongs).or(named) else {
        return Ok(Err(if customer.is_empty() {
            "it names neither a customer nor an account".to_owned()
        } else {
            format!(
                "customer {customer} belongs to no account; `faregate webhooks link` says whose it is and applies this, or \
                 write it into the file ({}) and replay the event",
                key(vendor)
            )
        }));
    };
    let account = match existing(applier, account) {
        Ok(account) => account,
        Err(words) => return Ok(Err(words)),
    };
    if let Some(other) = applier.accounts.customer_of(vendor, &account)
        && !customer.is_empty()
        && other != customer
    {
        return Ok(Err(format!(
            "it is of customer {customer}, and account {account} is customer {other}"
        )));
    }
    Ok(Ok(account))
}

/// An account that is there.
pub(super) fn existing(applier: &Applier<'_>, account: AccountId) -> Result<AccountId, String> {
    match applier.accounts.declared(&account) {
        Some(_) => Ok(account),
        None => Err(format!(
            "there is no account {account}; create it, then replay the event"
        )),
    }
}

/// The account that an object has credited. What goes back of its money goes back from there, whoever's the customer is now.
pub(super) fn credited(applier: &Applier<'_>, object: &str) -> Result<Option<AccountId>, RowError> {
    let entry = applier
        .transaction
        .prepare_cached(
            "SELECT 1 FROM credit_entries WHERE related = ? AND author LIKE 'webhook:%' LIMIT 1",
        )?
        .query_row([object], |_| Ok(()))
        .optional()?;
    match entry {
        Some(()) => assigned(applier, object),
        None => Ok(None),
    }
}

/// Where the file says which customer an account is.
const fn key(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Stripe => "accounts[].stripe_customer",
        Vendor::Paddle => "accounts[].customers.paddle",
        Vendor::LemonSqueezy => "accounts[].customers.lemonsqueezy",
        Vendor::Standard => "data.account",
    }
}

/// Whether an account is known as another customer of a vendor.
pub(super) fn has_another(
    applier: &Applier<'_>,
    vendor: Vendor,
    customer: &str,
    account: &AccountId,
) -> Result<bool, RowError> {
    let other = applier
        .transaction
        .prepare_cached(
            "SELECT 1 FROM payment_customers WHERE account = ? AND vendor = ? AND customer <> ?",
        )?
        .query_row((account.as_str(), vendor.as_str(), customer), |_| Ok(()))
        .optional()?;
    Ok(other.is_some())
}

/// Remembers that the customer of an event is the account's, and applies what waited for that; whether it was news.
///
/// A customer is taken at the word of whoever sells (metadata). At the word of whoever pays it is taken only by an event
/// that is about nothing else.
pub(super) fn adopt(
    applier: &mut Applier<'_>,
    event: &PaymentEvent,
    account: &AccountId,
) -> Result<bool, RowError> {
    let Some(customer) = &event.party.customer else {
        return Ok(false);
    };
    let vendor = event.vendor;
    let declared = applier.accounts.account_of(vendor, customer).is_some();
    let links = matches!(event.news, News::Link);
    let told = event.party.account.is_some() && (links || !event.party.claimed);
    if !declared && applier.linked(vendor, customer)?.is_none() && !told {
        return Ok(false);
    }
    let mut news = false;
    if !declared {
        let inserted = applier
            .transaction
            .prepare_cached(
                "INSERT INTO payment_customers (vendor, customer, account, since) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                vendor.as_str(),
                customer,
                account.as_str(),
                instant(applier.now)
            ])?;
        news = inserted > 0;
    }
    for object in waiting(applier, vendor, customer, account)? {
        applier.assign(&object, account)?;
        let verdict = applier.settle(event, &object, account)?;
        if verdict.status == EventStatus::Applied {
            applier.release(event, &object, account)?;
        }
    }
    Ok(news)
}

/// Objects of a customer that wait for their account. One of another account's name waits for a person.
fn waiting(
    applier: &Applier<'_>,
    vendor: Vendor,
    customer: &str,
    account: &AccountId,
) -> Result<Vec<String>, RowError> {
    let mut select = applier.transaction.prepare_cached(
        "SELECT DISTINCT object FROM payment_facts
         WHERE vendor = ?1 AND customer = ?2 AND account IS NULL AND object NOT IN (
            SELECT object FROM payment_facts WHERE account IS NOT NULL OR named <> ?3)
         ORDER BY object",
    )?;
    let of = (vendor.as_str(), customer, account.as_str());
    let objects = select.query_map(of, |row| row.get(0))?;
    Ok(objects.collect::<Result<_, _>>()?)
}

pub(super) fn assigned(applier: &Applier<'_>, object: &str) -> Result<Option<AccountId>, RowError> {
    let mut select = applier.transaction.prepare_cached(
        "SELECT event, account FROM payment_facts WHERE object = ? AND account IS NOT NULL LIMIT 1",
    )?;
    let mut rows = select.query([object])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = Columns::new(row, "payment_facts", "event");
    columns
        .word("account", |id| AccountId::parse(id).ok())
        .map(Some)
}
