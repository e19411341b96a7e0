//! Single values: durations, sizes, addresses, URLs and so on, from text.

use std::{fmt::Display, net::SocketAddr, path::Path, time::Duration};

use http::Uri;
use ipnet::IpNet;

use super::{
    fields::Value,
    nearest,
    table::{Choice, Kind},
};
use crate::{
    domain::{self, AccountId, InvalidAmount, InvalidId, ModelName, NanoUsd, Secret, Timestamp},
    prices::{Factor, Pico},
    upstream::BaseUrl,
};

/// A hundred years: longer than anything that has to be waited for, and safe to add to any clock.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);
/// A tebibyte.
const LARGEST: u64 = 1 << 40;

const BELOW_ZERO: &str = "is below zero";

/// Why a text is not a value of its kind; completes the sentence that begins with the value.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
}

impl Wrong {
    fn new(text: impl Into<String>, hint: &str) -> Self {
        Self {
            text: text.into(),
            hint: Some(hint.to_owned()),
        }
    }
}

/// Reads a text as its kind. Sections, lists and mappings are not texts; nothing of them gets here.
pub(crate) fn parse(kind: Kind, text: &str, directory: &Path) -> Result<Value, Wrong> {
    match kind {
        Kind::Text | Kind::MoneyOrShare if text.is_empty() => {
            Err(Wrong::new("is empty", "remove the key or write one"))
        }
        Kind::Text | Kind::MoneyOrShare => Ok(Value::Text(text.to_owned())),
        Kind::Name => name(text, AccountId::parse(text)),
        Kind::Model => name(text, ModelName::parse(text)),
        Kind::Secret if text.is_empty() => Err(Wrong::new(
            "is empty",
            "remove the key, or check the variable it is taken from",
        )),
        Kind::Secret | Kind::MaybeSecret => Ok(Value::Secret(Secret::new(text.to_owned()))),
        Kind::Path if text.is_empty() => Err(Wrong::new("is empty", "write the path of a file")),
        Kind::Path => Ok(Value::Path(directory.join(text))),
        Kind::Flag => match text {
            "true" | "True" | "TRUE" => Ok(Value::Flag(true)),
            "false" | "False" | "FALSE" => Ok(Value::Flag(false)),
            _ => Err(Wrong::new(
                "is neither true nor false",
                "write one of them, without quotes",
            )),
        },
        Kind::Integer { least, most } => integer(text, least, most).map(Value::Integer),
        Kind::Duration { zero, never } => duration(text, zero, never).map(Value::Duration),
        Kind::Size { least } => size(text, least).map(Value::Integer),
        Kind::Address => address(text).map(Value::Address),
        Kind::Url => base_url(text).map(|url| Value::Url(Box::new(url))),
        Kind::UrlTemplate => url_template(text).map(Value::Text),
        Kind::Network => network(text).map(Value::Network),
        Kind::Instant => Timestamp::parse_or_day(text)
            .map(Value::Instant)
            .map_err(|_| {
                Wrong::new(
                    "is not a date and time",
                    "write it with its time zone, such as 2026-11-20T00:00:00Z, or a day such as 2026-11-20",
                )
            }),
        Kind::Price { per_million: true } => price_per_million(text).map(Value::Price),
        Kind::Price { per_million: false } => price(text).map(Value::Price),
        Kind::Factor => factor(text).map(Value::Factor),
        Kind::Money => money(text).map(Value::Money),
        Kind::Choice(choice) => word(text, choice).map(Value::Word),
        Kind::Section(_)
        | Kind::Named(_)
        | Kind::NamedAnd { .. }
        | Kind::Pairs
        | Kind::List(_)
        | Kind::Unread(_) => Err(Wrong::new("is a single value", "write a mapping or a list")),
    }
}

fn name<T>(text: &str, parsed: Result<T, InvalidId>) -> Result<Value, Wrong> {
    match parsed {
        Ok(_) => Ok(Value::Text(text.to_owned())),
        Err(error) => Err(Wrong {
            text: error.to_string(),
            hint: None,
        }),
    }
}

