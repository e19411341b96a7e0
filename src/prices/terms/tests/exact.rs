//! Against another way of computing: whole numbers of any length, in limbs of five decimal digits.

use std::sync::Arc;

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use crate::{
    domain::{Extras, NanoUsd, ServiceTier, Usage},
    prices::{Factor, Figures, Item, Pico, Price, Rates, Service, Table, Terms},
};

const LIMB: u64 = 100_000;

/// A whole number, the lowest limb first.
#[derive(Debug, Clone, Default)]
struct Whole(Vec<u64>);

impl Whole {
    fn of(mut number: u64) -> Self {
        let mut limbs = Vec::new();
        while number > 0 {
            limbs.push(number % LIMB);
            number /= LIMB;
        }
        Self(limbs)
    }

    fn plus(&self, other: &Self) -> Self {
        let mut limbs = vec![0; self.0.len().max(other.0.len()) + 1];
        for (limb, part) in self.0.iter().enumerate().chain(other.0.iter().enumerate()) {
            limbs[limb] += part;
        }
        Self(limbs).carried()
    }

    fn times(&self, number: u64) -> Self {
        let other = Self::of(number);
        let mut limbs = vec![0; self.0.len() + other.0.len() + 1];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                limbs[i + j] += a * b;
            }
        }
        Self(limbs).carried()
    }

    fn carried(mut self) -> Self {
        for limb in 0..self.0.len() {
            let over = self.0[limb] / LIMB;
            if over > 0 {
                self.0[limb] %= LIMB;
                if limb + 1 == self.0.len() {
                    self.0.push(0);
                }
                self.0[limb + 1] += over;
            }
        }
        self
    }

    /// Divided by 10^15 and rounded up, at most `i64::MAX`.
    fn nanos(&self) -> i64 {
        let (rest, whole) = self.0.split_at(self.0.len().min(3));
        let up = rest.iter().any(|limb| *limb > 0);
        let value = whole.iter().rev().try_fold(0_i64, |sum, limb| {
            let limb = i64::try_from(*limb).unwrap();
            sum.checked_mul(100_000)?.checked_add(limb)
        });
        let value = value.and_then(|value| value.checked_add(up.into()));
        value.unwrap_or(i64::MAX)
    }
}

/// Prices as they are: up to a hundred dollars per million tokens.
pub(super) fn usual_price() -> impl Strategy<Value = Pico> {
    let price = prop_oneof![0..3_u64, 0..100_000_000_u64];
    price.prop_map(|price| Pico::new(price).unwrap())
}

/// Any price, the highest among them.
pub(super) fn any_price() -> impl Strategy<Value = Pico> {
    let price = prop_oneof![0..=Pico::MAX.get(), Just(Pico::MAX.get())];
    price.prop_map(|price| Pico::new(price).unwrap())
}

fn pico() -> impl Strategy<Value = Pico> {
    prop_oneof![20 => usual_price(), 1 => any_price()]
}

/// Few, many, and absurdly many tokens.
pub(super) fn tokens() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..5_u64, 8 => 0..400_000_u64, 1 => 0..=1_u64 << 40, 1 => any::<u64>()]
}

pub(super) fn factor() -> impl Strategy<Value = Factor> {
    let millionths = prop_oneof![
        Just(1_000_000_u32),
        0..3_u32,
        0..=5_000_000_u32,
        0..=1_000_000_000_u32
    ];
    millionths.prop_map(|millionths| Factor::from_millionths(millionths).unwrap())
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4096))]

    #[test]
    fn a_cost_is_the_exact_sum_rounded_up(
        prices in prop::array::uniform8(pico()),
        (input, cached, write, hour, audio) in (tokens(), tokens(), tokens(), tokens(), tokens()),
        (output, reasoning, sound, images) in (tokens(), tokens(), tokens(), 0..20_u64),
        (plan, flex) in (factor(), factor()),
        (request, route, image) in (pico(), pico(), pico()),
    ) {
        let items = [Item::Input, Item::CachedInput, Item::CacheWrite, Item::CacheWrite1h, Item::AudioInput,
            Item::Output, Item::Reasoning, Item::AudioOutput];
        let mut rates = Rates::default();
        for (item, price) in items.into_iter().zip(prices) {
            rates.set(item, price);
        }
        rates.set(Item::Image, image);
        let tier = ServiceTier::parse("flex");
        let figures = Figures {
            table: Table::new(rates, []),
            request: Some(request),
            features: Vec::new(),
            services: vec![Service { tier: tier.unwrap(), factor: flex, table: None }],
        };
        let extras = Extras { service_tier: tier, ..Extras::PLAIN };
        let price = Arc::new(Price::new(figures, None, "a:1"));
        let terms = Terms::new(Some(price), plan, Some(route), &extras).unwrap();
        let usage = Usage {
            input, cached_input: cached, cache_write: write, cache_write_1h: hour, audio_input: audio,
            output, reasoning, audio_output: sound, images, seconds: 0, pages: 0,
        };

        // The same by subtraction: what is left of the whole goes to the next part.
        let hour = hour.min(write);
        let mut left = input;
        let mut units = Vec::new();
        for (part, price) in [(cached, 1), (hour, 3), (write - hour, 2), (audio, 4)] {
            let part = part.min(left);
            left -= part;
            units.push((part, prices[price]));
        }
        units.push((left, prices[0]));
        let mut left = output;
        for (part, price) in [(reasoning, 6), (sound, 7)] {
            let part = part.min(left);
            left -= part;
            units.push((part, prices[price]));
        }
        units.push((left, prices[5]));
        units.push((images, image));
        let mut sum = Whole::default();
        for (count, price) in units {
            sum = sum.plus(&Whole::of(count).times(price.get()));
        }
        let million = 1_000_000;
        let sum = sum.times(plan.millionths().into()).times(flex.millionths().into());
        let own = Whole::of(request.get()).plus(&Whole::of(route.get()));
        let sum = sum.plus(&own.times(plan.millionths().into()).times(million));
        prop_assert_eq!(terms.cost(&usage), NanoUsd::from_nanos(sum.nanos()));
    }

    /// No more than a billionth of a dollar is added, however many parts there are.
    #[test]
    fn rounding_adds_less_than_a_unit(input in 0..1_u64 << 30, output in 0..1_u64 << 30, prices in (0..1_u64 << 30, 0..1_u64 << 30)) {
        let mut rates = Rates::default();
        rates.set(Item::Input, Pico::new(prices.0).unwrap());
        rates.set(Item::Output, Pico::new(prices.1).unwrap());
        let figures = Figures { table: Table::new(rates, []), ..Figures::default() };
        let price = Arc::new(Price::new(figures, None, "a:1"));
        let terms = Terms::new(Some(price), Factor::ONE, None, &Extras::PLAIN).unwrap();
        let usage = Usage { input, output, ..Usage::default() };
        let exact = i128::from(input) * i128::from(prices.0) + i128::from(output) * i128::from(prices.1);
        let added = i128::from(terms.cost(&usage).nanos()) * 1_000 - exact;
        prop_assert!((0..1_000).contains(&added), "{added}");
    }
}
