//! [`Caller`] → [`Subscriber`]: is the subscription open, and is something left of everything that binds?

use super::{Caller, binding};
use crate::{
    call::Requirement,
    domain::{Clock, Standing, SubscriptionPolicy, Timestamp},
    refusal::{Code, Refusal},
};

/// A caller in good standing.
#[derive(Debug)]
pub struct Subscriber {
    caller: Caller,
    notice: Option<Notice>,
}

/// What a caller in good standing is warned of.
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

/// Judges the subscription and looks for a quota of which nothing is left, as far as the request's destination has these
/// as its `requirement`.
///
/// # Errors
/// 402 by the subscription, or by a spent quota (or the status that quota asks for).
pub fn standing(
    caller: Caller,
    requirement: Requirement,
    policy: SubscriptionPolicy,
    clock: &Clock,
) -> Result<Subscriber, Refusal> {
    let (account, now) = (caller.account(), clock.now());
    let mut notice = None;
    if requirement != Requirement::Key && account.plan.subscription_required {
        let standing = account
            .subscription
            .as_ref()
            .map(|subscription| subscription.standing(now, policy));
        match standing {
            Some(Standing::Open) => {}
            Some(Standing::Grace(until)) => notice = Some(Notice::PastDue(until)),
            Some(Standing::Closed(closure)) => {
                return Err(Refusal::new(closure.into()).about(caller.subject()));
            }
            None => return Err(Refusal::new(Code::SubscriptionRequired).about(caller.subject())),
        }
    }
    if requirement == Requirement::Full
        && let Some(spent) = account
            .book
            .spent(&caller.key().levels, now, account.anchor)
    {
        return Err(binding::refuse(&spent, caller.subject(), now));
    }
    Ok(Subscriber { caller, notice })
}
