use super::dated;
use crate::{
    domain::NanoUsd,
    webhooks::{Dated, Fact, Worth, worth},
};

const DOLLAR: i64 = 1_000_000_000;

fn paid(seconds: i64, order: &str, dollars: i64) -> Dated {
    let fact = Fact::Paid {
        order: order.to_owned(),
        nano_usd: dollars * DOLLAR,
    };
    dated(seconds, &format!("paid-{order}-{seconds}"), fact)
}

fn refund(seconds: i64, id: &str, dollars: i64, stands: bool) -> Dated {
    let fact = Fact::Refund {
        refund: id.to_owned(),
        nano_usd: dollars * DOLLAR,
        stands,
    };
    dated(seconds, &format!("refund-{id}-{seconds}"), fact)
}

fn in_all(seconds: i64, dollars: i64) -> Dated {
    let nano_usd = dollars * DOLLAR;
    dated(
        seconds,
        &format!("all-{seconds}"),
        Fact::RefundedInAll { nano_usd },
    )
}

fn dispute(seconds: i64, dollars: i64, held_back: bool) -> Dated {
    let fact = Fact::Dispute {
        dispute: "dp".to_owned(),
        nano_usd: dollars * DOLLAR,
        held_back,
    };
    dated(seconds, &format!("dispute-{seconds}"), fact)
}

/// Dollars that a payment is worth, in whatever order its facts stand.
#[track_caller]
fn dollars(facts: &[Dated]) -> i64 {
    let value = |facts: &[Dated]| match worth(facts) {
        Some(Worth::Credit { amount, .. }) => amount.nanos(),
        other => panic!("{other:?}"),
    };
    let mut turned = facts.to_vec();
    turned.reverse();
    assert_eq!(value(&turned), value(facts));
    value(facts) / DOLLAR
}

#[test]
fn a_payment_is_worth_what_was_paid_less_what_went_back() {
    assert_eq!(dollars(&[paid(0, "cs", 25)]), 25);
    // The same order may be told twice.
    assert_eq!(dollars(&[paid(0, "cs", 25), paid(9, "cs", 25)]), 25);
    assert_eq!(dollars(&[paid(0, "cs", 25), refund(1, "re", 10, true)]), 15);
    // A refund is told twice, as itself and in the sum of its charge.
    assert_eq!(
        dollars(&[paid(0, "cs", 25), refund(1, "re", 10, true), in_all(1, 10)]),
        15
    );
    assert_eq!(
        dollars(&[paid(0, "cs", 25), in_all(1, 10), in_all(2, 25)]),
        0
    );
    assert_eq!(
        dollars(&[
            paid(0, "cs", 25),
            refund(1, "a", 5, true),
            refund(2, "b", 5, true)
        ]),
        15
    );
    // A refund that failed puts the money back.
    assert_eq!(
        dollars(&[
            paid(0, "cs", 25),
            refund(1, "re", 10, true),
            refund(3, "re", 10, false)
        ]),
        25
    );
    assert_eq!(
        dollars(&[
            paid(0, "cs", 25),
            in_all(1, 10),
            refund(1, "re", 10, true),
            refund(3, "re", 10, false)
        ]),
        25
    );
    // Never below nothing: what was not paid cannot go back.
    assert_eq!(dollars(&[paid(0, "cs", 25), in_all(1, 99)]), 0);
    assert_eq!(
        dollars(&[paid(0, "cs", 25), in_all(1, 20), dispute(2, 25, true)]),
        0
    );
}

#[test]
fn a_dispute_holds_the_money_back_until_it_is_won() {
    let (paid, opened) = (paid(0, "cs", 25), dispute(1, 25, true));
    assert_eq!(dollars(&[paid.clone(), opened.clone()]), 0);
    assert_eq!(
        dollars(&[paid.clone(), opened.clone(), dispute(5, 25, false)]),
        25
    );
    assert_eq!(
        dollars(&[paid.clone(), opened.clone(), dispute(5, 25, true)]),
        0
    );
    // Closed within the same second.
    assert_eq!(dollars(&[paid, opened, dispute(1, 25, false)]), 25);
}

#[test]
fn what_went_back_waits_for_the_payment() {
    assert_eq!(worth(&[refund(1, "re", 10, true)]), Some(Worth::Unpaid));
    assert_eq!(worth(&[in_all(1, 10)]), Some(Worth::Unpaid));
    assert_eq!(worth(&[dispute(1, 10, true)]), Some(Worth::Unpaid));
    assert_eq!(worth(&[]), None);
    assert_eq!(
        worth(&[dated(0, "e", Fact::RenewalDue { invoiced: None })]),
        None
    );
}

#[test]
fn a_grant_holds_until_it_is_withdrawn() {
    let grant = |seconds: i64| {
        let fact = Fact::Grant {
            nano_usd: 5 * DOLLAR,
            expires_at: None,
            priority: 7,
            reason: None,
        };
        dated(seconds, "grant", fact)
    };
    assert_eq!(dollars(&[grant(0)]), 5);
    let voided = dated(1, "void", Fact::GrantVoided);
    assert_eq!(worth(&[grant(0), voided.clone()]), Some(Worth::Void));
    assert_eq!(worth(&[voided, grant(5)]), Some(Worth::Void));
    let taken = Fact::Taken {
        nano_usd: 3 * DOLLAR,
        reason: Some("goodwill taken back".to_owned()),
    };
    let Some(Worth::Credit { amount, reason, .. }) = worth(&[dated(0, "e", taken)]) else {
        panic!("it is worth less than nothing");
    };
    assert_eq!(amount, NanoUsd::from_nanos(-3 * DOLLAR));
    assert_eq!(reason.as_deref(), Some("goodwill taken back"));
}
