use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::{ProptestConfig, prop_assert, proptest};

use super::{BadSignature, Endpoint, Reason, SigningKey, WeakKey, verify};
use crate::domain::{Secret, Timestamp, Vendor};

const STRIPE_SECRET: &str = "whsec_test_secret";
const STRIPE_BODY: &str =
    r#"{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1"}}}"#;
const STRIPE_SIGNATURE: &str = "fac2006699815b628048a81dfa4cbc5270a2b1a9f6ee68353c5a97b473caa86a";
const PADDLE_BODY: &str =
    r#"{"event_id":"evt_1","event_type":"subscription.updated","data":{"id":"sub_1"}}"#;
const PADDLE_SIGNATURE: &str = "4e204b501fcda4aabbe2fd8880d7fe4acf5c2c2fa47721586fde03276ff8da92";
const LEMON_SIGNATURE: &str = "1ecfadb2955c247ed6af1583028f1f61d50d9d8822dce796d3a55536844b8f4c";
const LEMON_BODY: &str = r#"{"meta":{"event_name":"subscription_updated"},"data":{"id":"1"}}"#;
const STANDARD_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const STANDARD_TIME: &str = "1763596800";
const STANDARD_ID: &str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W";
const STANDARD_BODY: &str =
    r#"{"type":"budget.exhausted","timestamp":"2026-11-20T00:00:00Z","data":{"key_id":"key_1"}}"#;
