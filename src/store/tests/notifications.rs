//! Messages to people: queued once, kept until they are delivered.

use std::time::Duration;

use crate::store::{
    Attempted, EMAIL_TARGET, Mark, NewNotification, NotificationFilter, NotificationId,
    NotificationRow, NotificationStatus, Reader, Store,
    tests::{Bench, START, account_id, flushed, in_memory},
};

const HOOK: &str = "https://hooks.example.com/a";
const OTHER: &str = "https://hooks.example.com/b";

fn message(target: &str) -> NewNotification {
    NewNotification {
        id: NotificationId::new(START),
        event: "quota.warning",
        account: Some(account_id("acme")),
        key: None,
        target: target.to_owned(),
        recipient: (target == EMAIL_TARGET).then(|| "ops@example.com".to_owned()),
        body: r#"{"type":"quota.warning"}"#.to_owned(),
    }
}

fn mark(slot: &str, at: i64, level: i64) -> Mark {
    let slot = slot.to_owned();
    Mark { slot, at, level }
}

fn targets() -> Vec<String> {
    [HOOK, OTHER, EMAIL_TARGET].map(str::to_owned).into()
}

async fn queue(store: &Store, target: &str) -> NotificationId {
    let message = message(target);
    let id = message.id;
    store
        .enqueue_notifications(vec![message], Vec::new())
        .await
        .unwrap();
    id
}

async fn rows(store: &Store) -> Vec<NotificationRow> {
    let page = store.notifications(NotificationFilter::default()).await;
    page.unwrap().data
}

async fn row(store: &Store, id: NotificationId) -> NotificationRow {
    let rows = rows(store).await;
    rows.into_iter().find(|row| row.id == id).unwrap()
}

#[tokio::test]
async fn messages_and_marks_outlive_the_daemon() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let message = message(EMAIL_TARGET);
    let marks = vec![mark("limit|acme", 7, 80), mark("access|acme", 0, 0)];
    store
        .enqueue_notifications(vec![message.clone()], marks)
        .await
        .unwrap();
    store
        .enqueue_notifications(Vec::new(), vec![mark("limit|acme", 7, 100)])
        .await
        .unwrap();
    store.close().await;
    let (store, _) = bench.open();
    let mut marks = store.notification_marks().await.unwrap();
    marks.sort_by(|one, other| one.slot.cmp(&other.slot));
    assert_eq!(
        marks,
        [mark("access|acme", 0, 0), mark("limit|acme", 7, 100)]
    );
    let due = store.due_notifications(targets(), 4, START).await.unwrap();
    assert_eq!((due.rows.len(), due.next, due.pending), (1, None, 1));
    let row = &due.rows[0];
    assert_eq!(row.id, message.id);
    assert_eq!(row.recipient, message.recipient);
    assert_eq!(row.body, message.body);
    assert_eq!((row.status, row.attempts), (NotificationStatus::Pending, 0));
    store.close().await;
    let read = Reader::open(&bench.file()).unwrap();
    let page = read.notifications(&NotificationFilter::default()).unwrap();
    assert_eq!(page.data, due.rows);
}

