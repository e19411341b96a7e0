//! Which endpoints there are, and how their events are read.

use std::{collections::BTreeMap, time::Duration};

use super::SigningKey;
use crate::domain::{PlanId, Vendor};

/// How far the clock of a signature may be from ours, either way (Stripe's and Standard Webhooks' own default).
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// The endpoints that exist. A vendor without a usable secret has none: what nobody can have signed is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    endpoints: BTreeMap<Vendor, Endpoint>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What signs: one secret, or several while a rotation overlaps. Never empty.
    pub keys: Vec<SigningKey>,
    /// The vendor's price, product or variant → our plan; every plan of ours, where events name them.
    pub plans: BTreeMap<String, PlanId>,
    /// How old, or how far ahead, a signature may be.
    pub tolerance: Duration,
    /// Whether events must be live ones or test ones; `None` takes both. Stripe and Lemon Squeezy alone say which they are.
    pub livemode: Option<bool>,
    /// Whether what is bought once is credit, unless its metadata says otherwise.
    pub top_up: bool,
}

impl Endpoint {
    /// An endpoint that these keys sign for.
    pub const fn new(keys: Vec<SigningKey>) -> Self {
        Self {
            keys,
            plans: BTreeMap::new(),
            tolerance: TOLERANCE,
            livemode: None,
            top_up: true,
        }
    }

    /// The plan of the first price that has one; where none has, though the file says which do, what to tell of that.
    /// `key` is where the file says it.
    pub(super) fn plan(&self, key: &str, prices: &[String]) -> (Option<PlanId>, Option<String>) {
        let mut plans = prices.iter().filter_map(|price| self.plans.get(price));
        let plan = plans.next().cloned();
        let remark = (plan.is_none() && !self.plans.is_empty()).then(|| {
            if prices.is_empty() {
                return "it names no price; the plan stays".to_owned();
            }
            let prices = prices.join(", ");
            format!("payment.webhooks.{key} has no plan for {prices}; the plan stays")
        });
        (plan, remark)
    }
}

impl Settings {
    /// Adds an endpoint; one without a key does not exist.
    pub fn insert(&mut self, vendor: Vendor, endpoint: Endpoint) {
        if !endpoint.keys.is_empty() {
            self.endpoints.insert(vendor, endpoint);
        }
    }

    /// The endpoint of a vendor, where there is one.
    pub fn endpoint(&self, vendor: Vendor) -> Option<&Endpoint> {
        self.endpoints.get(&vendor)
    }
}
