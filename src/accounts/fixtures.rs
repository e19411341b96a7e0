//! Accounts for tests: one account `a` with the keys `k1` and `k2`, on one plan.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

use super::{
    AccountSpec, Accounts, Digests, Key, KeySpec, Label, Lot, LowCredit, Output, OwnTerms,
    PlanSpec, Roster, Settled, Source, Wanted,
};
use crate::domain::{
    AccountId, Clock, Extras, KeyDigest, KeyId, LimitStatus, Limits, Mode, NanoUsd, Per, PlanId,
    Quota, RateLimits, Timestamp, Unit,
};
use crate::prices::{Bound, Factor, Figures, Item, Pico, Price, Quote, Rates, Table, Terms};

pub(super) const START: &str = "2026-11-20T12:00:00Z";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn clock() -> Clock {
    Clock::manual(at(START))
}

pub(super) fn quota(unit: Unit, per: Per, limit: u64) -> Quota {
    Quota {
        unit,
        per,
        limit,
        status: LimitStatus::default(),
        mode: Mode::default(),
    }
}

pub(super) fn quotas(quotas: &[Quota]) -> Limits {
    Limits {
        quotas: quotas.to_vec(),
        ..Limits::default()
    }
}

/// Requests per minute, tokens per minute, calls at once; 0 does not limit.
pub(super) fn rates(requests: u32, tokens: u64, concurrent: u32) -> Limits {
    Limits {
        rates: RateLimits {
            requests_per_minute: NonZeroU32::new(requests),
            tokens_per_minute: NonZeroU64::new(tokens),
            concurrent_requests: NonZeroU32::new(concurrent),
        },
        quotas: Vec::new(),
    }
}

/// A roster whose four levels are `plan`, `per_key`, the account's and the first key's own.
pub(super) fn roster(plan: Limits, per_key: Limits, own: Limits, narrow: Limits) -> Roster {
    let key = |id: &str, limits: Limits| {
        Arc::new(KeySpec {
            id: KeyId::parse(id).unwrap(),
            account: AccountId::parse("a").unwrap(),
            source: Source::Config,
            disabled: false,
            digests: Digests::one(KeyDigest::of(id.as_bytes())),
            public_part: Label::default(),
            created_at: at(START),
            own: OwnTerms {
                limits,
                ..OwnTerms::default()
            }
            .into(),
        })
    };
    Roster {
        models: None,
        customers: std::collections::BTreeMap::new(),
        plans: vec![PlanSpec {
            id: PlanId::parse("p").unwrap(),
            models: None,
            subscription_required: false,
            credit_required: false,
            on_low_credit: LowCredit::Refuse,
            limits: plan,
            per_key,
            default_max_output_tokens: 16_384,
            price_factor: Factor::ONE,
            redact_amounts: false,
        }],
        accounts: vec![Arc::new(AccountSpec {
            id: AccountId::parse("a").unwrap(),
            plan: PlanId::parse("p").unwrap(),
            source: Source::Config,
            created_at: at(START),
            disabled: false,
            subscription: None,
            models: None,
            limits: own,
            email: None,
            opening_credit: None,
        })],
        keys: vec![key("k1", narrow), key("k2", Limits::default())],
    }
}

pub(super) fn key(accounts: &Accounts, id: &str) -> Arc<Key> {
    accounts.lookup(&KeyDigest::of(id.as_bytes())).unwrap().key
}

/// Accounts with only a plan's limits, and the first key.
pub(super) fn planned(plan: Limits, clock: &Clock) -> (Accounts, Arc<Key>) {
    let accounts = Accounts::new(clock.clone(), Vec::new());
    let none = Limits::default;
    accounts.publish(roster(plan, none(), none(), none()));
    let key = key(&accounts, "k1");
    (accounts, key)
}

/// A call of so many input and output tokens.
pub(super) fn wanted(input: u64, output: u64) -> Wanted {
    Wanted {
        input,
        output: Output::Fixed(output),
        answers: 1,
        bucket_input: input.div_ceil(4),
        quote: Quote::NOTHING,
        quotas: true,
    }
}

/// So many tokens, and no money.
pub(super) fn counted(tokens: u64) -> Settled {
    Settled::Used {
        tokens,
        cost: NanoUsd::ZERO,
    }
}

/// Terms in billionths of a dollar: for the request, for a token of input, for a token of output.
pub(super) fn terms(request: u64, input: u64, output: u64) -> Terms {
    let nanos = |nanos: u64| Pico::new(nanos * 1000).unwrap();
    let mut rates = Rates::default();
    rates.set(Item::Input, nanos(input));
    rates.set(Item::Output, nanos(output));
    let figures = Figures {
        table: Table::new(rates, []),
        request: Some(nanos(request)),
        ..Figures::default()
    };
    let price = Arc::new(Price::new(figures, None, "a test"));
    Terms::new(Some(price), Factor::ONE, None, &Extras::PLAIN).unwrap()
}

/// `call` at these terms.
pub(super) fn priced(call: Wanted, terms: &Terms) -> Wanted {
    let bound = Bound {
        input: call.input,
        answers: call.answers,
    };
    Wanted {
        quote: terms.quote(&bound),
        ..call
    }
}

/// So much money, and no tokens.
pub(super) fn cost(nanos: i64) -> Settled {
    Settled::Used {
        tokens: 0,
        cost: NanoUsd::from_nanos(nanos),
    }
}

/// A lot that never expires.
pub(super) fn lot(entry: i64, nanos: i64) -> Lot {
    Lot {
        entry,
        remaining: NanoUsd::from_nanos(nanos),
        priority: 50,
        expires_at: None,
    }
}

/// The one account.
pub(super) fn account() -> AccountId {
    AccountId::parse("a").unwrap()
}
