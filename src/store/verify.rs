//! Replaying the ledger: everything that is a sum in the store is added up again from the rows.
//!
//! Shares no code with what posts, on purpose: a mistake there must not be made twice. Knows the tables and nothing else.

mod chapters;
mod windows;

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{
    columns::RowError,
    reader::{ReadError, Reader},
};
use chapters::{Chapters, Misplaced};
use windows::Windows;

/// After how many rows progress is told.
const TOLD_EVERY: u64 = 10_000;

/// What a replay has read and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Calls that were read.
    pub calls: u64,
    /// Entries that were read.
    pub entries: u64,
    /// By how much balances, lots and budgets are off, added up without their signs; 0 when every figure is right.
    pub difference_nano_usd: u64,
    /// Everything that is not as it should be.
    pub problems: Vec<Problem>,
}

/// Something that is not as the rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The account or key.
    pub owner: String,
    /// What of it, in words.
    pub what: String,
    /// What the store has; `None` for nothing.
    pub stored: Option<i64>,
    /// What the rows add up to.
    pub derived: i64,
}

impl Verified {
    /// Whether every figure is as the rows say.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.difference_nano_usd == 0 && self.problems.is_empty()
    }
}

impl Reader {
    /// Replays the ledger as it is at one instant, whether or not a daemon writes to it. `progress` is told now and then
    /// how many rows were read.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<Verified, ReadError> {
        self.look(|connection| {
            // Everything below sees the same state: a reader's transaction is a snapshot.
            let snapshot = connection.unchecked_transaction()?;
            let verified = verify(&snapshot, progress)?;
            Ok(verified)
        })
    }
}

/// Replays what a connection sees.
pub(super) fn verify(
    connection: &Connection,
    mut progress: impl FnMut(u64),
) -> Result<Verified, RowError> {
    let mut replay = Replay {
        windows: Windows::read(connection)?,
        chapters: Chapters::read(connection)?,
        ..Replay::default()
    };
    let mut rows = 0;
    let mut tell = || {
        rows += 1;
        if rows % TOLD_EVERY == 0 {
            progress(rows);
        }
    };
    each(connection, ENTRIES, |row| {
        tell();
        replay.entry(row)
    })?;
    each(connection, CALLS, |row| {
        tell();
        replay.call(row)
    })?;
    each(connection, LOTS, |row| replay.lot(row))?;
    each(connection, BALANCES, |row| replay.balance(row))?;
    Ok(replay.finish())
}

const ENTRIES: &str = "SELECT number, account, amount_nano_usd, kind, related, draws FROM credit_entries ORDER BY number";
const CALLS: &str =
    "SELECT id, chapter, account, key, at, cost_nano_usd, credit_charged, credit_draws,
    input_tokens, output_tokens, details FROM calls";
const LOTS: &str = "SELECT entry, remaining_nano_usd FROM credit_lots";
const BALANCES: &str = "SELECT account, balance_nano_usd FROM credit_balances";

