//! What explains a call's hold and its cost beyond its row's figures, as JSON beside them.

use std::fmt::{self, Write};

use crate::{
    domain::{Features, ServiceTier},
    prices::{Factor, Pico},
};

use super::record::{CounterChange, CounterName, Owner, Posting};

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

/// The details of a posting; `None` where there are none. Every word is of a closed list and every number a decimal, so
/// that nothing needs an escape.
pub(super) fn text(posting: &Posting) -> Option<String> {
    let mut object = Object::default();
    if !posting.counters.is_empty() {
        let counted = counted(&posting.counters);
        object.member("counted", format_args!("{counted}"));
    }
    if let Some(agreed) = &posting.call.agreed {
        object.member("terms", format_args!("{}", agreed.to_object()));
    }
    (!object.0.is_empty()).then(|| object.to_string())
}

impl Agreed {
    fn to_object(self) -> Object {
        let Self {
            output_limit,
            written,
            answers,
            factor,
            per_request,
            service_tier,
            features,
        } = self;
        let mut terms = Object::default();
        if answers > 1 {
            terms.member("answers", format_args!("{answers}"));
        }
        if !features.is_empty() {
            let words = features.iter().map(|feature| feature.as_str());
            terms.member("features", format_args!("{}", list(words)));
        }
        if output_limit > 0 {
            terms.member("output_limit", format_args!("{output_limit}"));
        }
        if factor != Factor::ONE {
            terms.member("price_factor", format_args!("\"{factor}\""));
        }
        if per_request != Pico::ZERO {
            terms.member("price_per_request", format_args!("\"{per_request}\""));
        }
        if let Some(tier) = service_tier {
            terms.member("service_tier", format_args!("\"{}\"", tier.as_str()));
        }
        if written {
            terms.member("written", format_args!("true"));
        }
        terms
    }
}

/// The counters that moved, by whose they are.
fn counted(counters: &[CounterChange]) -> Object {
    let mut counted = Object::default();
    for (whose, key) in [("account", false), ("key", true)] {
        let mine = |change: &&CounterChange| matches!(change.name.owner, Owner::Key(_)) == key;
        let mut names = counters.iter().filter(mine).peekable();
        if names.peek().is_some() {
            let names = names.map(|CounterChange { name, .. }| Moved(name));
            counted.member(whose, format_args!("{}", list(names)));
        }
    }
    counted
}

/// A counter as one word.
struct Moved<'a>(&'a CounterName);

impl fmt::Display for Moved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.unit.as_str(), self.0.per.as_str())
    }
}

/// The members of an object, written one after the other: every call has one, and a tree of them would cost more than
/// the rest of its row.
#[derive(Debug, Default)]
struct Object(String);

impl Object {
    fn member(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let comma = if self.0.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{comma}\"{name}\":{value}");
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// Words as an array.
fn list<T: fmt::Display>(words: impl Iterator<Item = T>) -> String {
    let mut array = String::from("[");
    for word in words {
        let comma = if array.len() > 1 { "," } else { "" };
        let _ = write!(array, "{comma}\"{word}\"");
    }
    array + "]"
}
