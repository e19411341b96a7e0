use proptest::proptest;

use crate::domain::Timestamp;

use super::instant;

#[test]
fn an_instant_has_three_decimals() {
    assert_eq!(
        instant(Timestamp::from_millis(1_763_626_530_000)),
        "2025-11-20T08:15:30.000Z"
    );
    assert_eq!(
        instant(Timestamp::from_millis(i64::MAX)),
        "9999-12-30T22:00:00.999Z"
    );
}

/// From the year 0 to the year 9999.
const YEARS: std::ops::Range<i64> = -62_167_219_200_000..253_402_207_200_000;

proptest! {
    #[test]
    fn instants_sort_as_text(one in YEARS, other in YEARS) {
        let [one, other] = [one, other].map(Timestamp::from_millis);
        assert_eq!(one.cmp(&other), instant(one).cmp(&instant(other)));
    }

    #[test]
    fn an_instant_is_read_as_it_was_written(millis in YEARS) {
        let at = Timestamp::from_millis(millis);
        assert_eq!(instant(at).parse(), Ok(at));
    }
}