const STANDARD_SIGNATURE: &str = "v1,Gxst0THemjdCKODqYbpSCdwfVQqHqCE6v69PP/MC8rs=";
/// When the vectors were signed.
const THEN: i64 = 1_763_596_800;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn text_endpoint(secrets: &[&str]) -> Endpoint {
    let keys = secrets
        .iter()
        .map(|text| SigningKey::text(&secret(text)).unwrap());
    Endpoint::new(keys.collect())
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn fields(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    fields.iter().map(field).collect()
}

fn stripe_at(header: &str, body: &str, now: i64) -> Result<(), BadSignature> {
    let headers = fields(&[("stripe-signature", header)]);
    let endpoint = text_endpoint(&[STRIPE_SECRET]);
    let verified = verify(
        Vendor::Stripe,
        &endpoint,
        &headers,
        body.as_bytes(),
        seconds(now),
    )?;
    assert_eq!(
        (verified.vendor(), verified.body()),
        (Vendor::Stripe, body.as_bytes())
    );
    Ok(())
}

#[track_caller]
fn refused(verified: Result<(), BadSignature>, reason: Reason) {
    assert_eq!(verified.unwrap_err().reason, reason);
}

#[test]
fn stripe_signs_the_time_and_the_bytes() {
    let header = format!("t={THEN},v1={STRIPE_SIGNATURE}");
    stripe_at(&header, STRIPE_BODY, THEN).unwrap();
    // One good signature among others, whatever their version.
    let zeros = "0".repeat(64);
    for header in [
        format!("t={THEN},v0={zeros},v1={zeros},v1={STRIPE_SIGNATURE}"),
        format!("v1={STRIPE_SIGNATURE},t={THEN}"),
        format!("t={THEN}, v1={}", STRIPE_SIGNATURE.to_uppercase()),
    ] {
        stripe_at(&header, STRIPE_BODY, THEN).unwrap();
    }
    for header in [
        format!("t={THEN}"),
        format!("t={THEN},v1={zeros}"),
        format!("t={THEN},v0={STRIPE_SIGNATURE}"),
        format!("t={THEN},v1={}", &STRIPE_SIGNATURE[..62]),
        format!("t={THEN},v1="),
        format!("t={},v1={STRIPE_SIGNATURE}", THEN + 1),
        format!("t=0{THEN},v1={STRIPE_SIGNATURE}"),
    ] {
        refused(stripe_at(&header, STRIPE_BODY, THEN), Reason::Mismatch);
    }
    for header in [
        String::new(),
        "nonsense".to_owned(),
        format!("v1={STRIPE_SIGNATURE}"),
        format!("t=,v1={STRIPE_SIGNATURE}"),
        format!("t=-{THEN},v1={STRIPE_SIGNATURE}"),
        format!("t={THEN},t={THEN},v1={STRIPE_SIGNATURE}"),
    ] {
        refused(stripe_at(&header, STRIPE_BODY, THEN), Reason::Malformed);
    }
    let spaced = STRIPE_BODY.replace(":", ": ");
    refused(stripe_at(&header, &spaced, THEN), Reason::Mismatch);
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let header = format!("t={THEN},v1={STRIPE_SIGNATURE}");
    for near in [-300, -1, 0, 1, 300] {
        stripe_at(&header, STRIPE_BODY, THEN + near).unwrap();
    }
    for far in [-86_400, -301, 301, 86_400] {
        refused(stripe_at(&header, STRIPE_BODY, THEN + far), Reason::Time);
    }
    let header = format!("t={},v1={STRIPE_SIGNATURE}", i64::MAX);
    refused(stripe_at(&header, STRIPE_BODY, THEN), Reason::Mismatch);
}

#[test]
fn a_field_comes_once() {
    let endpoint = text_endpoint(&[STRIPE_SECRET]);
    let good = format!("t={THEN},v1={STRIPE_SIGNATURE}");
    let ask = |headers: &HeaderMap| {
        verify(
            Vendor::Stripe,
            &endpoint,
            headers,
            STRIPE_BODY.as_bytes(),
            seconds(THEN),
        )
        .map(drop)
    };
    refused(ask(&HeaderMap::new()), Reason::Missing);
    refused(ask(&fields(&[("x-signature", &good)])), Reason::Missing);
    let twice = fields(&[("stripe-signature", &good), ("stripe-signature", &good)]);
    refused(ask(&twice), Reason::Malformed);
}

#[test]
fn each_of_several_secrets_is_enough() {
    let headers = fields(&[(
        "stripe-signature",
        &format!("t={THEN},v1={STRIPE_SIGNATURE}"),
    )]);
    let ask = |secrets: &[&str]| {
        let endpoint = text_endpoint(secrets);
        verify(
            Vendor::Stripe,
            &endpoint,
            &headers,
            STRIPE_BODY.as_bytes(),
            seconds(THEN),
        )
        .map(drop)
    };
    ask(&["the-newer-secret-of-two", STRIPE_SECRET]).unwrap();
    ask(&[STRIPE_SECRET, "the-newer-secret-of-two"]).unwrap();
    refused(ask(&["the-newer-secret-of-two"]), Reason::Mismatch);
}

#[test]
fn paddle_and_lemon_squeezy_sign_in_hexadecimal() {
    let signature = "7cbb90ac2e86b5e71a5b8f9d19e5e6d0";
    let endpoint = text_endpoint(&["pdl_ntfset_test_secret"]);
    let ask = |header: &str, now: i64| {
        let headers = fields(&[("paddle-signature", header)]);
        verify(
            Vendor::Paddle,
            &endpoint,
            &headers,
            PADDLE_BODY.as_bytes(),
            seconds(now),
        )
        .map(drop)
    };
    let good = format!("ts={THEN};h1={PADDLE_SIGNATURE}");
    ask(&good, THEN).unwrap();
    ask(&format!("{good};h1={}", "0".repeat(64)), THEN).unwrap();
    refused(ask(&good, THEN + 301), Reason::Time);
    refused(
        ask(&format!("ts={THEN};h1={signature}"), THEN),
        Reason::Mismatch,
    );
    refused(ask(&good.replace(';', ","), THEN), Reason::Malformed);

    let endpoint = text_endpoint(&["a-lemon-squeezy-secret"]);
    let ask = |header: &str| {
        let headers = fields(&[("x-signature", header)]);
        let now = seconds(THEN);
        verify(
            Vendor::LemonSqueezy,
            &endpoint,
            &headers,
            LEMON_BODY.as_bytes(),
            now,
        )
        .map(drop)
    };
    ask(LEMON_SIGNATURE).unwrap();
    refused(ask(&"0".repeat(64)), Reason::Mismatch);
    refused(ask(signature), Reason::Malformed);
}

fn standard_at(fields_sent: &[(&str, &str)], now: i64) -> Result<String, BadSignature> {
    let key = SigningKey::standard(&secret(STANDARD_SECRET)).unwrap();
    let (headers, body) = (fields(fields_sent), STANDARD_BODY.as_bytes());
    let endpoint = Endpoint::new(vec![key]);
    let verified = verify(Vendor::Standard, &endpoint, &headers, body, seconds(now))?;
    Ok(verified.id().unwrap().to_owned())
}

#[test]
fn standard_webhooks_sign_id_time_and_bytes() {
    let sent = |id: &'static str, signature: &'static str| {
        [
            ("webhook-id", id),
            ("webhook-timestamp", STANDARD_TIME),
            ("webhook-signature", signature),
        ]
    };
    let ask = |sent: [(&str, &str); 3], now: i64| standard_at(&sent, now);
    let good = sent(STANDARD_ID, STANDARD_SIGNATURE);
    assert_eq!(ask(good, THEN).unwrap(), STANDARD_ID);
    let several = "v1a,AAAA v1,AAAA v1,Gxst0THemjdCKODqYbpSCdwfVQqHqCE6v69PP/MC8rs= v2,x";
    assert_eq!(ask(sent(STANDARD_ID, several), THEN).unwrap(), STANDARD_ID);
    let bad = |sent, now, reason| assert_eq!(ask(sent, now).unwrap_err().reason, reason);
    bad(good, THEN + 301, Reason::Time);
    bad(good, THEN - 301, Reason::Time);
    bad(
        sent("msg_other", STANDARD_SIGNATURE),
        THEN,
        Reason::Mismatch,
    );
    bad(sent("", STANDARD_SIGNATURE), THEN, Reason::Malformed);
    // A dot would let one signature stand for two different messages.
    bad(sent("msg.1", STANDARD_SIGNATURE), THEN, Reason::Malformed);
    bad(sent(STANDARD_ID, ""), THEN, Reason::Mismatch);
    bad(
        sent(STANDARD_ID, "Gxst0THemjdCKODqYbpSCdwfVQqHqCE6v69PP/MC8rs="),
        THEN,
        Reason::Mismatch,
    );
    for missing in 0..3 {
        let mut rest: Vec<_> = good.to_vec();
        rest.remove(missing);
        assert_eq!(
            standard_at(&rest, THEN).unwrap_err().reason,
            Reason::Missing
        );
    }
}

#[test]
fn weak_secrets_are_no_keys() {
    for (text, weak) in [
        ("", WeakKey::Empty),
        ("   \t ", WeakKey::Empty),
        ("fifteen-bytes-!", WeakKey::Short),
        ("      fifteen-bytes-!      ", WeakKey::Short),
    ] {
        assert_eq!(SigningKey::text(&secret(text)), Err(weak), "{text:?}");
    }
    assert!(SigningKey::text(&secret("sixteen-bytes-ok")).is_ok());
    let encoded = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    for bytes in [24, 32, 64] {
        assert!(SigningKey::standard(&secret(&encoded(bytes))).is_ok());
    }
    for text in [
        &encoded(23),
        &encoded(65),
        "whsec_",
        "whsec_not base64 at all",
        "whsec_%%%%",
    ] {
        assert_eq!(
            SigningKey::standard(&secret(text)),
            Err(WeakKey::NotStandard),
            "{text}"
        );
    }
    assert_eq!(SigningKey::standard(&secret(" ")), Err(WeakKey::Empty));
    let mut shown = String::new();
    write!(
        shown,
        "{:?}",
        SigningKey::text(&secret(STRIPE_SECRET)).unwrap()
    )
    .unwrap();
    assert_eq!(shown, "<signing key>");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_header_opens_without_the_secret(header in "[tsvh01=,;0-9a-f ]{0,200}") {
        let endpoint = text_endpoint(&[STRIPE_SECRET]);
        for (vendor, name) in [
            (Vendor::Stripe, "stripe-signature"),
            (Vendor::Paddle, "paddle-signature"),
            (Vendor::LemonSqueezy, "x-signature"),
        ] {
            let headers = fields(&[(name, &header)]);
            let verified = verify(vendor, &endpoint, &headers, &[], seconds(THEN));
            prop_assert!(verified.is_err());
        }
    }
}
