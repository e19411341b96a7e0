//! How values stand in columns, and how a column is read back with words when somebody edited it.

use std::{collections::BTreeSet, str::FromStr};

use rusqlite::{Row, types::FromSql};
use serde_json::Value;

use crate::domain::{ModelName, NanoUsd, Timestamp, Usage};

/// The largest number that every reader of JSON takes exactly. A token count above it is absurd, and a sum over a
/// thousand rows of it still fits a column.
const LARGEST_COUNT: u64 = (1 << 53) - 1;

/// Why a row could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    /// The database says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A column has something that this version does not write.
    #[error("column {column} of {row} {words}")]
    Damaged {
        row: String,
        column: &'static str,
        words: String,
    },
}

/// RFC 3339 in UTC with exactly three decimals, so that text sorts as time does.
pub(super) fn instant(at: Timestamp) -> String {
    let end = if at.millis() < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(end);
    format!("{at:.3}")
}

/// A number of milliseconds, calls or the like; stops at the column's end.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A number of tokens of one call.
pub(super) fn tokens(count: u64) -> i64 {
    number(count.min(LARGEST_COUNT))
}

/// A list as JSON text.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items = items.into_iter().map(|item| item.to_string().into());
    Value::Array(items.collect()).to_string()
}

/// A row under the name that messages give it, read column by column.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    table: &'static str,
    id: &'static str,
}

impl<'a> Columns<'a> {
    /// `row` of `table`, whose column `id` tells rows apart for a person.
    pub(super) fn new(row: &'a Row<'a>, table: &'static str, id: &'static str) -> Self {
        Self { row, table, id }
    }

    /// A column as SQLite has it.
    pub(super) fn plain<T: FromSql>(&self, column: &'static str) -> Result<T, RowError> {
        Ok(self.row.get(column)?)
    }

    /// A column of text that `read` understands.
    pub(super) fn word<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, RowError> {
        let text: String = self.plain(column)?;
        read(&text).ok_or_else(|| self.damaged(column, format!("is {text:?}, which is not known")))
    }

    /// A column that may be NULL, of text that `read` understands.
    pub(super) fn optional<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, RowError> {
        match self.plain::<Option<String>>(column)? {
            Some(_) => self.word(column, read).map(Some),
            None => Ok(None),
        }
    }

    /// An instant.
    pub(super) fn instant(&self, column: &'static str) -> Result<Timestamp, RowError> {
        self.word(column, |text| text.parse().ok())
    }

    /// An instant, or NULL.
    pub(super) fn optional_instant(
        &self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, RowError> {
        self.optional(column, |text| text.parse().ok())
    }

    /// A number that is never negative.
    pub(super) fn count(&self, column: &'static str) -> Result<u64, RowError> {
        let count: i64 = self.plain(column)?;
        u64::try_from(count)
            .map_err(|_| self.damaged(column, format!("is {count}, which is below zero")))
    }

    /// An amount.
    pub(super) fn money(&self, column: &'static str) -> Result<NanoUsd, RowError> {
        self.plain(column).map(NanoUsd::from_nanos)
    }

    /// The columns of a call's tokens, or of their sums under the same names.
    pub(super) fn usage(&self) -> Result<Usage, RowError> {
        Ok(Usage {
            input: self.count("input_tokens")?,
            cached_input: self.count("cached_input_tokens")?,
            cache_write: self.count("cache_write_tokens")?,
            output: self.count("output_tokens")?,
            reasoning: self.count("reasoning_tokens")?,
            cache_write_1h: self.count("cache_write_1h_tokens")?,
            audio_input: self.count("audio_input_tokens")?,
            audio_output: self.count("audio_output_tokens")?,
            images: self.count("images")?,
            seconds: self.count("seconds")?,
            pages: self.count("pages")?,
        })
    }

    /// JSON text that `read` understands.
    pub(super) fn json<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<T, RowError> {
        let text: String = self.plain(column)?;
        serde_json::from_str(&text)
            .map_err(|error| format!("is not JSON: {error}"))
            .and_then(|value| read(&value))
            .map_err(|words| self.damaged(column, format!("cannot be read: {words}")))
    }

    /// Models, or NULL for all of them.
    pub(super) fn models(
        &self,
        column: &'static str,
    ) -> Result<Option<BTreeSet<ModelName>>, RowError> {
        match self.plain::<Option<String>>(column)? {
            Some(_) => self
                .json(column, |value| {
                    read_list(value, |name| ModelName::parse(name).ok())
                })
                .map(|models| Some(models.into_iter().collect())),
            None => Ok(None),
        }
    }

    /// A list of words with a text form of their own.
    pub(super) fn list<T: FromStr>(&self, column: &'static str) -> Result<Vec<T>, RowError> {
        self.json(column, |value| read_list(value, |word| word.parse().ok()))
    }

    /// What is said of a column that cannot be read.
    pub(super) fn damaged(&self, column: &'static str, words: String) -> RowError {
        let id: String = self.row.get(self.id).unwrap_or_default();
        RowError::Damaged {
            row: format!("{} {id:?}", self.table),
            column,
            words,
        }
    }
}

fn read_list<T>(value: &Value, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or("it is not a list")?;
    items
        .iter()
        .map(|item| {
            let word = item.as_str().and_then(&read);
            word.ok_or_else(|| format!("{item} is not allowed here"))
        })
        .collect()
}

#[cfg(test)]
mod tests;
