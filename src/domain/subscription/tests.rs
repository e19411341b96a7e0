use std::time::Duration;

use super::{Closure, Standing, Subscription, SubscriptionPolicy, SubscriptionStatus};
use crate::domain::{Anchor, Per, Timestamp, Window};

const POLICY: SubscriptionPolicy = SubscriptionPolicy {
    grace_period: Duration::from_secs(7 * 86_400),
    renewal_leeway: Duration::from_secs(86_400),
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn with(status: SubscriptionStatus) -> Subscription {
    Subscription::with_status(status)
}

fn period() -> Option<Window> {
    Some(Window {
        start: at("2026-11-01T00:00:00Z"),
        end: at("2026-12-01T00:00:00Z"),
    })
}

#[test]
fn a_status_without_dates_stands_for_ever() {
    use SubscriptionStatus::{
        Active, Canceled, Incomplete, IncompleteExpired, PastDue, Paused, Trialing, Unpaid,
    };
    for now in [
        "1970-01-01T00:00:00Z",
        "2026-11-20T00:00:00Z",
        "9999-01-01T00:00:00Z",
    ] {
        let cases = [
            (Trialing, Standing::Open),
            (Active, Standing::Open),
            // Nothing says since when, so nothing says until when.
            (PastDue, Standing::Closed(Closure::PastDue)),
            (Incomplete, Standing::Closed(Closure::Incomplete)),
            (
                IncompleteExpired,
                Standing::Closed(Closure::IncompleteExpired),
            ),
            (Unpaid, Standing::Closed(Closure::Unpaid)),
            (Canceled, Standing::Closed(Closure::Canceled)),
            (Paused, Standing::Closed(Closure::Paused)),
        ];
        assert_eq!(cases.map(|(status, _)| status), SubscriptionStatus::ALL);
        for (status, standing) in cases {
            assert_eq!(
                with(status).standing(at(now), POLICY),
                standing,
                "{status:?} {now}"
            );
        }
    }
}

#[test]
fn past_due_is_served_until_the_grace_ends() {
    let due = Subscription {
        past_due_since: Some(at("2026-11-20T00:00:00Z")),
        ..with(SubscriptionStatus::PastDue)
    };
    let until = at("2026-11-27T00:00:00Z");
    assert_eq!(
        due.standing(at("2026-11-20T00:00:00Z"), POLICY),
        Standing::Grace(until)
    );
    assert_eq!(
        due.standing(at("2026-11-26T23:59:59.999Z"), POLICY),
        Standing::Grace(until)
    );
    assert_eq!(
        due.standing(until, POLICY),
        Standing::Closed(Closure::PastDue)
    );
    // Without a date, it is due since the period began.
    let due = Subscription {
        past_due_since: None,
        period: period(),
        ..due
    };
    let until = at("2026-11-08T00:00:00Z");
    assert_eq!(
        due.standing(at("2026-11-07T00:00:00Z"), POLICY),
        Standing::Grace(until)
    );
}

#[test]
fn each_date_closes_an_open_one_after_the_leeway() {
    let end = at("2026-12-01T00:00:00Z");
    let open = with(SubscriptionStatus::Active);
    let ending = [
        Subscription {
            ends_at: Some(end),
            ..open
        },
        Subscription {
            cancel_at: Some(end),
            ..open
        },
        Subscription {
            period: period(),
            cancel_at_period_end: true,
            ..open
        },
        Subscription {
            period_end: Some(end),
            cancel_at_period_end: true,
            ..open
        },
        Subscription {
            trial_end: Some(end),
            ..with(SubscriptionStatus::Trialing)
        },
        Subscription {
            ends_at: Some(end),
            past_due_since: Some(end),
            ..with(SubscriptionStatus::PastDue)
        },
    ];
    for subscription in ending {
        let last = subscription.standing(at("2026-12-01T23:59:59.999Z"), POLICY);
        assert!(!matches!(last, Standing::Closed(_)), "{subscription:?}");
        let closed = subscription.standing(at("2026-12-02T00:00:00Z"), POLICY);
        assert_eq!(
            closed,
            Standing::Closed(Closure::Expired),
            "{subscription:?}"
        );
    }
    // A trial that became a paid subscription is not ended by the trial's end.
    let paid = Subscription {
        trial_end: Some(end),
        ..open
    };
    assert_eq!(
        paid.standing(at("2027-12-02T00:00:00Z"), POLICY),
        Standing::Open
    );
}

#[test]
fn the_end_of_a_period_alone_closes_nothing_but_rolls_the_window() {
    let silent = Subscription {
        period: period(),
        ..with(SubscriptionStatus::Active)
    };
    let later = at("2031-05-05T00:00:00Z");
    assert_eq!(silent.standing(later, POLICY), Standing::Open);
    let anchor = Subscription::anchor(Some(&silent), at("2020-01-01T00:00:00Z"));
    assert_eq!(anchor, Anchor::Billing(period().unwrap()));
    let window = Per::Period.window(at("2026-12-01T00:00:00Z"), anchor);
    assert_eq!(window.start, at("2026-12-01T00:00:00Z"));
    assert_eq!(window.end, at("2027-01-01T00:00:00Z"));
}

#[test]
fn words_are_read_back() {
    for status in SubscriptionStatus::ALL {
        assert_eq!(SubscriptionStatus::parse(status.as_str()), Some(status));
    }
    assert_eq!(SubscriptionStatus::parse("ACTIVE"), None);
}
