mod bounds;
mod exact;

use std::sync::Arc;

use super::{Bound, Terms, Unpriced};
use crate::{
    domain::{Extras, Feature, NanoUsd, ServiceTier, Usage},
    prices::{Factor, Figures, Item, Pico, Price, Rates, Service, Table},
};

/// Prices in dollars per million tokens, or per unit of what is no token.
pub(super) fn rates(prices: &[(Item, &str)]) -> Rates {
    let mut rates = Rates::default();
    for (item, price) in prices {
        let price = if item.is_token() {
            Pico::parse_per_million(price)
        } else {
            Pico::parse(price)
        };
        rates.set(*item, price.unwrap());
    }
    rates
}

fn haiku() -> Figures {
    let base = [
        (Item::Input, "1.00"),
        (Item::CachedInput, "0.10"),
        (Item::CacheWrite, "1.25"),
        (Item::Output, "5.00"),
    ];
    Figures {
        table: Table::new(rates(&base), []),
        ..Figures::default()
    }
}

fn price(figures: Figures) -> Option<Arc<Price>> {
    Some(Arc::new(Price::new(figures, None, "faregate.yaml:1")))
}

fn terms(figures: Figures) -> Terms {
    Terms::new(price(figures), Factor::ONE, None, &Extras::PLAIN).unwrap()
}

fn usd(text: &str) -> NanoUsd {
    NanoUsd::parse(text).unwrap()
}

#[test]
fn a_call_costs_the_sum_of_its_parts() {
    let usage = Usage {
        input: 1_000,
        cached_input: 600,
        cache_write: 100,
        output: 50,
        reasoning: 20,
        ..Usage::default()
    };
    // 300 × 1.00 + 600 × 0.10 + 100 × 1.25 + 50 × 5.00 millionths of a dollar.
    assert_eq!(terms(haiku()).cost(&usage), usd("0.000735"));
    assert_eq!(terms(haiku()).cost(&Usage::default()), NanoUsd::ZERO);
    assert_eq!(Terms::FREE.cost(&usage), NanoUsd::ZERO);
}

#[test]
fn it_is_rounded_up_once() {
    let mut figures = haiku();
    figures.table = Table::new(
        rates(&[(Item::Input, "0.0003"), (Item::Output, "0.0003")]),
        [],
    );
    let terms = terms(figures);
    let cost = |input, output| {
        let usage = Usage {
            input,
            output,
            ..Usage::default()
        };
        terms.cost(&usage).nanos()
    };
    // 0.3 billionths each: two roundings would make 2 of one token each.
    assert_eq!((cost(1, 0), cost(1, 1), cost(2, 2)), (1, 1, 2));
    assert_eq!(cost(10, 0), 3);
}

#[test]
fn parts_above_the_whole_are_cut_to_it() {
    let terms = terms(haiku());
    let absurd = Usage {
        input: 10,
        cached_input: 1_000,
        cache_write: 1_000,
        cache_write_1h: 2_000,
        output: 5,
        reasoning: 1_000,
        audio_output: 1_000,
        ..Usage::default()
    };
    assert_eq!(terms.cost(&absurd), usd("0.000026"));
}

#[test]
fn zero_is_a_price_and_what_is_missing_costs_as_much_as_what_it_is_a_kind_of() {
    let all = Usage {
        input: 100,
        cached_input: 20,
        cache_write: 20,
        cache_write_1h: 10,
        audio_input: 20,
        output: 100,
        reasoning: 30,
        audio_output: 30,
        images: 3,
        seconds: 3,
        pages: 3,
    };
    let two = [(Item::Input, "1"), (Item::Output, "2")];
    let figures = |prices: &[(Item, &str)]| Figures {
        table: Table::new(rates(prices), []),
        ..Figures::default()
    };
    assert_eq!(terms(figures(&two)).cost(&all), usd("0.0003"));
    let mut free = two.to_vec();
    free.extend([
        (Item::CachedInput, "0"),
        (Item::CacheWrite, "0"),
        (Item::Reasoning, "0"),
    ]);
    // An hour's cache write falls back to the other kind, which is free here.
    assert_eq!(terms(figures(&free)).cost(&all), usd("0.0002"));
    let mut units = two.to_vec();
    units.extend([
        (Item::Image, "0.04"),
        (Item::Second, "0.001"),
        (Item::Page, "0.002"),
    ]);
    assert_eq!(terms(figures(&units)).cost(&all), usd("0.1293"));
}

