//! A call's life in its slot, and what is found when it is broken off. What the tests write stands here.

mod agreed;
mod damage;
mod files;
mod life;
mod longest;

use std::{fs, path::PathBuf, time::Duration};

use smallvec::smallvec;
use tempfile::TempDir;

use crate::{
    accounts::Draws,
    domain::{
        AccountId, KeyId, ModelName, NanoUsd, Per, PlanId, ProviderId, RequestId, Timestamp, Unit,
        Usage,
    },
    providers::Endpoint,
    store::{
        CallRecord, CounterChange, CounterName, HeldCounter, HoldRecord, Outcome, Owner, Posting,
        Recovered, Whose,
    },
};

use super::{Inflight, scan};

/// Enough that reading goes by more than one chunk.
const SLOTS: u32 = 300;

/// 2026-11-20T08:15:30Z.
const START: Timestamp = Timestamp::from_millis(1_795_162_530_000);
/// The start of its day.
const TODAY: Timestamp = Timestamp::from_millis(1_795_132_800_000);
/// The start of its month.
const MONTH: Timestamp = Timestamp::from_millis(1_793_491_200_000);

/// A folder for a file of calls under way.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("faregate.db.inflight")
    }

    /// The file, emptied of what the last daemon left, which is dropped.
    fn start(&self) -> Inflight {
        let found = scan(self.file()).unwrap();
        let (file, path) = found.renew(SLOTS).unwrap();
        Inflight::in_file(file, path, SLOTS, false).unwrap()
    }

    /// What a daemon that starts now would find.
    fn found(&self) -> Vec<Recovered> {
        let found = scan(self.file()).unwrap();
        assert!(found.damaged.is_empty(), "{:?}", found.damaged);
        found.calls
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.file()).unwrap()
    }
}

fn call_id(number: u64) -> RequestId {
    let id = format!("01932d3a-0000-7000-8000-{number:012x}");
    id.parse().unwrap()
}

fn hold(number: u64) -> HoldRecord {
    HoldRecord {
        id: call_id(number),
        at: START.plus(Duration::from_millis(number)),
        account: AccountId::parse("acme").unwrap(),
        key: KeyId::parse("acme-ci").unwrap(),
        plan: PlanId::parse("pro").unwrap(),
        route: "/openai".into(),
        provider: ProviderId::parse("openai").unwrap(),
        model: ModelName::parse("small").ok(),
        upstream_model: ModelName::parse("gpt-4o-mini").ok(),
        endpoint: Endpoint::ChatCompletions,
        stream: true,
        queue_ms: 3,
        held_tokens: 5000,
        input_estimate: 800,
        held: Some(NanoUsd::from_nanos(3_000_000)),
        least: NanoUsd::from_nanos(125_000),
        price_version: Some("2026-11-01".into()),
        agreed: None,
        credit: true,
        counters: smallvec![
            HeldCounter {
                whose: Whose::Account,
                unit: Unit::Tokens,
                per: Per::Day,
                window_start: TODAY,
            },
            HeldCounter {
                whose: Whose::Key,
                unit: Unit::Tokens,
                per: Per::Month,
                window_start: MONTH,
            },
            HeldCounter {
                whose: Whose::Account,
                unit: Unit::Requests,
                per: Per::Day,
                window_start: TODAY,
            },
            HeldCounter {
                whose: Whose::Key,
                unit: Unit::Usd,
                per: Per::Day,
                window_start: TODAY,
            },
        ],
    }
}

/// What the call of `hold` came to.
fn posting_of(hold: &HoldRecord) -> Posting {
    let usage = Usage {
        input: 700,
        cached_input: 512,
        cache_write: 64,
        output: 250,
        reasoning: 40,
        cache_write_1h: 32,
        audio_input: 100,
        audio_output: 30,
        images: 2,
        seconds: 61,
        pages: 3,
    };
    let counters = hold.counters.iter().map(|counter| CounterChange {
        name: CounterName {
            owner: match counter.whose {
                Whose::Account => Owner::Account(hold.account.clone()),
                Whose::Key => Owner::Key(hold.key.clone()),
            },
            unit: counter.unit,
            per: counter.per,
        },
        window_start: counter.window_start,
        add: match counter.unit {
            Unit::Requests => 1,
            Unit::Tokens => 950,
            Unit::Usd => 255_001,
        },
    });
    Posting {
        call: CallRecord {
            id: hold.id,
            at: hold.at,
            account: hold.account.clone(),
            key: hold.key.clone(),
            plan: hold.plan.clone(),
            route: hold.route.clone(),
            provider: hold.provider.clone(),
            model: hold.model.clone(),
            upstream_model: hold.upstream_model.clone(),
            endpoint: hold.endpoint.as_str(),
            stream: hold.stream,
            outcome: Outcome::ClientClosed,
            status: 499,
            usage,
            estimated: true,
            overrun: true,
            held_tokens: hold.held_tokens,
            held: hold.held,
            cost: Some(NanoUsd::from_nanos(255_001)),
            price_version: hold.price_version.clone(),
            agreed: hold.agreed,
            end_user: None,
            idempotency_key: None,
            attempt: 2,
            queue_ms: hold.queue_ms,
            first_byte_ms: Some(41),
            total_ms: 1900,
        },
        counters: counters.collect(),
        credit: hold.credit.then(Draws::new),
    }
}

fn settled(posting: Posting) -> Recovered {
    Recovered::Settled(Box::new(posting))
}
