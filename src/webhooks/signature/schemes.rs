//! How each vendor writes a signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

use super::{BadSignature, Reason, is_near};
use crate::{domain::Timestamp, webhooks::Endpoint};

const STRIPE: HeaderName = HeaderName::from_static("stripe-signature");
const PADDLE: HeaderName = HeaderName::from_static("paddle-signature");
const LEMONSQUEEZY: HeaderName = HeaderName::from_static("x-signature");
const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
const STANDARD_TIME: HeaderName = HeaderName::from_static("webhook-timestamp");
const STANDARD_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Longer ids are nobody's.
const LONGEST_ID: usize = 255;

/// A field with a time and signatures of one version.
struct Timed {
    field: HeaderName,
    separator: char,
    /// The name of the time.
    time: &'static str,
    /// The name of a signature of the version that counts.
    version: &'static str,
    /// What stands between time and body where both are signed.
    between: &'static str,
}

/// `Stripe-Signature: t=<unix>,v1=<hex>[,v1=<hex>]`, over `<t>.<body>`. Other versions say nothing.
pub(super) fn stripe(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), BadSignature> {
    let scheme = Timed {
        field: STRIPE,
        separator: ',',
        time: "t",
        version: "v1",
        between: ".",
    };
    timed(&scheme, endpoint, headers, body, now)
}

/// `Paddle-Signature: ts=<unix>;h1=<hex>[;h1=<hex>]`, over `<ts>:<body>`.
pub(super) fn paddle(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), BadSignature> {
    let scheme = Timed {
        field: PADDLE,
        separator: ';',
        time: "ts",
        version: "h1",
        between: ":",
    };
    timed(&scheme, endpoint, headers, body, now)
}

/// `X-Signature: <hex>`, over the body. It has no time: a repeated event is known by its id alone.
pub(super) fn lemonsqueezy(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), BadSignature> {
    let signature = unhex(field(headers, &LEMONSQUEEZY)?.trim());
    let signature = signature.ok_or_else(|| bad(&LEMONSQUEEZY, Reason::Malformed))?;
    matching(endpoint, &LEMONSQUEEZY, &[body], &[signature])
}

/// `webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64> …`, over `<id>.<timestamp>.<body>` (Standard
/// Webhooks 1.0.0). Gives the id.
pub(super) fn standard<'a>(
    endpoint: &Endpoint,
    headers: &'a HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<&'a str, BadSignature> {
    let id = field(headers, &STANDARD_ID)?;
    if id.is_empty() || id.len() > LONGEST_ID || id.contains('.') {
        return Err(bad(&STANDARD_ID, Reason::Malformed));
    }
    let time = field(headers, &STANDARD_TIME)?;
    let seconds = seconds(time).ok_or_else(|| bad(&STANDARD_TIME, Reason::Malformed))?;
    let signatures: Vec<[u8; 32]> = field(headers, &STANDARD_SIGNATURE)?
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .filter_map(|signature| signature.try_into().ok())
        .collect();
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    matching(endpoint, &STANDARD_SIGNATURE, &parts, &signatures)?;
    // Only of a time that is signed can be said how old it is.
    if is_near(seconds, now, endpoint.tolerance) {
        Ok(id)
    } else {
        Err(bad(&STANDARD_TIME, Reason::Time))
    }
}

fn timed(
    scheme: &Timed,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), BadSignature> {
    let name = &scheme.field;
    let mut time = None;
    let mut signatures = Vec::new();
    for part in field(headers, name)?.split(scheme.separator) {
        let Some((key, value)) = part.trim().split_once('=') else {
            return Err(bad(name, Reason::Malformed));
        };
        if key == scheme.time && time.replace(value).is_some() {
            return Err(bad(name, Reason::Malformed));
        }
        if key == scheme.version {
            signatures.extend(unhex(value));
        }
    }
    let time = time.ok_or_else(|| bad(name, Reason::Malformed))?;
    let seconds = seconds(time).ok_or_else(|| bad(name, Reason::Malformed))?;
    let parts = [time.as_bytes(), scheme.between.as_bytes(), body];
    matching(endpoint, name, &parts, &signatures)?;
    if is_near(seconds, now, endpoint.tolerance) {
        Ok(())
    } else {
        Err(bad(name, Reason::Time))
    }
}

fn matching(
    endpoint: &Endpoint,
    name: &HeaderName,
    parts: &[&[u8]],
    signatures: &[[u8; 32]],
) -> Result<(), BadSignature> {
    // One HMAC for each key, however many signatures somebody sends.
    let signed = endpoint.keys.iter().any(|key| {
        let expected = key.sign(parts);
        let mut signatures = signatures.iter();
        signatures.any(|signature| bool::from(expected.ct_eq(signature)))
    });
    if signed {
        Ok(())
    } else {
        Err(bad(name, Reason::Mismatch))
    }
}

/// The one value of a field.
fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, BadSignature> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| bad(name, Reason::Missing))?;
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(bad(name, Reason::Malformed)),
    }
}

/// Seconds since 1970, in digits alone.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The 32 bytes of a SHA-256 in hexadecimal.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let nibble = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(bytes)
}

fn bad(field: &HeaderName, reason: Reason) -> BadSignature {
    BadSignature {
        field: field.clone(),
        reason,
    }
}