#[test]
fn a_long_input_changes_every_price_of_the_call() {
    let tier = rates(&[(Item::Input, "2"), (Item::Output, "7.5")]);
    let mut figures = haiku();
    figures.table = Table::new(*figures.table.base(), [(200_000, tier)]);
    let terms = terms(figures);
    let cost = |input| {
        let usage = Usage {
            input,
            cached_input: 100_000,
            output: 1_000,
            ..Usage::default()
        };
        terms.cost(&usage)
    };
    assert_eq!(cost(200_000), usd("0.115"));
    // Cached input is not named above, and stays as it is below.
    assert_eq!(cost(200_001), usd("0.217502"));
    let short = terms.quote(&Bound {
        input: 200_000,
        answers: 1,
    });
    assert_eq!(short.hold_for(1_000), usd("0.205"));
    let long = terms.quote(&Bound {
        input: 200_001,
        answers: 1,
    });
    assert_eq!(long.hold_for(1_000), usd("0.407502"));
}

#[test]
fn factors_multiply_before_the_rounding() {
    let mut figures = haiku();
    figures.request = Some(Pico::parse("0.01").unwrap());
    figures.services = vec![Service {
        tier: ServiceTier::parse("flex").unwrap(),
        factor: Factor::parse("0.5").unwrap(),
        table: None,
    }];
    let flex = Extras {
        service_tier: ServiceTier::parse("FLEX"),
        ..Extras::PLAIN
    };
    let factor = Factor::parse("1.2").unwrap();
    let route = Pico::parse("0.005").ok();
    let terms = Terms::new(price(figures.clone()), factor, route, &flex).unwrap();
    let usage = Usage {
        input: 1_000,
        output: 100,
        ..Usage::default()
    };
    // (0.0015 × 0.5 + 0.01 + 0.005) × 1.2
    assert_eq!(terms.cost(&usage), usd("0.0189"));
    let quote = terms.quote(&Bound {
        input: 1_000,
        answers: 2,
    });
    assert_eq!(quote.fixed(), usd("0.018"));
    assert_eq!(quote.hold_for(100), usd("0.0012"));
    assert_eq!(quote.affordable(usd("0.0192")), Some(100));
    assert_eq!(quote.affordable(usd("0.019199999")), Some(99));
    let free = Terms::new(
        price(figures),
        Factor::from_millionths(0).unwrap(),
        route,
        &flex,
    );
    assert_eq!(free.unwrap().cost(&usage), NanoUsd::ZERO);
}

#[test]
fn a_call_without_a_model_costs_its_route() {
    let terms = Terms::new(None, Factor::ONE, Pico::parse("0.005").ok(), &Extras::PLAIN).unwrap();
    let quote = terms.quote(&Bound {
        input: u64::MAX,
        answers: u64::MAX,
    });
    assert_eq!(
        (quote.fixed(), quote.hold_for(u64::MAX)),
        (usd("0.005"), NanoUsd::ZERO)
    );
    assert_eq!(terms.cost(&Usage::default()), usd("0.005"));
    assert_eq!(terms.version(), None);
}

