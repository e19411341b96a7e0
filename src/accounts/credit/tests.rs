use proptest::prelude::{ProptestConfig, Strategy, prop_oneof, proptest};

use super::{CreditRow, CreditState, Draws, Lot};
use crate::domain::{AccountId, NanoUsd, Timestamp};

const fn usd(nanos: i64) -> NanoUsd {
    NanoUsd::from_nanos(nanos)
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn lot(entry: i64, remaining: i64, priority: u8, expires_at: Option<i64>) -> Lot {
    Lot {
        entry,
        remaining: usd(remaining),
        priority,
        expires_at: expires_at.map(at),
    }
}

fn drawn(credit: &mut CreditState, amount: i64) -> Vec<(i64, i64)> {
    let mut draws = Draws::new();
    credit.draw(usd(amount), &mut draws);
    draws
        .iter()
        .map(|draw| (draw.entry, draw.amount.nanos()))
        .collect()
}

#[test]
fn what_would_be_lost_first_is_spent_first() {
    let mut credit = CreditState::default();
    credit.add(lot(1, 100, 50, None));
    credit.add(lot(2, 100, 50, Some(9_000)));
    credit.add(lot(3, 100, 0, None));
    assert_eq!(drawn(&mut credit, 150), [(3, 100), (2, 50)]);
    assert_eq!(drawn(&mut credit, 100), [(2, 50), (1, 50)]);
    assert_eq!(credit.read().balance, usd(50));
}

#[test]
fn what_no_lot_covers_is_debt_and_the_next_lot_pays_it() {
    let mut credit = CreditState::default();
    credit.add(lot(1, 10, 50, None));
    assert_eq!(drawn(&mut credit, 25), [(1, 10)]);
    assert_eq!(credit.read().balance, usd(-15));
    credit.add(lot(2, 100, 50, None));
    assert_eq!(credit.read().balance, usd(85));
    assert_eq!(drawn(&mut credit, 85), [(2, 85)]);
}

#[test]
fn what_is_owed_at_a_start_is_paid_by_what_would_be_lost_first() {
    let row = CreditRow {
        account: AccountId::parse("a").unwrap(),
        balance: usd(100),
        lots: vec![lot(1, 100, 50, None), lot(2, 20, 90, Some(1_000))],
    };
    let mut credit = CreditState::restore(&row);
    credit.roll(at(1_000));
    assert_eq!(credit.read().balance, usd(100));
    // They are drawn in their order all the same.
    let row = CreditRow {
        balance: usd(110),
        ..row
    };
    let mut credit = CreditState::restore(&row);
    assert_eq!(drawn(&mut credit, 105), [(1, 100), (2, 5)]);
}

#[test]
fn an_expired_lot_is_lost_except_what_calls_in_flight_hold() {
    let mut credit = CreditState::default();
    credit.add(lot(1, 100, 50, Some(1_000)));
    credit.set_aside(usd(30));
    credit.roll(at(1_000));
    let lost = credit.take_expired();
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].entry, lost[0].amount), (1, usd(70)));
    assert_eq!(credit.read().available(), NanoUsd::ZERO);
    // The call ends and takes less than it held; the rest is lost the next time.
    credit.release(usd(30));
    assert_eq!(drawn(&mut credit, 10), [(1, 10)]);
    credit.roll(at(1_001));
    assert_eq!(credit.take_expired()[0].amount, usd(20));
    assert_eq!(credit.read().balance, NanoUsd::ZERO);
}

#[test]
fn what_is_left_of_a_lot_goes_under_other_terms_whatever_is_held() {
    let mut credit = CreditState::default();
    credit.add(lot(1, 100, 50, Some(1_000)));
    credit.set_aside(usd(30));
    // The store looks at the lot before it has the charge.
    assert_eq!(drawn(&mut credit, 5), [(1, 5)]);
    credit.renew(&[1], lot(2, 100, 50, Some(2_000)));
    assert_eq!(credit.read().balance, usd(95));
    assert_eq!(credit.read().available(), usd(65));
    credit.roll(at(1_999));
    assert_eq!(credit.take_expired(), []);
    credit.release(usd(30));
    assert_eq!(drawn(&mut credit, 90), [(2, 90)]);
    credit.roll(at(2_000));
    assert_eq!(credit.take_expired().len(), 1);
    assert_eq!(credit.read().balance, usd(0));
}

#[test]
fn a_charge_that_is_given_back_never_happened() {
    let mut credit = CreditState::default();
    credit.add(lot(1, 10, 0, None));
    credit.add(lot(2, 10, 50, None));
    let mut draws = Draws::new();
    credit.draw(usd(25), &mut draws);
    credit.add(lot(3, 100, 50, None));
    credit.give_back(usd(25), &draws);
    assert_eq!(credit.read().balance, usd(120));
}

#[test]
fn stored_credit_continues_where_it_stood() {
    let row = CreditRow {
        account: AccountId::parse("a").unwrap(),
        balance: usd(70),
        lots: vec![lot(1, 50, 0, None), lot(2, 50, 50, None)],
    };
    let mut credit = CreditState::restore(&row);
    assert_eq!(credit.read().balance, usd(70));
    assert_eq!(drawn(&mut credit, 70), [(1, 20), (2, 50)]);
}

#[derive(Debug, Clone)]
enum Step {
    Add(Lot),
    Draw(i64),
    Undo,
    Hold(i64),
    Release,
    Roll(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lot = (1_i64..200, 0_u8..3, proptest::option::of(0_i64..100))
        .prop_map(|(remaining, priority, expires)| Step::Add(lot(0, remaining, priority, expires)));
    let step = prop_oneof![
        lot,
        (0_i64..150).prop_map(Step::Draw),
        proptest::strategy::Just(Step::Undo),
        (0_i64..150).prop_map(Step::Hold),
        proptest::strategy::Just(Step::Release),
        (0_i64..100).prop_map(Step::Roll),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_balance_is_what_came_less_what_went(steps in steps()) {
        let mut credit = CreditState::default();
        let (mut expected, mut entry, mut holds, mut charges) = (0, 0, Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Add(lot) => {
                    entry += 1;
                    expected += lot.remaining.nanos();
                    credit.add(Lot { entry, ..lot });
                }
                Step::Draw(amount) => {
                    let mut draws = Draws::new();
                    credit.draw(usd(amount), &mut draws);
                    expected -= amount;
                    charges.push((amount, draws));
                }
                Step::Undo => if let Some((amount, draws)) = charges.pop() {
                    credit.give_back(usd(amount), &draws);
                    expected += amount;
                },
                Step::Hold(amount) => if usd(amount) <= credit.read().available() {
                    credit.set_aside(usd(amount));
                    holds.push(amount);
                },
                Step::Release => if let Some(amount) = holds.pop() {
                    credit.release(usd(amount));
                },
                Step::Roll(now) => {
                    let held = credit.read().available();
                    credit.roll(at(now));
                    for lost in credit.take_expired() {
                        expected -= lost.amount.nanos();
                    }
                    // Expiry never takes what a call in flight holds.
                    proptest::prop_assert!(!credit.read().available().is_negative() || held.is_negative());
                }
            }
            proptest::prop_assert_eq!(credit.read().balance.nanos(), expected);
            proptest::prop_assert_eq!(credit.read().held.nanos(), holds.iter().sum::<i64>());
        }
    }
}