#[tokio::test]
async fn each_target_has_its_turn_when_its_time_has_come() {
    let store = in_memory();
    for _ in 0..3 {
        queue(&store, HOOK).await;
    }
    let later = queue(&store, OTHER).await;
    let at = START.plus(Duration::from_secs(60));
    let error = "it answered 500".to_owned();
    let again = Attempted::Again { at, error };
    store
        .attempted_notification(later, Some(START), again)
        .await
        .unwrap();
    let due = store.due_notifications(targets(), 2, START).await.unwrap();
    assert_eq!(due.rows.len(), 2, "two for each target at most");
    assert!(due.rows.iter().all(|row| row.target == HOOK));
    assert_eq!((due.next, due.pending), (Some(at), 4));
    let due = store.due_notifications(targets(), 9, at).await.unwrap();
    assert_eq!((due.rows.len(), due.next), (4, None));
    let waiting = due.rows.iter().find(|row| row.id == later).unwrap();
    assert_eq!((waiting.attempts, waiting.next_at), (1, Some(at)));
    assert_eq!(waiting.last_error.as_deref(), Some("it answered 500"));
    let one = store.due_notifications(vec![OTHER.into()], 9, at).await;
    assert_eq!(one.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn what_is_over_is_not_due() {
    let store = in_memory();
    let (delivered, failed) = (queue(&store, HOOK).await, queue(&store, HOOK).await);
    let told = |id, attempted| store.attempted_notification(id, Some(START), attempted);
    told(delivered, Attempted::Delivered).await.unwrap();
    let error = "it answered 500".to_owned();
    told(failed, Attempted::Failed { error }).await.unwrap();
    let due = store.due_notifications(targets(), 9, START).await.unwrap();
    assert_eq!((due.rows.len(), due.pending), (0, 0));
    let row_of = async |id| {
        let row = row(&store, id).await;
        (
            row.status,
            row.attempts,
            row.next_at,
            row.last_error,
            row.finished_at,
        )
    };
    let end = Some(START);
    let one = (NotificationStatus::Delivered, 1, None, None, end);
    assert_eq!(row_of(delivered).await, one);
    let error = Some("it answered 500".to_owned());
    let other = (NotificationStatus::Failed, 1, None, error, end);
    assert_eq!(row_of(failed).await, other);
}

#[tokio::test]
async fn a_target_that_is_gone_gets_nothing_until_somebody_asks_for_it() {
    let store = in_memory();
    let (first, second) = (queue(&store, HOOK).await, queue(&store, HOOK).await);
    let elsewhere = queue(&store, OTHER).await;
    let error = "it answered 410 Gone".to_owned();
    store
        .attempted_notification(first, Some(START), Attempted::TargetGone { error })
        .await
        .unwrap();
    let third = queue(&store, HOOK).await;
    for id in [first, second, third] {
        assert_eq!(row(&store, id).await.status, NotificationStatus::Disabled);
    }
    let due = store.due_notifications(targets(), 9, START).await.unwrap();
    assert_eq!(due.rows.len(), 1);
    assert_eq!(due.rows[0].id, elsewhere);

    let again = store.retry_notification(first).await.unwrap().unwrap();
    assert_eq!(
        (again.status, again.attempts),
        (NotificationStatus::Pending, 0)
    );
    let fourth = queue(&store, HOOK).await;
    assert_eq!(
        row(&store, fourth).await.status,
        NotificationStatus::Pending
    );
    assert_eq!(
        row(&store, second).await.status,
        NotificationStatus::Disabled
    );
}

#[tokio::test]
async fn what_was_on_its_way_when_its_target_went_is_not_sent_again() {
    let store = in_memory();
    let (gone, failing) = (queue(&store, HOOK).await, queue(&store, HOOK).await);
    let (lost, kept) = (queue(&store, OTHER).await, queue(&store, HOOK).await);
    let error = || "it answered 500".to_owned();
    let again = || Attempted::Again {
        at: START,
        error: error(),
    };
    let target_gone = Attempted::TargetGone { error: error() };
    store
        .attempted_notification(kept, Some(START), Attempted::Delivered)
        .await
        .unwrap();
    store
        .attempted_notification(gone, Some(START), target_gone)
        .await
        .unwrap();
    let hook = store.keep_notification_targets(vec![HOOK.to_owned()]);
    hook.await.unwrap();
    for (id, status) in [
        (failing, NotificationStatus::Disabled),
        (lost, NotificationStatus::Failed),
    ] {
        store
            .attempted_notification(id, Some(START), again())
            .await
            .unwrap();
        let row = row(&store, id).await;
        assert_eq!((row.status, row.attempts), (status, 1));
        assert!(row.finished_at.is_some());
    }
    let due = store.due_notifications(targets(), 9, START).await.unwrap();
    assert!(due.rows.is_empty());
    assert_eq!(due.pending, 0);

    // Asked for while it is on its way, it has its tries.
    store.retry_notification(failing).await.unwrap();
    store
        .attempted_notification(failing, Some(START), again())
        .await
        .unwrap();
    assert_eq!(
        row(&store, failing).await.status,
        NotificationStatus::Pending
    );
}

#[tokio::test]
async fn a_message_that_was_delivered_is_not_sent_again() {
    let store = in_memory();
    let id = queue(&store, HOOK).await;
    store
        .attempted_notification(id, Some(START), Attempted::Delivered)
        .await
        .unwrap();
    let row = store.retry_notification(id).await.unwrap().unwrap();
    assert_eq!(row.status, NotificationStatus::Delivered);
    let nobody = NotificationId::new(START);
    assert_eq!(store.retry_notification(nobody).await.unwrap(), None);
}

#[tokio::test]
async fn what_has_no_target_any_more_is_given_up() {
    let store = in_memory();
    let (kept, lost) = (queue(&store, HOOK).await, queue(&store, OTHER).await);
    let keep = |targets: &[&str]| {
        let targets = targets.iter().map(|target| (*target).to_owned());
        store.keep_notification_targets(targets.collect())
    };
    keep(&[HOOK, EMAIL_TARGET]).await.unwrap();
    assert_eq!(row(&store, kept).await.status, NotificationStatus::Pending);
    let lost = row(&store, lost).await;
    assert_eq!(lost.status, NotificationStatus::Failed);
    assert!(lost.last_error.unwrap().contains("no such target"));
    keep(&[]).await.unwrap();
    assert_eq!(row(&store, kept).await.status, NotificationStatus::Failed);
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut ids = Vec::new();
    for index in 0..5 {
        bench.clock.advance(Duration::from_secs(index));
        ids.push(queue(&store, if index == 2 { OTHER } else { HOOK }).await);
    }
    ids.reverse();
    let page = async |cursor, limit| {
        let filter = NotificationFilter {
            limit,
            cursor,
            ..NotificationFilter::default()
        };
        let page = store.notifications(filter).await.unwrap();
        let found: Vec<_> = page.data.iter().map(|row| row.id).collect();
        (found, page.next_cursor)
    };
    let (first, cursor) = page(None, 3).await;
    assert_eq!(first, ids[..3]);
    let (second, end) = page(cursor, 3).await;
    assert_eq!((second.as_slice(), end), (&ids[3..], None));
    let filter = NotificationFilter {
        status: Some(NotificationStatus::Failed),
        account: Some(account_id("acme")),
        ..NotificationFilter::default()
    };
    assert!(
        store
            .notifications(filter.clone())
            .await
            .unwrap()
            .data
            .is_empty()
    );
    let error = String::new();
    store
        .attempted_notification(ids[2], None, Attempted::Failed { error })
        .await
        .unwrap();
    let found = store.notifications(filter).await.unwrap().data;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, ids[2]);
    store.close().await;
}

#[tokio::test]
async fn what_was_finished_a_month_ago_is_forgotten() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let (done, waiting) = (queue(&store, HOOK).await, queue(&store, HOOK).await);
    store
        .attempted_notification(done, Some(START), Attempted::Delivered)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(33 * 86_400));
    // What is written next has the writer look for what is old, before it does anything else.
    queue(&store, OTHER).await;
    flushed(&store).await;
    let left: Vec<_> = rows(&store).await.into_iter().map(|row| row.id).collect();
    assert!(!left.contains(&done) && left.contains(&waiting));
    store.close().await;
}

#[test]
fn a_name_is_read_as_it_is_written() {
    let id = NotificationId::new(START);
    assert_eq!(id.to_string().parse(), Ok(id));
    for nonsense in ["", "msg_", "msg_1", &id.to_string()[4..]] {
        assert!(nonsense.parse::<NotificationId>().is_err(), "{nonsense}");
    }
}
