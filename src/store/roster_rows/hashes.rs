//! The secrets of all keys, beside the keys as they are read.

use std::collections::HashMap;

use rusqlite::{Connection, Rows};

use super::cells::Cells;
use crate::{
    accounts::{Digests, Opener},
    domain::{KeyDigest, Timestamp},
    store::columns::{Columns, RowError},
};

/// Every secret with the name of its key, in the order of the keys. The index has both, so no row is looked for.
pub(super) const ALL: &str = "SELECT key, key_hash FROM key_hashes ORDER BY key";

/// The secrets of all keys, taken in the order of the keys: there may be a million, and a map of them would be the most
/// that a start needs.
pub(super) struct Hashes<'s> {
    rows: Rows<'s>,
    /// The key of the row that comes next, and its secret.
    next: Option<(String, KeyDigest)>,
    /// Where secrets stand among those of their key, and when they end: of keys that were rotated.
    rotated: HashMap<KeyDigest, (i64, Option<Timestamp>)>,
}

impl<'s> Hashes<'s> {
    /// Stands before the first of `rows`, which are those of [`ALL`].
    pub(super) fn read(connection: &Connection, rows: Rows<'s>) -> Result<Self, RowError> {
        let mut rotated = HashMap::new();
        let mut select = connection
            .prepare("SELECT * FROM key_hashes WHERE position <> 0 OR ends_at IS NOT NULL")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let columns = Columns::new(row, "key_hashes", "key");
            let digest = columns.word("key_hash", |text| text.parse().ok())?;
            let place = (
                columns.plain("position")?,
                columns.optional_instant("ends_at")?,
            );
            rotated.insert(digest, place);
        }
        let mut hashes = Self {
            rows,
            next: None,
            rotated,
        };
        hashes.step()?;
        Ok(hashes)
    }

    /// Goes on to the next row.
    fn step(&mut self) -> Result<(), RowError> {
        let mut key = self.next.take().map(|(key, _)| key).unwrap_or_default();
        if let Some(row) = self.rows.next()? {
            let columns = Columns::new(row, "key_hashes", "key");
            let cells = Cells { row, columns };
            key.clear();
            cells.word(0, "key", |text| {
                key.push_str(text);
                Some(())
            })?;
            let digest = cells.word(1, "key_hash", |text| text.parse().ok())?;
            self.next = Some((key, digest));
        }
        Ok(())
    }

    /// The secrets of a key. Keys have to come in their order.
    pub(super) fn of(&mut self, id: &str) -> Result<Digests, RowError> {
        let mut found: Option<Digests> = None;
        let mut several: Vec<(i64, Opener)> = Vec::new();
        while let Some((key, digest)) = &self.next
            && key.as_str() <= id
        {
            // A secret of a key that there is not opens nothing.
            if key == id {
                let digest = *digest;
                let place = self.rotated.get(&digest).copied();
                if found.is_none() && place.is_none() && several.is_empty() {
                    found = Some(Digests::one(digest));
                } else {
                    let before = found.take().into_iter().flat_map(|one| one.to_vec());
                    several.extend(before.map(|one| (0, one)));
                    let (position, end) = place.unwrap_or_default();
                    several.push((position, (digest, end)));
                }
            }
            self.step()?;
        }
        Ok(found.unwrap_or_else(|| {
            several.sort_by_key(|(position, _)| *position);
            several.into_iter().map(|(_, opener)| opener).collect()
        }))
    }
}