#[test]
fn what_a_price_does_not_name_is_said() {
    let plain = Extras::PLAIN;
    let tier = |word: &str| Extras {
        service_tier: ServiceTier::parse(word),
        ..plain
    };
    let feature = |feature| {
        let mut extras = plain;
        extras.features.insert(feature);
        extras
    };
    let asked = [
        (plain, None),
        (tier("priority"), Some("the service tier priority")),
        (
            Extras {
                service_tier: Some(ServiceTier::UNKNOWN),
                ..plain
            },
            Some("this service tier"),
        ),
        (feature(Feature::Background), Some("background calls")),
        (
            feature(Feature::WebSearch),
            Some("the server tool web_search"),
        ),
        (feature(Feature::Other), Some("this server tool")),
        (
            Extras {
                audio_input: true,
                ..plain
            },
            Some("audio input"),
        ),
        (
            Extras {
                audio_output: true,
                ..plain
            },
            Some("audio output"),
        ),
        (
            Extras {
                image_output: true,
                ..plain
            },
            Some("image output"),
        ),
        (
            Extras {
                cache_write: true,
                ..plain
            },
            None,
        ),
        (
            Extras {
                cache_write_1h: true,
                ..plain
            },
            Some("cache writes that are kept for an hour"),
        ),
        (
            Extras {
                unseen_input: true,
                ..plain
            },
            None,
        ),
    ];
    for (extras, expected) in asked {
        let said = Terms::new(price(haiku()), Factor::ONE, None, &extras);
        let said = said.err().map(|unpriced| unpriced.to_string());
        assert_eq!(said.as_deref(), expected, "{extras:?}");
        // Without a limit of money it is told what the price says.
        let told = Terms::as_named(price(haiku()), Factor::ONE, None, &extras);
        let usage = Usage {
            input: 1,
            ..Usage::default()
        };
        assert_eq!(told.cost(&usage), usd("0.000001"));
    }
    let nothing = Terms::new(price(Figures::default()), Factor::ONE, None, &plain);
    assert_eq!(nothing, Err(Unpriced::Tokens));
    let flex = Terms::new(price(Figures::default()), Factor::ONE, None, &tier("flex"));
    let flex = flex.map_err(|unpriced| unpriced.to_string());
    assert_eq!(flex, Err("the service tier flex".to_owned()));
    // Where the price does not tell caches apart, an hour is no other price.
    let mut flat = haiku();
    flat.table = Table::new(rates(&[(Item::Input, "1"), (Item::Output, "1")]), []);
    let hour = Extras {
        cache_write_1h: true,
        ..plain
    };
    assert!(Terms::new(price(flat), Factor::ONE, None, &hour).is_ok());
}

#[test]
fn what_a_price_names_is_charged_for_each_request() {
    let mut figures = haiku();
    figures.features = vec![
        (Feature::WebSearch, Pico::parse("0.03").unwrap()),
        (Feature::Mcp, Pico::ZERO),
    ];
    let mut extras = Extras::PLAIN;
    extras.features.insert(Feature::WebSearch);
    extras.features.insert(Feature::Mcp);
    let terms = Terms::new(price(figures), Factor::ONE, None, &extras).unwrap();
    assert_eq!(terms.cost(&Usage::default()), usd("0.03"));
}

#[test]
fn a_premium_is_held_only_where_it_can_be_charged() {
    let mut prices = haiku();
    let mut base = *prices.table.base();
    base.set(Item::CacheWrite1h, Pico::parse_per_million("2").unwrap());
    base.set(Item::AudioInput, Pico::parse_per_million("30").unwrap());
    base.set(Item::AudioOutput, Pico::parse_per_million("60").unwrap());
    base.set(Item::Image, Pico::parse("0.04").unwrap());
    base.set(Item::Second, Pico::parse("0.001").unwrap());
    base.set(Item::Page, Pico::parse("0.002").unwrap());
    prices.table = Table::new(base, []);
    let hold = |change: fn(&mut Extras)| {
        let mut extras = Extras::PLAIN;
        change(&mut extras);
        let terms = Terms::new(price(prices.clone()), Factor::ONE, None, &extras).unwrap();
        let bound = Bound {
            input: 1_000,
            answers: 1,
        };
        terms.quote(&bound).hold_for(100)
    };
    assert_eq!(hold(|_| ()), usd("0.0015"));
    assert_eq!(hold(|extras| extras.cache_write = true), usd("0.00175"));
    assert_eq!(hold(|extras| extras.cache_write_1h = true), usd("0.0025"));
    assert_eq!(hold(|extras| extras.audio_input = true), usd("1.0305"));
    assert_eq!(hold(|extras| extras.audio_output = true), usd("0.007"));
    assert_eq!(hold(|extras| extras.image_output = true), usd("0.4015"));
    assert_eq!(hold(|extras| extras.unseen_input = true), usd("3.0305"));
}
