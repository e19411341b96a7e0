//! One tenant floods, streams slowly and sends junk: the others do not notice.

/// The others' answers are the same, byte for byte.
mod transcript;

/// The others get all of their answers, whatever one of them does.
mod flood;

/// The others' answers are as fast as before; a figure on demand.
mod measured;

/// Keys of tenants that behave.
const QUIET: [&str; 4] = [
    "the-key-of-account-quiet-01",
    "the-key-of-account-quiet-02",
    "the-key-of-account-quiet-03",
    "the-key-of-account-quiet-04",
];

/// The key of the one that does not.
const LOUD: &str = "the-key-of-account-loud-001";

const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

/// The plans and accounts of all of them. The loud one may have four calls at once.
fn tenants() -> String {
    let quiet = |(number, key): (usize, &&str)| {
        format!("  - {{id: quiet-{number}, plan: p, keys: [{{id: q{number}, key: {key}}}]}}\n")
    };
    let quiet: String = QUIET.iter().enumerate().map(quiet).collect();
    format!(
        "\
plans:
  p: {{rate_limits: {{concurrent_requests: 100}}, quotas: [{{requests: 1000000, per: day}}]}}
  few: {{rate_limits: {{concurrent_requests: 4}}, quotas: [{{requests: 1000000, per: day}}]}}
accounts:
{quiet}  - {{id: loud, plan: few, keys: [{{id: l, key: {LOUD}}}]}}
"
    )
}
