//! Prices in the format of LiteLLM's `model_prices_and_context_window.json`: an object of models by name, with dollars
//! per unit as JSON numbers.
//!
//! Numbers are taken as the text they are written in. Models that nobody asks for are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::{Factor, Figures, Item, Pico, Price, Rates, Schedule, Service, Table};
use crate::domain::{Feature, InvalidAmount, ServiceTier};

/// The entry that explains the format and is no model.
const EXPLANATION: &str = "sample_spec";

/// What a price is called, without what is added for length and service.
const ITEMS: [(&str, Item); 10] = [
    ("input_cost_per_token", Item::Input),
    ("cache_read_input_token_cost", Item::CachedInput),
    ("cache_creation_input_token_cost", Item::CacheWrite),
    ("input_cost_per_audio_token", Item::AudioInput),
    ("output_cost_per_token", Item::Output),
    ("output_cost_per_reasoning_token", Item::Reasoning),
    ("output_cost_per_audio_token", Item::AudioOutput),
    ("output_cost_per_image", Item::Image),
    ("input_cost_per_second", Item::Second),
    ("ocr_cost_per_page", Item::Page),
];

/// What is added to a price for another way of being served, and the provider's word for that.
const SERVICES: [(&str, &str); 3] = [
    ("_batches", "batch"),
    ("_flex", "flex"),
    ("_priority", "priority"),
];

/// A file of prices, not yet looked into.
#[derive(Debug)]
pub struct Imported {
    source: Box<str>,
    models: BTreeMap<String, Box<RawValue>>,
}

/// What a file says of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its price.
    pub schedule: Schedule,
    /// Keys of costs that are not known here, and so of calls that may cost more than they are charged.
    pub unknown: Vec<String>,
}

/// Why prices cannot be taken from a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is not in the format at all.
    #[error("{file}:{line}:{column}: is not a JSON object of models")]
    NotModels {
        /// The file.
        file: Box<str>,
        /// Where reading ended, from 1.
        line: usize,
        /// In bytes, from 1; 0 where the line before it ended.
        column: usize,
    },
    /// A model is something else than an object.
    #[error("{file}: {model} is not a JSON object")]
    NotModel {
        /// The file.
        file: Box<str>,
        /// The model's name in it.
        model: Box<str>,
    },
    /// A price is none.
    #[error("{file}: {model}: {key} {wrong}")]
    NotPrice {
        /// The file.
        file: Box<str>,
        /// The model's name in it.
        model: Box<str>,
        /// The key of the price.
        key: Box<str>,
        /// What is wrong with it.
        wrong: WrongPrice,
    },
}

/// What is wrong with a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongPrice {
    /// It is a text, a list or something else.
    #[error("is not a JSON number")]
    NotNumber,
    /// It is less than nothing.
    #[error("is negative")]
    Negative,
    /// It is more than a price can be.
    #[error("is too large: at most {}", Pico::MAX)]
    TooLarge,
}

/// Reads a whole file; `source` is what messages and prices call it.
///
/// A name that comes twice counts as it stands last, as in every reader of that file.
///
/// # Errors
/// It is not a JSON object.
pub fn read(text: &str, source: &str) -> Result<Imported, ImportError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let models: Result<BTreeMap<String, Box<RawValue>>, _> = serde_json::from_str(text);
    let mut models = models.map_err(|error| ImportError::NotModels {
        file: source.into(),
        line: error.line(),
        column: error.column(),
    })?;
    models.remove(EXPLANATION);
    Ok(Imported {
        source: source.into(),
        models,
    })
}

impl Imported {
    /// The price of the first of these names that has one.
    ///
    /// # Errors
    /// That model, or one before it, has a price that is none.
    pub fn find(&self, names: &[&str]) -> Result<Option<Found>, ImportError> {
        for name in names {
            if let Some(model) = self.models.get(*name)
                && let Some((figures, unknown)) = self.figures(name, model)?
            {
                let source = format!("{}: {name}", self.source);
                let schedule = Schedule::new([Price::new(figures, None, source)]);
                return Ok(Some(Found { schedule, unknown }));
            }
        }
        Ok(None)
    }

