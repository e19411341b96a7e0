//! `payment`: where people pay, and how long overdue payments are tolerated.

use super::fields::Fields;
use crate::{domain::SubscriptionPolicy, refusal::Links};

/// The links of refusals; `public_url` is our own address.
pub(crate) fn links(fields: &Fields, public_url: String) -> Links {
    Links {
        public_url,
        pay_url: fields.get("pay_url"),
        portal_url: fields.get("portal_url"),
    }
}

/// How long a subscription is served after it should not be.
pub(crate) fn patience(fields: &Fields) -> Option<SubscriptionPolicy> {
    Some(SubscriptionPolicy {
        grace_period: fields.get("grace_period")?,
        renewal_leeway: fields.get("renewal_leeway")?,
    })
}
