//! Prices by what is counted, and other prices for long inputs.

use std::fmt;

use super::Pico;

/// What has a price of its own in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A token of the input.
    Input,
    /// A token of the input that was read from a cache.
    CachedInput,
    /// A token of the input that was written to a cache, for five minutes or as long as the provider likes.
    CacheWrite,
    /// A token of the input that was written to a cache for an hour.
    CacheWrite1h,
    /// A token of sound in the input.
    AudioInput,
    /// A token of the output.
    Output,
    /// A token of reasoning in the output.
    Reasoning,
    /// A token of sound in the output.
    AudioOutput,
    /// A picture that was made.
    Image,
    /// A second of sound that was read.
    Second,
    /// A page of a document that was read.
    Page,
}

/// One price for each item, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates([Option<Pico>; Item::ALL.len()]);

/// Prices for every length of the input: the whole call has those of the last step that its input is above.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    base: Rates,
    /// By rising length, each with every price that holds there.
    steps: Vec<Step>,
}

/// Prices above so many tokens of input.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    above: u64,
    rates: Rates,
}

impl Item {
    /// Every item.
    pub const ALL: [Self; 11] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::Image,
        Self::Second,
        Self::Page,
    ];

    /// The word in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioInput => "audio_input",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOutput => "audio_output",
            Self::Image => "image",
            Self::Second => "second",
            Self::Page => "page",
        }
    }

    /// Whether it is a token, whose price people give per million.
    pub const fn is_token(self) -> bool {
        !matches!(self, Self::Image | Self::Second | Self::Page)
    }

    /// What it costs where it has no price of its own: as much as what it is a kind of.
    const fn instead(self) -> Option<Self> {
        match self {
            Self::CachedInput | Self::CacheWrite | Self::AudioInput => Some(Self::Input),
            Self::CacheWrite1h => Some(Self::CacheWrite),
            Self::Reasoning | Self::AudioOutput => Some(Self::Output),
            Self::Input | Self::Output | Self::Image | Self::Second | Self::Page => None,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Rates {
    /// The price that an item was given.
    pub const fn own(&self, item: Item) -> Option<Pico> {
        self.0[item as usize]
    }

    /// Gives an item a price.
    pub const fn set(&mut self, item: Item, price: Pico) {
        self.0[item as usize] = Some(price);
    }

    /// Whether no item has a price.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// What an item costs, in trillionths of a dollar: its own price, or that of what it is a kind of. A unit that the
    /// table does not know costs nothing beside the tokens.
    pub(super) fn rate(&self, item: Item) -> u128 {
        self.price(item).get().into()
    }

    /// What an item costs, as [`Self::rate`] says.
    pub(super) fn price(&self, item: Item) -> Pico {
        self.known(item).unwrap_or(Pico::ZERO)
    }

    /// What an item costs: its own price, or that of what it is a kind of; `None` where neither has one.
    pub fn known(&self, item: Item) -> Option<Pico> {
        let mut item = item;
        loop {
            match (self.own(item), item.instead()) {
                (None, Some(instead)) => item = instead,
                (own, _) => return own,
            }
        }
    }

    /// These prices, with those of `below` where there are none.
    fn over(self, below: &Self) -> Self {
        let mut rates = self;
        for item in Item::ALL {
            rates.0[item as usize] = self.own(item).or_else(|| below.own(item));
        }
        rates
    }
}

impl Table {
    /// A table of prices and others above so many tokens of input. What a tier leaves out costs as much as below it.
    pub fn new(base: Rates, tiers: impl IntoIterator<Item = (u64, Rates)>) -> Self {
        let mut tiers: Vec<(u64, Rates)> = tiers.into_iter().collect();
        tiers.sort_by_key(|(above, _)| *above);
        let mut below = base;
        let step = |(above, rates): (u64, Rates)| {
            below = rates.over(&below);
            Step {
                above,
                rates: below,
            }
        };
        let steps = tiers.into_iter().map(step).collect();
        Self { base, steps }
    }

    /// The prices of short inputs.
    pub const fn base(&self) -> &Rates {
        &self.base
    }

    /// The other prices and from how many tokens of input on they hold, by rising length.
    pub fn tiers(&self) -> impl Iterator<Item = (u64, &Rates)> {
        self.steps.iter().map(|step| (step.above, &step.rates))
    }

    /// The prices of a call with so many tokens of input.
    pub(super) fn at(&self, input: u64) -> &Rates {
        self.up_to(input).last().unwrap_or(&self.base)
    }

    /// Above how many tokens of input the prices of a call with so many hold; 0 for those of short inputs.
    pub(super) fn step(&self, input: u64) -> u64 {
        let reached = self.tiers().take_while(|(above, _)| *above < input);
        reached.last().map_or(0, |(above, _)| above)
    }

    /// All prices that a call with at most so many tokens of input can have.
    pub(super) fn up_to(&self, input: u64) -> impl Iterator<Item = &Rates> {
        let reached = self.tiers().take_while(move |(above, _)| *above < input);
        [&self.base]
            .into_iter()
            .chain(reached.map(|(_, rates)| rates))
    }
}