    /// What a model's entry says, and the keys of costs that are not known here; `None` where it says no price that is.
    fn figures(
        &self,
        name: &str,
        model: &RawValue,
    ) -> Result<Option<(Figures, Vec<String>)>, ImportError> {
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(model.get()).map_err(|_| ImportError::NotModel {
                file: self.source.clone(),
                model: name.into(),
            })?;
        let mut usual = Steps::default();
        let mut services: BTreeMap<&'static str, Steps> = BTreeMap::new();
        let mut figures = Figures::default();
        let (mut unknown, mut only_reads) = (Vec::new(), false);
        for (key, value) in &fields {
            let wrong = |wrong| ImportError::NotPrice {
                file: self.source.clone(),
                model: name.into(),
                key: key.as_str().into(),
                wrong,
            };
            if value.get() == "null" {
                continue;
            }
            if key == "search_context_cost_per_query" {
                let price = dearest(value.get()).map_err(wrong)?;
                figures.features = price
                    .map(|price| (Feature::WebSearch, price))
                    .into_iter()
                    .collect();
            } else if key == "tiered_pricing" {
                if !tiers(value.get(), &mut usual).map_err(wrong)? {
                    unknown.push(key.clone());
                }
            } else if key == "mode" {
                only_reads = value.get() == "\"embedding\"";
            } else if key == "input_cost_per_request" {
                figures.request = Some(amount(value.get()).map_err(wrong)?);
            } else if let Some(field) = Field::named(key) {
                let price = amount(value.get()).map_err(wrong)?;
                let steps = match field.service {
                    Some(word) => services.entry(word).or_default(),
                    None => &mut usual,
                };
                steps.set(field, price);
            } else if key.contains("cost")
                && amount(value.get()).is_ok_and(|price| price != Pico::ZERO)
            {
                unknown.push(key.clone());
            }
        }
        if only_reads && usual.own(0, Item::Input).is_some() {
            usual.without_output();
        }
        let says = usual.says_a_price() || figures.request.is_some();
        // Noughts beside a price in another unit are no price: they would make such a model free.
        let free = !usual.is_above_nothing() && figures.request.unwrap_or_default() == Pico::ZERO;
        if !says || (free && !unknown.is_empty()) {
            return Ok(None);
        }
        let service = |(word, steps): (&str, Steps)| {
            Some(Service {
                tier: ServiceTier::parse(word)?,
                factor: Factor::ONE,
                table: Some(steps.over(&usual).table()),
            })
        };
        figures.services = services.into_iter().filter_map(service).collect();
        figures.table = usual.table();
        Ok(Some((figures, unknown)))
    }
}

/// What a key is the price of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    item: Item,
    /// From how many tokens of input on, that number not included.
    above: u64,
    service: Option<&'static str>,
}

impl Field {
    /// Takes a key apart: a price, then in any order the length it is for, the service it is for, and an hour.
    fn named(key: &str) -> Option<Self> {
        let (mut rest, mut above, mut service, mut hour) = (key, None, None, false);
        loop {
            if let Some((before, word)) = SERVICES
                .iter()
                .find_map(|(suffix, word)| Some((rest.strip_suffix(suffix)?, *word)))
            {
                if service.replace(word).is_some() {
                    return None;
                }
                rest = before;
            } else if let Some(before) = rest.strip_suffix("_above_1hr") {
                if std::mem::replace(&mut hour, true) {
                    return None;
                }
                rest = before;
            } else if let Some((before, length)) = rest
                .strip_suffix("_tokens")
                .and_then(|rest| rest.rsplit_once("_above_"))
            {
                if above.replace(tokens(length)?).is_some() {
                    return None;
                }
                rest = before;
            } else {
                break;
            }
        }
        let known = ITEMS.iter().find(|(name, _)| *name == rest)?;
        let item = match (known.1, hour) {
            (Item::CacheWrite, true) => Item::CacheWrite1h,
            (_, true) => return None,
            (item, false) => item,
        };
        Some(Self {
            item,
            above: above.unwrap_or(0),
            service,
        })
    }
}

