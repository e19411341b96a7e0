//! The price of one call, as it was when the call was admitted.

use std::{fmt, sync::Arc};

use super::{Factor, Figures, Item, Pico, Price, Quote, Rates, Service, Table, quote::rounded_up};
use crate::domain::{Extras, Feature, Features, NanoUsd, ServiceTier, Usage};

/// Pictures that one answer has at most, as a bound: the most that one request of OpenAI's image API makes.
const IMAGES: u128 = 10;

/// The price of one call, captured at admission: a price that changes meanwhile changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    price: Option<Arc<Price>>,
    /// How it is served, where that is not as usual: a position in the price's list.
    service: Option<usize>,
    factor: Factor,
    per_request: Pico,
    extras: Extras,
}

/// What a call can use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Tokens of input, of every kind.
    pub input: u64,
    /// Answers that are made.
    pub answers: u64,
}

/// Something that a call asks for and its price does not name. What is not named is never free; the text is a noun,
/// such as `audio input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpriced {
    /// The price says nothing of tokens.
    Tokens,
    /// Sound in the input.
    AudioInput,
    /// Sound in the answer.
    AudioOutput,
    /// Pictures in the answer.
    ImageOutput,
    /// A cache that keeps input for an hour, where the price tells caches apart.
    CacheWrite1h,
    /// Another way of being served.
    ServiceTier(ServiceTier),
    /// Something that the provider does beside answering.
    Feature(Feature),
}

impl Terms {
    /// The terms of a call without any price.
    pub const FREE: Self = Self {
        price: None,
        service: None,
        factor: Factor::ONE,
        per_request: Pico::ZERO,
        extras: Extras::PLAIN,
    };

    /// The terms of a call: its model's price, its plan's factor, its route's price, and what it asks for.
    ///
    /// The factor multiplies all prices; the service tier's factor those of units. A call without a model's price
    /// costs its route's alone.
    ///
    /// # Errors
    /// It asks for something that the price does not name.
    pub fn new(
        price: Option<Arc<Price>>,
        factor: Factor,
        per_request: Option<Pico>,
        extras: &Extras,
    ) -> Result<Self, Unpriced> {
        if let Some(price) = &price {
            named(price, extras)?;
        }
        Ok(Self::as_named(price, factor, per_request, extras))
    }

    /// The terms of a call that no limit of money applies to: what its price does not name costs nothing.
    pub fn as_named(
        price: Option<Arc<Price>>,
        factor: Factor,
        per_request: Option<Pico>,
        extras: &Extras,
    ) -> Self {
        let services = price.as_ref().map(|price| &price.figures().services);
        let service = services
            .zip(extras.service_tier)
            .and_then(|(services, tier)| services.iter().position(|service| service.tier == tier));
        Self {
            price,
            service,
            factor,
            per_request: per_request.unwrap_or(Pico::ZERO),
            extras: *extras,
        }
    }

    /// The same for a call that asked to be served in a way of its own, and was served in another that has a price; `None`
    /// for every other call.
    pub fn served_as(&self, tier: ServiceTier) -> Option<Self> {
        self.service()?;
        let wanted = (!tier.is_usual()).then_some(tier);
        let known = wanted.is_none_or(|tier| {
            let figures = self.figures();
            figures.is_some_and(|figures| figures.service(tier).is_some())
        });
        if wanted == self.extras.service_tier || !known {
            return None;
        }
        let extras = Extras {
            service_tier: wanted,
            ..self.extras
        };
        Some(Self::as_named(
            self.price.clone(),
            self.factor,
            Some(self.per_request),
            &extras,
        ))
    }

    /// The same for a call that its provider refused: what it asked for beside an answer was not done. `None` where it asked
    /// for nothing.
    pub fn refused(&self) -> Option<Self> {
        let extras = Extras {
            features: Features::NONE,
            ..self.extras
        };
        (extras != self.extras).then(|| Self {
            extras,
            ..self.clone()
        })
    }

