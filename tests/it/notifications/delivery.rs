use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use faregate::domain::{Clock, Timestamp};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::{
    TOKEN, answer, arrived, gateway, hooks, listed, message, receiver, test, verified, webhook,
};
use crate::harness::{Daemon, Gate, Gateway, Step, Upstream, daemon_file, within, write};

/// The usual times from each try to the next.
const SCHEDULE: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

fn is(status: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["status"] == status
}

fn tried(times: u64) -> impl Fn(&Value) -> bool {
    move |message| message["attempts"] == times
}

/// How long until the next try.
fn wait(gateway: &Gateway, message: &Value) -> Duration {
    let next: Timestamp = message["next_at"].as_str().unwrap().parse().unwrap();
    gateway.clock.now().until(next)
}

#[tokio::test]
async fn a_message_is_signed_with_every_secret_and_delivered_once() {
    let receiver = receiver(&["204 No Content"]).await;
    let gateway = gateway(&receiver).await;
    test(&gateway).await;
    let bodies = arrived(&receiver, 1).await;
    let body = json!({"type": "notification.test", "timestamp": "2026-11-20T12:00:00Z",
        "data": {"account": null, "plan": null}});
    assert_eq!(bodies, [body]);
    let message = message(&gateway, is("delivered")).await;
    assert_eq!(
        message["id"],
        receiver.seen()[0].headers["webhook-id"].as_str()
    );
    assert_eq!(message["finished_at"], "2026-11-20T12:00:00Z");
    assert_eq!(
        receiver.seen()[0].headers["webhook-timestamp"],
        "1795176000"
    );
    assert_eq!(
        gateway
            .metric("faregate_notifications_total{result=\"delivered\"}")
            .await,
        "1"
    );
    // What the target is called has no query: that may be a secret.
    let target = message["target"].as_str().unwrap();
    assert!(
        target.starts_with(&format!("{}/hooks#", receiver.url())),
        "{target}"
    );
    gateway.stop().await;
    receiver.all_closed().await;
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test]
async fn a_message_that_nobody_takes_is_tried_ten_times_under_one_name() {
    let receiver = receiver(&["500 Internal Server Error"]).await;
    let gateway = gateway(&receiver).await;
    test(&gateway).await;
    for (times, usual) in (1..).zip(SCHEDULE) {
        let message = message(&gateway, tried(times)).await;
        assert_eq!(
            (&message["status"], &message["last_error"]),
            (
                &json!("pending"),
                &json!("it answered 500 Internal Server Error")
            )
        );
        let (wait, usual) = (wait(&gateway, &message), Duration::from_secs(usual));
        assert!(
            wait >= usual && wait <= usual + usual / 10,
            "{times}: {wait:?}"
        );
        gateway.pass(wait);
        gateway.app().notifier().look();
        receiver.arrival().await;
    }
    let last = message(&gateway, is("failed")).await;
    assert_eq!(
        (&last["attempts"], &last["next_at"]),
        (&json!(10), &json!(null))
    );
    arrived(&receiver, 10).await;
    let seen = receiver.seen();
    let ids: std::collections::BTreeSet<_> = seen
        .iter()
        .map(|seen| &seen.headers["webhook-id"])
        .collect();
    assert_eq!(ids.len(), 1);
    let mut times: Vec<i64> = seen
        .iter()
        .map(|seen| seen.headers["webhook-timestamp"].parse().unwrap())
        .collect();
    assert!(times.is_sorted());
    times.dedup();
    assert_eq!(times.len(), 10, "each try is signed with its own time");
    assert_eq!(
        gateway
            .metric("faregate_notifications_total{result=\"retried\"}")
            .await,
        "9"
    );
    assert_eq!(
        gateway
            .metric("faregate_notifications_total{result=\"failed\"}")
            .await,
        "1"
    );

    // Somebody asks for it again, and it begins anew.
    let retry = format!(
        "/admin/v1/notifications/{}/retry",
        last["id"].as_str().unwrap()
    );
    let answer = gateway.admin("POST", &retry).send().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.value()["status"]),
        (200, &json!("pending"))
    );
    arrived(&receiver, 11).await;
    message(&gateway, tried(1)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    for (status, seconds) in [
        ("429 Too Many Requests\r\nretry-after: 600", 600),
        (
            "503 Service Unavailable\r\nRetry-After: Fri, 20 Nov 2026 13:00:00 GMT",
            3_600,
        ),
    ] {
        let receiver = Upstream::start(move |_| answer(status)).await;
        let gateway = gateway(&receiver).await;
        test(&gateway).await;
        let message = message(&gateway, tried(1)).await;
        assert_eq!(
            wait(&gateway, &message),
            Duration::from_secs(seconds),
            "{status}"
        );
        gateway.stop().await;
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = receiver(&["200 OK"]).await;
    let location = format!("302 Found\r\nlocation: {}/", elsewhere.url());
    let receiver = Upstream::start(move |_| answer(&location)).await;
    let gateway = gateway(&receiver).await;
    test(&gateway).await;
    let message = message(&gateway, tried(1)).await;
    assert_eq!(message["status"], "pending");
    assert_eq!(
        message["last_error"],
        "it answered 302 Found, and redirects are not followed"
    );
    gateway.stop().await;
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_nothing_until_somebody_asks() {
    let receiver = receiver(&["410 Gone", "200 OK"]).await;
    let gateway = gateway(&receiver).await;
    test(&gateway).await;
    let gone = message(&gateway, is("disabled")).await;
    test(&gateway).await;
    let messages = listed(&gateway).await;
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(is("disabled")), "{messages:#?}");
    assert_eq!(
        gateway
            .metric("faregate_notifications_total{result=\"disabled\"}")
            .await,
        "1"
    );
    assert_eq!(gateway.metric("faregate_notifications_pending").await, "0");

    let retry = format!(
        "/admin/v1/notifications/{}/retry",
        gone["id"].as_str().unwrap()
    );
    assert_eq!(gateway.admin("POST", &retry).send().await.status, 200);
    arrived(&receiver, 2).await;
    test(&gateway).await;
    arrived(&receiver, 3).await;
    gateway.stop().await;
}

/// A receiver that answers the first message with `first` once the gate is open, and every other at once with `then`.
async fn late_at_first(first: &'static str, then: &'static str) -> (Upstream, Gate) {
    let (answered, count) = (Gate::default(), AtomicUsize::new(0));
    let late = answered.clone();
    let receiver = Upstream::start(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) > 0 {
            return answer(then);
        }
        let mut steps = answer(first);
        steps.insert(0, Step::Wait(late.clone()));
        steps
    });
    (receiver.await, answered)
}

