//! [`Caller`] → [`Subscriber`]: is the subscription open, and is something left of everything that binds?

use super::{Caller, binding};
use crate::{
    call::Toll,
    domain::{Clock, Standing, SubscriptionPolicy, Timestamp},
    refusal::{Code, Refusal},
};

/// A caller in good standing.
#[derive(Debug)]
pub struct Subscriber {
    caller: Caller,
    notice: Option<Notice>,
}

/// What a caller in good standing should know before it hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A payment is due; calls are served until this instant.
    PastDue(Timestamp),
}

impl Subscriber {
    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The evidence before.
    pub(super) fn into_caller(self) -> Caller {
        self.caller
    }

    /// What to tell beside the answer.
    pub fn notice(&self) -> Option<Notice> {
        self.notice
    }
}

/// Judges the subscription and looks for a quota of which nothing is left. `toll` says how much of that the request's
/// place asks for.
///
/// # Errors
/// 402 by the subscription, or by a spent quota (or the status that quota asks for).
pub fn standing(
    caller: Caller,
    toll: Toll,
    policy: SubscriptionPolicy,
    clock: &Clock,
) -> Result<Subscriber, Refusal> {
    let (account, now) = (caller.account(), clock.now());
    let mut notice = None;
    if toll != Toll::Key && account.plan.subscription_required {
        let standing = account
            .subscription
            .as_ref()
            .map(|subscription| subscription.standing(now, policy));
        match standing {
            Some(Standing::Open) => {}
            Some(Standing::Grace(until)) => notice = Some(Notice::PastDue(until)),
            Some(Standing::Closed(word)) => {
                return Err(Refusal::new(closed(word)).about(caller.subject()));
            }
            None => return Err(Refusal::new(Code::SubscriptionRequired).about(caller.subject())),
        }
    }
    if toll == Toll::Full
        && let Some(spent) = account
            .book
            .spent(&caller.key().levels, now, account.anchor)
    {
        return Err(binding::refuse(&spent, caller.subject(), now));
    }
    Ok(Subscriber { caller, notice })
}

/// The code of a closed subscription.
fn closed(word: &str) -> Code {
    match word {
        "incomplete" => Code::SubscriptionIncomplete,
        "incomplete_expired" => Code::SubscriptionIncompleteExpired,
        "unpaid" => Code::SubscriptionUnpaid,
        "canceled" => Code::SubscriptionCanceled,
        "paused" => Code::SubscriptionPaused,
        "past_due" => Code::SubscriptionPastDue,
        _ => Code::SubscriptionExpired,
    }
}
