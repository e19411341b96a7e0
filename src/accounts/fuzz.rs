//! What must hold of the form of an API key.

use std::str::FromStr;

use super::ApiKey;
use crate::domain::KeyDigest;

const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Any text, and the key that its letters and digits make.
pub(crate) fn key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert_eq!(ApiKey::looks_valid(&text), is_key(&text));
    digest(&text, data);

    let mut digits = data.iter().map(|byte| {
        let at = usize::from(*byte) % DIGITS.len();
        &DIGITS[at..=at]
    });
    let public: String = digits
        .by_ref()
        .chain(std::iter::repeat("0"))
        .take(8)
        .collect();
    let secret: String = digits.chain(std::iter::repeat("0")).take(43).collect();
    let body = format!("fg_{public}_{secret}");
    let key = format!("{body}{}", sum(&body));
    assert!(is_key(&key) && ApiKey::looks_valid(&key));
    // One letter that is another one anywhere, or one that is missing, is noticed.
    for at in 0..key.len() {
        let other = data.get(at).map_or('-', |byte| char::from(*byte));
        let mut letters: Vec<char> = key.chars().collect();
        let same = letters[at] == other;
        letters[at] = other;
        let changed: String = letters.iter().collect();
        assert_eq!(ApiKey::looks_valid(&changed), same);
        letters.remove(at);
        let shorter: String = letters.iter().collect();
        assert!(!ApiKey::looks_valid(&shorter));
    }
}

fn digest(text: &str, data: &[u8]) {
    let digest = KeyDigest::of(data);
    let written = digest.to_string();
    assert_eq!(KeyDigest::from_str(&written), Ok(digest));
    assert_eq!(
        KeyDigest::from_str(&format!("sha256:{written}")),
        Ok(digest)
    );
    if let Ok(read) = KeyDigest::from_str(text) {
        assert_eq!(
            read.to_string(),
            text.strip_prefix("sha256:").unwrap_or(text)
        );
    }
}

/// The documented form, part by part.
fn is_key(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let digits = |part: &str| part.chars().all(|digit| DIGITS.contains(digit));
    match parts[..] {
        ["fg", public, rest] => {
            let form = public.len() == 8 && rest.len() == 49 && digits(public) && digits(rest);
            form && rest.ends_with(&sum(&format!("fg_{public}_{}", &rest[..43])))
        }
        _ => false,
    }
}

/// CRC-32 bit by bit (ISO 3309), in six digits.
fn sum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    let mut left = usize::try_from(!crc).unwrap_or(0);
    let mut digits = String::new();
    for _ in 0..6 {
        let at = left % DIGITS.len();
        digits.insert_str(0, &DIGITS[at..=at]);
        left /= DIGITS.len();
    }
    digits
}
