use std::path::Path;

use super::{Fixed, problems};
use crate::config::{compile::load_again, load, parse};

#[test]
fn every_mistake_is_reported_at_once() {
    insta::assert_snapshot!(problems(
        "server:
  listen: localhost:8402
  public_url: https://ai.example.com/?x=1
  trusted_proxy: [10.0.0.0/8]
  trusted_proxies: [10.0.0.0/8, 10.0.0.0/99]
  limits: {connections: 0, head: 16, json_body: 32 MiB}
  timeouts: {head: 10 minutes, tls: 0s}
  drain: 120s
  drain: 60s
admin: {listen: 127.0.0.1:8403, token: short}
store: {url: 'postgres://user:password@db/faregate', durability: strict, in_flight: 3}
providers:
  openai: {kind: opnai, api_key: sk-1}
  gemini: {kind: gemini}
  keyed: {kind: openai, api_key: \"${NOT_SET}\"}
  files: {kind: openai, api_key: {file: does/not/exist}}
  odd: {kind: simulated, base_url: 'https://x.example.com', latency: fast}
  'a b': {kind: simulated}
models:
  m: {provider: odds, context_window: -1}
prices: {m: {input: 1}}
routes:
  - {path: openai, provider: openai}
  - {path: /x, price_per_request: 0.1, dialect: gemini}
plans:
  free:
    rate_limit: {}
    rate_limits: {requests_per_minute: 0}
    quotas: [{tokens: 1, requests: 1, per: day}, {per: day}, {tokens: 5, per: minute}, 7]
    budgets: [{usd: 5, per: day}]
    credit: required
    on_low_credit: clamp
accounts:
  - {id: a, plan: fre, credit: 5 EUR, stripe_customer: cus_1}
  - {id: a, keys: [{id: k}, {id: k, key: secret-of-this-test, key_hash: abc}]}
  - plan: free
payment: {pay_url: 'javascript:alert(1)', webhooks: {stripe: {}}}
streaming:
log: json
"
    ));
}

#[test]
fn a_list_with_nothing_right_in_it_is_not_called_empty() {
    let said = problems(
        "plans: {p: {}}\naccounts:\n  - {id: a, plan: p, keys: [{id: k, key: a-key-that-nobody-guesses, allowed_ips: [10.0.0.0/33]}]}\n",
    );
    assert_eq!(said.matches("faregate.yaml").count(), 1, "{said}");
    assert!(said.contains("is not a network"), "{said}");
}

#[test]
fn accounts_are_looked_at_where_nothing_else_can_be_read() {
    let said = problems("store: 5\npayment: []\naccounts: [{id: a, plan: p, colour: red}, 7]\n");
    let paths: Vec<_> = said
        .lines()
        .filter_map(|line| {
            line.strip_prefix("/etc/test/faregate.yaml:")?
                .split(": ")
                .nth(1)
        })
        .collect();
    assert_eq!(
        paths,
        [
            "store",
            "payment",
            "accounts[0].plan",
            "accounts[0].colour",
            "accounts[1]"
        ],
        "{said}"
    );
}

#[test]
fn other_shapes_are_named() {
    insta::assert_snapshot!(
        [
            "- a list\n",
            "server: [1]",
            "plans: [free]",
            "routes: {path: /}",
            "routes: [null]",
            "server: {listen: {a: b}}",
            "server: {tls: {certificate: a.pem, client_ca: b.pem}}",
            "plans: {free: {quotas: [{requests: 9, per: day, usd: 5}]}}",
            "admin: {}",
            "admin: {token: {sk-oops: x}}",
            "admin: {token: {file: /dev/null}}",
            "admin: {token: \"${A}\"}",
            "server: {listen: 127.0.0.1:1}\nadmin: {listen: 0.0.0.0:1, token: 0123456789abcdef0123456789abcdef}",
            "store: {url: mysql:x}",
            "store: {url: 'sqlite:'}",
            "store: {url: 'sqlite::memory'}",
            "server: {cors: {origins: ['*', 'https://a.example.com']}}",
            "server: {cors: {origins: ['https://a.example.com/']}}",
        ]
        .map(problems)
        .join("\n")
    );
}

#[test]
fn no_secret_is_repeated() {
    let canaries = Fixed::with(&[("CANARY", "canary canary\u{1}")]);
    let texts = [
        "server: {listen: \"${CANARY}\", drain: \"${CANARY}\", cors: {origins: [\"${CANARY}\"]}}",
        "admin: {token: \"${CANARY}\"}",
        "store: {url: \"postgres://${CANARY}@db\", durability: \"${CANARY}\"}",
        "providers: {a: {kind: openai, api_key: \"${CANARY}\"}}",
        "providers: {a: {kind: http, base_url: \"https://user:${CANARY}@x\", credential: {header: \"${CANARY}\", value: \"${CANARY}\"}}}",
        "providers: {a: {kind: openai, base_url: 'https://user:canary@x.example.com', api_key: {canary: x}}}",
        "plans: {p: {models: [\"${CANARY}\"], quotas: [{tokens: \"${CANARY}\", per: \"${CANARY}\"}]}}",
        "accounts: [{id: \"${CANARY}\", plan: \"${CANARY}\", keys: [{id: k, key_hash: canary}, {id: l, key: \"${CANARY}\"}]}]",
        "payment: {pay_url: \"${CANARY}\", grace_period: \"${CANARY}\"}",
        "log: {format: \"${CANARY}\"}",
        "admin: {token:canary-canary-canary}",
        "providers: {a: {kind: openai, api_key=canary}}",
        "providers: {a: {kind: openai, api_key canary}}",
        "providers: {a: {kind: openai, api_key\tcanary}}",
        "providers: {a: {kind: openai, api_key;canary}}",
        "providers: {a: {kind: openai, api_key,canary}}",
        "providers: {a: {kind: openai, api_key, canary, canary2}}",
        "admin: {token, canary-canary-canary}",
        "admin: {token\u{a0}canary-canary-canary}",
    ];
    for text in texts {
        let said = parse(text, Path::new("f.yaml"), &canaries)
            .unwrap_err()
            .to_string();
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str| {
        let problems = load(&folder.path().join(name), &Fixed::default()).unwrap_err();
        problems
            .to_string()
            .replace(&folder.path().display().to_string(), "…")
    };
    std::fs::write(
        folder.path().join("latin1"),
        b"plans: {}\nserver: # f\xc3\xbcr M\xfcller\n",
    )
    .unwrap();
    insta::assert_snapshot!([said("missing.yaml"), said("."), said("latin1")].join("\n"));
}

#[test]
fn a_tab_after_a_colon_is_named() {
    let told = problems("server:\n  listen:\tlocalhost\n");
    assert!(
        told.starts_with("/etc/test/faregate.yaml:2:11: is not YAML: "),
        "{told}"
    );
    assert!(
        told.ends_with("\n  hint: write a space after the colon, not a tab"),
        "{told}"
    );
}

/// What people write for a number, and what they are told to write instead.
#[test]
fn what_is_no_whole_number_is_told_how_one_is_written() {
    for written in [
        "1.5",
        "1e3",
        "60/min",
        "unlimited",
        "0",
        "-1",
        "99999999999",
    ] {
        let told = problems(&format!(
            "plans: {{p: {{rate_limits: {{requests_per_minute: {written}}}}}}}\n"
        ));
        assert!(
            told.contains(
                "\n  hint: write digits only, such as 60, or leave the key out for no limit"
            ),
            "{told}"
        );
    }
    // In braces a comma ends a value, and what follows looks like a key.
    let told = problems("plans: {p: {quotas: [{requests: 1,000,000, per: day}]}}\n");
    assert_eq!(
        told,
        "/etc/test/faregate.yaml:1:33: plans.p.quotas[0].requests: ends at a comma\n  \
         hint: write it without commas, such as 1000000"
    );
    // Somebody's decimal sign.
    let told = problems("prices: {m: {input: 0,15, output: 1}}\n");
    assert!(
        told.contains("\n  hint: write it without commas, such as 1000000 or 0.15"),
        "{told}"
    );
    // What is no number is none without commas either.
    let told = problems("server: {listen: 127.0.0.1:80,81}\n");
    assert!(
        told.contains("server.listen: ends at a comma\n  hint: write quotes around"),
        "{told}"
    );
}

#[test]
fn a_name_that_leads_nowhere_is_told_where_to_lead_it() {
    let told = problems("models: {m: {provider: x}}\naccounts: [{id: a, plan: p}]\n");
    for hint in ["add it to `providers`", "add it to `plans`"] {
        assert!(told.contains(&format!("\n  hint: {hint}")), "{told}");
    }
    let told = problems("admin: {token: {file: no/such.secret}}\n");
    assert!(told.contains("\n  hint: "), "{told}");
}

/// Text from a web page has spaces that are none.
#[test]
fn a_space_that_is_none_is_named() {
    for text in ["\u{a0}server: {}\n", "server:\n\u{a0}\u{a0}drain: 1s\n"] {
        let told = problems(text);
        assert!(
            told.contains("begins with a character that only looks like a space"),
            "{told}"
        );
        assert!(!told.contains(": is not a known key"), "{told}");
    }
}

/// A terminal would take it for a command, and a reader of lines for another mistake.
#[test]
fn a_name_writes_no_line_of_its_own() {
    let told = problems("plans: {\"a\\e[31m\\nplans.x: good\\u202e\": {models: [9]}}\n");
    assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
    assert!(
        told.lines()
            .all(|line| line.starts_with("/etc/") || line.starts_with("  hint: ")),
        "{told:?}"
    );
}

#[test]
fn a_file_that_is_gone_while_a_daemon_runs_is_to_be_put_back() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("gone.yaml"), folder.path().to_owned()] {
        let told = load_again(&path, &Fixed::default())
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("\n  hint: write another file and move it into its place"),
            "{told}"
        );
    }
}
