//! What explains a call's hold and its cost beyond its row's figures, as JSON beside them.

use serde_json::{Map, Value, json};

use crate::{
    domain::{Features, ServiceTier},
    prices::{Factor, Pico},
};

use super::record::{CounterChange, Owner, Posting};

/// What was agreed when a call was admitted, besides the version of its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Output tokens that were held for, for each answer.
    pub output_limit: u64,
    /// Whether that limit was ours, and went into the forwarded body.
    pub written: bool,
    /// How many answers were asked for; at least 1.
    pub answers: u64,
    /// The plan's factor on all prices.
    pub factor: Factor,
    /// The route's price.
    pub per_request: Pico,
    /// How the call wanted to be served, where that is not as usual.
    pub service_tier: Option<ServiceTier>,
    /// What the provider was to do beside answering.
    pub features: Features,
}

/// The details of a posting; `None` where there are none.
pub(super) fn text(posting: &Posting) -> Option<String> {
    let mut details = Map::new();
    if let Some(agreed) = &posting.call.agreed {
        details.insert("terms".to_owned(), agreed.to_json());
    }
    if !posting.counters.is_empty() {
        details.insert("counted".to_owned(), counted(&posting.counters));
    }
    (!details.is_empty()).then(|| Value::Object(details).to_string())
}

impl Agreed {
    fn to_json(self) -> Value {
        let Self {
            output_limit,
            written,
            answers,
            factor,
            per_request,
            service_tier,
            features,
        } = self;
        let mut terms = Map::new();
        let mut say = |name: &str, value: Value| terms.insert(name.to_owned(), value);
        if output_limit > 0 {
            say("output_limit", output_limit.into());
        }
        if written {
            say("written", true.into());
        }
        if answers > 1 {
            say("answers", answers.into());
        }
        if factor != Factor::ONE {
            say("price_factor", factor.to_string().into());
        }
        if per_request != Pico::ZERO {
            say("price_per_request", per_request.to_string().into());
        }
        if let Some(tier) = service_tier {
            say("service_tier", tier.as_str().into());
        }
        if !features.is_empty() {
            let words = features.iter().map(|feature| feature.as_str().into());
            say("features", Value::Array(words.collect()));
        }
        Value::Object(terms)
    }
}

/// The counters that moved, by whose they are.
fn counted(counters: &[CounterChange]) -> Value {
    let of = |key: bool| -> Vec<String> {
        let whose = |change: &&CounterChange| matches!(change.name.owner, Owner::Key(_)) == key;
        let mine = counters.iter().filter(whose);
        let name = |change: &CounterChange| {
            let (unit, per) = (change.name.unit.as_str(), change.name.per.as_str());
            format!("{unit}/{per}")
        };
        mine.map(name).collect()
    };
    let mut counted = json!({});
    for (whose, counters) in [("account", of(false)), ("key", of(true))] {
        if !counters.is_empty() {
            counted[whose] = counters.into();
        }
    }
    counted
}