fn integer(text: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = is_number.then(|| digits.parse().ok()).flatten();
    let below = text
        .strip_prefix('-')
        .is_some_and(|digits| digits.parse::<u64>().is_ok());
    match number {
        Some(number) if number < least => Err(below_least(least)),
        Some(number) if number <= most => Ok(number),
        _ if is_number => Err(Wrong {
            text: format!("must be at most {most}"),
            hint: None,
        }),
        _ if below => Err(below_least(least)),
        _ => Err(Wrong::new(
            "is not a whole number",
            "write digits only, such as 100",
        )),
    }
}

fn price_per_million(text: &str) -> Result<Pico, Wrong> {
    let hint = "write US dollars per million tokens, such as 0.15";
    Pico::parse_per_million(text).map_err(|error| exact(text, error, Pico::MAX.per_million(), hint))
}

fn price(text: &str) -> Result<Pico, Wrong> {
    let hint = "write US dollars for one, such as 0.005";
    Pico::parse(text).map_err(|error| exact(text, error, Pico::MAX, hint))
}

fn factor(text: &str) -> Result<Factor, Wrong> {
    let hint = "write a factor, such as 1.2";
    Factor::parse(text).map_err(|error| exact(text, error, Factor::MAX, hint))
}

fn exact(text: &str, error: InvalidAmount, most: impl Display, hint: &str) -> Wrong {
    // Only money knows a sign; what else is an amount with one is no less of a number.
    if NanoUsd::parse(text).is_ok_and(NanoUsd::is_negative) {
        return Wrong::new(BELOW_ZERO, hint);
    }
    Wrong::new(error.up_to(most), hint)
}

/// An amount of dollars, from its text: a number would pass through floating point.
fn money(text: &str) -> Result<NanoUsd, Wrong> {
    let hint = "write dollars, such as 25 or 0.005";
    match NanoUsd::parse(text) {
        Ok(amount) if amount.is_negative() => Err(Wrong::new(BELOW_ZERO, hint)),
        Ok(amount) => Ok(amount),
        Err(error) => Err(exact(text, error, NanoUsd::MAX, hint)),
    }
}

fn below_least(least: u64) -> Wrong {
    Wrong {
        text: format!("must be at least {least}"),
        hint: None,
    }
}

/// A number, `None` where it is too large for one, and the rest, which is its unit.
fn measured(text: &str) -> Option<(Option<u64>, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    (end > 0).then(|| (text[..end].parse().ok(), &text[end..]))
}

fn duration(text: &str, zero: bool, never: Option<&str>) -> Result<Option<Duration>, Wrong> {
    if never == Some(text) {
        return Ok(None);
    }
    let mut hint = "a number and a unit: 100ms, 10s, 5m, 12h or 7d".to_owned();
    if let Some(never) = never {
        hint = format!("{hint}; or {never}");
    }
    let wrong = |text: &str| Wrong::new(text, &hint);
    let duration = match measured(text) {
        Some((number, unit)) => {
            let millis = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong("is not a duration")),
            };
            let millis = number.and_then(|number| number.checked_mul(millis));
            let duration = millis.map(Duration::from_millis);
            duration.filter(|duration| *duration <= LONGEST)
        }
        None if text == "0" => Some(Duration::ZERO),
        None => return Err(wrong("is not a duration")),
    };
    match duration {
        None => Err(wrong("is longer than a hundred years")),
        Some(Duration::ZERO) if !zero => Err(wrong("must be more than 0")),
        Some(Duration::ZERO) if never.is_some() => Ok(None),
        Some(duration) => Ok(Some(duration)),
    }
}

fn size(text: &str, least: u64) -> Result<u64, Wrong> {
    let wrong = |text: String| {
        Wrong::new(
            text,
            "a number and a unit: 512B, 16KiB, 32MiB, 1GiB (or KB, MB, GB)",
        )
    };
    let Some((number, unit)) = measured(text) else {
        return Err(wrong("is not a size in bytes".to_owned()));
    };
    let factor = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong("is not a size in bytes".to_owned())),
    };
    let bytes = number.and_then(|number| number.checked_mul(factor));
    match bytes.filter(|bytes| *bytes <= LARGEST) {
        Some(bytes) if bytes < least => Err(wrong(format!("must be at least {}", in_units(least)))),
        Some(bytes) => Ok(bytes),
        None => Err(wrong("is larger than 1024GiB".to_owned())),
    }
}

