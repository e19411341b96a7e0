use http::{HeaderMap, HeaderValue, header};

use super::described;

fn taken(values: &[&str]) -> bool {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_str(value).unwrap();
        headers.append(header::CONTENT_TYPE, value);
    }
    described(&headers).is_ok()
}

#[test]
fn json_in_utf_8_is_taken_and_nothing_else() {
    assert!(taken(&[]));
    for value in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; charset = utf8",
        "application/json; profile=x; charset=utf-8",
        "application/vnd.api+json",
    ] {
        assert!(taken(&[value]), "{value}");
    }
    for value in [
        "",
        "json",
        "application/jsonx",
        "application/",
        "text/json",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json, text/plain",
        "application/xml+jsonx",
    ] {
        assert!(!taken(&[value]), "{value}");
        assert!(!taken(&["application/json", value]), "{value}");
    }
}