fn each(
    connection: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// Sums as the rows make them. No sum of columns is too large for its type.
#[derive(Debug, Default)]
struct Replay {
    calls: u64,
    entries: u64,
    accounts: HashMap<String, Account>,
    lots: HashMap<i64, Lot>,
    windows: Windows,
    chapters: Chapters,
    difference: u128,
    problems: Vec<Problem>,
}

#[derive(Debug, Default)]
struct Account {
    balance: i128,
    /// Whether the store has a balance.
    stored: bool,
    /// What its lots have.
    in_lots: i128,
}

#[derive(Debug)]
struct Lot {
    account: String,
    remaining: i128,
    stored: bool,
}

impl Replay {
    fn entry(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.entries += 1;
        let number: i64 = row.get("number")?;
        let account: String = row.get("account")?;
        let amount = i128::from(row.get::<_, i64>("amount_nano_usd")?);
        let (kind, related): (String, Option<String>) = (row.get("kind")?, row.get("related")?);
        let what = format!("entry {number}");
        self.account(&account).balance += amount;
        if amount > 0 {
            let lot = Lot {
                account: account.clone(),
                remaining: amount,
                stored: false,
            };
            self.lots.insert(number, lot);
        }
        let draws = row.get::<_, Option<String>>("draws")?;
        let drawn = self.draw(&account, &what, draws.as_deref())?;
        let lot = related.and_then(|lot| lot.parse().ok());
        let other = match (kind.as_str(), amount > 0) {
            // An entry of its own lot: what the account owed was paid from it.
            (_, true) => drawn.keys().any(|lot| *lot != number),
            ("expiry", false) => drawn.keys().any(|drawn| Some(*drawn) != lot),
            (_, false) => false,
        };
        let taken: i128 = drawn.values().sum();
        if other || taken > amount.abs() {
            self.wrong(
                &account,
                format!("{what} draws from lots"),
                Some(taken),
                amount.abs(),
            );
        }
        Ok(())
    }

    fn call(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.calls += 1;
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let (account, key, at) = (text("account")?, text("key")?, text("at")?);
        let cost = row.get::<_, Option<i64>>("cost_nano_usd")?.map(i128::from);
        let tokens = i128::from(row.get::<_, i64>("input_tokens")?)
            + i128::from(row.get::<_, i64>("output_tokens")?);
        let charged: bool = row.get("credit_charged")?;
        let details = row.get_ref("details")?.as_str_or_null()?;
        let owners = [account, key];
        let readable = self
            .windows
            .call(owners, at, tokens, cost.unwrap_or(0), details);
        if !readable {
            let id: String = row.get("id")?;
            let what = format!("call {id} has details that are no details");
            self.wrong(account, what, None, 0);
        }
        let chapter: i64 = row.get("chapter")?;
        if let Some(misplaced) = self.chapters.misplaces(at, chapter) {
            let id: String = row.get("id")?;
            match misplaced {
                Misplaced::Elsewhere(right) => {
                    let what = format!("chapter of call {id}");
                    let right = i128::from(right.unwrap_or_default());
                    self.wrong(account, what, Some(chapter.into()), right);
                }
                Misplaced::Late => {
                    let what = format!("calls in chapter {chapter} as late as call {id}");
                    self.wrong(account, what, Some(0), 1);
                }
            }
        }
        let draws = row.get_ref("credit_draws")?.as_str_or_null()?;
        if !charged && draws.is_none() && cost.is_none_or(|cost| cost >= 0) {
            return Ok(());
        }
        let what = format!("call {}", row.get::<_, String>("id")?);
        let due = if charged { cost.unwrap_or(0) } else { 0 };
        self.account(account).balance -= due;
        let taken: i128 = self.draw(account, &what, draws)?.values().sum();
        if taken > due || cost.is_some_and(|cost| cost < 0) {
            let what = format!("{what} draws from lots");
            self.wrong(account, what, Some(taken), due);
        }
        Ok(())
    }

    /// Takes what a row says it took, from lots of its own account.
    fn draw(
        &mut self,
        account: &str,
        what: &str,
        text: Option<&str>,
    ) -> rusqlite::Result<BTreeMap<i64, i128>> {
        let Some(text) = text else {
            return Ok(BTreeMap::new());
        };
        let Ok(draws) = serde_json::from_str::<BTreeMap<i64, i128>>(text) else {
            self.wrong(
                account,
                format!("{what} has draws that are no draws"),
                None,
                0,
            );
            return Ok(BTreeMap::new());
        };
        for (number, amount) in &draws {
            let lot = self.lots.get_mut(number);
            match lot.filter(|lot| lot.account == account && *amount > 0) {
                Some(lot) => lot.remaining -= amount,
                None => {
                    let what = format!("{what} draws from lot {number}, which it cannot");
                    self.wrong(account, what, Some(*amount), 0);
                }
            }
        }
        Ok(draws)
    }

    fn lot(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let number: i64 = row.get("entry")?;
        let stored = i128::from(row.get::<_, i64>("remaining_nano_usd")?);
        let what = format!("lot {number}");
        let Some(lot) = self.lots.get_mut(&number) else {
            self.differs("", what, Some(stored), 0);
            return Ok(());
        };
        lot.stored = true;
        let (account, derived) = (lot.account.clone(), lot.remaining);
        self.account(&account).in_lots += derived.max(0);
        self.differs(&account, what, Some(stored), derived);
        Ok(())
    }

    fn balance(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let account: String = row.get("account")?;
        let stored = i128::from(row.get::<_, i64>("balance_nano_usd")?);
        let replayed = self.account(&account);
        replayed.stored = true;
        let derived = replayed.balance;
        self.differs(&account, "balance".to_owned(), Some(stored), derived);
        Ok(())
    }

    fn finish(mut self) -> Verified {
        let missing: Vec<(i64, String, i128)> = self
            .lots
            .iter()
            .filter(|(_, lot)| !lot.stored)
            .map(|(number, lot)| (*number, lot.account.clone(), lot.remaining))
            .collect();
        for (number, account, remaining) in missing {
            self.differs(&account, format!("lot {number}"), None, remaining);
        }
        let accounts = std::mem::take(&mut self.accounts);
        for (id, account) in &accounts {
            if !account.stored {
                self.differs(id, "balance".to_owned(), None, account.balance);
            }
            // What is in no lot cannot be spent.
            if account.in_lots < account.balance {
                let what = "lots together".to_owned();
                self.wrong(id, what, Some(account.in_lots), account.balance);
            }
        }
        for off in std::mem::take(&mut self.windows).off() {
            if off.is_money {
                self.difference += off.stored.abs_diff(off.derived);
            }
            self.wrong(&off.owner, off.what, Some(off.stored), off.derived);
        }
        self.problems
            .sort_by(|one, other| (&one.owner, &one.what).cmp(&(&other.owner, &other.what)));
        Verified {
            calls: self.calls,
            entries: self.entries,
            difference_nano_usd: u64::try_from(self.difference).unwrap_or(u64::MAX),
            problems: self.problems,
        }
    }

    fn account(&mut self, id: &str) -> &mut Account {
        // Looked up first: nearly every call is of an account that is known.
        if !self.accounts.contains_key(id) {
            self.accounts.insert(id.to_owned(), Account::default());
        }
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// Compares an amount.
    fn differs(&mut self, owner: &str, what: String, stored: Option<i128>, derived: i128) {
        let off = stored.unwrap_or(0).abs_diff(derived);
        // A row that is missing is one even where it would say nothing but 0.
        if off > 0 || (stored.is_none() && what != "balance") {
            self.difference += off;
            self.wrong(owner, what, stored, derived);
        }
    }

    fn wrong(&mut self, owner: &str, what: String, stored: Option<i128>, derived: i128) {
        let ends = |figure: i128| {
            i64::try_from(figure).unwrap_or(if figure < 0 { i64::MIN } else { i64::MAX })
        };
        self.problems.push(Problem {
            owner: owner.to_owned(),
            what,
            stored: stored.map(ends),
            derived: ends(derived),
        });
    }
}
