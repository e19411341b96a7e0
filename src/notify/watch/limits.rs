//! Quotas and budgets that are nearly used, and used.

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::{Look, action};
use crate::{
    accounts::{Binding, Key, Reading},
    domain::{Mode, Per, Scope, Timestamp, Unit},
    notify::event::{Event, Notice},
    refusal::Remedy,
};

/// Percent of a limit at which people are warned.
const WARNING: i64 = 80;
const ALL: i64 = 100;

const QUOTA: &str = "quota";
const BUDGET: &str = "budget";

/// A limit of which much is used.
struct High {
    figures: Binding,
    per: Per,
    /// When its window began: the end may move while the window stays the same.
    start: i64,
    resets_at: Timestamp,
    level: i64,
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
        if self.is_told(&slot, limit.start, limit.level) {
            return;
        }
        let event = match (limit.kind(), limit.level) {
            (BUDGET, ALL) => Event::BudgetExhausted,
            (BUDGET, _) => Event::BudgetWarning,
            (_, ALL) => Event::QuotaExhausted,
            _ => Event::QuotaWarning,
        };
        let wait = json!({"rel": "wait", "until": limit.resets_at});
        // A key's or an account's own budget was set for it and stays what it is under a larger plan.
        let actions = if limit.kind() == BUDGET && limit.figures.scope != Scope::Plan {
            vec![wait]
        } else {
            let upgrade = action(Remedy::Upgrade, &self.settings.links, &account.id);
            vec![upgrade, wait]
        };
        let facts = json!({"limit": limit.facts(), "actions": actions});
        let mut notice = Notice::new(event, facts);
        notice.account = Some(account.id.clone());
        notice.key = of_key.then(|| key.id.clone());
        notice.plan = Some(account.plan.id.clone());
        self.note(slot, (limit.start, limit.level), Some(notice));
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
        let level = if used >= limit {
            ALL
        } else if used * 100 >= limit * 80 {
            WARNING
        } else {
            return None;
        };
        Some(Self {
            figures,
            per,
            start: resets_at.minus(reading.window).millis(),
            resets_at,
            level,
        })
    }

    fn kind(&self) -> &'static str {
        match self.figures.unit {
            Unit::Usd => BUDGET,
            Unit::Requests | Unit::Tokens => QUOTA,
        }
    }

    fn facts(&self) -> Value {
        json!({
            "kind": self.kind(),
            "scope": self.figures.scope.as_str(),
            "unit": self.figures.unit.as_str(),
            "per": self.per.as_str(),
            "limit": self.figures.amount(self.figures.limit),
            "used": self.figures.amount(self.figures.used),
            "resets_at": self.resets_at,
        })
    }
}
