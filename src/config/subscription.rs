//! `subscription`: in what standing an account is, as the file states it.

use super::{
    fields::Fields,
    problem::{Place, Report},
};
use crate::domain::{Limits, Per, Subscription, SubscriptionStatus, Timestamp, Window};

/// Reports a billing period whose start is not said where something is counted in it.
pub(super) fn placed<'l>(
    fields: &Fields,
    subscription: &Subscription,
    mut counted: impl Iterator<Item = &'l Limits>,
    report: &mut Report,
) {
    if subscription.period_end.is_some() && counted.any(|limits| limits.count_per(Per::Period)) {
        let text = "is set without current_period_start, and a limit of the account is counted per: period";
        let problem = report.problem(fields.place_of("current_period_end"), text);
        problem.hint("write current_period_start as well: a period is counted from its start");
    }
}

/// Compiles a subscription; `None` where its status is not known.
pub(super) fn subscription(fields: &Fields, report: &mut Report) -> Option<Subscription> {
    let start: Option<Timestamp> = fields.get("current_period_start");
    let end: Option<(Timestamp, &Place)> = fields.located("current_period_end");
    if fields.has("current_period_start") && !fields.has("current_period_end") {
        let place = fields.place_of("current_period_start");
        let problem = report.problem(place, "is set without current_period_end");
        problem.hint("write both, or neither");
    }
    let period = match (start, end) {
        (Some(start), Some((end, place))) if end <= start => {
            report.problem(place, "is not after current_period_start");
            None
        }
        (Some(start), Some((end, _))) => Some(Window { start, end }),
        _ => None,
    };
    let subscription = Subscription {
        status: SubscriptionStatus::parse(fields.get("status")?)?,
        period,
        period_end: end
            .map(|(end, _)| end)
            .filter(|_| !fields.has("current_period_start")),
        past_due_since: fields.get("past_due_since"),
        trial_end: fields.get("trial_end"),
        cancel_at: fields.get("cancel_at"),
        cancel_at_period_end: fields.get("cancel_at_period_end")?,
        ends_at: fields.get("ends_at"),
    };
    // A date that was written wrong has been reported, and is not missing as well.
    let dates = [
        "current_period_start",
        "current_period_end",
        "cancel_at",
        "ends_at",
    ];
    if subscription.ends_at_no_date() && !dates.iter().any(|date| fields.has(date)) {
        let place = fields.place_of("cancel_at_period_end");
        let problem = report.problem(place, "needs a date, and nothing says when it ends");
        problem.hint("write current_period_end");
    }
    let undated = period.is_none() && !fields.has("past_due_since");
    if subscription.status == SubscriptionStatus::PastDue && undated {
        let warning = report.warning(
            fields.place_of("status"),
            "is past_due without past_due_since, so payment.grace_period counts from when the account was first seen",
        );
        warning.hint("write past_due_since: when the payment failed");
    }
    Some(subscription)
}
