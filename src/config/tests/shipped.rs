use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{Fixed, compiled};
use crate::{
    config::{
        load, scalar, schema,
        table::{IMPLIED, Kind, ROOT, Section},
        tree::{self, Data, Node},
    },
    domain::{SubscriptionStatus, Vendor},
    store::Location,
};

/// Keys that full.yaml can only show in a comment, because they name files that a test machine does not have.
const IN_COMMENTS: [&str; 4] = [
    "tls.certificate",
    "tls.private_key",
    "provider.ca",
    "server.tls",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn environment() -> Fixed {
    Fixed::with(&[
        ("OPENAI_API_KEY", "sk-0123456789"),
        ("TEAM_KEY", "a-key-with-more-than-twenty-characters"),
    ])
}

#[test]
fn every_shipped_file_compiles() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            load(&path, &environment()).unwrap_or_else(|problems| panic!("{problems}"));
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn the_sdk_suites_file_compiles() {
    let environment = Fixed::with(&[
        ("FAREGATE_TEST_PORT", "0"),
        ("FAREGATE_TEST_PROVIDER_PORT", "9"),
    ]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/faregate.yaml");
    let config = load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.simulated[0].tokens_per_second, 0);
    let environment = Fixed::with(&[
        ("FAREGATE_TEST_PORT", "0"),
        ("FAREGATE_TEST_ADMIN_PORT", "9"),
        ("FAREGATE_TEST_STORE", "f.db"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_sdk_suite_0123456789abcdef"),
    ]);
    let file = file.with_file_name("payments.yaml");
    let config = load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.gateway.webhooks.endpoint(Vendor::Stripe).is_some());
}

#[test]
fn full_yaml_needs_no_variable() {
    let config = load(&folder().join("full.yaml"), &Fixed::default()).unwrap();
    // A secret that everybody could read here would be none, so the endpoints of payment events do not exist.
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let of_endpoint = |warning: &&String| warning.contains("so /faregate/webhooks/");
    let others: Vec<&String> = warnings
        .iter()
        .filter(|warning| !of_endpoint(warning))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
}

#[test]
fn quickstart_needs_nothing() {
    let config = load(&folder().join("quickstart.yaml"), &Fixed::default()).unwrap();
    assert!(config.warnings.is_empty());
    assert_eq!(config.store.location, Location::Memory);
    assert_eq!(config.simulated.len(), 1);
    assert_eq!(config.simulated[0].tokens_per_second, 200);
    let keys: Vec<&str> = config.demo_keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(keys, ["demo", "hasty", "unpaid"]);
    assert_eq!(config.demo_keys[0].key, "demo-key-for-the-first-call");
    let roster = &config.roster;
    let hasty = &roster.plans[1].limits.rates;
    assert_eq!(hasty.tokens_per_minute.unwrap().get(), 1);
    assert_eq!(hasty.requests_per_minute, None);
    assert!(roster.plans[2].subscription_required);
    let unpaid = roster.accounts[2].subscription.as_ref().unwrap();
    assert_eq!(unpaid.status, SubscriptionStatus::Canceled);
    assert_eq!(config.admin.unwrap().listener.address.port(), 8403);
}

#[test]
fn full_yaml_names_every_key() {
    let text = fs::read_to_string(folder().join("full.yaml")).unwrap();
    let mut named = BTreeSet::new();
    note(&ROOT, &tree::parse(&text).unwrap().unwrap(), &mut named);
    let mut known = BTreeSet::new();
    list(&ROOT, &mut known);
    let missing: Vec<&String> = known.difference(&named).collect();
    let mut expected: Vec<&str> = IN_COMMENTS.to_vec();
    expected.sort_unstable();
    assert_eq!(missing, expected);
    for key in IN_COMMENTS {
        let name = key.rsplit('.').next().unwrap();
        assert!(text.contains(&format!(" {name}:")), "{name} is not shown");
    }
}

/// Every key that can be written, as `section.key`.
fn list(section: &'static Section, known: &mut BTreeSet<String>) {
    for key in section.keys.iter().filter(|key| key.deferred.is_none()) {
        if let Kind::NamedAnd { one, .. } = key.kind {
            known.insert(format!("{}.{}", key.name, one.name));
        }
        if known.insert(format!("{}.{}", section.name, key.name))
            && let Some(below) = below(key.kind)
        {
            list(below, known);
        }
    }
}

fn below(kind: Kind) -> Option<&'static Section> {
    match kind {
        Kind::Section(section)
        | Kind::Named(section)
        | Kind::NamedAnd { each: section, .. }
        | Kind::Unread(section) => Some(section),
        Kind::List(item) => below(*item),
        _ => None,
    }
}

