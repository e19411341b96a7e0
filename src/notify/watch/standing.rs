//! Subscriptions, and whether calls are served at all.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Look, about, action};
use crate::{
    accounts::{AccountSpec, PlanSpec},
    domain::{Anchor, Per, Standing, Subscription, SubscriptionStatus, Timestamp},
    notify::event::{Event, Notice},
    refusal::{Code, Remedy},
};

const DAY: Duration = Duration::from_secs(86_400);

/// How long before its end a trial is spoken of.
const TRIAL: Duration = Duration::from_secs(3 * 86_400);

/// How long before its end the grace period is spoken of.
const GRACE: Duration = DAY;

/// The level of what is served, and of what was told once.
const SERVED: i64 = 0;
const REFUSED: i64 = 1;
const TOLD: i64 = 1;

/// Why an account's calls are refused, whatever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspension {
    /// Somebody has disabled the account.
    Disabled,
    /// The subscription that its plan needs is missing or closed; refusals have this code.
    Subscription(Code),
}

impl Look<'_> {
    /// Looks at an account's subscription, and at whether its calls are served.
    pub(super) fn standing(&mut self, account: &AccountSpec, plan: &PlanSpec) {
        let refused = self.refused(account, plan);
        let known = self.access(account, refused);
        if let Some(subscription) = &account.subscription {
            // Who was refused already when we first looked has been told of it by others, or long ago.
            let news = known || refused.is_none();
            self.subscription(account, subscription, plan, news);
        }
    }

    /// Why an account's calls are refused, whatever they are; `None` where they are not.
    fn refused(&self, account: &AccountSpec, plan: &PlanSpec) -> Option<Suspension> {
        if account.disabled {
            return Some(Suspension::Disabled);
        }
        if !plan.subscription_required {
            return None;
        }
        let Some(subscription) = &account.subscription else {
            return Some(Suspension::Subscription(Code::SubscriptionRequired));
        };
        match subscription.standing(self.now, self.settings.subscriptions) {
            Standing::Open | Standing::Grace(_) => None,
            Standing::Closed(closure) => Some(Suspension::Subscription(closure.into())),
        }
    }

    /// Tells when calls are refused that were served, and the other way about. Whether the account was known before.
    fn access(&mut self, account: &AccountSpec, refused: Option<Suspension>) -> bool {
        let slot = format!("access|{}", account.id);
        let level = if refused.is_some() { REFUSED } else { SERVED };
        let last = self.last(&slot).map(|(_, level)| level);
        if last == Some(level) {
            return true;
        }
        let notice = last.map(|_| {
            let subscription = account.subscription.as_ref();
            let subscription = subscription.map(|subscription| self.facts(subscription));
            let (event, mut facts) = match refused {
                Some(suspension) => {
                    let links = &self.settings.links;
                    let remedy = suspension.remedy();
                    let actions: Vec<Value> = remedy
                        .map(|remedy| action(remedy, links, &account.id))
                        .into_iter()
                        .collect();
                    let facts = json!({"reason": suspension.as_str(), "actions": actions});
                    (Event::AccessSuspended, facts)
                }
                None => (Event::AccessRestored, json!({"actions": []})),
            };
            facts["subscription"] = json!(subscription);
            about(account, Notice::new(event, facts))
        });
        self.note(slot, 0, level, notice);
        last.is_some()
    }

    fn subscription(
        &mut self,
        account: &AccountSpec,
        subscription: &Subscription,
        plan: &PlanSpec,
        news: bool,
    ) {
        let (now, policy) = (self.now, self.settings.subscriptions);
        let portal = action(
            Remedy::UpdatePaymentMethod,
            &self.settings.links,
            &account.id,
        );
        let soon = |end: Timestamp, notice: Duration| now < end && end <= now.plus(notice);
        let renews = self.renews(subscription);
        let trial = subscription
            .trial_end
            .filter(|end| subscription.status == SubscriptionStatus::Trialing && soon(*end, TRIAL));
        let grace = match subscription.standing(now, policy) {
            Standing::Grace(until) if plan.subscription_required => Some(until),
            _ => None,
        };
        let failed = (subscription.status == SubscriptionStatus::PastDue).then(|| {
            let since = subscription.past_due_since;
            since.or_else(|| subscription.period.map(|period| period.start))
        });
        let events = [
            (Event::TrialEnding, "trial", trial),
            (Event::RenewalUpcoming, "renewal", renews),
            (
                Event::PaymentFailed,
                "payment",
                failed.map(Option::unwrap_or_default),
            ),
            (
                Event::GraceEnding,
                "grace",
                grace.filter(|until| soon(*until, GRACE)),
            ),
        ];
        for (event, place, at) in events {
            let Some(at) = at.map(Timestamp::millis) else {
                continue;
            };
            let slot = format!("{place}|{}", account.id);
            if self.is_told(&slot, at, TOLD) {
                continue;
            }
            let notice = news.then(|| {
                let facts = json!({"subscription": self.facts(subscription), "actions": [&portal]});
                about(account, Notice::new(event, facts))
            });
            self.note(slot, at, TOLD, notice);
        }
    }

    /// When a subscription renews, if that is soon and it does.
    fn renews(&self, subscription: &Subscription) -> Option<Timestamp> {
        let notice = self.settings.renewal_notice?;
        let end = self.period_end(subscription)?;
        let ends = [subscription.ends_at, subscription.cancel_at];
        let ends = ends.into_iter().flatten().any(|last| last <= end);
        let goes_on = subscription.status == SubscriptionStatus::Active
            && !subscription.cancel_at_period_end
            && !ends;
        (goes_on && self.now < end && end <= self.now.plus(notice)).then_some(end)
    }

    /// The end of the billing period around now. One that has passed goes on by its own length, as quotas see it, where
    /// that is known.
    fn period_end(&self, subscription: &Subscription) -> Option<Timestamp> {
        match subscription.period {
            Some(stated) if self.now >= stated.end => {
                let around = Per::Period.window(self.now, Anchor::Billing(stated));
                Some(around.end)
            }
            _ => subscription.current_period_end(),
        }
    }

    fn facts(&self, subscription: &Subscription) -> Value {
        let policy = self.settings.subscriptions;
        json!({
            "status": subscription.status.as_str(),
            "current_period_end": self.period_end(subscription),
            "trial_end": subscription.trial_end,
            "grace_until": subscription.grace_until(policy),
        })
    }
}

impl Suspension {
    /// The `reason` of a message.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "account_disabled",
            Self::Subscription(code) => code.as_str(),
        }
    }

    /// What its people can do about it.
    const fn remedy(self) -> Option<Remedy> {
        match self {
            Self::Disabled => None,
            Self::Subscription(code) => Remedy::of_subscription(code),
        }
    }
}
