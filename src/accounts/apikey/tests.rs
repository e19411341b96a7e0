//! Keys are well formed, and nothing else looks like one.

use std::collections::HashSet;

use proptest::{prelude::any, prop_assert, prop_assert_eq, proptest};

use super::{ApiKey, DIGITS, LENGTH, checksum};
use crate::domain::KeyDigest;

#[test]
fn a_new_key_has_the_documented_form() {
    let key = ApiKey::generate();
    let text = key.text.expose();
    assert_eq!(text.len(), LENGTH);
    assert_eq!(text.len(), 61);
    assert!(text.starts_with(&format!("fg_{}_", key.public_part)));
    assert!(ApiKey::looks_valid(text));
    assert_eq!(key.digest, KeyDigest::of(text.as_bytes()));
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("fg_{}_<secret>", key.public_part));
}

#[test]
fn keys_differ_and_use_every_digit() {
    let keys: Vec<ApiKey> = (0..500).map(|_| ApiKey::generate()).collect();
    let texts: HashSet<&str> = keys.iter().map(|key| key.text.expose()).collect();
    let publics: HashSet<&str> = keys.iter().map(|key| key.public_part.as_str()).collect();
    assert_eq!((texts.len(), publics.len()), (500, 500));
    let seen: HashSet<u8> = texts.iter().flat_map(|text| text.bytes().skip(3)).collect();
    assert!(DIGITS.iter().all(|digit| seen.contains(digit)));
}

#[test]
fn the_checksum_is_a_crc_32_in_base_62() {
    // CRC-32 of "123456789" is 0xcbf43926, the check value of the catalogue of parametrised CRC algorithms.
    assert_eq!(0xcbf4_3926, crc32fast::hash(b"123456789"));
    let digit = |byte: u8| DIGITS.iter().position(|digit| *digit == byte).unwrap() as u64;
    let read = checksum("123456789")
        .iter()
        .fold(0, |sum, byte| sum * 62 + digit(*byte));
    assert_eq!(read, 0xcbf4_3926);
    assert_eq!(&checksum(""), b"000000");
}

proptest! {
    #[test]
    fn no_single_change_stays_valid(position in 0..LENGTH, replacement in any::<char>()) {
        let key = ApiKey::generate();
        let text = key.text.expose();
        let changed: String = text
            .chars()
            .enumerate()
            .map(|(index, c)| if index == position { replacement } else { c })
            .collect();
        prop_assert_eq!(ApiKey::looks_valid(&changed), changed == text);
    }

    #[test]
    fn no_cut_or_longer_key_is_valid(cut in 0..LENGTH, more in ".{1,4}") {
        let key = ApiKey::generate();
        let text = key.text.expose();
        prop_assert!(!ApiKey::looks_valid(&text[..cut]));
        let longer = format!("{text}{more}");
        prop_assert!(!ApiKey::looks_valid(&longer));
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in ".{0,80}", rest in "\\PC{0,61}") {
        prop_assert!(!ApiKey::looks_valid(&text));
        let prefixed = format!("fg_{rest}");
        prop_assert!(!ApiKey::looks_valid(&prefixed));
    }
}
