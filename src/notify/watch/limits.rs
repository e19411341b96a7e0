//! Quotas and budgets that are nearly used, and used.

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::{Look, action};
use crate::{
    accounts::{Binding, Key, Reading},
    domain::{Mode, Per, Scope, Timestamp, Unit},
    notify::event::{Event, Notice},
    refusal::{LimitKind, Remedy},
};

/// How much of a limit is used: a person is told once of each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Nearly,
    All,
}

/// A limit of which much is used.
struct High {
    figures: Binding,
    per: Per,
    /// When its window began: the end may move while the window stays the same.
    start: i64,
    resets_at: Timestamp,
    level: Level,
}

impl Look<'_> {
    /// Looks at every limit of a key, those of its account among them.
    pub(super) fn limits(&mut self, key: &Key) {
        if key.own.revoked_at.is_some() {
            return;
        }
        let account = &key.account;
        let mut high: SmallVec<[High; 4]> = SmallVec::new();
        // Under the account's lock: only noted here, told below.
        account
            .book
            .read(&key.levels, self.clock, account.anchor, |reading| {
                high.extend(High::of(&reading));
            });
        for limit in high {
            self.limit(key, &limit);
        }
    }

    fn limit(&mut self, key: &Key, limit: &High) {
        let account = &key.account;
        let of_key = limit.figures.scope == Scope::Key;
        let slot = format!(
            "limit|{}|{}|{}|{}|{}|{}",
            account.id,
            if of_key { key.id.as_str() } else { "-" },
            limit.figures.scope.as_str(),
            limit.figures.unit.as_str(),
            limit.per,
            limit.figures.limit,
        );
        if self.is_told(&slot, limit.start, limit.level.percent()) {
            return;
        }
        let event = match (limit.kind(), limit.level) {
            (LimitKind::Budget, Level::All) => Event::BudgetExhausted,
            (LimitKind::Budget, Level::Nearly) => Event::BudgetWarning,
            (_, Level::All) => Event::QuotaExhausted,
            (_, Level::Nearly) => Event::QuotaWarning,
        };
        let wait = json!({"rel": "wait", "until": limit.resets_at});
        // A key's or an account's own limit was set for it and stays what it is under a larger plan.
        let actions = if limit.figures.of_plan {
            let upgrade = action(Remedy::Upgrade, &self.settings.links, &account.id);
            vec![upgrade, wait]
        } else {
            vec![wait]
        };
        let facts = json!({"limit": limit.facts(), "actions": actions});
        let mut notice = Notice::new(event, facts);
        notice.account = Some(account.id.clone());
        notice.key = of_key.then(|| key.id.clone());
        notice.plan = Some(account.plan.id.clone());
        self.note(slot, limit.start, limit.level.percent(), Some(notice));
    }
}

impl Level {
    const fn percent(self) -> i64 {
        match self {
            Self::Nearly => 80,
            Self::All => 100,
        }
    }
}

impl High {
    /// A limit per window that refuses calls, when much of it is used. One that allows nothing is no news.
    fn of(reading: &Reading) -> Option<Self> {
        let figures = reading.figures;
        let (per, resets_at) = figures.per.zip(figures.resets_at)?;
        if reading.mode != Mode::Enforce || figures.limit == 0 {
            return None;
        }
        let (used, limit) = (u128::from(figures.used), u128::from(figures.limit));
        let reached =
            |level: &Level| used * 100 >= limit * u128::from(level.percent().unsigned_abs());
        let level = [Level::All, Level::Nearly].into_iter().find(reached)?;
        Some(Self {
            figures,
            per,
            start: resets_at.minus(reading.window).millis(),
            resets_at,
            level,
        })
    }

    fn kind(&self) -> LimitKind {
        match self.figures.unit {
            Unit::Usd => LimitKind::Budget,
            Unit::Requests | Unit::Tokens => LimitKind::Quota,
        }
    }

    fn facts(&self) -> Value {
        json!({
            "kind": self.kind().as_str(),
            "scope": self.figures.scope.as_str(),
            "unit": self.figures.unit.as_str(),
            "per": self.per.as_str(),
            "limit": self.figures.amount(self.figures.limit),
            "used": self.figures.amount(self.figures.used),
            "resets_at": self.resets_at,
        })
    }
}