/// A size as people write it, to the byte.
fn in_units(bytes: u64) -> String {
    match bytes.trailing_zeros() {
        20.. => format!("{}MiB", bytes >> 20),
        10.. => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(
            "is not an IP address with a port",
            "such as 127.0.0.1:8402, 0.0.0.0:8402 for every interface, or [::1]:8402",
        )
    })
}

fn network(text: &str) -> Result<IpNet, Wrong> {
    domain::network(text).ok_or_else(|| {
        Wrong::new(
            "is not a network",
            "such as 10.0.0.0/8, 2001:db8::/32, or one address",
        )
    })
}

/// The part of a URL before its path, checked, and the whole as parsed.
fn absolute(text: &str) -> Result<Uri, Wrong> {
    let wrong = |text: &str| Wrong::new(text, "such as https://api.example.com");
    // RFC 3986 §3.1: schemes are case-insensitive; `Uri` has them in lower case.
    let uri: Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("does not begin with http:// or https://"));
    }
    let Some(authority) = uri.authority() else {
        return Err(wrong("has no host"));
    };
    if authority.as_str().contains('@') {
        return Err(wrong("has a user or password in it"));
    }
    let host = authority.host();
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let named = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let known = match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => named(host),
    };
    if !known {
        return Err(wrong("has no host that can be looked up"));
    }
    let port = &authority.as_str()[host.len()..];
    if !port.is_empty() && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(wrong("has a port that is not a number from 1 to 65535"));
    }
    Ok(uri)
}

fn base_url(text: &str) -> Result<BaseUrl, Wrong> {
    let wrong = |text: &str| Wrong::new(text, "such as https://api.example.com");
    let uri = absolute(text)?;
    if text.contains(['?', '#']) {
        return Err(wrong(
            "has a query or fragment; only scheme, host and path are allowed",
        ));
    }
    let path = uri.path().trim_end_matches('/');
    let dots = |segment: &str| {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        matches!(plain.as_str(), "." | "..")
    };
    if path.contains("//") || path.contains('\\') || path.split('/').any(dots) {
        return Err(wrong("has a path with empty or dot segments"));
    }
    let parts = uri.scheme().zip(uri.authority());
    let Some((scheme, authority)) = parts else {
        return Err(wrong("is not a URL"));
    };
    Ok(BaseUrl {
        scheme: scheme.clone(),
        authority: authority.clone(),
        path: path.to_owned(),
    })
}

fn url_template(text: &str) -> Result<String, Wrong> {
    let hint = "such as https://billing.example.com/pay?account={account}";
    // `Uri` does not look at what comes after `#`.
    let printable = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`".contains(&byte));
    let example = text.replace("{account}", "acme");
    if example.contains(['{', '}']) {
        return Err(Wrong::new(
            "has braces around something other than {account}",
            hint,
        ));
    }
    if !printable {
        return Err(Wrong::new("is not a URL", hint));
    }
    absolute(&example).map_err(|wrong| Wrong::new(wrong.text, hint))?;
    Ok(text.to_owned())
}

fn word(text: &str, choice: Choice) -> Result<&'static str, Wrong> {
    if let Some(word) = choice.words.iter().find(|word| **word == text) {
        return Ok(word);
    }
    let words = choice.words.join(", ");
    if let Some((_, why)) = choice.deferred.iter().find(|(word, _)| *word == text) {
        return Err(Wrong {
            text: format!("is not supported yet: {why}; remove it"),
            hint: Some(format!("write {}", choice.words.join(" or "))),
        });
    }
    let hint = nearest::nearest(text, choice.words.iter().copied())
        .map(|meant| format!("did you mean {meant}?"));
    Err(Wrong {
        text: format!("is not one of {words}"),
        hint,
    })
}
