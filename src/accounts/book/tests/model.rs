//! The book against a model of it, through random sequences of everything that can happen to an account.
//!
//! After every step both stand the same, what was stored adds up to it, and nobody has more than there is.

mod reference;
mod steps;

use std::{collections::HashMap, time::Duration};

use proptest::{
    prelude::ProptestConfig,
    test_runner::{TestCaseError, TestRunner},
};
use reference::{Call, Level, Model, Name, Part};
use steps::{Ended, Published, Step};

use super::{
    Accounts, Binding, Clock, Key, Output, Reason, Settled, Taken, Unit, Wanted, clock, hold, key,
    readings,
};
use crate::{
    accounts::{
        CounterName, Draws, Lot, Owner,
        fixtures::{account, priced, terms, wanted},
    },
    domain::{Mode, NanoUsd, Timestamp},
};

/// Sequences that are tried unless `FAREGATE_SEQUENCES` says how many.
const SEQUENCES: u32 = 10_000;

/// A call that asks for nothing: what stops it has nothing left.
const NOTHING: Call = Call {
    prices: [0; 3],
    input: 0,
    answers: 0,
};

/// The book, the model, and what the store would have.
struct World {
    clock: Clock,
    accounts: Accounts,
    model: Model,
    open: Vec<Open>,
    /// Credit taken by entries that may yet fail to be written.
    unwritten: Vec<(i64, Draws)>,
    /// Counters as stored.
    counters: HashMap<(CounterName, Timestamp), i64>,
    /// Entries of credit less charges, as stored.
    balance: i64,
    /// Of each lot: when it is lost, and what was not drawn by a stored row.
    lots: Vec<(Option<Timestamp>, i64)>,
    /// By how much calls cost more than they held, and entries took more than nobody held.
    excess: i64,
    /// Whether there was ever debt: which lot pays it is not in any stored row.
    indebted: bool,
}

/// A call under way.
struct Open {
    taken: Taken,
    parts: Vec<Part>,
}

type Checked = Result<(), TestCaseError>;

macro_rules! check {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(TestCaseError::fail(format!($($words)+)));
        }
    };
}

impl World {
    fn new() -> Self {
        let clock = clock();
        Self {
            accounts: Accounts::new(clock.clone(), Vec::new()),
            clock,
            model: Model::default(),
            open: Vec::new(),
            unwritten: Vec::new(),
            counters: HashMap::new(),
            balance: 0,
            lots: Vec::new(),
            excess: 0,
            indebted: false,
        }
    }

    fn keys(&self) -> [std::sync::Arc<Key>; 2] {
        ["k1", "k2"].map(|id| key(&self.accounts, id))
    }

    /// The model's levels of a key, each in its present window.
    fn levels(&mut self, key: &Key) -> Vec<Level> {
        let (now, anchor) = (self.clock.now(), key.account.anchor);
        let mut levels = Vec::new();
        for level in &key.levels.quotas {
            let owner = match level.scope {
                crate::domain::Scope::Key => Owner::Key(key.id.clone()),
                _ => Owner::Account(key.account.id.clone()),
            };
            let name = Some(CounterName {
                owner,
                unit: level.quota.unit,
                per: level.quota.per,
            });
            let enforced = level.quota.mode == Mode::Enforce;
            levels.push((name, level.quota.limit.cast_signed(), enforced));
        }
        if key.levels.credit {
            levels.push((None, 0, true));
        }
        for (name, ..) in &levels {
            self.model.count(name, now, anchor);
        }
        levels
    }

    fn credit(&mut self) -> &mut reference::Count {
        let key = key(&self.accounts, "k1");
        self.model
            .count(&None, self.clock.now(), key.account.anchor)
    }

    /// What has expired, by the book's word: it has to be of lots whose time has come, and no more than they had.
    fn expire(&mut self) -> Checked {
        self.accounts.credit(&account());
        for (_, draws) in self.accounts.take_expired() {
            for draw in draws {
                let amount = draw.amount.nanos();
                self.credit().used += amount;
                self.balance -= amount;
                self.drawn(draw.entry, amount)?;
                let end = usize::try_from(draw.entry - 1).ok();
                let end = end.and_then(|at| self.lots.get(at)?.0);
                let over = end.is_some_and(|end| end <= self.clock.now());
                check!(over, "lot {} was lost too early", draw.entry);
            }
        }
        Ok(())
    }

