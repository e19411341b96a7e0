//! How a call's cost is computed, from the prices of the configuration, and whether that is what its record says.

use std::sync::Arc;

use serde::Serialize;

use super::call::{Agreement, Call};
use crate::{
    accounts::PlanSpec,
    domain::{Extras, Feature, ModelName, NanoUsd, ServiceTier},
    gateway::{ModelSettings, RouteSettings},
    prices::{Breakdown, Exact, Factor, Pico, Price, Terms},
};

/// What the configuration says now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) models: &'a [ModelSettings],
    pub(super) plans: &'a [PlanSpec],
    pub(super) routes: &'a [RouteSettings],
}

/// How the cost came about.
#[derive(Debug, Default, Serialize)]
pub(super) struct Costing {
    /// The version of the price, where the model had one.
    pub(super) price_version: Option<String>,
    /// Where that version stands in the configuration.
    pub(super) source: Option<String>,
    /// Above how many tokens of input these prices hold; 0 for those of short inputs.
    pub(super) above: u64,
    pub(super) lines: Vec<Line>,
    /// What the lines add up to.
    pub(super) units: Option<Exact>,
    pub(super) service_tier: Option<Multiplied>,
    pub(super) requests: Vec<Fixed>,
    pub(super) price_factor: Option<String>,
    /// The exact sum.
    pub(super) sum: Option<Exact>,
    /// The sum, rounded up once.
    pub(super) computed: Option<NanoUsd>,
    /// What the record says.
    pub(super) recorded: Option<NanoUsd>,
    /// Whether both are the same; `None` where nothing can be computed.
    pub(super) equal: Option<bool>,
    /// What has to be said of it.
    pub(super) words: Vec<String>,
}

/// So many units at a price.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) item: &'static str,
    pub(super) count: u64,
    pub(super) price: String,
    /// Whether the price is that of a million.
    pub(super) per_million: bool,
    pub(super) amount: Exact,
}

/// A way of being served, and what it multiplies by.
#[derive(Debug, Serialize)]
pub(super) struct Multiplied {
    pub(super) name: String,
    pub(super) factor: String,
}

/// A price of the request itself.
#[derive(Debug, Serialize)]
pub(super) struct Fixed {
    pub(super) name: &'static str,
    pub(super) price: String,
}

/// Computes the cost of `call` again.
pub(super) fn costing(call: &Call, present: &Present<'_>) -> Costing {
    let mut costing = Costing {
        price_version: call.price_version.clone(),
        recorded: call.cost(),
        ..Costing::default()
    };
    let Some(recorded) = call.cost() else {
        costing
            .say("Nothing of this call had a price, so it cost nothing and no budget was moved.");
        return costing;
    };
    if call.came_to_nothing() {
        costing.say("It was charged nothing, and all that was held went back.");
        costing.computed = Some(NanoUsd::ZERO);
        costing.equal = Some(true);
        return costing;
    }
    let price = match &call.price_version {
        None => None,
        Some(version) => match find(call, version, present.models) {
            Some(price) => Some(price),
            None => {
                costing.say(&format!(
                    "The configuration no longer has version {version} of this model's price, so the sum cannot be \
                     shown. The record keeps what was computed when the call ended."
                ));
                return costing;
            }
        },
    };
    costing.source = price.as_ref().map(|price| price.source().to_owned());
    let terms = match &call.terms {
        Some(agreed) => terms(price, agreed),
        None => {
            costing.say(
                "The plan's factor and the route's price were not kept with this record; those of the configuration \
                 are used.",
            );
            as_now(call, price, present)
        }
    };
    let usage = call.tokens;
    let otherwise = |terms: &Terms| {
        let others = ways(terms).into_iter();
        let others = others.filter_map(|tier| terms.served_as(tier));
        let refused = (400..500).contains(&call.status).then(|| terms.refused());
        let mut others = others.chain(refused.flatten());
        others.find(|other| other.cost(&usage) == recorded)
    };
    let terms = match otherwise(&terms).filter(|_| terms.cost(&usage) != recorded) {
        Some(other) => {
            // Of calls that were recorded after a crash only how they wanted to be served is kept.
            costing.say("It was not served in the way that it had asked for.");
            other
        }
        None => terms,
    };
    costing.fill(terms.breakdown(&usage));
    costing.judge(call, recorded);
    costing
}

