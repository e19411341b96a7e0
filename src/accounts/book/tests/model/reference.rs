//! What a book should do, as plainly as it can be said. Credit is one more counter: spent less paid in, of nothing.

use std::collections::HashMap;

use crate::accounts::{CounterName, Reason};
use crate::domain::{Anchor, Timestamp, Unit};

/// A counter; `None` is the credit.
pub(super) type Name = Option<CounterName>;
/// A limit: its counter, its figure, and whether it refuses.
pub(super) type Level = (Name, i64, bool);

/// Why a call may not be made, and which level says so.
pub(super) type Bound = (Reason, usize);

/// A call, at prices for itself, for a token of input and for one of output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) prices: [i64; 3],
    pub(super) input: i64,
    pub(super) answers: i64,
}

/// What a call took of a counter: at once, and to hold.
pub(super) type Part = (Name, Count);

/// Used and held, in the window that starts then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) start: Timestamp,
    pub(super) used: i64,
    pub(super) held: i64,
}

#[derive(Debug, Default)]
pub(super) struct Model(pub(super) HashMap<Name, Count>);

impl Call {
    fn takes(&self, name: &Name, output: i64) -> (i64, i64) {
        let [request, input, each] = self.prices;
        match name.as_ref().map_or(Unit::Usd, |name| name.unit) {
            Unit::Requests => (1, 0),
            Unit::Tokens => (0, self.input + self.answers * output),
            Unit::Usd => (request, self.input * input + self.answers * output * each),
        }
    }
}

impl Model {
    pub(super) fn count(&mut self, name: &Name, now: Timestamp, anchor: Anchor) -> &mut Count {
        let start = name.as_ref().map(|name| name.per.window(now, anchor).start);
        let (start, used, held) = (start.unwrap_or_default(), 0, 0);
        let fresh = Count { start, used, held };
        let count = self.0.entry(name.clone()).or_insert(fresh);
        if start > count.start {
            *count = fresh;
        }
        count
    }

    pub(super) fn binds(&self, levels: &[Level], call: &Call, output: i64) -> Option<Bound> {
        let judge = |(at, (name, limit, enforced)): (usize, &Level)| {
            let (count, (exact, bound)) = (self.0[name], call.takes(name, output));
            let settled = count.used + exact + bound;
            let reason = match (count.used >= *limit, settled > *limit) {
                (true, _) => Reason::Spent,
                (false, true) => Reason::TooLarge,
                (false, false) if settled + count.held > *limit => Reason::OnHold,
                (false, false) => return None,
            };
            enforced.then_some((reason, at))
        };
        levels.iter().enumerate().filter_map(judge).min()
    }

    pub(super) fn hold(&mut self, levels: &[Level], call: &Call, output: i64) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (name, ..) in levels {
            let count = self.0.get_mut(name).unwrap();
            let (start, (used, held)) = (count.start, call.takes(name, output));
            if parts.iter().all(|(other, _)| other != name) {
                (count.used, count.held) = (count.used + used, count.held + held);
                parts.push((name.clone(), Count { start, used, held }));
            }
        }
        parts
    }

    /// Replaces what a call took by what it used: requests, tokens, money.
    pub(super) fn settle(&mut self, parts: &[Part], used: [i64; 3]) {
        for (name, part) in parts {
            let used = used[name.as_ref().map_or(Unit::Usd, |name| name.unit) as usize];
            let count = self.0.get_mut(name).unwrap();
            if count.start == part.start {
                (count.used, count.held) = (count.used + used - part.used, count.held - part.held);
            }
        }
    }
}
