//! Whose a vendor's customer is, as an operator says it.

use rusqlite::{Connection, Transaction, params, params_from_iter};
use serde::Serialize;

use super::{Effect, LiveAccounts, receive::Applier, standing};
use crate::{
    domain::{AccountId, Timestamp, Vendor},
    store::{
        calls::{Conditions, LONGEST_PAGE, Page},
        columns::{Columns, RowError, instant},
    },
};

/// A vendor's customer that was linked to an account by an event or an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomerRow {
    /// Whose customer.
    pub vendor: Vendor,
    /// The vendor's id.
    pub customer: String,
    /// Whose it is.
    pub account: AccountId,
    /// Since when.
    pub since: Timestamp,
}

/// Which customers are asked for. Everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this vendor.
    pub vendor: Option<Vendor>,
    /// How many at most; 1 to [`LONGEST_PAGE`](crate::store::LONGEST_PAGE), anything else is moved to the nearer end.
    pub limit: usize,
    /// Customers behind this one only: the last of the page before.
    pub after: Option<String>,
}

/// A link that an operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Whose customer.
    pub vendor: Vendor,
    /// The vendor's id.
    pub customer: String,
    /// Whose it is to be; `None` ends the link.
    pub account: Option<AccountId>,
}

/// What a link changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relinked {
    /// Whose the customer was, or its subscriptions were.
    pub before: Option<AccountId>,
    /// What has to be published.
    pub effects: Vec<Effect>,
    /// Events of the customer that wait, oldest first.
    pub waiting: Vec<String>,
}

/// Makes a customer the account's, or nobody's, and its subscriptions with it. Payments and grants stay where they were
/// credited.
pub(super) fn relink(
    transaction: &Transaction<'_>,
    link: &NewLink,
    accounts: &mut dyn LiveAccounts,
    now: Timestamp,
) -> Result<Relinked, RowError> {
    let (vendor, customer) = (link.vendor.as_str(), &link.customer);
    let mut applier = Applier {
        transaction,
        accounts,
        now,
        again: false,
        effects: Vec::new(),
    };
    let linked = applier.linked(link.vendor, customer)?;
    let to = link.account.as_ref().map(AccountId::as_str);
    transaction
        .prepare_cached("DELETE FROM payment_customers WHERE vendor = ?1 AND customer = ?2 AND account IS NOT ?3")?
        .execute((vendor, customer, to))?;
    if let Some(account) = to {
        transaction
            .prepare_cached(
                "INSERT INTO payment_customers (vendor, customer, account, since) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )?
            .execute((vendor, customer, account, instant(now)))?;
    }
    let moved = uncredited(transaction, link)?;
    for (object, _) in &moved {
        transaction
            .prepare_cached("UPDATE payment_facts SET account = ? WHERE object = ?")?
            .execute(params![to, object])?;
    }
    let mut before: Vec<AccountId> = moved
        .into_iter()
        .filter_map(|(_, account)| account)
        .collect();
    before.sort();
    before.dedup();
    for account in before.iter().chain(&link.account) {
        standing::restate(&mut applier, account)?;
    }
    let effects = applier.effects;
    Ok(Relinked {
        before: linked.or_else(|| before.into_iter().next()),
        effects,
        waiting: match to {
            Some(_) => waiting(transaction, link)?,
            None => Vec::new(),
        },
    })
}

/// Objects of a customer that are not the account's, have been somebody's, and have credited nobody.
fn uncredited(
    transaction: &Transaction<'_>,
    link: &NewLink,
) -> Result<Vec<(String, Option<AccountId>)>, RowError> {
    let mut select = transaction.prepare_cached(
        "SELECT DISTINCT object, facts.account FROM payment_facts AS facts JOIN payment_events ON id = event
         WHERE facts.vendor = ?1 AND customer = ?2 AND facts.account IS NOT ?3
            AND (facts.account IS NOT NULL OR status = 'applied')
            AND NOT EXISTS (SELECT 1 FROM credit_entries WHERE related = object AND author LIKE 'webhook:%')
         ORDER BY object",
    )?;
    let account = link.account.as_ref().map(AccountId::as_str);
    let mut rows = select.query((link.vendor.as_str(), &link.customer, account))?;
    let mut objects = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "payment_facts", "object");
        objects.push((
            columns.plain("object")?,
            columns.optional("account", |id| AccountId::parse(id).ok())?,
        ));
    }
    Ok(objects)
}

fn waiting(transaction: &Transaction<'_>, link: &NewLink) -> rusqlite::Result<Vec<String>> {
    transaction
        .prepare_cached(
            "SELECT id FROM payment_events WHERE status = 'parked' AND id IN (
                SELECT event FROM payment_facts WHERE vendor = ? AND customer = ?)
             ORDER BY number",
        )?
        .query_map((link.vendor.as_str(), &link.customer), |row| row.get(0))?
        .collect()
}

/// A page of links, in the order of vendors and customers.
pub(super) fn page(
    connection: &Connection,
    filter: &CustomerFilter,
) -> Result<Page<CustomerRow, String>, RowError> {
    let mut conditions = Conditions::default();
    conditions.equal("account", filter.account.as_ref().map(AccountId::as_str));
    conditions.equal("vendor", filter.vendor.map(Vendor::as_str));
    if let Some(after) = &filter.after {
        conditions.add("vendor || ':' || customer > ?", [after.clone()]);
    }
    let limit = filter.limit.clamp(1, LONGEST_PAGE);
    let mut select = connection.prepare(&format!(
        "SELECT vendor, customer, account, since FROM payment_customers {conditions}
         ORDER BY vendor || ':' || customer LIMIT {}",
        limit + 1
    ))?;
    let mut rows = select.query(params_from_iter(conditions.values))?;
    let mut data = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = Columns::new(row, "payment_customers", "customer");
        data.push(CustomerRow {
            vendor: columns.word("vendor", Vendor::parse)?,
            customer: columns.plain("customer")?,
            account: columns.word("account", |id| AccountId::parse(id).ok())?,
            since: columns.instant("since")?,
        });
    }
    let more = data.len() > limit;
    data.truncate(limit);
    let name = |last: &CustomerRow| format!("{}:{}", last.vendor.as_str(), last.customer);
    let next_cursor = data.last().filter(|_| more).map(name);
    Ok(Page { data, next_cursor })
}
