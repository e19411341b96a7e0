use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::{Factor, Pico};
use crate::domain::InvalidAmount::{self, NotDecimal, TooFine, TooLarge};

#[test]
fn dollars_per_million_are_exact() {
    let read = |text| Pico::parse_per_million(text).map(Pico::get);
    assert_eq!(read("0.15"), Ok(150_000));
    assert_eq!(read("0"), Ok(0));
    assert_eq!(read("0.000001"), Ok(1));
    assert_eq!(read("1152921504606.846976"), Ok(1 << 60));
    assert_eq!(read("1152921504606.846977"), Err(TooLarge));
    assert_eq!(read("0.0000001"), Err(TooFine(6)));
    assert_eq!(read("0.1500000000"), Ok(150_000));
    for text in ["", "-1", "1e-3", "1.", ".5", "0x1", "1,5", "NaN", " 1"] {
        assert_eq!(read(text), Err(NotDecimal), "{text}");
    }
}

#[test]
fn dollars_per_unit_are_exact() {
    let read = |text| Pico::parse(text).map(Pico::get);
    assert_eq!(read("0.04"), Ok(40_000_000_000));
    assert_eq!(read("0.000000000001"), Ok(1));
    assert_eq!(read("0.0000000000001"), Err(TooFine(12)));
}

#[test]
fn imported_numbers_are_rounded_up_and_only_below_a_trillionth() {
    let read = |text| Pico::import(text).map(Pico::get);
    assert_eq!(read("1.5e-07"), Ok(150_000));
    assert_eq!(read("1.5E-7"), Ok(150_000));
    assert_eq!(read("0.00000015"), Ok(150_000));
    assert_eq!(read("0"), Ok(0));
    assert_eq!(read("0.0"), Ok(0));
    assert_eq!(read("0e99999"), Ok(0));
    assert_eq!(read("2"), Ok(2_000_000_000_000));
    assert_eq!(read("2e+0"), Ok(2_000_000_000_000));
    assert_eq!(read("1.25e-13"), Ok(1));
    assert_eq!(read("1.0000001e-12"), Ok(2));
    assert_eq!(read("3.0e-12"), Ok(3));
    assert_eq!(read("1e-300"), Ok(1));
    assert_eq!(read("12345678901234567890e-20"), Ok(123_456_789_013));
    // Thirty nines are no f64, and come out exactly.
    assert_eq!(
        read("0.000000999999999999999999999999999999"),
        Ok(1_000_000)
    );
    for (text, why) in [
        ("", NotDecimal),
        ("-1e-7", NotDecimal),
        ("e5", NotDecimal),
        ("1e", NotDecimal),
        ("1e5.0", NotDecimal),
        ("1e99999999999", NotDecimal),
        ("free", NotDecimal),
        ("1e7", TooLarge),
        ("1e38", TooLarge),
        ("1e2000000000", TooLarge),
        ("99999999999999999999999999999999999999999999999", TooLarge),
    ] {
        assert_eq!(read(text), Err(why), "{text}");
    }
}

#[test]
fn factors_are_exact_and_bounded() {
    let read = |text| Factor::parse(text).map(Factor::millionths);
    assert_eq!(read("1.2"), Ok(1_200_000));
    assert_eq!(read("0"), Ok(0));
    assert_eq!(read("1000"), Ok(1_000_000_000));
    assert_eq!(read("1000.000001"), Err(TooLarge));
    assert_eq!(read("99999"), Err(TooLarge));
    assert_eq!(read("0.0000001"), Err(TooFine(6)));
    assert_eq!(Factor::default(), Factor::ONE);
}

#[test]
fn prices_are_written_with_as_few_decimals_as_it_takes() {
    let price = |pico| Pico::new(pico).unwrap();
    assert_eq!(price(150_000).to_string(), "0.00000015");
    assert_eq!(price(150_000).per_million().to_string(), "0.15");
    assert_eq!(price(0).per_million().to_string(), "0");
    assert_eq!(price(5_000_000).per_million().to_string(), "5");
    assert_eq!(format!("{:>6}", price(15_000_000).per_million()), "    15");
    assert_eq!(Pico::MAX.to_string(), "1152921.504606846976");
    assert_eq!(Factor::parse("0.50").unwrap().to_string(), "0.5");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(pico in 0..=Pico::MAX.get(), millionths in 0..=1_000_000_000_u32) {
        let price = Pico::new(pico).unwrap();
        prop_assert_eq!(Pico::parse(&price.to_string()), Ok(price));
        prop_assert_eq!(Pico::import(&price.to_string()), Ok(price));
        prop_assert_eq!(Pico::import(&format!("{pico}e-12")), Ok(price));
        prop_assert_eq!(Pico::parse_per_million(&price.per_million().to_string()), Ok(price));
        let factor = Factor::from_millionths(millionths).unwrap();
        prop_assert_eq!(Factor::parse(&factor.to_string()), Ok(factor));
    }

    /// Every way of writing a number is the same number: the point and the exponent move against each other.
    #[test]
    fn the_point_may_stand_anywhere(digits in "[0-9]{1,18}", zeros in 0..8_usize, at in any::<prop::sample::Index>(), exponent in -20..2_i32) {
        let digits = format!("{}{digits}", "0".repeat(zeros));
        let at = 1 + at.index(digits.len());
        let (whole, fraction) = digits.split_at(at);
        let moved = exponent + i32::try_from(fraction.len()).unwrap();
        let point = if fraction.is_empty() { "" } else { "." };
        let expected = exactly(&digits, exponent);
        prop_assert_eq!(Pico::import(&format!("{digits}e{exponent}")), expected);
        prop_assert_eq!(Pico::import(&format!("{whole}{point}{fraction}e{moved}")), expected);
    }

    #[test]
    fn no_text_is_a_panic(text in "[-+0-9.eE]{0,24}|.{0,12}") {
        let _ = (Pico::import(&text), Pico::parse(&text), Factor::parse(&text));
    }
}

/// `digits` times `10^exponent` dollars, rounded up to a trillionth by division.
fn exactly(digits: &str, exponent: i32) -> Result<Pico, InvalidAmount> {
    let digits: u128 = digits.parse().unwrap();
    let pico = match u32::try_from(exponent + 12) {
        Ok(up) => digits * 10_u128.pow(up),
        Err(_) => digits.div_ceil(10_u128.pow((exponent + 12).unsigned_abs())),
    };
    let pico = u64::try_from(pico).ok().and_then(Pico::new);
    pico.ok_or(TooLarge)
}
