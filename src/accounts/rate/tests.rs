use std::{num::NonZeroU32, time::Duration};

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::Rate;
use crate::accounts::fixtures::clock;

fn per_minute(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit).unwrap()
}

#[test]
fn the_burst_is_the_limit_and_one_comes_back_at_a_time() {
    let clock = clock();
    let mut rate = Rate::new(per_minute(6), clock.clone());
    assert_eq!((rate.remaining(), rate.until_full()), (6, Duration::ZERO));
    for left in (0..6).rev() {
        assert!(rate.take().is_ok());
        assert_eq!(rate.remaining(), left);
    }
    assert_eq!(rate.until_full(), Duration::from_secs(60));
    assert_eq!(rate.take().unwrap_err(), Duration::from_secs(10));
    clock.advance(Duration::from_millis(9_999));
    assert_eq!(rate.take().unwrap_err(), Duration::from_millis(1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(rate.remaining(), 1);
    assert!(rate.take().is_ok());
    assert!(rate.take().is_err());
    clock.advance(Duration::from_secs(3600));
    assert_eq!((rate.remaining(), rate.until_full()), (6, Duration::ZERO));
}

#[test]
fn a_restored_rate_never_gave_anything() {
    let clock = clock();
    // Long after the start, too: the arrival is counted from there.
    for _ in 0..3 {
        let mut rate = Rate::new(per_minute(2), clock.clone());
        let first = rate.take().unwrap();
        rate.restore(first);
        assert_eq!(rate.remaining(), 2);
        assert!(rate.take().is_ok());
        let second = rate.take().unwrap();
        assert!(rate.take().is_err());
        rate.restore(second);
        assert_eq!(rate.remaining(), 1);
        assert!(rate.take().is_ok());
        assert!(rate.take().is_err());
        clock.advance(Duration::from_secs(12_345));
    }
}

proptest! {
    /// Over any minutes no more pass than the burst and what came back, and who waits as told passes.
    #[test]
    fn no_more_pass_than_allowed(limit in 1_u32..500, waits in proptest::collection::vec(0_u64..5_000, 1..300)) {
        let clock = clock();
        let mut rate = Rate::new(per_minute(limit), clock.clone());
        let (mut passed, mut elapsed) = (0_u64, 0_u64);
        for wait in waits {
            clock.advance(Duration::from_millis(wait));
            elapsed += wait;
            let left = rate.remaining();
            match rate.take() {
                Ok(_) => passed += 1,
                Err(told) => {
                    prop_assert_eq!(left, 0);
                    let millis = u64::try_from(told.as_nanos().div_ceil(1_000_000)).unwrap();
                    clock.advance(Duration::from_millis(millis));
                    elapsed += millis;
                    prop_assert!(rate.take().is_ok());
                    passed += 1;
                }
            }
            prop_assert!(passed <= u64::from(limit) + elapsed * u64::from(limit) / 60_000 + 1);
        }
    }
}
