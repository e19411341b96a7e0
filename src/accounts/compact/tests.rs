use super::{Digests, Label, Own};
use crate::{
    accounts::{KeySpec, OwnTerms},
    domain::{KeyDigest, Timestamp},
};

fn digest(secret: &str) -> KeyDigest {
    KeyDigest::of(secret.as_bytes())
}

#[test]
fn a_key_takes_as_little_as_was_meant() {
    // A million keys take so many megabytes. Whoever adds a field finds the place where most keys do not have it.
    assert!(size_of::<KeySpec>() <= 120, "{}", size_of::<KeySpec>());
    assert_eq!(size_of::<Digests>(), 48);
    assert_eq!(size_of::<Label>(), 16);
    assert_eq!(size_of::<Own>(), 8);
}

#[test]
fn secrets_are_a_list_however_many_they_are() {
    let end = Some(Timestamp::from_millis(7));
    let mut secrets = Digests::one(digest("first"));
    assert_eq!(secrets[..], [(digest("first"), None)]);
    secrets[0].1 = end;
    secrets.push((digest("second"), None));
    assert_eq!(
        secrets[..],
        [(digest("first"), end), (digest("second"), None)]
    );
    secrets.retain(|(_, end)| end.is_none());
    assert_eq!(secrets, Digests::one(digest("second")));
    secrets.retain(|_| false);
    assert!(secrets.is_empty());
    assert_eq!(secrets, Digests::from_iter([]));
}

#[test]
fn a_label_is_its_text() {
    for text in [
        "",
        "Zx81Qp0a",
        "fourteen bytes",
        "fifteen bytes..",
        "größer als 14 Bytes",
        "ß€",
    ] {
        assert_eq!(Label::from(text).as_str(), text);
        assert_eq!(Label::from(text), Label::from(text).clone());
    }
    assert_ne!(Label::from("a"), Label::from("b"));
    assert_eq!(Label::default().as_str(), "");
}

#[test]
fn terms_that_say_nothing_are_equal_to_none() {
    let mut own = Own::default();
    own.allowed_ips.clear();
    assert_eq!(own, Own::default());
    assert_eq!(own, OwnTerms::default().into());
    own.expires_at = Some(Timestamp::from_millis(1));
    assert_ne!(own, Own::default());
    assert_eq!(own.expires_at, Some(Timestamp::from_millis(1)));
}
