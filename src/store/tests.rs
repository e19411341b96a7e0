//! The store as its users see it. What they are given to put into it stands here.

mod backup;
mod chance;
mod chapters;
mod cost;
mod credit;
mod export;
mod faults;
mod flips;
mod keeping;
mod ledger;
mod migrating;
mod notifications;
mod opening;
mod power;
mod read_pause;
mod reading;
mod recovering;
mod replay;
mod roster;
mod writing;

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;

use crate::domain::{
    AccountId, Clock, KeyId, ModelName, Per, PlanId, ProviderId, RequestId, Timestamp, Unit, Usage,
};

use super::{
    CallRecord, CounterChange, CounterName, Durability, Loaded, Location, Outcome, Owner, Posting,
    Settings, Store,
};

/// 2026-11-20T08:15:30Z.
const START: Timestamp = Timestamp::from_millis(1_795_162_530_000);

/// The start of the day of [`START`].
const TODAY: Timestamp = Timestamp::from_millis(1_795_132_800_000);

/// Calls that may be under way.
const SLOTS: u32 = 8192;

/// A folder with a store in it that can be closed and opened again.
struct Bench {
    folder: TempDir,
    clock: Clock,
    keep_calls: Option<Duration>,
    durability: Durability,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Clock::manual(START),
            keep_calls: None,
            durability: Durability::Grouped,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("faregate.db")
    }

    fn settings(&self) -> Settings {
        Settings {
            location: Location::File(self.file()),
            keep_calls: self.keep_calls,
            durability: self.durability,
            in_flight: SLOTS,
        }
    }

    fn open(&self) -> (Store, Loaded) {
        Store::open(&self.settings(), self.clock.clone()).unwrap()
    }

    /// The words with which the store cannot be opened, without the name of the folder.
    fn refusal(&self) -> String {
        let error = Store::open(&self.settings(), self.clock.clone()).unwrap_err();
        let folder = self.folder.path().canonicalize().unwrap();
        error
            .to_string()
            .replace(folder.to_str().unwrap(), "/var/lib/faregate")
    }
}

fn in_memory() -> Store {
    let settings = Settings {
        location: Location::Memory,
        keep_calls: None,
        durability: Durability::Grouped,
        in_flight: SLOTS,
    };
    Store::open(&settings, Clock::manual(START)).unwrap().0
}

fn account_id(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn key_id(id: &str) -> KeyId {
    KeyId::parse(id).unwrap()
}

/// The id of call `number`: the same each time.
fn call_id(number: u64) -> RequestId {
    let id = format!("01932d3a-0000-7000-8000-{number:012x}");
    id.parse().unwrap()
}

/// Call `number`, which was admitted so many milliseconds after [`START`].
fn call(number: u64) -> CallRecord {
    CallRecord {
        id: call_id(number),
        at: START.plus(Duration::from_millis(number)),
        account: account_id("acme"),
        key: key_id("acme-ci"),
        plan: PlanId::parse("pro").unwrap(),
        route: "/".into(),
        provider: ProviderId::parse("openai").unwrap(),
        model: ModelName::parse("small").ok(),
        upstream_model: ModelName::parse("gpt-4o-mini").ok(),
        endpoint: "chat_completions",
        stream: true,
        outcome: Outcome::Completed,
        status: 200,
        usage: Usage {
            input: 10,
            cached_input: 4,
            cache_write: 2,
            output: 5,
            reasoning: 1,
            ..Usage::default()
        },
        estimated: false,
        overrun: false,
        held_tokens: 100,
        held: None,
        cost: None,
        price_version: None,
        agreed: None,
        end_user: Some("ann".to_owned()),
        idempotency_key: None,
        attempt: 1,
        queue_ms: 1,
        first_byte_ms: Some(30),
        total_ms: 90,
    }
}

fn tokens_today() -> CounterName {
    CounterName {
        owner: Owner::Account(account_id("acme")),
        unit: Unit::Tokens,
        per: Per::Day,
    }
}

/// Call `number`, which moves the account's tokens of today by 15 and the key's requests of this hour by 1.
pub(super) fn posting(number: u64) -> Posting {
    let of_hour = CounterName {
        owner: Owner::Key(key_id("acme-ci")),
        unit: Unit::Requests,
        per: Per::Hour,
    };
    Posting {
        call: call(number),
        counters: vec![
            CounterChange {
                name: tokens_today(),
                window_start: TODAY,
                add: 15,
            },
            CounterChange {
                name: of_hour,
                window_start: TODAY.plus(Duration::from_secs(8 * 3600)),
                add: 1,
            },
        ],
        credit: None,
    }
}

/// Posts calls that were all under way before the first of them ended, so that a fault comes too late for any.
fn post(store: &Store, postings: impl IntoIterator<Item = Posting>) {
    let ledger = store.ledger();
    let taken = postings
        .into_iter()
        .map(|posting| (ledger.reserve().unwrap(), posting));
    for (slot, posting) in taken.collect::<Vec<_>>() {
        slot.post(posting);
    }
}

/// Returns when all that was posted before is written, as far as it can be.
async fn flushed(store: &Store) {
    store.look(|_| ()).await.unwrap();
}
