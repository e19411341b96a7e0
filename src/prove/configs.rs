//! The configurations of the proofs: accounts whose money ends exactly where a proof says.

use std::fmt::Write as _;

/// What a call costs on the route `/exact`, in billionths of a dollar: two cents.
pub(super) const PRICE: i64 = 20_000_000;
/// A million tokens of input, in dollars.
pub(super) const INPUT: i64 = 10;
/// A million tokens of output, in dollars.
pub(super) const OUTPUT: i64 = 30;

/// An account of a burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    /// Its name, and its key's.
    pub(super) id: &'static str,
    /// Its plan, and what is said of it besides.
    yaml: &'static str,
    /// What is said of its key.
    key: &'static str,
    /// What bounds it, in words.
    pub(super) bound: &'static str,
    /// How many calls it pays for, exactly.
    pub(super) calls: usize,
}

/// Every level that can bind, and several at once.
pub(super) const BURSTS: [Account; 5] = [
    Account {
        id: "credit",
        yaml: "plan: credit, credit: 1.00",
        key: "",
        bound: "credit of 1.00 USD",
        calls: 50,
    },
    Account {
        id: "plan-budget",
        yaml: "plan: budget",
        key: "",
        bound: "a plan's budget of 1.00 USD",
        calls: 50,
    },
    Account {
        id: "account-budget",
        yaml: "plan: free, budgets: [{usd: 1.00, per: period}]",
        key: "",
        bound: "an account's budget of 1.00 USD",
        calls: 50,
    },
    Account {
        id: "key-budget",
        yaml: "plan: free",
        key: ", budgets: [{usd: 1.00, per: period}]",
        bound: "a key's budget of 1.00 USD",
        calls: 50,
    },
    Account {
        id: "tightest",
        yaml: "plan: both, credit: 0.80, budgets: [{usd: 0.90, per: period}]",
        key: ", budgets: [{usd: 0.60, per: period}]",
        bound: "1.00 USD of the plan, 0.90 of the account, 0.80 of credit and 0.60 of the key at once",
        calls: 30,
    },
];

/// The key of an account.
pub(super) fn key(id: &str) -> String {
    format!("the-key-of-the-scratch-account-{id}")
}

/// What every configuration has.
fn base(durability: &str, latency: &str, speed: u32) -> String {
    // Connections wait for the last one before any of them asks, however slow the machine is.
    format!(
        r#"server: {{listen: "127.0.0.1:0", timeouts: {{lateness: off, head: 1h}}}}
store: {{url: "sqlite:faregate.db", durability: {durability}}}
log: {{format: json}}
providers:
  simulated: {{kind: simulated, latency: {latency}, tokens_per_second: {speed}}}
models:
  exact: {{provider: simulated, context_window: 100000, max_output_tokens: 1000}}
  tokens: {{provider: simulated, context_window: 100000, max_output_tokens: 1000}}
prices:
  exact: {{input: 0, output: 0}}
  tokens: {{input: {INPUT}, output: {OUTPUT}}}
routes:
  - {{path: /}}
  - {{path: /exact, strip_prefix: true, price_per_request: 0.02}}
plans:
  free: {{}}
  credit: {{credit: required}}
  budget: {{budgets: [{{usd: 1.00, per: period}}]}}
  both: {{credit: required, budgets: [{{usd: 1.00, per: period}}]}}
accounts:
"#
    )
}

fn account(yaml: &mut String, id: &str, words: &str, narrow: &str) {
    let key = key(id);
    // Writing to a string does not fail.
    let _ = writeln!(
        yaml,
        "  - {{id: {id}, {words}, keys: [{{id: {id}, key: {key}{narrow}}}]}}"
    );
}

/// The accounts of the bursts. An answer takes a moment, so that calls meet calls in flight.
pub(super) fn bursts() -> String {
    let mut yaml = base("grouped", "20ms", 0);
    for Account {
        id,
        yaml: words,
        key,
        ..
    } in BURSTS
    {
        account(&mut yaml, id, words, key);
    }
    yaml
}

/// An account with so much credit, in dollars, for calls that cost what they use.
pub(super) fn tokens(credit: &str) -> String {
    let mut yaml = base("grouped", "1ms", 0);
    account(
        &mut yaml,
        "tokens",
        &format!("plan: credit, credit: {credit}"),
        "",
    );
    yaml
}

/// An account that does not run dry. Answers take long enough to be under way when the daemon is killed.
pub(super) fn load(durability: &str) -> String {
    let mut yaml = base(durability, "5ms", 1000);
    account(&mut yaml, "load", "plan: credit, credit: 1000000", "");
    yaml
}