#[tokio::test]
async fn what_was_on_its_way_to_a_receiver_that_is_gone_is_not_sent_again() {
    let (receiver, answered) = late_at_first("500 Internal Server Error", "410 Gone").await;
    let gateway = gateway(&receiver).await;
    test(&gateway).await;
    arrived(&receiver, 1).await;
    test(&gateway).await;
    let all = |wanted: fn(&Value) -> bool| {
        let gateway = &gateway;
        within("all messages are as wanted", async move {
            while !listed(gateway).await.iter().all(wanted) {
                yield_now().await;
            }
        })
    };
    all(|message| message["status"] == "disabled").await;
    answered.open();
    all(|message| message["attempts"] == 1).await;
    let messages = listed(&gateway).await;
    assert!(messages.iter().all(is("disabled")), "{messages:#?}");
    gateway.stop().await;
}

/// Whoever asks for a message again has it sent again, whatever becomes of the try that is under way at that moment.
#[tokio::test]
async fn what_is_asked_for_while_it_is_on_its_way_is_sent_again() {
    for status in ["410 Gone", "500 Internal Server Error"] {
        let (receiver, answered) = late_at_first(status, "200 OK").await;
        let gateway = gateway(&receiver).await;
        test(&gateway).await;
        arrived(&receiver, 1).await;
        gateway.pass(Duration::from_secs(1));
        let id = listed(&gateway).await[0]["id"].as_str().unwrap().to_owned();
        let retry = format!("/admin/v1/notifications/{id}/retry");
        assert_eq!(gateway.admin("POST", &retry).send().await.status, 200);
        answered.open();
        let message = message(&gateway, tried(1)).await;
        assert_eq!(message["status"], "delivered", "{status}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_stops_nobody_else() {
    let (silent, other) = (receiver(&["hang"]).await, receiver(&["200 OK"]).await);
    let yaml = hooks(&[webhook(&silent, ""), webhook(&other, "")]);
    let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let gateway = Gateway::start_with(&yaml, Clock::manual(start), |config| {
        config.notifications.as_mut().unwrap().try_time = Duration::from_millis(100);
    })
    .await;
    for count in 1..=10 {
        test(&gateway).await;
        arrived(&other, count).await;
    }
    let of_silent = || async {
        let messages = listed(&gateway).await;
        let target = silent.url();
        let mut rest = messages
            .into_iter()
            .filter(|message| message["target"].as_str().unwrap().starts_with(&target));
        rest.all(|message| message["last_error"] == "no answer within 100ms")
    };
    within("every try ended", async {
        while !of_silent().await {
            yield_now().await;
        }
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_killed_daemon_was_sending_is_sent_again_under_the_same_name() {
    let receiver = receiver(&["hang", "200 OK"]).await;
    let hooks = hooks(&[webhook(&receiver, "")]);
    let folder = tempfile::TempDir::new().unwrap();
    write(folder.path(), &daemon_file("", "", &hooks));
    let daemon = Daemon::start_in(folder).await;
    let answer = crate::harness::Call::new(daemon.admin, "POST", "/admin/v1/notifications/test")
        .bearer(crate::harness::TOKEN)
        .send()
        .await;
    assert_eq!(answer.status, 200);
    receiver.arrival().await;
    daemon.signal("KILL");
    let (_, folder) = daemon.ended().await;

    let daemon = Daemon::start_in(folder).await;
    receiver.arrival().await;
    let bodies = arrived(&receiver, 2).await;
    assert_eq!(bodies[0], bodies[1]);
    let ids: Vec<_> = receiver
        .seen()
        .iter()
        .map(|seen| seen.headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids[0], ids[1]);
    // Delivered now; the next start sends nothing.
    within("it was noted as delivered", async {
        loop {
            let call = crate::harness::Call::new(daemon.admin, "GET", "/admin/v1/notifications");
            let list = call.bearer(crate::harness::TOKEN).send().await.value();
            if list["data"][0]["status"] == "delivered" {
                break;
            }
            yield_now().await;
        }
    })
    .await;
    daemon.signal("TERM");
    let log = daemon.whole_log().await;
    assert!(!log.contains(TOKEN), "{log}");
    assert_eq!(receiver.seen().len(), 2);
    receiver.seen().iter().for_each(|seen| drop(verified(seen)));
}

/// A gateway whose messages go to `receiver`, and its store.
async fn on_disk(receiver: &Upstream, folder: &Path) -> (Gateway, Connection) {
    let file = folder.join("f.db");
    let store = format!("store: {{url: \"sqlite:{}\"}}\n", file.display());
    let gateway = Gateway::start(&format!("{store}{}", hooks(&[webhook(receiver, "")]))).await;
    (gateway, Connection::open(file).unwrap())
}

/// Two messages, once nothing is done about either any more.
async fn both_over(gateway: &Gateway) -> Vec<Value> {
    let over = |message: &Value| message["finished_at"].is_string();
    within("both are over", async {
        loop {
            let listed = listed(gateway).await;
            if listed.len() == 2 && listed.iter().all(over) {
                return listed;
            }
            yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_message_whose_body_is_damaged_is_given_up() {
    let receiver = receiver(&["503 Service Unavailable", "204 No Content"]).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, rows) = on_disk(&receiver, folder.path()).await;
    test(&gateway).await;
    let first = message(&gateway, tried(1)).await;
    rows.execute("UPDATE notifications SET body = substr(body, 1, 20)", [])
        .unwrap();
    gateway.pass(wait(&gateway, &first));
    gateway.app().notifier().look();
    let ended = message(&gateway, tried(2)).await;
    assert_eq!(ended["status"], "failed");
    let words = ended["last_error"].as_str().unwrap();
    assert!(words.contains("body in the store is damaged"), "{words}");
    assert_eq!(receiver.seen().len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_damaged_message_is_set_aside_and_the_others_are_sent() {
    let receiver = receiver(&["500 Internal Server Error", "204 No Content"]).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, rows) = on_disk(&receiver, folder.path()).await;
    test(&gateway).await;
    message(&gateway, tried(1)).await;
    rows.execute(
        "UPDATE notifications SET created_at = 'noon', next_at = '2026-01-01T00:00:00.000Z'",
        [],
    )
    .unwrap();
    test(&gateway).await;
    arrived(&receiver, 2).await;
    let listed = both_over(&gateway).await;
    let damaged = listed
        .iter()
        .find(|message| message["status"] == "failed")
        .unwrap();
    let said = damaged["last_error"].as_str().unwrap();
    assert!(
        said.contains("column created_at of notifications"),
        "{said}"
    );
    assert!(said.contains("noon"), "{said}");
    assert!(
        listed
            .iter()
            .any(|message| message["status"] == "delivered")
    );
    gateway.stop().await;
}

/// A row is found by its name as it stands, though it be no text.
#[tokio::test]
async fn a_message_whose_name_is_damaged_is_set_aside_once() {
    let receiver = receiver(&["500 Internal Server Error", "204 No Content"]).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, rows) = on_disk(&receiver, folder.path()).await;
    test(&gateway).await;
    message(&gateway, tried(1)).await;
    rows.execute(
        "UPDATE notifications SET id = CAST(x'6d73675fff' AS TEXT), next_at = '2026-01-01T00:00:00.000Z'",
        [],
    )
    .unwrap();
    test(&gateway).await;
    arrived(&receiver, 2).await;
    both_over(&gateway).await;
    gateway.stop().await;
}
