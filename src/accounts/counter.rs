//! One counted quantity and its window.

use crate::domain::{AccountId, Anchor, DAY, KeyId, Per, Timestamp, Unit, Window};

/// Whose counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Over all keys of an account.
    Account(AccountId),
    /// One key.
    Key(KeyId),
}

/// A counter's name. The window is what makes it start again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CounterName {
    /// Whose.
    pub owner: Owner,
    /// Of what.
    pub unit: Unit,
    /// Per which window.
    pub per: Per,
}

/// By how much a counter moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterChange {
    /// Which counter.
    pub name: CounterName,
    /// The start of the window that the call was admitted in.
    pub window_start: Timestamp,
    /// How many are added.
    pub add: u64,
}

/// A counter as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRow {
    /// Which counter.
    pub name: CounterName,
    /// The start of its window.
    pub window_start: Timestamp,
    /// How many are used.
    pub used: u64,
}

/// A counter in its present window.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) name: CounterName,
    pub(super) window: Window,
    /// Counts the windows seen, so that a hold of an earlier one is recognised.
    pub(super) generation: u32,
    pub(super) used: u64,
    pub(super) held: u64,
    anchor: Anchor,
}

impl Counter {
    /// A counter that continues what was stored, or starts at `now`.
    pub(super) fn restore(
        name: CounterName,
        stored: Option<&CounterRow>,
        now: Timestamp,
        anchor: Anchor,
    ) -> Self {
        let begun = stored.map_or(now, |row| row.window_start);
        let mut window = name.per.window(begun, anchor);
        if stored.is_some() {
            // A billing period that became known later began before; what is used goes on in the row that was read.
            window.start = begun;
        }
        let used = stored.map_or(0, |row| row.used);
        let mut counter = Self {
            name,
            window,
            generation: 0,
            used,
            held: 0,
            anchor,
        };
        counter.roll(now, anchor);
        counter
    }

    /// The same for another book, which goes on with it.
    pub(super) fn copy(&self) -> Self {
        Self {
            name: self.name.clone(),
            ..*self
        }
    }

    /// Goes on where `other` is, unless that is behind. Windows are this book's to number: what was taken here of the one
    /// that goes on is given back here.
    pub(super) fn catch_up(&mut self, other: &Self) {
        if other.window.start < self.window.start {
            return;
        }
        let later = u32::from(other.window.start > self.window.start);
        *self = Self {
            generation: self.generation.wrapping_add(later),
            ..other.copy()
        };
    }

    /// Replaces what was counted as used and as held for a call, where its window is that of `now`.
    pub(super) fn replace(
        &mut self,
        window_start: Timestamp,
        now: Timestamp,
        was: (u64, u64),
        is: (u64, u64),
    ) {
        self.roll(now, self.anchor);
        if self.window.start == window_start {
            self.used = self.used.saturating_sub(was.0).saturating_add(is.0);
            self.held = self.held.saturating_sub(was.1).saturating_add(is.1);
        }
    }

    /// Enters the window of `now`. A clock that went back does not bring the window before back, and a window that
    /// only changed its end keeps its count. A clock that was ahead by more than a window and a day, and was put right,
    /// is no reason to wait for the window that it showed: the count goes on in the present one.
    pub(super) fn roll(&mut self, now: Timestamp, anchor: Anchor) {
        if self.window.contains(now) && anchor == self.anchor {
            return;
        }
        let window = self.name.per.window(now, anchor);
        if now < self.window.start {
            let last = Timestamp::from_millis(self.window.start.millis().saturating_sub(DAY));
            if now < self.name.per.window(last, anchor).start {
                self.window = window;
                self.anchor = anchor;
            }
            return;
        }
        self.anchor = anchor;
        if window.start > self.window.start {
            self.generation = self.generation.wrapping_add(1);
            self.used = 0;
            self.held = 0;
            self.window = window;
        } else {
            self.window.end = window.end;
        }
    }
}

#[cfg(test)]
mod tests;
