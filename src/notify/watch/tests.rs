//! What is told, at which hour, and that it is told once.

mod credit;
mod limits;
mod standing;

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::Value;

use super::{Balances, Found, Marks, look};
use crate::{
    accounts::{
        AccountSpec, Accounts, Digests, KeySpec, Label, Lot, LowCredit, Output, Own, PlanSpec,
        Roster, Settled, Source, Wanted,
    },
    domain::{
        AccountId, Clock, KeyDigest, KeyId, LimitStatus, Limits, Mode, NanoUsd, Per, PlanId, Quota,
        Subscription, SubscriptionPolicy, Timestamp, Unit,
    },
    notify::{LowAt, Settings, TRY_TIME},
    prices::{Factor, Quote},
    refusal::Links,
};

/// Accounts that are watched, their clock, and what was told of them.
struct Watched {
    clock: Clock,
    accounts: Accounts,
    roster: Roster,
    settings: Settings,
    told: Marks,
    balances: Balances,
    last: HashMap<AccountId, NanoUsd>,
}

/// What was told: type, account, key, and the body's data.
type Told = (&'static str, Value);

impl Watched {
    /// Account `acme` with keys `one` and `two`, on plan `pro`, which needs a subscription.
    fn new(limits: Limits, subscription: Option<Subscription>) -> Self {
        let clock = Clock::manual("2026-11-20T12:00:00Z".parse().unwrap());
        let plan = PlanSpec {
            id: PlanId::parse("pro").unwrap(),
            models: None,
            subscription_required: subscription.is_some(),
            credit_required: false,
            on_low_credit: LowCredit::Refuse,
            price_factor: Factor::ONE,
            limits,
            per_key: Limits::default(),
            default_max_output_tokens: 16_384,
            redact_amounts: false,
        };
        let account = AccountSpec {
            id: AccountId::parse("acme").unwrap(),
            plan: plan.id.clone(),
            source: Source::Api,
            created_at: clock.now(),
            disabled: false,
            subscription,
            models: None,
            limits: Limits::default(),
            opening_credit: None,
            email: Some("billing@acme.example".parse().unwrap()),
        };
        let roster = Roster {
            plans: vec![plan],
            keys: ["one", "two"].map(|id| key(id, &account.id)).into(),
            accounts: vec![Arc::new(account)],
            customers: std::collections::BTreeMap::new(),
            models: None,
        };
        let accounts = Accounts::new(clock.clone(), Vec::new());
        accounts.publish(roster.clone());
        Self {
            accounts,
            roster,
            settings: settings(),
            told: Marks::default(),
            balances: Balances::default(),
            last: HashMap::new(),
            clock,
        }
    }

    fn publish(&mut self, change: impl FnOnce(&mut Roster)) {
        change(&mut self.roster);
        self.accounts.publish(self.roster.clone());
    }

    fn state(&mut self, subscription: Subscription) {
        self.publish(|roster| account(roster).subscription = Some(subscription));
    }

    async fn found(&mut self) -> Vec<Found> {
        let asking = self.balances.asking(&self.accounts);
        self.balances.learn(&asking, &self.last);
        let (told, balances) = (&self.told, &self.balances);
        look(&self.accounts, &self.settings, &self.clock, told, balances).await
    }

    /// Adds credit, as a top-up does.
    fn top_up(&mut self, amount: &str) {
        let account = AccountId::parse("acme").unwrap();
        let amount = NanoUsd::parse(amount).unwrap();
        let lot = Lot {
            entry: 1,
            remaining: amount,
            priority: 50,
            expires_at: None,
        };
        self.accounts.add_lot(&account, lot);
        self.last.insert(account, amount);
    }

    /// Looks around, and takes what was found as told.
    async fn look(&mut self) -> Vec<Told> {
        let found = self.found().await;
        let mut told = Vec::new();
        for found in found {
            self.told.put(&found.mark);
            if let Some(notice) = found.notice {
                let body = notice.body(self.clock.now());
                let body: Value = serde_json::from_str(&body).unwrap();
                told.push((notice.event.as_str(), body["data"].clone()));
            }
        }
        told
    }

    /// The types of what there is to tell.
    async fn types(&mut self) -> Vec<&'static str> {
        let told = self.look().await;
        told.into_iter().map(|(event, _)| event).collect()
    }

    /// Makes a call that uses so many tokens.
    fn call(&self, key: &str, tokens: u64) {
        self.spend(key, tokens, "0");
    }

    /// Makes a call that costs so much.
    fn spend(&self, key: &str, tokens: u64, cost: &str) {
        let key = self.accounts.lookup(&digest(key)).unwrap().key;
        let wanted = Wanted {
            input: tokens,
            output: Output::Fixed(0),
            answers: 1,
            bucket_input: 0,
            quote: Quote::NOTHING,
            quotas: true,
        };
        let (book, anchor) = (&key.account.book, key.account.anchor);
        let taken = book
            .hold(&key.levels, &wanted, &self.clock, anchor)
            .unwrap();
        let cost = NanoUsd::parse(cost).unwrap();
        let _ = book.settle(taken, Settled::Used { tokens, cost }, &self.clock);
    }

    /// Turns the clock to an instant.
    fn at(&self, instant: &str) {
        let instant: Timestamp = instant.parse().unwrap();
        self.clock.advance(self.clock.now().until(instant));
    }
}

/// The account, to be changed.
fn account(roster: &mut Roster) -> &mut AccountSpec {
    Arc::make_mut(&mut roster.accounts[0])
}

/// The key `one`, to be changed.
fn first_key(roster: &mut Roster) -> &mut KeySpec {
    Arc::make_mut(&mut roster.keys[0])
}

fn digest(key: &str) -> KeyDigest {
    KeyDigest::of(key.as_bytes())
}

fn key(id: &str, account: &AccountId) -> Arc<KeySpec> {
    Arc::new(KeySpec {
        id: KeyId::parse(id).unwrap(),
        account: account.clone(),
        source: Source::Api,
        digests: Digests::one(digest(id)),
        public_part: Label::default(),
        created_at: Timestamp::default(),
        disabled: false,
        own: Own::default(),
    })
}

fn settings() -> Settings {
    Settings {
        webhooks: Vec::new(),
        email: None,
        low_credit: LowAt::Percent(20),
        renewal_notice: Some(Duration::from_secs(3 * 86_400)),
        subscriptions: SubscriptionPolicy {
            grace_period: Duration::from_secs(7 * 86_400),
            renewal_leeway: Duration::from_secs(86_400),
        },
        links: Links {
            public_url: String::new(),
            pay_url: Some("https://pay.example.com/?account={account}".into()),
            portal_url: None,
        },
        try_time: TRY_TIME,
    }
}

fn quota(unit: Unit, per: Per, limit: u64) -> Quota {
    Quota {
        unit,
        per,
        limit,
        status: LimitStatus::PaymentRequired,
        mode: Mode::Enforce,
    }
}

fn limits(quotas: impl Into<Vec<Quota>>) -> Limits {
    Limits {
        quotas: quotas.into(),
        ..Limits::default()
    }
}
