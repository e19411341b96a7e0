//! Prepaid credit that is nearly used, and used.

use std::collections::HashMap;

use serde_json::json;

use super::{Look, action};
use crate::{
    accounts::{AccountSpec, Accounts, PlanSpec},
    domain::{AccountId, CURRENCY, NanoUsd, PlanId},
    notify::{
        LowAt,
        event::{Event, Notice},
    },
    refusal::Remedy,
};

/// How far an account's credit has come down.
const ENOUGH: i64 = 0;
const LOW: i64 = 1;
const EMPTY: i64 = 2;

/// What is known of every account's credit, from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Balances(HashMap<AccountId, Known>);

#[derive(Debug)]
struct Known {
    balance: NanoUsd,
    /// The last top-up. `None`: to be asked for; the store knows.
    last_top_up: Option<Option<NanoUsd>>,
}

impl Balances {
    /// Notes every balance, and says of which accounts the last top-up has to be asked for: of those that are new, and
    /// of those whose balance has grown.
    pub(crate) fn asking(&mut self, accounts: &Accounts) -> Vec<AccountId> {
        let roster = accounts.roster();
        let paying: HashMap<&PlanId, bool> = roster
            .plans
            .iter()
            .map(|plan| (&plan.id, plan.credit_required))
            .collect();
        let mut asking = Vec::new();
        for account in &roster.accounts {
            if !paying.get(&account.plan).is_some_and(|paying| *paying) {
                continue;
            }
            let balance = accounts.credit(&account.id).balance;
            let known = self.0.entry(account.id.clone()).or_insert(Known {
                balance,
                last_top_up: None,
            });
            if balance > known.balance {
                known.last_top_up = None;
            }
            known.balance = balance;
            if known.last_top_up.is_none() {
                asking.push(account.id.clone());
            }
        }
        asking
    }

    /// Notes what the store says of those that were asked for.
    pub(crate) fn learn(&mut self, asked: &[AccountId], last: &HashMap<AccountId, NanoUsd>) {
        for account in asked {
            if let Some(known) = self.0.get_mut(account) {
                known.last_top_up = Some(last.get(account).copied());
            }
        }
    }
}

impl Look<'_> {
    /// Looks at an account's credit, where its plan takes it.
    pub(super) fn credit(&mut self, account: &AccountSpec, plan: &PlanSpec) {
        // Until the store has said what the last top-up was, nothing is known to be low.
        let last = self
            .balances
            .0
            .get(&account.id)
            .and_then(|known| known.last_top_up);
        let (true, Some(last)) = (plan.credit_required, last) else {
            return;
        };
        let balance = self.accounts.credit(&account.id).balance;
        let low = match self.settings.low_credit {
            LowAt::Amount(amount) => balance <= amount,
            LowAt::Percent(percent) => last.is_some_and(|last| {
                let share = i128::from(last.nanos()) * i128::from(percent);
                i128::from(balance.nanos()) * 100 <= share
            }),
        };
        let level = if balance <= NanoUsd::ZERO {
            EMPTY
        } else if low {
            LOW
        } else {
            ENOUGH
        };
        let slot = format!("credit|{}", account.id);
        let before = self.last(&slot).map_or(ENOUGH, |(_, level)| level);
        if level == before {
            return;
        }
        // Who never had any has used nothing up.
        let news = level > before && last.is_some();
        let notice = news.then(|| {
            let event = match level {
                EMPTY => Event::CreditExhausted,
                _ => Event::CreditLow,
            };
            let top_up = action(Remedy::TopUp, &self.settings.links, &account.id);
            let facts = json!({
                "credit": {"balance": balance, "currency": CURRENCY},
                "actions": [top_up],
            });
            super::about(account, Notice::new(event, facts))
        });
        self.note(slot, 0, level, notice);
    }
}
