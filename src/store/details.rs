//! What explains a call's hold and its cost beyond its row's figures, as JSON beside them.

use std::fmt::{self, Write};

use crate::{
    accounts::PlanVersion,
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
    /// How the call wanted to be served, or was served where that is priced otherwise, if that is not as usual.
    pub service_tier: Option<ServiceTier>,
    /// What the provider was to do beside answering.
    pub features: Features,
    /// What the plan said; `None` where that is not known any more.
    pub plan_version: Option<PlanVersion>,
}

/// The details of a posting; `None` where there are none. Every word is of a closed list and every number a decimal, so
/// that nothing needs an escape.
///
/// Every call has them: they are written piece by piece into one text, as a tree of them, or a format for each, would cost
/// more than the rest of the row.
pub(super) fn text(posting: &Posting) -> Option<String> {
    let agreed = &posting.call.agreed;
    if posting.counters.is_empty() && agreed.is_none() {
        return None;
    }
    let mut text = Text(String::with_capacity(256));
    text.0.push('{');
    if !posting.counters.is_empty() {
        text.name("counted");
        counted(&mut text, &posting.counters);
    }
    if let Some(agreed) = agreed {
        text.name("terms");
        terms(&mut text, *agreed);
    }
    text.0.push('}');
    Some(text.0)
}

fn terms(text: &mut Text, agreed: Agreed) {
    let Agreed {
        output_limit,
        written,
        answers,
        factor,
        per_request,
        service_tier,
        features,
        // It has a column.
        plan_version: _,
    } = agreed;
    text.0.push('{');
    if answers > 1 {
        text.name("answers");
        text.value(format_args!("{answers}"));
    }
    if !features.is_empty() {
        text.name("features");
        text.list(features.iter().map(|feature| [feature.as_str(), "", ""]));
    }
    if output_limit > 0 {
        text.name("output_limit");
        text.value(format_args!("{output_limit}"));
    }
    if factor != Factor::ONE {
        text.name("price_factor");
        text.value(format_args!("\"{factor}\""));
    }
    if per_request != Pico::ZERO {
        text.name("price_per_request");
        text.value(format_args!("\"{per_request}\""));
    }
    if let Some(tier) = service_tier {
        text.name("service_tier");
        text.value(format_args!("\"{}\"", tier.as_str()));
    }
    if written {
        text.name("written");
        text.0.push_str("true");
    }
    text.0.push('}');
}

/// The counters that moved, by whose they are.
fn counted(text: &mut Text, counters: &[CounterChange]) {
    text.0.push('{');
    for (whose, key) in [("account", false), ("key", true)] {
        let mine = |change: &&CounterChange| matches!(change.name.owner, Owner::Key(_)) == key;
        let mut names = counters.iter().filter(mine).peekable();
        if names.peek().is_some() {
            text.name(whose);
            let word = |CounterChange { name, .. }: &CounterChange| {
                [name.unit.as_str(), "/", name.per.as_str()]
            };
            text.list(names.map(word));
        }
    }
    text.0.push('}');
}

/// JSON that is being written.
struct Text(String);

impl Text {
    /// The name of an object's next member.
    fn name(&mut self, name: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn value(&mut self, value: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(value);
    }

    /// An array of words, each in pieces.
    fn list(&mut self, words: impl Iterator<Item = [&'static str; 3]>) {
        self.0.push('[');
        for pieces in words {
            if !self.0.ends_with('[') {
                self.0.push(',');
            }
            self.0.push('"');
            pieces.iter().for_each(|piece| self.0.push_str(piece));
            self.0.push('"');
        }
        self.0.push(']');
    }
}
