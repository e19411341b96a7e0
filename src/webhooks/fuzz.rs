//! What must hold of payment providers' events: a body counts only with its signature, and says nothing absurd.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::{
    Dated, Endpoint, Fact, Illegible, News, Settings, SigningKey, read, stand, verify, worth,
};
use crate::domain::{PlanId, Secret, Timestamp, Vendor};

/// 2026-11-20T12:00:00Z, in seconds.
const NOW: i64 = 1_795_176_000;
/// How far a signature's time may be from that.
const PATIENCE: i64 = 300;

const SECRETS: [&str; 2] = [
    "an-old-secret-of-thirty-two-byte",
    "a-new-secret-of-thirty-two-bytes",
];

const SIGNED: [HeaderName; 6] = [
    HeaderName::from_static("stripe-signature"),
    HeaderName::from_static("paddle-signature"),
    HeaderName::from_static("x-signature"),
    HeaderName::from_static("webhook-id"),
    HeaderName::from_static("webhook-timestamp"),
    HeaderName::from_static("webhook-signature"),
];

/// A delivery: the vendor's number on the first line, fields, an empty line, the body. In a field `{hex}`, `{HEX}` and
/// `{base64}` stand for the right signature by the new secret, and `{old}` for the one by the old secret.
pub(crate) fn webhook(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let vendor = Vendor::ALL[usize::from(*first) % Vendor::ALL.len()];
    let end = rest.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = rest.split_at(end.unwrap_or(rest.len()));
    let body = body.strip_prefix(b"\n\n").unwrap_or(body);
    let lines: Vec<(&str, &str)> = std::str::from_utf8(head)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let fields = signed(vendor, &lines, body);

    let settings = settings();
    let endpoint = settings
        .endpoint(vendor)
        .expect("every vendor has an endpoint");
    let now = Timestamp::from_millis(NOW * 1000);
    let verified = verify(vendor, endpoint, &fields, body, now);
    assert_eq!(
        verified.is_ok(),
        is_right(vendor, &fields, body),
        "{vendor:?} {fields:?}"
    );
    // The same delivery with another body, to another vendor, or by another secret, is nobody's.
    let other = [body, b" "].concat();
    assert!(verify(vendor, endpoint, &fields, &other, now).is_err());
    let foreign = Endpoint::new(vec![key("another-secret-of-thirty-2-bytes", vendor)]);
    assert!(verify(vendor, &foreign, &fields, body, now).is_err());
    // Every body is read as if it had been signed.
    let fields = sealed(vendor, body);
    let verified = verify(vendor, endpoint, &fields, body, now).expect("it is signed");
    assert_eq!((verified.vendor(), verified.body()), (vendor, body));
    match read(&verified, &settings) {
        Ok(event) => {
            let prefix = format!("{}:", vendor.as_str());
            assert!(event.id.starts_with(&prefix) && event.id.len() > prefix.len());
            assert_eq!((event.vendor, event.id.len() < 600), (vendor, true));
            if let News::Fact { object, fact, .. } = event.news {
                assert!(object.starts_with(&prefix) && object.len() < 600);
                said(fact, event.created, event.id);
            }
        }
        Err(Illegible::Odd { id, words, .. }) => assert!(!id.is_empty() && !words.is_empty()),
        Err(Illegible::Nameless(words)) => assert!(!words.is_empty()),
    }
}

/// A fact is kept as it is, and moves no money the wrong way.
fn said(fact: Fact, at: Timestamp, event: String) {
    match &fact {
        Fact::Paid { nano_usd, .. }
        | Fact::RefundedInAll { nano_usd }
        | Fact::Refund { nano_usd, .. }
        | Fact::Dispute { nano_usd, .. }
        | Fact::Taken { nano_usd, .. } => assert!(*nano_usd >= 0),
        Fact::Grant {
            nano_usd, priority, ..
        } => assert!(*nano_usd > 0 && *priority <= 100),
        Fact::Subscription(_)
        | Fact::RenewalPaid { .. }
        | Fact::RenewalDue { .. }
        | Fact::GrantVoided => {}
    }
    let kept = serde_json::to_string(&fact).expect("a fact has a JSON form");
    let again: Fact = serde_json::from_str(&kept).expect("what was kept is read");
    assert_eq!(again, fact, "{kept}");
    // What one event says twice is what it says once.
    let dated = Dated { at, event, fact };
    let (once, twice) = ([dated.clone()], [dated.clone(), dated]);
    assert_eq!(worth(&once), worth(&twice));
    assert_eq!(
        format!("{:?}", stand(&once)),
        format!("{:?}", stand(&twice))
    );
}

/// The right fields for a body.
fn sealed(vendor: Vendor, body: &[u8]) -> HeaderMap {
    let time = NOW.to_string();
    let lines = match vendor {
        Vendor::Stripe => vec![("stripe-signature", format!("t={time},v1={{hex}}"))],
        Vendor::Paddle => vec![("paddle-signature", format!("ts={time};h1={{hex}}"))],
        Vendor::LemonSqueezy => vec![("x-signature", "{hex}".to_owned())],
        Vendor::Standard => vec![
            ("webhook-id", "msg_1".to_owned()),
            ("webhook-timestamp", time),
            ("webhook-signature", "v1,{base64}".to_owned()),
        ],
    };
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    signed(vendor, &lines, body)
}

