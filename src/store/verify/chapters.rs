//! Whether calls stand in the chapter of their time: one that does not is missed by whoever looks there.

use rusqlite::Connection;

/// The chapters, by their beginnings.
#[derive(Debug, Default)]
pub(super) struct Chapters(Vec<Chapter>);

#[derive(Debug)]
struct Chapter {
    since: String,
    number: i64,
    last_at: String,
}

/// What is wrong with a call's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// It belongs into this chapter, if there is one.
    Elsewhere(Option<i64>),
    /// Its chapter says that it has no call so late, and may end before this one.
    Late,
}

impl Chapters {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut select = connection
            .prepare("SELECT since, number, last_at FROM call_chapters ORDER BY since")?;
        let chapters = select.query_map([], |row| {
            Ok(Chapter {
                since: row.get(0)?,
                number: row.get(1)?,
                last_at: row.get(2)?,
            })
        })?;
        chapters.collect::<rusqlite::Result<_>>().map(Self)
    }

    /// What is wrong with a call of that instant in the chapter of that number.
    pub(super) fn misplaces(&self, at: &str, number: i64) -> Option<Misplaced> {
        let begun = self
            .0
            .partition_point(|chapter| chapter.since.as_str() <= at);
        let right = begun.checked_sub(1).and_then(|place| self.0.get(place));
        match right {
            Some(right) if right.number != number => Some(Misplaced::Elsewhere(Some(right.number))),
            Some(right) => (at > right.last_at.as_str()).then_some(Misplaced::Late),
            None => Some(Misplaced::Elsewhere(None)),
        }
    }
}
