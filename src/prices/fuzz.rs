//! What must hold of decimal numbers that are money: exact, or refused; never rounded in anybody's favour but as said.

use super::{Factor, Pico, litellm};
use crate::domain::{InvalidAmount, NanoUsd, decimal};

/// A text, as every kind of amount; behind the first line a file of prices.
pub(crate) fn amounts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (line, file) = text.split_once('\n').unwrap_or((text, ""));
    for decimals in [0_u32, 6, 9, 12] {
        assert_eq!(
            decimal(line, decimals),
            digit_by_digit(line, decimals as usize)
        );
    }
    dollars(line);
    prices(line);
    if let Ok(file) = litellm::read(file, "prices.json") {
        let found = file.find(&["m", "n"]);
        assert_eq!(found, file.find(&["m", "n"]));
        if let Ok(Some(found)) = found {
            let schedule = found.schedule;
            assert!(schedule.versions().all(|price| !price.version().is_empty()));
        }
    }
}

fn dollars(line: &str) {
    let digits = line.strip_prefix('-').unwrap_or(line);
    let units = digit_by_digit(digits, 9);
    match NanoUsd::parse(line) {
        Ok(amount) => {
            assert_eq!(units, Ok(u128::from(amount.nanos().unsigned_abs())));
            assert!(!amount.is_negative() || line.starts_with('-'));
            let written = amount.to_string();
            assert_eq!(NanoUsd::parse(&written), Ok(amount), "{written}");
        }
        Err(InvalidAmount::TooLarge) => {
            assert!(units.is_err() || units.is_ok_and(|units| i64::try_from(units).is_err()));
        }
        Err(error) => assert_eq!(units, Err(error)),
    }
}

fn prices(line: &str) {
    let fits = |units: Result<u128, InvalidAmount>, most: u128| {
        units.and_then(|units| {
            if units <= most {
                Ok(units)
            } else {
                Err(InvalidAmount::TooLarge)
            }
        })
    };
    let most = u128::from(Pico::MAX.get());
    let got = |price: Result<Pico, InvalidAmount>| price.map(|price| u128::from(price.get()));
    assert_eq!(got(Pico::parse(line)), fits(digit_by_digit(line, 12), most));
    assert_eq!(
        got(Pico::parse_per_million(line)),
        fits(digit_by_digit(line, 6), most)
    );
    let factor = Factor::parse(line);
    let millionths = factor.map(|factor| u128::from(factor.millionths()));
    assert_eq!(
        millionths,
        fits(digit_by_digit(line, 6), Factor::MAX.millionths().into())
    );
    if let Ok(price) = Pico::parse(line) {
        assert_eq!(Pico::parse(&price.to_string()), Ok(price));
        assert_eq!(
            Pico::parse_per_million(&price.per_million().to_string()),
            Ok(price)
        );
        assert_eq!(Pico::import(&price.to_string()), Ok(price));
    }
    if let Ok(factor) = factor {
        assert_eq!(Factor::parse(&factor.to_string()), Ok(factor));
    }
    if let Some(expected) = shifted(line) {
        assert_eq!(got(Pico::import(line)), fits(expected, most), "{line}");
    } else {
        let _ = Pico::import(line);
    }
}

/// Trillionths of a JSON number, by moving the point within its digits, the rest rounded up. `None` for exponents that
/// would make the text long.
fn shifted(line: &str) -> Option<Result<u128, InvalidAmount>> {
    let (mantissa, exponent) = line.split_once(['e', 'E']).unwrap_or((line, "0"));
    let wrong = Some(Err(InvalidAmount::NotDecimal));
    let signless = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if signless.is_empty()
        || ![signless, whole, fraction].into_iter().all(digits)
        || whole.is_empty()
    {
        return wrong;
    }
    let exponent: i32 = exponent
        .parse()
        .ok()
        .filter(|exponent: &i32| exponent.abs() <= 400)?;
    let places = usize::try_from(exponent + 12 + 1000).ok()?;
    // A thousand digits on each side, so that the point never leaves them.
    let text = format!("{}{whole}{fraction}{}", "0".repeat(1000), "0".repeat(1000));
    let (kept, rest) = text.split_at_checked(places + whole.len())?;
    let up = u128::from(rest.bytes().any(|digit| digit != b'0'));
    let kept = kept.trim_start_matches('0');
    Some(match kept.len() {
        0 => Ok(up),
        1..=38 => Ok(kept.parse().unwrap_or(u128::MAX) + up),
        _ => Err(InvalidAmount::TooLarge),
    })
}

/// A decimal number in units of `10^-decimals`, as a text whose point is moved.
fn digit_by_digit(text: &str, decimals: usize) -> Result<u128, InvalidAmount> {
    let parts: Vec<&str> = text.split('.').collect();
    let digits =
        |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit());
    if parts.len() > 2 || !parts.iter().all(digits) {
        return Err(InvalidAmount::NotDecimal);
    }
    let mut fraction = parts.get(1).copied().unwrap_or_default().to_owned();
    while fraction.ends_with('0') {
        fraction.pop();
    }
    if fraction.len() > decimals {
        return Err(InvalidAmount::TooFine(u32::try_from(decimals).unwrap_or(0)));
    }
    while fraction.len() < decimals {
        fraction.push('0');
    }
    let whole = format!("{}{fraction}", parts[0]);
    let whole = whole.trim_start_matches('0');
    if whole.is_empty() {
        return Ok(0);
    }
    whole.parse().map_err(|_| InvalidAmount::TooLarge)
}
