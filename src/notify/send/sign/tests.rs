use super::{InvalidSigningKey, SigningKey, signatures};
use crate::domain::Secret;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";

fn key(text: &str) -> Result<SigningKey, InvalidSigningKey> {
    SigningKey::parse(&Secret::new(text.to_owned()))
}

/// Made with the reference library.
#[test]
fn the_signature_is_that_of_standard_webhooks() {
    let body = r#"{"type":"budget.exhausted","timestamp":"2026-11-20T00:00:00Z","data":{"key_id":"key_1"}}"#;
    let keys = [key(SECRET).unwrap()];
    let id = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
    assert_eq!(
        signatures(&keys, id, 1_763_596_800, body),
        "v1,Gxst0THemjdCKODqYbpSCdwfVQqHqCE6v69PP/MC8rs="
    );
}

#[test]
fn while_a_secret_changes_both_sign() {
    let (one, other) = (key(SECRET).unwrap(), key(OTHER).unwrap());
    let alone = |key: &SigningKey| signatures(std::slice::from_ref(key), "msg_1", 1, "{}");
    let both = signatures(&[one.clone(), other.clone()], "msg_1", 1, "{}");
    assert_eq!(both, format!("{} {}", alone(&one), alone(&other)));
    assert_ne!(alone(&one), alone(&other));
}

#[test]
fn everything_that_is_signed_changes_the_signature() {
    let keys = [key(SECRET).unwrap()];
    let all = [
        signatures(&keys, "msg_1", 1, "{}"),
        signatures(&keys, "msg_2", 1, "{}"),
        signatures(&keys, "msg_1", 2, "{}"),
        signatures(&keys, "msg_1", 1, "{ }"),
    ];
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    assert_eq!(key(SECRET.trim_end_matches('=')), key(SECRET));
    assert_eq!(key("").unwrap_err(), InvalidSigningKey::Form);
    assert_eq!(key("whsec_").unwrap_err(), InvalidSigningKey::Length(0));
    assert_eq!(
        key("whsec_c2hvcnQ=").unwrap_err(),
        InvalidSigningKey::Length(5)
    );
    assert_eq!(
        key("whsec_not base64!").unwrap_err(),
        InvalidSigningKey::Form
    );
    assert_eq!(key(&SECRET[6..]).unwrap_err(), InvalidSigningKey::Form);
    let long = format!("whsec_{}", "AAAA".repeat(22));
    assert_eq!(key(&long).unwrap_err(), InvalidSigningKey::Length(66));
    assert_eq!(format!("{:?}", key(SECRET).unwrap()), "<signing key>");
}
