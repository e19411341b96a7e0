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
///
/// Every window has one count, whichever way the clock goes through them. The window that was left last is remembered: a
/// clock that comes back into it finds its count there, with what was counted in the later window on top, because that was
/// used meanwhile; and one that goes on again finds the later window as it was. So a clock that is ahead for a while by one
/// boundary, and then put right, begins no window twice, and nobody waits for the window that it showed. What is under way
/// then is counted where it was admitted.
///
/// Before a window that is not remembered, a clock that went back by up to a day is not believed, and the count goes on in
/// the window that had begun; by more, it was ahead before, and the count goes on in the present window.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) name: CounterName,
    pub(super) window: Window,
    pub(super) used: u64,
    pub(super) held: u64,
    anchor: Anchor,
    left: Option<Left>,
}

/// The window that a counter left last. A call of it that ends later is counted there.
#[derive(Debug, Clone, Copy)]
struct Left {
    start: Timestamp,
    used: u64,
    held: u64,
    /// How much of what is used in the later one of this window and the present one is in the earlier one already.
    shared: u64,
}

impl Counter {
    /// A counter that continues what was stored, the newest window first, or starts at `now`.
    pub(super) fn restore(
        name: CounterName,
        stored: &[CounterRow],
        now: Timestamp,
        anchor: Anchor,
    ) -> Self {
        let newest = stored.first();
        let begun = newest.map_or(now, |row| row.window_start);
        let mut window = name.per.window(begun, anchor);
        if newest.is_some() {
            // A billing period that became known later began before; what is used goes on in the row that was read.
            window.start = begun;
        }
        let mut counter = Self {
            name,
            window,
            used: newest.map_or(0, |row| row.used),
            held: 0,
            anchor,
            left: stored.get(1).map(|row| Left {
                used: row.used,
                ..Left::new(row.window_start)
            }),
        };
        counter.roll(now, anchor);
        counter
    }

    /// Goes on where `other` is, unless that is behind.
    pub(super) fn catch_up(&mut self, other: &Self) {
        if other.window.start >= self.window.start {
            *self = other.clone();
        }
    }

    /// The same as [`Self::replace`] at `now`, for a counter that nobody may have looked at since its window ended.
    pub(super) fn replace_at(
        &mut self,
        now: Timestamp,
        window_start: Timestamp,
        was: (u64, u64),
        is: (u64, u64),
    ) {
        self.roll(now, self.anchor);
        self.replace(window_start, was, is);
    }

    /// Replaces what was counted as used and as held for a call in the window that it was admitted in, where that is the
    /// present one or the one that was left last.
    pub(super) fn replace(&mut self, window_start: Timestamp, was: (u64, u64), is: (u64, u64)) {
        let (used, held) = match &mut self.left {
            _ if self.window.start == window_start => (&mut self.used, &mut self.held),
            Some(left) if left.start == window_start => (&mut left.used, &mut left.held),
            _ => return,
        };
        *used = used.saturating_sub(was.0).saturating_add(is.0);
        *held = held.saturating_sub(was.1).saturating_add(is.1);
    }

    /// Enters the window of `now`. One that only changed its end keeps its count.
    pub(super) fn roll(&mut self, now: Timestamp, anchor: Anchor) {
        if self.window.contains(now) && anchor == self.anchor {
            return;
        }
        let window = self.name.per.window(now, anchor);
        let known = self.left.filter(|left| window.contains(left.start));
        if now < self.window.start {
            let day_before = self.window.start.millis().saturating_sub(DAY);
            if known.is_none() && now.millis() >= day_before {
                return;
            }
        } else if window.start <= self.window.start {
            self.anchor = anchor;
            self.window.end = window.end;
            return;
        }
        self.anchor = anchor;
        self.change_to(known.unwrap_or_else(|| Left::new(window.start)), window.end);
    }

    fn change_to(&mut self, entered: Left, end: Timestamp) {
        let (more, shared) = if entered.start < self.window.start {
            (self.used.saturating_sub(entered.shared), self.used)
        } else {
            (0, entered.shared)
        };
        self.left = Some(Left {
            start: self.window.start,
            used: self.used,
            held: self.held,
            shared,
        });
        self.window = Window {
            start: entered.start,
            end,
        };
        self.used = entered.used.saturating_add(more);
        self.held = entered.held;
    }
}

impl Left {
    fn new(start: Timestamp) -> Self {
        Self {
            start,
            used: 0,
            held: 0,
            shared: 0,
        }
    }
}

#[cfg(test)]
mod tests;