/// Every key that is written.
fn note(section: &'static Section, node: &Node, named: &mut BTreeSet<String>) {
    let Data::Mapping(pairs) = &node.data else {
        return;
    };
    for (written, node) in pairs {
        let key = section.key(&written.name).unwrap();
        named.insert(format!("{}.{}", section.name, key.name));
        let Some(section) = below(key.kind) else {
            continue;
        };
        match (key.kind, &node.data) {
            (Kind::Named(_), Data::Mapping(pairs)) => {
                pairs
                    .iter()
                    .for_each(|(_, node)| note(section, node, named));
            }
            (Kind::NamedAnd { one, .. }, Data::Mapping(pairs)) => {
                for (written, node) in pairs {
                    if *written.name == *one.name {
                        named.insert(format!("{}.{}", key.name, one.name));
                    } else {
                        note(section, node, named);
                    }
                }
            }
            (_, Data::Sequence(items)) => {
                items.iter().for_each(|node| note(section, node, named));
            }
            _ => note(section, node, named),
        }
    }
}

#[test]
fn every_key_has_a_sentence_and_a_default_of_its_kind() {
    fn check(section: &'static Section, seen: &mut BTreeSet<&'static str>) {
        if !seen.insert(section.name) {
            return;
        }
        for key in section.keys.iter().filter(|key| key.deferred.is_none()) {
            let name = key.name;
            assert!(key.doc.ends_with('.'), "{}.{name}", section.name);
            match (below(key.kind), key.default) {
                (Some(_), default) => assert!(default.is_none_or(|default| default == IMPLIED)),
                (None, Some(default)) => {
                    let value = scalar::parse(key.kind, default, Path::new(""));
                    assert!(value.is_ok(), "{}.{name}: {value:?}", section.name);
                }
                (None, None) => {}
            }
            if let Some(section) = below(key.kind) {
                check(section, seen);
            }
        }
    }
    let mut seen = BTreeSet::new();
    check(&ROOT, &mut seen);
    assert!(seen.contains("subscription"));
}

/// An editor must not mark what is right: a name or a customer may be a number, and a plan may say nothing.
#[test]
fn the_schema_takes_what_is_read_as_a_text_and_what_is_left_empty() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let of = |section: &str, key: &str| schema["$defs"][section]["properties"][key].clone();
    let scalars = serde_json::json!(["string", "number", "boolean"]);
    for (section, key) in [
        ("account", "id"),
        ("account", "plan"),
        ("model", "model"),
        ("key", "key"),
    ] {
        assert_eq!(of(section, key)["anyOf"][0]["type"], scalars, "{key}");
    }
    for (section, key) in [("customers", "lemonsqueezy"), ("provider", "ca")] {
        assert_eq!(of(section, key)["type"], scalars, "{key}");
    }
    let plan = &schema["properties"]["plans"]["additionalProperties"];
    assert_eq!(plan["anyOf"][1]["type"], "null");
    let text = "plans: {7: }\naccounts: [{id: 42, plan: 7, customers: {lemonsqueezy: 3049571}}]\n";
    assert!(compiled(text).is_ok());
}

#[test]
fn the_shipped_schema_is_the_generated_one() {
    let shipped = fs::read_to_string(folder().join("faregate.schema.json")).unwrap();
    assert!(
        shipped == schema(),
        "write it again: faregate schema > config/faregate.schema.json"
    );
}
