use super::EmailAddress;

#[test]
fn addresses_are_read_as_they_are() {
    for good in [
        "ops@example.com",
        "a.b+c@sub.example.com",
        "x@localhost",
        "o'neil@example.com",
    ] {
        assert_eq!(good.parse::<EmailAddress>().unwrap().as_str(), good);
    }
}

#[test]
fn what_two_programs_could_read_differently_is_refused() {
    let long = format!("{}@example.com", "a".repeat(65));
    for bad in [
        "",
        "ops",
        "@example.com",
        "ops@",
        "ops@@example.com",
        "a b@example.com",
        "\"a b\"@example.com",
        "ops@example.com\r\nBcc: x@example.com",
        "ops@[127.0.0.1]",
        "ops@-example.com",
        "ops@example..com",
        ".ops@example.com",
        "ops@exämple.com",
        "Ops <ops@example.com>",
        &long,
    ] {
        assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
    }
}
