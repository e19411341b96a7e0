//! Prices, budgets and credit through the wire: who is refused, what is held, what is charged.
//!
//! Amounts are billionths of a dollar here: a dollar for a million tokens is a thousand of them for one.

mod burst;
mod expiry;
mod leaving;
mod output;
mod overrun;
mod power_cut;
mod refusing;
mod settling;
mod shown;
mod tiers;
mod unpriced;

use std::fs;

use faregate::{domain::NanoUsd, store::Reader};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    fixture::{KEY, answer, file},
    harness::{Gate, Gateway, Step, Upstream, replayed, within, write},
};

/// Models `m` and `big` cost a thousand for a token of input and four for one of output, `c` three and fifteen.
const PRICES: &str = "
prices:
  m: {input: 1, output: 4}
  big: {input: 1, output: 4}
  c: {input: 3, output: 15}
";

/// Account `a` with one key.
const ACCOUNT: &str = "id: a, plan: p, keys: [{id: k, key: the-key-of-account-a-0001}]";

/// A file with prices, plan `p`, and account `a` on it, each with more of its own: `credit: 1`.
fn priced(upstream: &Upstream, plan: &str, account: &str) -> String {
    let gap = if account.is_empty() { "" } else { ", " };
    let rest =
        format!("{PRICES}plans: {{p: {{{plan}}}}}\naccounts: [{{{ACCOUNT}{gap}{account}}}]\n");
    file(upstream, &rest)
}

/// The same with a store in a folder of its own.
fn kept(yaml: &str, folder: &TempDir) -> String {
    let path = folder.path().join("faregate.db");
    format!("{yaml}store: {{url: \"sqlite:{}\"}}\n", path.display())
}

/// What the store in a folder comes to when every row is added up again: so many calls, and no difference. Where there are
/// many, they are added up in another language too.
#[track_caller]
fn adds_up(folder: &TempDir, calls: u64) {
    let file = folder.path().join("faregate.db");
    let verified = Reader::open(&file).unwrap().verify(|_| ()).unwrap();
    assert!(verified.is_right(), "{verified:?}");
    assert_eq!(verified.calls, calls);
    if calls < 50 {
        return;
    }
    let yaml = format!("store: {{url: \"sqlite:{}\"}}\n", file.display());
    write(folder.path(), &yaml);
    if let Some(second) = replayed(folder.path()) {
        assert_eq!(second["calls"], calls);
        assert_eq!(second["difference_nano_usd"], 0);
    }
}

/// An amount as answers have it: dollars, as a decimal string.
#[track_caller]
pub(crate) fn nanos(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_else(|| panic!("{amount}"));
    NanoUsd::parse(text).unwrap().nanos()
}

/// (balance, held) of the credit of account `a`, as its key reads it.
async fn credit(gateway: &Gateway) -> (i64, i64) {
    let credit = &gateway.limits(KEY).await["credit"];
    (nanos(&credit["balance"]), nanos(&credit["held"]))
}

/// (scope, used, held) of the budgets of account `a`'s key.
async fn budgets(gateway: &Gateway) -> Vec<(String, i64, i64)> {
    let limits = gateway.limits(KEY).await;
    let budgets = limits["limits"].as_array().unwrap().iter();
    let budgets = budgets.filter(|limit| limit["kind"] == "budget");
    let figures = |limit: &Value| {
        let scope = limit["scope"].as_str().unwrap().to_owned();
        (scope, nanos(&limit["used"]), nanos(&limit["held"]))
    };
    budgets.map(figures).collect()
}

/// The one row that a gateway finds which starts after a power cut: from a copy of `folder`, once the file of calls under way
/// tells of `step`.
async fn found_after(step: impl AsyncFnOnce(), yaml: &str, folder: &TempDir) -> Value {
    let noted = || fs::read(folder.path().join("faregate.db.inflight")).unwrap();
    let before = noted();
    step().await;
    within("it was noted", async {
        while noted() == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let copy = TempDir::new().unwrap();
    for file in ["faregate.db", "faregate.db-wal", "faregate.db.inflight"] {
        fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    let after = Gateway::start(&kept(yaml, &copy)).await;
    let row = after.calls(1).await.remove(0);
    assert_eq!(row["outcome"], "indeterminate", "{row}");
    after.stop().await;
    row
}

/// A provider that answers when the gate is opened: 9 tokens in, 2 out.
async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |seen| {
        let mut steps = vec![Step::Wait(gate.clone())];
        steps.extend(answer(seen));
        steps
    })
    .await
}
