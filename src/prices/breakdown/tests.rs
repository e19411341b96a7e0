use std::sync::Arc;

use proptest::prelude::{any, prop_assert_eq, proptest};

use crate::{
    domain::{Extras, Feature, NanoUsd, ServiceTier, Usage},
    prices::{Factor, Figures, Item, Pico, Price, Rates, Service, Table, Terms},
};

fn rates(prices: &[(Item, &str)]) -> Rates {
    let mut rates = Rates::default();
    for (item, price) in prices {
        rates.set(*item, Pico::parse_per_million(price).unwrap());
    }
    rates
}

fn terms(factor: &str, per_request: Option<&str>, extras: &Extras) -> Terms {
    let base = [
        (Item::Input, "1"),
        (Item::CachedInput, "0.1"),
        (Item::Output, "5.000001"),
    ];
    let figures = Figures {
        table: Table::new(
            rates(&base),
            [(1000, rates(&[(Item::Input, "2"), (Item::Output, "10")]))],
        ),
        request: Pico::parse("0.0001").ok(),
        features: vec![(Feature::WebSearch, Pico::parse("0.01").unwrap())],
        services: vec![Service {
            tier: ServiceTier::parse("flex").unwrap(),
            factor: Factor::parse("0.5").unwrap(),
            table: None,
        }],
    };
    let price = Arc::new(Price::new(figures, None, "here"));
    let per_request = per_request.map(|price| Pico::parse(price).unwrap());
    Terms::new(
        Some(price),
        Factor::parse(factor).unwrap(),
        per_request,
        extras,
    )
    .unwrap()
}

fn shown(terms: &Terms, usage: &Usage) -> String {
    let whole = terms.breakdown(usage);
    let mut text = format!("above {}\n", whole.above);
    for line in &whole.lines {
        let price = line.price.per_million();
        text += &format!(
            "{} {} x {price} per million = {}\n",
            line.count, line.item, line.amount
        );
    }
    text += &format!("units {}\n", whole.units);
    if let Some((tier, factor)) = whole.service {
        text += &format!("{tier} x {factor}\n");
    }
    for (name, price) in &whole.requests {
        text += &format!("{name} {price}\n");
    }
    text + &format!(
        "all x {}\nsum {}\ncost {}\n",
        whole.factor, whole.sum, whole.cost
    )
}

#[test]
fn every_line_of_a_cost_can_be_followed() {
    let usage = Usage {
        input: 900,
        cached_input: 200,
        output: 7,
        ..Usage::default()
    };
    let mut extras = Extras {
        service_tier: ServiceTier::parse("flex"),
        ..Extras::PLAIN
    };
    extras.features.insert(Feature::WebSearch);
    let short = shown(&terms("1.2", Some("0.005"), &extras), &usage);
    let long = Usage {
        input: 1001,
        ..usage
    };
    let long = shown(&terms("1", None, &Extras::PLAIN), &long);
    let none = shown(&Terms::FREE, &usage);
    insta::assert_snapshot!(format!("{short}\n{long}\n{none}"));
}

proptest! {
    #[test]
    fn the_lines_add_up_to_the_cost(
        input in 0_u64..5000,
        cached in any::<u16>(),
        output in any::<u32>(),
        reasoning in any::<u16>(),
        flex in any::<bool>(),
    ) {
        let usage = Usage {
            input,
            cached_input: cached.into(),
            output: output.into(),
            reasoning: reasoning.into(),
            ..Usage::default()
        };
        let extras = Extras {
            service_tier: flex.then(|| ServiceTier::parse("flex").unwrap()),
            ..Extras::PLAIN
        };
        let terms = terms("1.234567", Some("0.000000000001"), &extras);
        let whole = terms.breakdown(&usage);
        let of = |price: Pico| u128::from(price.get());
        let units: u128 = whole.lines.iter().map(|line| of(line.price) * u128::from(line.count)).sum();
        let service = whole.service.map_or(1_000_000, |(_, factor)| u128::from(factor.millionths()));
        let requests: u128 = whole.requests.iter().map(|(_, price)| of(*price)).sum();
        let factor = u128::from(whole.factor.millionths());
        // Trillionths, twice times millionths, as billionths, rounded up.
        let sum = (units * service + requests * 1_000_000) * factor;
        let nanos = i64::try_from(sum.div_ceil(1_000_000_000_000_000)).unwrap();
        prop_assert_eq!(NanoUsd::from_nanos(nanos), terms.cost(&usage));
        prop_assert_eq!(whole.cost, terms.cost(&usage));
        let counted: u64 = whole.lines.iter().map(|line| line.count).sum();
        prop_assert_eq!(counted, input + u64::from(output));
    }
}
