use proptest::prelude::{ProptestConfig, any, proptest};

use super::{InvalidAmount, NanoUsd, decimal};

#[test]
fn amounts_are_read_exactly() {
    let read = |text| NanoUsd::parse(text).map(NanoUsd::nanos);
    assert_eq!(read("0"), Ok(0));
    assert_eq!(read("25.00"), Ok(25_000_000_000));
    assert_eq!(read("0.000000001"), Ok(1));
    assert_eq!(read("-0.5"), Ok(-500_000_000));
    assert_eq!(read("9223372036.854775807"), Ok(i64::MAX));
    assert_eq!(read("1.1000000000000"), Ok(1_100_000_000));
}

#[test]
fn what_is_no_amount_is_refused() {
    for text in [
        "", "-", ".5", "5.", "1e3", "+1", "1_000", "1,5", " 1", "NaN", "--1", "1.2.3", "٣",
    ] {
        assert_eq!(
            NanoUsd::parse(text),
            Err(InvalidAmount::NotDecimal),
            "{text:?}"
        );
    }
    assert_eq!(
        NanoUsd::parse("0.0000000001"),
        Err(InvalidAmount::TooFine(9))
    );
    assert_eq!(
        NanoUsd::parse("9223372036.854775808"),
        Err(InvalidAmount::TooLarge)
    );
    let long = "9".repeat(60);
    assert_eq!(decimal(&long, 0), Err(InvalidAmount::TooLarge));
}

#[test]
fn amounts_are_written_as_people_write_them() {
    let written = |nanos| NanoUsd::from_nanos(nanos).to_string();
    assert_eq!(written(0), "0.00");
    assert_eq!(written(25_000_000_000), "25.00");
    assert_eq!(written(435_000), "0.000435");
    assert_eq!(written(-500_000_000), "-0.50");
    assert_eq!(written(i64::MIN), "-9223372036.854775808");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(nanos in any::<i64>()) {
        // One amount has no positive twin.
        let nanos = nanos.max(-i64::MAX);
        let amount = NanoUsd::from_nanos(nanos);
        proptest::prop_assert_eq!(NanoUsd::parse(&amount.to_string()), Ok(amount));
    }
}
