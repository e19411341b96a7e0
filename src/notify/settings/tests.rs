use super::Sender;

#[test]
fn a_sender_is_an_address_with_or_without_a_name() {
    let read = |text: &str| {
        let sender = Sender::parse(text)?;
        Some((sender.name, sender.address.to_string()))
    };
    let named = |name: &str| Some((Some(name.to_owned()), "billing@example.com".to_owned()));
    assert_eq!(read("Faregate <billing@example.com>"), named("Faregate"));
    assert_eq!(
        read("\"Faregate, Inc.\" <billing@example.com>"),
        named("Faregate, Inc.")
    );
    assert_eq!(
        read("Bürger & Söhne <billing@example.com>"),
        named("Bürger & Söhne")
    );
    for alone in [
        "billing@example.com",
        "<billing@example.com>",
        " billing@example.com ",
    ] {
        assert_eq!(
            read(alone),
            Some((None, "billing@example.com".to_owned())),
            "{alone}"
        );
    }
    for nonsense in [
        "",
        "Faregate",
        "Faregate <billing>",
        "Faregate <billing@example.com",
        "a\r\nBcc: x@example.com <billing@example.com>",
        "a <b@example.com> <c@example.com>",
    ] {
        assert_eq!(read(nonsense), None, "{nonsense:?}");
    }
}