/// Fields with the signatures that they ask for.
fn signed(vendor: Vendor, lines: &[(&str, &str)], body: &[u8]) -> HeaderMap {
    let of = |name: &str| {
        let mut found = lines.iter().filter(|(own, _)| *own == name);
        found.next().map_or("", |(_, value)| value)
    };
    let text = content(vendor, |name| of(name).as_bytes(), body);
    let [old, new] = SECRETS.map(|secret| hmac(secret.as_bytes(), &text));
    let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        let value = value
            .replace("{hex}", &hex(new))
            .replace("{HEX}", &hex(new).to_uppercase())
            .replace("{old}", &hex(old))
            .replace("{base64}", &STANDARD.encode(new));
        let known = SIGNED.into_iter().find(|known| known.as_str() == *name);
        if let (Some(name), Ok(value)) = (known, HeaderValue::from_str(&value)) {
            fields.append(name, value);
        }
    }
    fields
}

/// What is signed.
fn content<'f>(vendor: Vendor, field: impl Fn(&str) -> &'f [u8], body: &[u8]) -> Vec<u8> {
    let time = |name: &str, separator: u8, prefix: &[u8]| -> Vec<u8> {
        let mut parts = field(name).split(|byte| *byte == separator);
        let time = parts.find_map(|part| part.trim_ascii().strip_prefix(prefix));
        time.unwrap_or_default().to_vec()
    };
    match vendor {
        Vendor::Stripe => [&time("stripe-signature", b',', b"t=")[..], b".", body].concat(),
        Vendor::Paddle => [&time("paddle-signature", b';', b"ts=")[..], b":", body].concat(),
        Vendor::LemonSqueezy => body.to_vec(),
        Vendor::Standard => [
            field("webhook-id"),
            b".",
            field("webhook-timestamp"),
            b".",
            body,
        ]
        .concat(),
    }
}

/// Whether a delivery is the vendor's, by the vendors' own descriptions.
fn is_right(vendor: Vendor, fields: &HeaderMap, body: &[u8]) -> bool {
    let values = |name: &str| -> Vec<&str> {
        let values = fields.get_all(name).iter();
        values.map(|value| value.to_str().unwrap_or("\n")).collect()
    };
    let text = content(
        vendor,
        |name| fields.get(name).map_or(&b""[..], HeaderValue::as_bytes),
        body,
    );
    let right: Vec<[u8; 32]> = SECRETS
        .iter()
        .map(|secret| hmac(secret.as_bytes(), &text))
        .collect();
    let hex = |text: &str| {
        let lower = text.to_ascii_lowercase();
        right
            .iter()
            .any(|right| right.map(|byte| format!("{byte:02x}")).concat() == lower)
    };
    let now = |seconds: &str| {
        let digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        digits
            && seconds
                .parse()
                .is_ok_and(|at: i64| (at.max(NOW) - at.min(NOW)) <= PATIENCE)
    };
    let pairs = |name: &str, separator: char, time: &str, version: &str| -> bool {
        let [field] = values(name)[..] else {
            return false;
        };
        let parts: Vec<_> = field
            .split(separator)
            .map(|part| part.trim().split_once('='))
            .collect();
        let of = |name: &str| -> Vec<&str> {
            let parts = parts.iter().flatten().filter(|(own, _)| *own == name);
            parts.map(|(_, value)| *value).collect()
        };
        let timely = matches!(of(time)[..], [time] if now(time));
        parts.iter().all(Option::is_some) && timely && of(version).into_iter().any(hex)
    };
    match vendor {
        Vendor::Stripe => pairs("stripe-signature", ',', "t", "v1"),
        Vendor::Paddle => pairs("paddle-signature", ';', "ts", "h1"),
        Vendor::LemonSqueezy => matches!(values("x-signature")[..], [field] if hex(field.trim())),
        Vendor::Standard => {
            let all = [
                values("webhook-id"),
                values("webhook-timestamp"),
                values("webhook-signature"),
            ];
            let ([id], [time], [signatures]) = (&all[0][..], &all[1][..], &all[2][..]) else {
                return false;
            };
            let named = (1..=255).contains(&id.len()) && !id.contains(['.', '\n']);
            let base64 = |text: &str| right.iter().any(|right| STANDARD.encode(right) == text);
            let mut signatures = signatures
                .split(' ')
                .filter_map(|one| one.strip_prefix("v1,"));
            named && now(time) && signatures.any(base64)
        }
    }
}

/// HMAC-SHA256, as RFC 2104 spells it.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let pad = |with: u8| -> Vec<u8> {
        let padded = key.iter().copied().chain(std::iter::repeat(0)).take(64);
        padded.map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).into()
}

fn key(secret: &str, vendor: Vendor) -> SigningKey {
    let made = if vendor == Vendor::Standard {
        SigningKey::standard(&Secret::new(format!("whsec_{}", STANDARD.encode(secret))))
    } else {
        SigningKey::text(&Secret::new(secret.to_owned()))
    };
    made.expect("the secret is long enough")
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    for vendor in Vendor::ALL {
        let mut endpoint = Endpoint::new(SECRETS.map(|secret| key(secret, vendor)).to_vec());
        let plan = PlanId::parse("pro").expect("letters alone are a name");
        endpoint.plans = ["price_pro", "77"]
            .map(|price| (price.to_owned(), plan.clone()))
            .into();
        settings.insert(vendor, endpoint);
    }
    settings
}