    /// A stored row took so much of a lot, which must have had it.
    fn drawn(&mut self, entry: i64, amount: i64) -> Checked {
        // What memory gave back without knowing its lot has no number.
        let lot = usize::try_from(entry - 1).ok();
        if let Some((_, left)) = lot.and_then(|at| self.lots.get_mut(at)) {
            *left -= amount;
            check!(*left >= 0, "lot {entry} gave {} too much", -*left);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Publish(published) => self.publish(published),
            Step::Call(which, call, output) => self.call(*which, call, *output)?,
            Step::End(which, ended) if !self.open.is_empty() => {
                let open = self.open.swap_remove(which.index(self.open.len()));
                self.end(open, *ended)?;
            }
            Step::TopUp(amount, priority, expires) => self.top_up(*amount, *priority, *expires),
            Step::Take(amount) => {
                self.excess += amount;
                let draws = self.accounts.draw(&account(), NanoUsd::from_nanos(*amount));
                self.expire()?;
                self.credit().used += amount;
                self.unwritten.push((*amount, draws));
            }
            Step::Write(which, written) if !self.unwritten.is_empty() => {
                let at = which.index(self.unwritten.len());
                let (amount, draws) = self.unwritten.swap_remove(at);
                self.write(amount, &draws, *written)?;
            }
            Step::Pass(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Step::End(..) | Step::Write(..) => {}
        }
        self.expire()?;
        self.stand_the_same()
    }

    /// An entry that takes credit is written, or could not be.
    fn write(&mut self, amount: i64, draws: &Draws, written: bool) -> Checked {
        if !written {
            let nanos = NanoUsd::from_nanos(amount);
            self.accounts.give_back(&account(), nanos, draws);
            self.credit().used -= amount;
            return Ok(());
        }
        self.accounts.drawn(&account());
        self.balance -= amount;
        for draw in draws {
            self.drawn(draw.entry, draw.amount.nanos())?;
        }
        Ok(())
    }

    fn publish(&mut self, published: &Published) {
        self.accounts.publish(published.roster(self.clock.now()));
        for key in self.keys() {
            self.levels(&key);
        }
    }

    fn top_up(&mut self, amount: i64, priority: u8, expires: Option<u64>) {
        let now = self.clock.now();
        let expires_at = expires.map(|after| now.plus(Duration::from_secs(after)));
        self.lots.push((expires_at, amount));
        self.balance += amount;
        self.credit().used -= amount;
        let lot = Lot {
            entry: self.lots.len().cast_signed() as i64,
            remaining: NanoUsd::from_nanos(amount),
            priority,
            expires_at,
        };
        self.accounts.add_lot(&account(), lot);
    }

    fn call(&mut self, which: bool, call: &Call, output: Output) -> Checked {
        let key = key(&self.accounts, if which { "k1" } else { "k2" });
        let levels = self.levels(&key);
        let expected = self.expected_output(&levels, call, output);
        let bound = self.model.binds(&levels, call, expected);
        let spent = key
            .account
            .book
            .spent(&key.levels, self.clock.now(), key.account.anchor);
        let first = self.model.binds(&levels, &NOTHING, 0);
        let first = first.filter(|(reason, _)| *reason == Reason::Spent);
        check!(
            spent.is_some() == first.is_some(),
            "spent: {spent:?}, expected {first:?}"
        );
        let prices = call.prices.map(i64::cast_unsigned);
        let wanted = Wanted {
            output,
            answers: call.answers.cast_unsigned(),
            ..wanted(call.input.cast_unsigned(), 0)
        };
        let wanted = priced(wanted, &terms(prices[0], prices[1], prices[2]));
        match (hold(&key, &wanted, &self.clock), bound) {
            (Ok(taken), None) => {
                let given = taken.output.cast_signed();
                check!(given == expected, "output {given}, expected {expected}");
                let parts = self.model.hold(&levels, call, given);
                for (name, limit, _) in levels.iter().filter(|level| level.2) {
                    let count = self.model.0[name];
                    check!(
                        count.used + count.held <= *limit,
                        "{name:?} is above {limit}"
                    );
                }
                self.open.push(Open { taken, parts });
            }
            (Err(bound), Some((reason, at))) => {
                let (name, limit, _) = &levels[at];
                check!(bound.reason == reason, "{bound:?}, expected {reason:?}");
                self.names(&bound, name, *limit)?;
                if name.is_none() && reason != Reason::Spent {
                    let most = self.largest(&levels, call, wanted.output.most());
                    let most = most.unwrap_or(0).cast_unsigned();
                    check!(bound.affordable == Some(most), "{bound:?}, expected {most}");
                }
            }
            (held, bound) => {
                return Err(TestCaseError::fail(format!("{held:?}, expected {bound:?}")));
            }
        }
        Ok(())
    }

    /// Whether a refusal names this level, and its figures.
    fn names(&self, bound: &Binding, name: &Name, limit: i64) -> Checked {
        let count = self.model.0[name];
        let figures = [bound.limit, bound.used, bound.held].map(u64::cast_signed);
        let expected = match name {
            Some(name) => {
                check!(bound.unit == name.unit, "{bound:?}, expected {name:?}");
                check!(bound.per == Some(name.per), "{bound:?}, expected {name:?}");
                [limit, count.used, count.held]
            }
            None => [(-count.used).max(0), 0, count.held],
        };
        let credit = bound.credit.is_some();
        check!(credit == name.is_none(), "{bound:?}, expected {name:?}");
        check!(figures == expected, "{bound:?}, expected {expected:?}");
        Ok(())
    }

    fn expected_output(&self, levels: &[Level], call: &Call, output: Output) -> i64 {
        let (most, floor, levels) = match output {
            Output::Fixed(output) => return output.cast_signed(),
            Output::UpTo { most, floor } => (most, floor.min(most), levels.to_vec()),
            Output::Clamp { most, .. } => {
                let credit = levels.iter().filter(|level| level.0.is_none());
                (most, most.min(1), credit.cloned().collect())
            }
        };
        let room = self.largest(&levels, call, most).unwrap_or(0);
        room.max(floor.cast_signed())
    }

    /// The most output for which everything that grows with it has room now, by trying.
    fn largest(&self, levels: &[Level], call: &Call, most: u64) -> Option<i64> {
        let grows = |level: &&Level| {
            let name = level.0.as_ref();
            name.is_none_or(|name| name.unit != Unit::Requests)
        };
        let levels: Vec<_> = levels.iter().filter(grows).cloned().collect();
        let fits = |output: &i64| self.model.binds(&levels, call, *output).is_none();
        (0..=most.cast_signed()).rev().find(fits)
    }

    fn end(&mut self, open: Open, ended: Ended) -> Checked {
        let Open { taken, parts } = open;
        let (tokens, money) = (taken.tokens(), taken.money().nanos());
        let (charged, book) = (taken.is_charged(), key(&self.accounts, "k1"));
        let (settled, used) = match ended {
            Ended::Void => (Settled::Void, [0; 3]),
            Ended::Used(share) => {
                let (tokens, cost) = (tokens * share / 100, money * share.cast_signed() / 100);
                let settled = Settled::Used {
                    tokens,
                    cost: NanoUsd::from_nanos(cost),
                };
                (settled, [1, tokens.cast_signed(), cost])
            }
        };
        let moved = book.account.book.settle(taken, settled, &self.clock);
        self.model.settle(&parts, used);
        for change in moved.counters {
            let row = self.counters.entry((change.name, change.window_start));
            *row.or_default() += change.add.cast_signed();
        }
        check!(
            moved.credit.is_some() == (charged && ended != Ended::Void),
            "{:?} of a call that is charged: {charged}",
            moved.credit
        );
        if let Some(draws) = moved.credit {
            self.excess += (used[2] - money).max(0);
            self.balance -= used[2];
            let drawn: i64 = draws.iter().map(|draw| draw.amount.nanos()).sum();
            check!(drawn <= used[2], "{drawn} drawn for {}", used[2]);
            for draw in draws {
                self.drawn(draw.entry, draw.amount.nanos())?;
            }
        }
        Ok(())
    }

    fn stand_the_same(&mut self) -> Checked {
        for key in self.keys() {
            let levels = self.levels(&key);
            let quotas = readings(&key, &self.clock);
            for (reading, (name, ..)) in quotas.iter().zip(&levels) {
                let (figures, count) = (reading.figures, self.model.0[name]);
                let real = (figures.used.cast_signed(), figures.held.cast_signed());
                let expected = (count.used, count.held);
                check!(
                    real == expected,
                    "{name:?}: {real:?}, expected {expected:?}"
                );
            }
        }
        let credit = self.accounts.credit(&account());
        let (balance, held) = (credit.balance.nanos(), credit.held.nanos());
        let expected = *self.credit();
        let expected = (-expected.used, expected.held);
        self.indebted |= balance < 0;
        check!(
            (balance, held) == expected,
            "credit {credit:?}, expected {expected:?}"
        );
        check!(balance - held >= -self.excess, "{credit:?} is below zero");
        // What is stored, and what calls under way have taken at once.
        let mut taken: HashMap<Name, i64> = HashMap::new();
        for (name, part) in self.open.iter().flat_map(|open| &open.parts) {
            let count = self.model.0[name];
            *taken.entry(name.clone()).or_default() += if part.start == count.start {
                part.used
            } else {
                0
            };
        }
        let unwritten: i64 = self.unwritten.iter().map(|(amount, _)| amount).sum();
        for (name, count) in &self.model.0 {
            let taken = taken.get(name).copied().unwrap_or(0);
            let stored = match name {
                Some(name) => {
                    let row = self.counters.get(&(name.clone(), count.start));
                    row.copied().unwrap_or(0)
                }
                None => unwritten - self.balance,
            };
            check!(
                stored + taken == count.used,
                "{name:?}: stored {stored}, taken {taken}, but {} used",
                count.used
            );
        }
        Ok(())
    }

    /// Every call ends in the end, and then nothing is held, and what time takes away is gone in time.
    fn quiet(&mut self) -> Checked {
        while let Some(open) = self.open.pop() {
            self.end(open, Ended::Used(50))?;
            self.expire()?;
            // Not only in the end: one end may make a debt that the next one pays.
            self.stand_the_same()?;
        }
        while let Some((amount, draws)) = self.unwritten.pop() {
            self.write(amount, &draws, true)?;
            self.expire()?;
            self.stand_the_same()?;
        }
        let held = self.model.0.values().map(|count| count.held).sum::<i64>();
        check!(held == 0, "{held} is held by nobody");
        let credit = self.accounts.credit(&account()).held;
        check!(
            credit == NanoUsd::ZERO,
            "{credit} of credit is held by nobody"
        );
        self.clock.advance(Duration::from_secs(10 * 366 * 86_400));
        self.expire()?;
        let left = self.lots.iter().filter(|(expires, _)| expires.is_none());
        let left: i64 = left.map(|(_, left)| left).sum();
        let balance = self.accounts.credit(&account()).balance.nanos();
        check!(
            self.indebted || balance == left,
            "{balance} is left in the end, but {left} of lots that stay"
        );
        Ok(())
    }
}

#[test]
fn the_book_is_its_model_after_every_step_of_any_sequence() {
    #[expect(clippy::disallowed_methods, reason = "a test that is longer on demand")]
    let wanted = std::env::var("FAREGATE_SEQUENCES").ok();
    let sequences = wanted.map_or(SEQUENCES, |count| count.parse().unwrap());
    let run = |sequences| {
        let mut runner = TestRunner::new(ProptestConfig {
            cases: sequences,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let sequences = (steps::published(), steps::sequence());
        let tried = runner.run(&sequences, |(published, steps)| {
            let mut world = World::new();
            world.step(&Step::Publish(published))?;
            for step in &steps {
                world.step(step)?;
            }
            world.quiet()
        });
        if let Err(error) = tried {
            panic!("{error}");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(sequences / 2));
        run(sequences - sequences / 2);
    });
}
