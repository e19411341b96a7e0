//! What an account was given last.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::{
    domain::{AccountId, NanoUsd},
    store::{ReadError, Store, columns::RowError},
};

impl Store {
    /// The last top-up, grant or incoming transfer of each of these accounts; an account that never had one is not in
    /// the answer.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn last_top_ups(
        &self,
        accounts: Vec<AccountId>,
    ) -> Result<HashMap<AccountId, NanoUsd>, ReadError> {
        self.read(move |connection| last(connection, accounts))
            .await
    }
}

fn last(
    connection: &Connection,
    accounts: Vec<AccountId>,
) -> Result<HashMap<AccountId, NanoUsd>, RowError> {
    let mut select = connection.prepare(
        "SELECT amount_nano_usd FROM credit_entries
         WHERE account = ? AND amount_nano_usd > 0 AND kind IN ('top_up', 'grant', 'transfer')
         ORDER BY number DESC LIMIT 1",
    )?;
    let mut found = HashMap::with_capacity(accounts.len());
    for account in accounts {
        let amount: Option<i64> = select
            .query_row([account.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(amount) = amount {
            found.insert(account, NanoUsd::from_nanos(amount));
        }
    }
    Ok(found)
}
