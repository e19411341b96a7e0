//! The chapters that calls stand in: stretches of time without a gap, each with some thousands of calls. Owns which
//! one a call belongs to and when the next one begins; `migrations/sqlite/0006_places.sql` says what they are for.

use std::time::Duration;

use rusqlite::Transaction;

use crate::domain::Timestamp;

use super::columns::instant;

/// Where calls and their chapters are selected from, for whoever needs their order: that of the chapters comes first.
pub(super) const CHAPTERS_AND_CALLS: &str =
    "call_chapters CROSS JOIN calls ON calls.chapter = call_chapters.number";

/// A chapter of so many calls ends. An index's part of it is then some ten pages, and ten million calls have some
/// thousands of chapters.
const LONGEST: i64 = 2048;

/// Between calls that are farther apart, a chapter ends as well: what a clock that ran ahead left does not keep the
/// chapter of the right time open.
const GAP: Duration = Duration::from_secs(3600);

/// The chapters that the calls of a transaction belong to.
pub(super) struct Chapters<'t> {
    transaction: &'t Transaction<'t>,
    /// Nearly always one.
    met: Vec<Chapter>,
}

struct Chapter {
    number: i64,
    since: String,
    /// Where the next one begins.
    end: Option<String>,
    /// When its latest call was admitted; `None` while it has none.
    last: Option<Timestamp>,
    added: i64,
}

impl<'t> Chapters<'t> {
    pub(super) fn new(transaction: &'t Transaction<'t>) -> Self {
        let met = Vec::new();
        Self { transaction, met }
    }

    /// The chapter of an instant, which `text` has as columns do.
    pub(super) fn at(&mut self, at: Timestamp, text: &str) -> rusqlite::Result<i64> {
        let chapter = self.meet(text)?;
        let number = chapter.number;
        if chapter.last.is_none_or(|last| at <= last.plus(GAP)) {
            return Ok(number);
        }
        // All its calls are earlier.
        let end = chapter.end.replace(text.to_owned());
        let number = self.begin(text)?;
        self.met.push(Chapter {
            number,
            since: text.to_owned(),
            end,
            last: None,
            added: 0,
        });
        Ok(number)
    }

    /// A call of that instant was written.
    pub(super) fn add(&mut self, at: Timestamp, text: &str) -> rusqlite::Result<()> {
        let chapter = self.meet(text)?;
        chapter.added += 1;
        chapter.last = chapter.last.max(Some(at));
        Ok(())
    }

    /// Notes what was added, and begins the chapters that are due.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        let mut note = self.transaction.prepare_cached(NOTE)?;
        for chapter in &self.met {
            let Some(last) = chapter.last.filter(|_| chapter.added > 0) else {
                continue;
            };
            let columns = (instant(last), chapter.added, chapter.number);
            let size: i64 = note.query_row(columns, |row| row.get(0))?;
            // All its calls stay in it.
            let next = instant(last.plus(Duration::from_millis(1)));
            let is_free = chapter.end.as_ref().is_none_or(|end| next < *end);
            if size >= LONGEST && is_free && next > instant(last) {
                self.begin(&next)?;
            }
        }
        Ok(())
    }

    fn begin(&self, since: &str) -> rusqlite::Result<i64> {
        let mut begin = self.transaction.prepare_cached(BEGIN)?;
        begin.insert([since])
    }

    fn meet(&mut self, at: &str) -> rusqlite::Result<&mut Chapter> {
        let met = self.met.iter().position(|chapter| chapter.has(at));
        let place = match met {
            Some(place) => place,
            None => {
                let mut find = self.transaction.prepare_cached(FIND)?;
                let found = find.query_row([at], |row| {
                    let last: String = row.get(3)?;
                    // What somebody spoilt may be any instant: the chapter never ends, which costs time and nothing else.
                    let any = Timestamp::from_millis(i64::MAX);
                    Ok(Chapter {
                        number: row.get(0)?,
                        since: row.get(1)?,
                        end: row.get(2)?,
                        last: (!last.is_empty()).then(|| last.parse().unwrap_or(any)),
                        added: 0,
                    })
                })?;
                self.met.push(found);
                self.met.len() - 1
            }
        };
        Ok(&mut self.met[place])
    }
}

impl Chapter {
    fn has(&self, at: &str) -> bool {
        self.since.as_str() <= at && self.end.as_deref().is_none_or(|end| at < end)
    }
}

// The first one begins with the empty text, so that there always is one.
const FIND: &str = "SELECT number, since,
        (SELECT min(since) FROM call_chapters AS next WHERE next.since > found.since), last_at
    FROM call_chapters AS found WHERE since <= ? ORDER BY since DESC LIMIT 1";

const NOTE: &str =
    "UPDATE call_chapters SET last_at = max(last_at, ?), size = size + ? WHERE number = ?
    RETURNING size";

const BEGIN: &str = "INSERT INTO call_chapters (since, last_at, size) VALUES (?, '', 0)";
