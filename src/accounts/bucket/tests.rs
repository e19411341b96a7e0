use std::{num::NonZeroU64, time::Duration};

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::Bucket;

fn full(capacity: u64) -> Bucket {
    Bucket::full(NonZeroU64::new(capacity).unwrap(), Duration::ZERO)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_minute_fills_it() {
    let mut bucket = full(600);
    bucket.take(600);
    assert_eq!(bucket.remaining(seconds(0)), 0);
    assert_eq!(bucket.wait(10, seconds(0)), seconds(1));
    assert_eq!(bucket.remaining(seconds(1)), 10);
    assert_eq!(bucket.wait(10, seconds(1)), Duration::ZERO);
    assert_eq!(bucket.remaining(seconds(60)), 600);
    assert_eq!(bucket.remaining(seconds(6000)), 600);
}

#[test]
fn a_call_above_the_whole_bucket_waits_for_a_full_one() {
    let mut bucket = full(600);
    assert_eq!(bucket.wait(1_000_000, seconds(0)), Duration::ZERO);
    bucket.take(1_000_000);
    // The debt comes back at the bucket's rate, then a full one.
    assert_eq!(
        bucket.wait(1, seconds(0)),
        Duration::from_millis(99_940_100)
    );
    let mut bucket = full(600);
    bucket.take(1);
    assert_eq!(
        bucket.wait(1_000_000, seconds(0)),
        Duration::from_millis(100)
    );
}

#[test]
fn less_than_a_token_is_not_lost() {
    let mut bucket = full(1);
    bucket.take(1);
    for second in 1..60 {
        assert_eq!(bucket.remaining(seconds(second)), 0, "{second}");
    }
    assert_eq!(bucket.remaining(seconds(60)), 1);
    // Neither is less than a millisecond.
    let mut bucket = full(60_000);
    bucket.take(60_000);
    for step in 1..=1000 {
        bucket.remaining(Duration::from_micros(step));
    }
    assert_eq!(bucket.remaining(Duration::from_millis(1)), 1);
}

#[test]
fn a_correction_counts_from_when_it_is_known() {
    // Held what was used: nothing changes, however full the bucket is by then.
    let mut bucket = full(600);
    bucket.take(300);
    bucket.correct(300, 300, seconds(60));
    assert_eq!(bucket.remaining(seconds(60)), 600);
    // Used more: the difference is a debt from now on.
    let mut bucket = full(600);
    bucket.take(300);
    bucket.correct(300, 1500, seconds(600));
    assert_eq!(bucket.wait(1, seconds(600)), Duration::from_millis(60_100));
    // Used less: the difference is there again, but never more than a bucket.
    let mut bucket = full(600);
    bucket.take(600);
    bucket.correct(600, 100, seconds(0));
    assert_eq!(bucket.remaining(seconds(0)), 500);
    bucket.correct(600, 0, seconds(0));
    assert_eq!(bucket.remaining(seconds(0)), 600);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    let mut bucket = full(u64::MAX);
    for _ in 0..3 {
        bucket.take(u64::MAX);
    }
    assert!(bucket.wait(u64::MAX, Duration::MAX) >= Duration::ZERO);
    bucket.correct(0, u64::MAX, Duration::MAX);
    bucket.correct(u64::MAX, 0, Duration::MAX);
    assert_eq!(bucket.remaining(Duration::MAX), u64::MAX);
}

proptest! {
    /// Waiting as long as it says is enough, and a millisecond less is not.
    #[test]
    fn the_wait_is_exact(
        capacity in 1_u64..10_000_000,
        taken in 0_u64..30_000_000,
        wanted in 1_u64..30_000_000,
        start in 0_u64..100_000,
    ) {
        let now = Duration::from_millis(start);
        let mut bucket = full(capacity);
        bucket.wait(0, now);
        bucket.take(taken);
        let wait = bucket.wait(wanted, now);
        if !wait.is_zero() {
            prop_assert!(!bucket.wait(wanted, now + wait - Duration::from_millis(1)).is_zero());
        }
        prop_assert_eq!(bucket.wait(wanted, now + wait), Duration::ZERO);
    }

    /// No sequence of numbers panics or fills it beyond the brim.
    #[test]
    fn it_never_holds_more_than_a_bucket(
        capacity in 1_u64..,
        moves in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u32>()), 0..20),
    ) {
        let mut bucket = full(capacity);
        let mut now = Duration::ZERO;
        for (taken, used, millis) in moves {
            now += Duration::from_millis(millis.into());
            bucket.take(taken);
            bucket.correct(taken, used, now);
            prop_assert!(bucket.remaining(now) <= capacity);
        }
    }
}
