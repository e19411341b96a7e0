//! Cells of rows of which there may be a million.

use rusqlite::{Row, types::ValueRef};

use crate::{
    accounts::limits_from_json,
    domain::Limits,
    store::columns::{Columns, RowError},
};

/// A row that is one of a million: cells by their number, and text where it lies. What is wrong with one is said in the
/// words of [`Columns`].
pub(super) struct Cells<'a> {
    pub(super) row: &'a Row<'a>,
    pub(super) columns: Columns<'a>,
}

impl<'a> Cells<'a> {
    /// A text; nothing where there is NULL, or what is no text.
    pub(super) fn text(&self, cell: usize) -> Result<Option<&'a str>, RowError> {
        Ok(match self.row.get_ref(cell)? {
            ValueRef::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        })
    }

    /// A text that `read` knows.
    pub(super) fn word<T>(
        &self,
        cell: usize,
        column: &'static str,
        mut read: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, RowError> {
        match self.text(cell)?.and_then(&mut read) {
            Some(value) => Ok(value),
            None => self.columns.word(column, read),
        }
    }

    /// What most rows do not have.
    pub(super) fn unless_null<T>(
        &self,
        cell: usize,
        read: impl FnOnce(&Columns<'a>) -> Result<Option<T>, RowError>,
    ) -> Result<Option<T>, RowError> {
        match self.row.get_ref(cell)? {
            ValueRef::Null => Ok(None),
            _ => read(&self.columns),
        }
    }

    /// Limits, of which most rows have none.
    pub(super) fn limits(&self, cell: usize) -> Result<Limits, RowError> {
        match self.text(cell)? {
            Some("{}") => Ok(Limits::default()),
            _ => self.columns.json("limits", limits_from_json),
        }
    }
}
