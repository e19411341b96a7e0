use super::message;
use crate::{
    domain::Secret,
    notify::{Email, Sender, Smtp},
    store::{EMAIL_TARGET, NotificationRow, NotificationStatus},
};

fn email() -> Email {
    Email {
        smtp: Smtp::parse(&Secret::new("smtp://localhost".into()), Vec::new).unwrap(),
        from: Sender::parse("Faregäte <billing@example.com>").unwrap(),
        to: Vec::new(),
        accounts: true,
    }
}

fn row(recipient: &str) -> NotificationRow {
    let body = r#"{"type":"access.restored","timestamp":"2026-11-20T12:00:00Z","data":{"account":"acme","plan":"pro"}}"#;
    NotificationRow {
        id: "msg_019aa8f5-0b6e-7cc1-a6b0-000000000001".parse().unwrap(),
        event: "access.restored".into(),
        account: Some("acme".into()),
        key: None,
        target: EMAIL_TARGET.into(),
        recipient: Some(recipient.into()),
        status: NotificationStatus::Pending,
        attempts: 0,
        next_at: None,
        last_error: None,
        created_at: "2026-11-20T12:00:00Z".parse().unwrap(),
        finished_at: None,
        body: body.into(),
    }
}

#[test]
fn a_message_is_the_same_at_every_try() {
    let whole = |row| String::from_utf8(message(&email(), &row).unwrap().formatted()).unwrap();
    let first = whole(row("ops@example.com"));
    assert_eq!(first, whole(row("ops@example.com")));
    insta::assert_snapshot!("message", first.replace('\r', ""));
}

#[test]
fn a_recipient_that_is_none_gets_nothing() {
    for bad in ["", "ops", "ops@example.com\r\nBcc: x@example.com"] {
        assert!(message(&email(), &row(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_no_event_any_more_is_not_sent() {
    for damaged in ["", "not JSON", r#"{"type":"access.resto"#, "{}", "[]"] {
        let row = NotificationRow {
            body: damaged.into(),
            ..row("ops@example.com")
        };
        let words = message(&email(), &row).unwrap_err();
        assert!(words.contains("body in the store is damaged"), "{words}");
    }
}
