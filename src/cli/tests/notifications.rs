//! `faregate notifications …` beside a stopped daemon.

use serde_json::json;

use super::{
    super::{notifications, table::Heading},
    Exit, clock,
    stopped::{CONFIG, directory_with},
    type_in,
};
use crate::{
    config,
    store::{Attempted, NewNotification, NotificationId, Store},
};

/// A store with a message that was given up; its name.
async fn given_up(file: &std::path::Path) -> String {
    let config = config::load(file, &super::Variables::default()).unwrap();
    let (store, _) = Store::open(&config.store, clock()).unwrap();
    let id = NotificationId::new(clock().now());
    let message = NewNotification {
        id,
        event: "payment.failed",
        account: None,
        key: None,
        target: "https://example.com/hooks".to_owned(),
        recipient: None,
        body: json!({"type": "payment.failed"}).to_string(),
    };
    store
        .enqueue_notifications(vec![message], Vec::new())
        .await
        .unwrap();
    let error = "it answered 500 Internal Server Error".to_owned();
    store
        .attempted_notification(id, None, Attempted::Failed { error })
        .await
        .unwrap();
    store.close().await;
    id.to_string()
}

#[test]
fn messages_are_listed_and_sent_again() {
    let (_directory, file) = directory_with(CONFIG);
    let clock = clock();
    assert_eq!(
        type_in(&file, "notifications list", &clock).notes,
        "No messages.\n"
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let id = runtime.block_on(given_up(&file));
    let mut page = String::new();
    let retry = format!("notifications retry {id}");
    for line in [
        "notifications list",
        "notifications list --status delivered",
        &retry,
        "notifications list --status pending",
        "notifications list --account nobody --json",
        "notifications retry msg_1",
        "notifications test",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock));
    }
    insta::assert_snapshot!("messages", page.replace(&id, "msg_<id>"));
    let json = type_in(&file, &format!("{retry} --json"), &clock);
    assert_eq!(json.exit, Exit::Done);
    assert!(json.out.contains("\"status\": \"pending\""), "{}", json.out);
}

#[test]
fn a_test_without_a_daemon_makes_no_store() {
    let (directory, file) = directory_with(CONFIG);
    let said = type_in(&file, "notifications test", &clock());
    assert_eq!(said.exit, Exit::Unavailable, "{said}");
    let words = "and none is running. Start it with `faregate serve`.";
    assert!(said.notes.contains(words), "{said}");
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 1, "the configuration and nothing else");
}

#[test]
fn where_there_is_no_store_nothing_is_sent_again_and_none_is_made() {
    let (directory, file) = directory_with(CONFIG);
    let id = NotificationId::new(clock().now());
    let said = type_in(&file, &format!("notifications retry {id}"), &clock());
    assert_eq!(said.exit, Exit::Failed, "{said}");
    assert!(said.notes.contains("There is no message"), "{said}");
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 1, "the configuration and nothing else");
}

#[test]
fn a_table_names_the_address_of_an_e_mail() {
    let row = |target: &str, recipient| {
        json!({
            "id": "msg_1", "type": "credit.low", "account": "acme", "status": "pending", "attempts": 2,
            "next_at": "2026-11-20T12:05:00.25Z", "target": target, "recipient": recipient,
            "last_error": "connection refused",
        })
    };
    let rows = [
        row("email", json!("ops@example.com")),
        row("https://example.com/hooks", json!(null)),
    ];
    insta::assert_snapshot!(
        "table_of_messages",
        notifications::table(&rows, Heading::Plain)
    );
}