    /// What the call can cost at most.
    ///
    /// That holds for every usage of no more input than the bound, and of no kinds but those that the call asks for.
    /// Sound and documents that are not in the body have at most as many seconds and pages as tokens, and an answer at
    /// most ten pictures.
    pub fn quote(&self, bound: &Bound) -> Quote {
        let Some(table) = self.table() else {
            return Quote {
                fixed: self.fixed(),
                ..Quote::NOTHING
            };
        };
        let answers = u128::from(bound.answers.max(1));
        let worst =
            |rate: &dyn Fn(&Rates) -> u128| table.up_to(bound.input).map(rate).max().unwrap_or(0);
        let image = if self.extras.makes_images() {
            worst(&|rates| rates.rate(Item::Image))
        } else {
            0
        };
        let input = u128::from(bound.input)
            .saturating_mul(worst(&|rates| self.dearest_input(rates)))
            .saturating_add(image.saturating_mul(IMAGES).saturating_mul(answers));
        let output = worst(&|rates| self.dearest_output(rates)).saturating_mul(answers);
        Quote {
            fixed: self.fixed(),
            input: input.saturating_mul(self.scale()),
            output: output.saturating_mul(self.scale()),
        }
    }

    /// What the call did cost: the exact sum, the request's own price included, rounded up once. More than can be kept
    /// is [`NanoUsd::MAX`].
    ///
    /// Parts of the input and output that come to more than the whole are cut to it, in the order of the record.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        rounded_up(self.exact(usage))
    }

    /// The exact sum, in units of 10^-24 dollars.
    pub(super) fn exact(&self, usage: &Usage) -> u128 {
        let units = self.table().map_or(0, |table| {
            let amounts = parts(table, usage).into_iter().map(|part| part.amount());
            amounts.fold(0, u128::saturating_add)
        });
        units
            .saturating_mul(self.scale())
            .saturating_add(self.fixed())
    }

    /// The name of the version of the price.
    pub fn version(&self) -> Option<&Arc<str>> {
        self.price.as_deref().map(Price::version)
    }

    /// The model's price, if it has one.
    pub const fn price(&self) -> Option<&Arc<Price>> {
        self.price.as_ref()
    }

    /// The plan's factor.
    pub const fn factor(&self) -> Factor {
        self.factor
    }

    /// The price of the route.
    pub const fn per_request(&self) -> Pico {
        self.per_request
    }

    /// What it asks for beyond plain text.
    pub const fn extras(&self) -> &Extras {
        &self.extras
    }

    fn figures(&self) -> Option<&Figures> {
        self.price.as_deref().map(Price::figures)
    }

    pub(super) fn service(&self) -> Option<&Service> {
        self.figures()?.services.get(self.service?)
    }

    pub(super) fn table(&self) -> Option<&Table> {
        let own = self.service().and_then(|service| service.table.as_ref());
        own.or_else(|| self.figures().map(|figures| &figures.table))
    }

    /// What a sum of trillionths of a dollar is multiplied by: both factors, in millionths of millionths.
    fn scale(&self) -> u128 {
        let service = self.service().map_or(Factor::ONE, |service| service.factor);
        u128::from(self.factor.millionths()) * u128::from(service.millionths())
    }

    /// Prices of the request itself. Three at most of 2^60 each, and one for each feature, are far from the end.
    fn fixed(&self) -> u128 {
        let sum: u128 = self
            .requests()
            .map(|(_, price)| u128::from(price.get()))
            .sum();
        let one = u128::from(Factor::ONE.millionths());
        sum.saturating_mul(u128::from(self.factor.millionths()) * one)
    }

    /// Prices of the request itself, by name.
    pub(super) fn requests(&self) -> impl Iterator<Item = (&'static str, Pico)> {
        let route = Some(self.per_request).filter(|price| *price != Pico::ZERO);
        let figures = self.figures();
        let request = figures.and_then(|figures| figures.request);
        let features = self.extras.features.iter().filter_map(move |feature| {
            let price = figures?.feature(feature)?;
            Some((feature.as_str(), price))
        });
        let route = route.map(|price| ("price_per_request", price));
        let request = request.map(|price| ("request", price));
        route.into_iter().chain(request).chain(features)
    }

    /// The most that a token of input can cost.
    fn dearest_input(&self, rates: &Rates) -> u128 {
        let Extras {
            audio_input,
            unseen_input,
            cache_write,
            cache_write_1h,
            ..
        } = self.extras;
        let audio = audio_input || unseen_input;
        let kinds = [
            (Item::Input, true),
            (Item::CachedInput, true),
            (Item::CacheWrite, cache_write || cache_write_1h),
            (Item::CacheWrite1h, cache_write_1h),
            (Item::AudioInput, audio),
        ];
        let kinds = kinds.into_iter().filter(|(_, possible)| *possible);
        let token = kinds.map(|(item, _)| rates.rate(item)).max().unwrap_or(0);
        let second = if audio { rates.rate(Item::Second) } else { 0 };
        let page = if unseen_input {
            rates.rate(Item::Page)
        } else {
            0
        };
        token + second + page
    }

    /// The most that a token of output can cost.
    fn dearest_output(&self, rates: &Rates) -> u128 {
        let text = rates.rate(Item::Output).max(rates.rate(Item::Reasoning));
        if self.extras.audio_output {
            text.max(rates.rate(Item::AudioOutput))
        } else {
            text
        }
    }
}

