use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::credential;
use crate::refusal::Code;

fn find(fields: &[(&str, &str)], uri: &str) -> Result<String, Code> {
    let fields = fields.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, value);
    }
    let uri: Uri = uri.parse().unwrap();
    let found =
        credential(&headers, &uri).map(|found| String::from_utf8(found.into_owned()).unwrap());
    found.map_err(|refusal| refusal.code)
}

#[test]
fn every_place_is_read() {
    for field in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
        let value = if field == "authorization" {
            "bEaReR a key"
        } else {
            "a key"
        };
        assert_eq!(
            find(&[(field, value)], "/v1/x"),
            Ok("a key".into()),
            "{field}"
        );
    }
    assert_eq!(find(&[], "/v1/x?a=b&key=a%20key"), Ok("a key".into()));
}

#[test]
fn the_same_key_twice_is_one_credential() {
    assert_eq!(
        find(
            &[("authorization", "Bearer k"), ("x-api-key", "k")],
            "/?key=k"
        ),
        Ok("k".into())
    );
}

#[test]
fn two_keys_are_ambiguous() {
    let ambiguous = Err(Code::AmbiguousCredentials);
    assert_eq!(
        find(&[("authorization", "Bearer a"), ("x-api-key", "b")], "/"),
        ambiguous
    );
    assert_eq!(
        find(
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
            "/"
        ),
        ambiguous
    );
    assert_eq!(find(&[("x-api-key", "a")], "/?key=b"), ambiguous);
    assert_eq!(
        find(&[("authorization", "Basic a"), ("x-api-key", "a")], "/"),
        ambiguous
    );
}

#[test]
fn an_empty_place_is_none() {
    for empty in ["", "Bearer", "bearer "] {
        let fields = [
            ("authorization", empty),
            ("x-api-key", "k"),
            ("api-key", ""),
        ];
        assert_eq!(find(&fields, "/?key="), Ok("k".into()), "{empty}");
    }
    assert_eq!(
        find(&[("authorization", "Bearerk")], "/"),
        Ok("Bearerk".into())
    );
}

#[test]
fn nothing_is_no_credential() {
    for fields in [
        &[][..],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer"), ("x-api-key", "")],
        &[("x-api-key", "")],
    ] {
        assert_eq!(find(fields, "/v1/x?keys=1"), Err(Code::InvalidApiKey));
    }
}