impl Costing {
    fn say(&mut self, words: &str) {
        self.words.push(words.to_owned());
    }

    fn fill(&mut self, breakdown: Breakdown) {
        let Breakdown {
            above,
            lines,
            units,
            service,
            requests,
            factor,
            sum,
            cost,
        } = breakdown;
        self.above = above;
        self.lines = lines
            .into_iter()
            .map(|line| Line {
                item: line.item.as_str(),
                count: line.count,
                price: if line.item.is_token() {
                    line.price.per_million().to_string()
                } else {
                    line.price.to_string()
                },
                per_million: line.item.is_token(),
                amount: line.amount,
            })
            .collect();
        self.units = Some(units);
        self.service_tier = service.map(|(tier, factor)| Multiplied {
            name: tier.to_string(),
            factor: factor.to_string(),
        });
        let fixed = |(name, price): (&'static str, Pico)| Fixed {
            name,
            price: price.to_string(),
        };
        self.requests = requests.into_iter().map(fixed).collect();
        self.price_factor = (factor != Factor::ONE).then(|| factor.to_string());
        self.sum = Some(sum);
        self.computed = Some(cost);
    }

    fn judge(&mut self, call: &Call, recorded: NanoUsd) {
        let equal = self.computed == Some(recorded);
        self.equal = Some(equal);
        if equal {
            return;
        }
        let indeterminate = call.outcome == "indeterminate";
        if indeterminate && Some(recorded) <= self.computed && Some(recorded) == call.held() {
            self.say("A call whose end is not known is never charged more than it held.");
        } else if indeterminate {
            self.say(
                "The daemon ended while this call was under way. It was charged by its last checkpoint, which keeps the \
                 cost of everything and the tokens of the usual kinds only.",
            );
        } else if call.terms.is_none() {
            self.say("The factor or the route's price may have been another one then.");
        } else {
            self.say(
                "They differ, which should never happen: run `faregate ledger verify`, and report it.",
            );
        }
    }
}

fn find(call: &Call, version: &str, models: &[ModelSettings]) -> Option<Arc<Price>> {
    let name = ModelName::parse(call.model.as_deref()?).ok()?;
    let model = models.iter().find(|model| model.name == name)?;
    let mut versions = model.prices.as_ref()?.versions();
    versions
        .find(|price| **price.version() == *version)
        .cloned()
}

/// Ways of being served that have a price, and the usual one.
fn ways(terms: &Terms) -> Vec<ServiceTier> {
    let services = terms.price().map(|price| &price.figures().services);
    let named = services.into_iter().flatten().map(|service| service.tier);
    named.chain(ServiceTier::parse("default")).collect()
}

fn terms(price: Option<Arc<Price>>, agreed: &Agreement) -> Terms {
    let factor = agreed.price_factor.as_deref();
    let factor = factor.and_then(|factor| Factor::parse(factor).ok());
    let per_request = agreed.price_per_request.as_deref();
    let per_request = per_request.and_then(|price| Pico::parse(price).ok());
    let mut extras = Extras {
        service_tier: agreed.service_tier.as_deref().and_then(ServiceTier::parse),
        ..Extras::PLAIN
    };
    for feature in Feature::ALL {
        if agreed.features.iter().any(|word| word == feature.as_str()) {
            extras.features.insert(feature);
        }
    }
    Terms::as_named(price, factor.unwrap_or_default(), per_request, &extras)
}

fn as_now(call: &Call, price: Option<Arc<Price>>, present: &Present<'_>) -> Terms {
    let plan = present
        .plans
        .iter()
        .find(|plan| plan.id.as_str() == call.plan);
    let route = present.routes.iter().find(|route| route.path == call.route);
    Terms::as_named(
        price,
        plan.map_or(Factor::ONE, |plan| plan.price_factor),
        route.and_then(|route| route.price_per_request),
        &Extras::PLAIN,
    )
}
