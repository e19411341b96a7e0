//! What the ledger says, against what is known outside.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use faregate::domain::NanoUsd;

use super::{
    KEYS,
    load::{End, Known},
    replay,
};
use crate::harness::{Call, Daemon};

#[derive(Debug)]
struct Row {
    account: String,
    key: String,
    outcome: String,
    cost: i64,
    held: i64,
    tokens: i64,
    month: String,
}

/// All of it, as it was at one instant.
#[derive(Debug)]
pub(super) struct Ledger {
    calls: HashMap<String, Row>,
    /// The account and the amount of each entry, by its id.
    entries: HashMap<String, (String, i64)>,
}

fn key_id(key: &str) -> &'static str {
    let at = KEYS.iter().position(|(_, known)| *known == key).unwrap();
    ["wide-1", "wide-2", "tight-1"][at]
}

impl Ledger {
    pub(super) fn read(folder: &Path) -> Self {
        let file = folder.join("faregate.db");
        let store = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut calls = store
            .prepare(
                "SELECT id, account, key, outcome, cost_nano_usd, held_nano_usd, input_tokens + output_tokens, \
                 substr(at, 1, 7) FROM calls",
            )
            .unwrap();
        let calls = calls
            .query_map((), |row| {
                let [account, key, outcome] = [row.get(1)?, row.get(2)?, row.get(3)?];
                let [cost, held, tokens] = [row.get(4)?, row.get(5)?, row.get(6)?];
                let month = row.get(7)?;
                Ok((
                    row.get(0)?,
                    Row {
                        account,
                        key,
                        outcome,
                        cost,
                        held,
                        tokens,
                        month,
                    },
                ))
            })
            .unwrap();
        let mut entries = store
            .prepare("SELECT id, account, amount_nano_usd FROM credit_entries")
            .unwrap();
        let entries = entries.query_map((), |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
        Self {
            calls: calls.map(Result::unwrap).collect(),
            entries: entries.unwrap().map(Result::unwrap).collect(),
        }
    }

    /// Checks everything, with a daemon that has just started on it and has served nothing yet.
    pub(super) async fn agrees(&self, known: &Known, daemon: &Daemon) {
        self.has_every_call(known);
        self.has_every_entry(known);
        let calls = replay(daemon.folder.path());
        assert_eq!(
            calls,
            self.calls.len() as u64,
            "something was written since"
        );
        for (account, key) in KEYS {
            let page = Call::new(daemon.address, "GET", "/v1/faregate/limits").bearer(key);
            self.is_on_the_page(account, key_id(key), &page.send().await.value());
        }
    }

    fn has_every_call(&self, known: &Known) {
        let known = known.lock();
        let mut told = HashSet::new();
        // By key: calls that were sent, and calls that were begun, whose id nobody was told.
        let mut nameless: HashMap<&str, [usize; 2]> = HashMap::new();
        for (tag, begun) in &known.calls {
            let sent = known.dispatched.contains(tag);
            let Some(id) = &begun.id else {
                assert_eq!(begun.end, End::Lost);
                let [dispatched, all] = nameless.entry(key_id(&begun.key)).or_default();
                *dispatched += usize::from(sent);
                *all += 1;
                continue;
            };
            assert!(told.insert(id), "the id {id} was given twice");
            let row = self.calls.get(id);
            match (begun.end, row) {
                (End::Refused, row) => assert!(row.is_none() && !sent, "{begun:?} {row:?}"),
                (End::Lost, None) => assert!(!sent, "{begun:?} is missing"),
                (_, None) => panic!("{begun:?} is missing"),
                (End::Whole, Some(row)) => {
                    assert_eq!(
                        (&*row.outcome, row.cost),
                        ("completed", begun.cost),
                        "{begun:?} {row:?}"
                    );
                }
                (End::Left | End::Lost, Some(row)) => assert!(
                    ["completed", "client_closed", "indeterminate"].contains(&&*row.outcome),
                    "{begun:?} {row:?}"
                ),
            }
            if let Some(row) = row {
                assert_eq!(row.key, key_id(&begun.key));
            }
        }
        for (id, row) in &self.calls {
            assert!(0 < row.cost && row.cost <= row.held, "{id} {row:?}");
        }
        for (_, key) in KEYS {
            let key = key_id(key);
            let [sent, begun] = nameless.remove(key).unwrap_or_default();
            let rows = self.calls.iter();
            let rows = rows.filter(|(id, row)| row.key == key && !told.contains(id));
            let rows = rows.count();
            assert!(
                (sent..=begun).contains(&rows),
                "{key}: {rows} calls that nobody was told of, {sent} of them sent, {begun} begun"
            );
        }
    }

    fn has_every_entry(&self, known: &Known) {
        let known = known.lock();
        for (id, (nanos, acknowledged)) in &known.entries {
            match self.entries.get(id) {
                Some(entry) => assert_eq!(*entry, ("tight".to_owned(), *nanos)),
                None => assert!(!acknowledged, "the entry {id} is missing"),
            }
        }
        let mut ours = self.entries.keys();
        let opening = ours.by_ref().filter(|id| !known.entries.contains_key(*id));
        assert_eq!(opening.count(), 2, "{:?}", self.entries);
    }

    fn is_on_the_page(&self, account: &str, key: &str, page: &Value) {
        let nanos = |value: &Value| {
            let amount = NanoUsd::parse(value.as_str().unwrap());
            amount.unwrap().nanos()
        };
        let of_account = || self.calls.values().filter(|row| row.account == account);
        let entries = self.entries.values();
        let given = entries
            .filter(|(to, _)| to == account)
            .map(|(_, nanos)| nanos);
        let balance = given.sum::<i64>() - of_account().map(|row| row.cost).sum::<i64>();
        assert!(balance >= 0, "{account} owes {balance}");
        let credit = &page["credit"];
        assert_eq!(nanos(&credit["balance"]), balance, "{account}: {credit}");
        assert_eq!(nanos(&credit["held"]), 0, "{account}: {credit}");

        let mut windows = 0;
        for limit in page["limits"].as_array().unwrap() {
            let money = limit["unit"] == "usd";
            let figure = |name: &str| {
                let figure = &limit[name];
                if money {
                    nanos(figure)
                } else {
                    figure.as_i64().unwrap()
                }
            };
            assert_eq!(figure("held"), 0, "{limit:#}");
            if limit["per"] != "month" {
                assert_eq!(figure("used"), 0, "{limit:#}");
                continue;
            }
            windows += 1;
            // The month that ends then.
            let ends: jiff::Timestamp = limit["resets_at"].as_str().unwrap().parse().unwrap();
            let before = ends - jiff::SignedDuration::from_hours(24);
            let month = before.to_string()[..7].to_owned();
            let counted = of_account().filter(|row| row.month == month);
            let counted = counted.filter(|row| limit["scope"] != "key" || row.key == key);
            let used: i64 = counted
                .map(|row| match limit["unit"].as_str().unwrap() {
                    "usd" => row.cost,
                    "tokens" => row.tokens,
                    _ => 1,
                })
                .sum();
            assert_eq!(figure("used"), used, "{key}: {limit:#}");
        }
        assert!(windows >= 5, "{page:#}");
    }

    pub(super) fn indeterminate(&self) -> usize {
        let rows = self.calls.values();
        rows.filter(|row| row.outcome == "indeterminate").count()
    }

    /// How many calls ended how, and how many entries there are.
    pub(super) fn summary(&self) -> String {
        let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
        for row in self.calls.values() {
            *outcomes.entry(&row.outcome).or_default() += 1;
        }
        format!("{outcomes:?}, {} entries", self.entries.len())
    }
}