/// A number of tokens: `200k`, `1m` or `200000`.
fn tokens(text: &str) -> Option<u64> {
    let (number, unit) = match text.as_bytes().last()? {
        b'k' => (text.strip_suffix('k')?, 1_000),
        b'm' => (text.strip_suffix('m')?, 1_000_000),
        _ => (text, 1),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let tokens = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (tokens > 0).then_some(tokens)
}

/// Prices by length, each only as far as it was written.
#[derive(Debug, Clone, Default)]
struct Steps(BTreeMap<u64, Rates>);

impl Steps {
    fn set(&mut self, field: Field, price: Pico) {
        let rates = self.0.entry(field.above).or_default();
        rates.set(field.item, price);
    }

    /// Says that output costs nothing where there is none, and nothing else was said.
    fn without_output(&mut self) {
        let base = self.0.entry(0).or_default();
        if base.own(Item::Output).is_none() {
            base.set(Item::Output, Pico::ZERO);
        }
    }

    fn own(&self, above: u64, item: Item) -> Option<Pico> {
        self.0.get(&above)?.own(item)
    }

    fn says_a_price(&self) -> bool {
        self.0.get(&0).is_some_and(|base| !base.is_empty())
    }

    fn is_above_nothing(&self) -> bool {
        let all = self.0.values();
        all.flat_map(|rates| Item::ALL.map(|item| rates.own(item)))
            .flatten()
            .any(|price| price != Pico::ZERO)
    }

    /// These prices, and the usual ones where a way of being served has none of its own; for a long input that is no
    /// less than for a short one.
    fn over(&self, usual: &Self) -> Self {
        let lengths: BTreeSet<u64> = self.0.keys().chain(usual.0.keys()).copied().collect();
        let (mut filled, mut below) = (Self::default(), Rates::default());
        for above in lengths {
            let mut rates = Rates::default();
            for item in Item::ALL {
                let usual = usual.own(above, item);
                let instead = usual.map(|usual| usual.max(below.own(item).unwrap_or(Pico::ZERO)));
                if let Some(price) = self.own(above, item).or(instead) {
                    rates.set(item, price);
                    below.set(item, price);
                }
            }
            filled.0.insert(above, rates);
        }
        filled
    }

    fn table(mut self) -> Table {
        let base = self.0.remove(&0).unwrap_or_default();
        Table::new(base, self.0)
    }
}

/// Reads prices by length that stand in a list, `range` being from where on each of them holds; returns whether all of it
/// was understood.
fn tiers(text: &str, steps: &mut Steps) -> Result<bool, WrongPrice> {
    let listed: Result<Vec<BTreeMap<String, &RawValue>>, _> = serde_json::from_str(text);
    let Ok(listed) = listed else {
        return Ok(false);
    };
    let mut understood = true;
    for tier in listed {
        let range: Option<Vec<&RawValue>> = tier
            .get("range")
            .and_then(|range| serde_json::from_str(range.get()).ok());
        let Some(above) = range
            .as_deref()
            .and_then(|range| whole(range.first()?.get()))
        else {
            understood = false;
            continue;
        };
        for (key, value) in tier.into_iter().filter(|(_, value)| value.get() != "null") {
            match Field::named(&key) {
                Some(field) if field.above == 0 && field.service.is_none() => {
                    steps.set(Field { above, ..field }, amount(value.get())?);
                }
                _ => understood &= !key.contains("cost"),
            }
        }
    }
    Ok(understood)
}

/// A whole number, which may be written as `256000.0`.
fn whole(text: &str) -> Option<u64> {
    let (number, noughts) = text.split_once('.').unwrap_or((text, ""));
    let rest_is_nothing = noughts.bytes().all(|byte| byte == b'0');
    number.parse().ok().filter(|_| rest_is_nothing)
}

/// The dearest of some prices by name, or a price alone.
fn dearest(text: &str) -> Result<Option<Pico>, WrongPrice> {
    let several: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(text);
    let Ok(several) = several else {
        return amount(text).map(Some);
    };
    let prices: Result<Vec<Pico>, _> = several.values().map(|price| amount(price.get())).collect();
    Ok(prices?.into_iter().max())
}

fn amount(text: &str) -> Result<Pico, WrongPrice> {
    match text.as_bytes().first() {
        Some(b'-') => Err(WrongPrice::Negative),
        Some(b'0'..=b'9') => Pico::import(text).map_err(|error| match error {
            InvalidAmount::TooLarge => WrongPrice::TooLarge,
            InvalidAmount::NotDecimal | InvalidAmount::TooFine(_) => WrongPrice::NotNumber,
        }),
        _ => Err(WrongPrice::NotNumber),
    }
}

#[cfg(test)]
mod tests;
