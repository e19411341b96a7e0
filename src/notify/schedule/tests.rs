use std::time::Duration;

use super::{DELAYS, after, delay, retry_after};
use crate::{
    domain::Timestamp,
    notify::send::Tried,
    store::{Attempted, NotificationId},
};

const NOW: Timestamp = Timestamp::from_millis(1_795_162_530_000);

fn failed(wait: Option<u64>) -> Tried {
    Tried::Failed {
        error: "it answered 500".into(),
        wait: wait.map(Duration::from_secs),
    }
}

fn again(attempted: Attempted) -> Duration {
    match attempted {
        Attempted::Again { at, .. } => NOW.until(at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_tried_ten_times_over_three_days() {
    for _ in 0..100 {
        let id = NotificationId::new(NOW);
        let mut whole = Duration::ZERO;
        for (before, usual) in (0..).zip(DELAYS) {
            let delay = again(after(failed(None), id, before, NOW));
            assert!(
                delay >= usual && delay <= usual + usual / 10,
                "{before}: {delay:?}"
            );
            whole += delay;
        }
        assert!(whole > Duration::from_secs(75 * 3_600));
        let last = after(failed(None), id, 9, NOW);
        let error = "it answered 500".to_owned();
        assert_eq!(last, Attempted::Failed { error });
    }
}

#[test]
fn messages_that_failed_together_come_back_apart() {
    let delays: std::collections::BTreeSet<Duration> = (0..100)
        .filter_map(|_| delay(NotificationId::new(NOW), 3))
        .collect();
    assert!(delays.len() > 90, "{delays:?}");
    let id = NotificationId::new(NOW);
    assert_eq!(delay(id, 3), delay(id, 3));
}

#[test]
fn a_receiver_that_asks_to_wait_is_left_alone_for_a_day_at_most() {
    let id = NotificationId::new(NOW);
    let wait = |seconds| again(after(failed(Some(seconds)), id, 0, NOW));
    assert_eq!(wait(600), Duration::from_secs(600));
    assert!(wait(0) >= Duration::from_secs(5));
    assert_eq!(wait(u64::MAX), Duration::from_secs(86_400));
}

#[test]
fn what_is_over_is_over() {
    let id = NotificationId::new(NOW);
    let error = || "x".to_owned();
    let after = |tried| after(tried, id, 0, NOW);
    assert_eq!(after(Tried::Delivered), Attempted::Delivered);
    assert_eq!(
        after(Tried::Gone { error: error() }),
        Attempted::TargetGone { error: error() }
    );
    assert_eq!(
        after(Tried::Refused { error: error() }),
        Attempted::Failed { error: error() }
    );
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let seconds = |field| retry_after(field, NOW).map(|wait| wait.as_secs());
    assert_eq!(seconds("120"), Some(120));
    assert_eq!(seconds(" 0 "), Some(0));
    assert_eq!(seconds("99999999999999999999999"), Some(86_400));
    // RFC 9110 §5.6.7; NOW is 08:15:30.
    assert_eq!(seconds("Fri, 20 Nov 2026 08:16:00 GMT"), Some(30));
    assert_eq!(seconds("Fri, 20 Nov 2026 08:00:00 GMT"), Some(0));
    for nonsense in ["", "soon", "-5", "1.5", "5 seconds"] {
        assert_eq!(seconds(nonsense), None, "{nonsense}");
    }
}