/// So many units at one price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) item: Item,
    pub(super) count: u64,
    pub(super) rate: Pico,
}

impl Part {
    /// What they cost together, in trillionths of a dollar.
    pub(super) fn amount(&self) -> u128 {
        u128::from(self.count).saturating_mul(self.rate.get().into())
    }
}

/// Everything that was used, each unit once.
pub(super) fn parts(table: &Table, usage: &Usage) -> [Part; 11] {
    let rates = table.at(usage.input);
    let (mut input, mut output) = (usage.input, usage.output);
    let part = |item: Item, count: u64| Part {
        item,
        count,
        rate: rates.price(item),
    };
    let take = |from: &mut u64, wanted: u64, item: Item| {
        let taken = wanted.min(*from);
        *from -= taken;
        part(item, taken)
    };
    let write = usage.cache_write;
    let write_1h = usage.cache_write_1h.min(write);
    [
        take(&mut input, usage.cached_input, Item::CachedInput),
        take(&mut input, write_1h, Item::CacheWrite1h),
        take(&mut input, write - write_1h, Item::CacheWrite),
        take(&mut input, usage.audio_input, Item::AudioInput),
        take(&mut input, u64::MAX, Item::Input),
        take(&mut output, usage.reasoning, Item::Reasoning),
        take(&mut output, usage.audio_output, Item::AudioOutput),
        take(&mut output, u64::MAX, Item::Output),
        part(Item::Image, usage.images),
        part(Item::Second, usage.seconds),
        part(Item::Page, usage.pages),
    ]
}

/// Whether the price names everything that a call asks for.
fn named(price: &Price, extras: &Extras) -> Result<(), Unpriced> {
    let figures = price.figures();
    let base = figures.table.base();
    let has = |item| base.own(item).is_some();
    if let Some(tier) = extras.service_tier
        && figures.service(tier).is_none()
    {
        return Err(Unpriced::ServiceTier(tier));
    }
    if let Some(feature) = extras
        .features
        .iter()
        .find(|feature| figures.feature(*feature).is_none())
    {
        return Err(Unpriced::Feature(feature));
    }
    let asked = [
        (extras.audio_input, Item::AudioInput, Unpriced::AudioInput),
        (
            extras.audio_output,
            Item::AudioOutput,
            Unpriced::AudioOutput,
        ),
        (extras.image_output, Item::Image, Unpriced::ImageOutput),
        // Where cache writes cost what any input costs, it does not matter for how long they are kept.
        (
            extras.cache_write_1h && has(Item::CacheWrite),
            Item::CacheWrite1h,
            Unpriced::CacheWrite1h,
        ),
    ];
    match asked
        .into_iter()
        .find(|(asked, item, _)| *asked && !has(*item))
    {
        Some((.., unpriced)) => Err(unpriced),
        // The last, because some calls do without a price of output, and with one of everything else.
        None if !price.has_tokens() => Err(Unpriced::Tokens),
        None => Ok(()),
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self::FREE
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens => f.write_str("tokens"),
            Self::AudioInput => f.write_str("audio input"),
            Self::AudioOutput => f.write_str("audio output"),
            Self::ImageOutput => f.write_str("image output"),
            Self::CacheWrite1h => f.write_str("cache writes that are kept for an hour"),
            Self::ServiceTier(ServiceTier::UNKNOWN) => f.write_str("this service tier"),
            Self::ServiceTier(tier) => write!(f, "the service tier {tier}"),
            Self::Feature(Feature::Background) => f.write_str("background calls"),
            Self::Feature(Feature::Other) => f.write_str("this server tool"),
            Self::Feature(feature) => write!(f, "the server tool {}", feature.as_str()),
        }
    }
}

#[cfg(test)]
mod tests;
