//! `payment.webhooks`: who may tell of payments, and how that is read.

use std::time::Duration;

use super::{
    fields::{Entry, Fields, Value},
    nearest::suggestion,
    plans::Plans,
    problem::{Place, Report},
};
use crate::{
    domain::{PlanId, Vendor},
    webhooks::{Endpoint, Settings, SigningKey},
};

/// Compiles `payment.webhooks`.
pub(crate) fn webhooks(payment: &Fields, plans: &Plans, report: &mut Report) -> Settings {
    let mut settings = Settings::default();
    let Some(section) = payment.section("webhooks") else {
        return settings;
    };
    for vendor in Vendor::ALL {
        if let Some(fields) = section.section(vendor.as_str()) {
            settings.insert(vendor, endpoint(vendor, fields, plans, report));
        }
    }
    settings
}

fn endpoint(vendor: Vendor, fields: &Fields, plans: &Plans, report: &mut Report) -> Endpoint {
    let mut endpoint = Endpoint::new(keys(vendor, fields, report));
    let has = |name: &str| fields.section.key(name).is_some();
    for name in ["prices", "variants"].into_iter().filter(|name| has(name)) {
        for (theirs, ours, place) in fields.pairs(name) {
            let plan = plan(ours, place, plans, report);
            endpoint
                .plans
                .extend(plan.map(|plan| (theirs.to_owned(), plan)));
        }
    }
    if vendor == Vendor::Standard {
        // Its events name our plans themselves.
        let named = |plan: &PlanId| (plan.as_str().to_owned(), plan.clone());
        endpoint.plans = plans.known.iter().map(named).collect();
    }
    if has("tolerance") {
        let tolerance: Option<Duration> = fields.get("tolerance");
        endpoint.tolerance = tolerance.unwrap_or(endpoint.tolerance);
    }
    if has("livemode") {
        endpoint.livemode = fields.get("livemode");
    }
    if has("top_up") {
        endpoint.top_up = fields.get("top_up").unwrap_or(endpoint.top_up);
    }
    endpoint
}

/// The secrets that can be used. An endpoint that nobody can sign for does not exist, which is no mistake: a file may be
/// written for the day when there is a secret.
fn keys(vendor: Vendor, fields: &Fields, report: &mut Report) -> Vec<SigningKey> {
    let secrets = fields.list("secrets").unwrap_or_default();
    let path = format!("/faregate/webhooks/{}", vendor.as_str());
    let hint = "copy the signing secret from the payment provider's dashboard";
    let (mut keys, mut weak) = (Vec::new(), Vec::new());
    for Entry { place, value } in secrets {
        let Value::Secret(secret) = value else {
            continue;
        };
        let key = match vendor {
            Vendor::Standard => SigningKey::standard(secret),
            Vendor::Stripe | Vendor::Paddle | Vendor::LemonSqueezy => SigningKey::text(secret),
        };
        match key {
            Ok(key) => keys.push(key),
            Err(error) => weak.push((place, error)),
        }
    }
    let follows = if keys.is_empty() {
        format!("so {path} does not exist")
    } else {
        "so nothing is accepted with it".to_owned()
    };
    for (place, error) in &weak {
        let warning = report.warning(place, format!("{error}, {follows}"));
        warning.hint(hint);
    }
    if keys.is_empty() && weak.is_empty() {
        let place = fields.place_of("secrets");
        let warning = report.warning(place, format!("has no secret, {follows}"));
        warning.hint(hint);
    }
    keys
}

fn plan(name: &str, place: &Place, plans: &Plans, report: &mut Report) -> Option<PlanId> {
    let found = plans.find(name).cloned();
    if found.is_none() {
        let problem = report.problem(place, "is not a plan of this file");
        problem.maybe_hint(suggestion(name, plans.names()));
    }
    found
}
