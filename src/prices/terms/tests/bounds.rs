//! What is held covers what is charged, for every price and every usage within the bounds.

use std::sync::Arc;

use proptest::prelude::{
    BoxedStrategy, Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq,
    prop_oneof, proptest,
};

use super::exact::{any_price, factor, tokens, usual_price};
use crate::{
    domain::{Extras, Feature, Features, NanoUsd, ServiceTier, Usage},
    prices::{Bound, Figures, Item, Pico, Price, Quote, Rates, Service, Table, Terms},
};

fn rates(price: BoxedStrategy<Pico>) -> BoxedStrategy<Rates> {
    let rates = prop::collection::vec(prop::option::of(price), Item::ALL.len());
    let rates = rates.prop_map(|prices| {
        let mut rates = Rates::default();
        for (item, price) in Item::ALL.into_iter().zip(prices) {
            if let Some(price) = price {
                rates.set(item, price);
            }
        }
        rates
    });
    rates.boxed()
}

fn table(price: BoxedStrategy<Pico>) -> BoxedStrategy<Table> {
    let above = prop_oneof![0..10_u64, Just(200_000), 0..400_000_u64];
    let tiers = prop::collection::vec((above, rates(price.clone())), 0..4);
    (rates(price), tiers)
        .prop_map(|(base, tiers)| Table::new(base, tiers))
        .boxed()
}

/// A row of usual prices, or one with prices up to the highest.
fn figures() -> impl Strategy<Value = Figures> {
    prop_oneof![4 => row(usual_price().boxed()), 1 => row(any_price().boxed())]
}

fn row(price: BoxedStrategy<Pico>) -> BoxedStrategy<Figures> {
    let service =
        (factor(), prop::option::of(table(price.clone()))).prop_map(|(factor, table)| Service {
            tier: ServiceTier::parse("flex").unwrap(),
            factor,
            table,
        });
    let features = prop::collection::vec(
        (prop::sample::select(Feature::ALL.to_vec()), price.clone()),
        0..3,
    );
    let whole = (
        table(price.clone()),
        prop::option::of(price),
        features,
        prop::collection::vec(service, 0..2),
    );
    let row = whole.prop_map(|(table, request, features, services)| Figures {
        table,
        request,
        features,
        services,
    });
    row.boxed()
}

fn extras() -> impl Strategy<Value = Extras> {
    let tier = prop::sample::select(vec![None, ServiceTier::parse("flex")]);
    let feature = prop::option::of(prop::sample::select(Feature::ALL.to_vec()));
    (tier, feature, prop::array::uniform6(any::<bool>())).prop_map(
        |(service_tier, feature, flags)| {
            let mut features = Features::NONE;
            feature
                .into_iter()
                .for_each(|feature| features.insert(feature));
            let [
                audio_input,
                audio_output,
                image_output,
                unseen_input,
                cache_write,
                cache_write_1h,
            ] = flags;
            Extras {
                service_tier,
                features,
                audio_input,
                audio_output,
                image_output,
                unseen_input,
                cache_write,
                cache_write_1h,
            }
        },
    )
}

/// A part of a whole: none, all, anything, and more than there is.
fn share() -> impl Strategy<Value = fn(u64, u64) -> u64> {
    let shares: [fn(u64, u64) -> u64; 4] = [
        |_, _| 0,
        |whole, _| whole,
        |whole, random| random % whole.saturating_add(1),
        |whole, random| whole.saturating_add(random),
    ];
    prop::sample::select(shares.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn a_hold_is_never_below_the_cost(
        figures in figures(),
        extras in extras(),
        (plan, route) in (factor(), prop::option::of(usual_price())),
        (input, limit, answers) in (tokens(), tokens(), 0..5_u64),
        shares in prop::array::uniform10(share()),
        random in prop::array::uniform10(any::<u64>()),
    ) {
        let price = Arc::new(Price::new(figures, None, "a:1"));
        let terms = Terms::as_named(Some(price), plan, route, &extras);
        let quote = terms.quote(&Bound { input, answers });
        let part = |index: usize, whole: u64| shares[index](whole, random[index]);
        let only = |possible: bool, count: u64| if possible { count } else { 0 };
        let (used, written) = (part(0, input).min(input), limit.saturating_mul(answers.max(1)));
        let written = part(1, written).min(written);
        let audio = extras.audio_input || extras.unseen_input;
        let write = only(extras.cache_write || extras.cache_write_1h, part(2, used));
        let usage = Usage {
            input: used,
            cached_input: part(3, used),
            cache_write: write,
            cache_write_1h: only(extras.cache_write_1h, part(4, write)),
            audio_input: only(audio, part(5, used)),
            output: written,
            reasoning: part(6, written),
            audio_output: only(extras.audio_output, part(7, written)),
            images: only(extras.makes_images(), random[7] % 11 * answers.max(1)),
            seconds: only(audio, part(8, input).min(input)),
            pages: only(extras.unseen_input, part(9, input).min(input)),
        };
        let cost = terms.cost(&usage);
        let held = quote.fixed().saturating_add(quote.hold_for(limit));
        prop_assert!(held >= cost, "held {held} for {cost}");
        prop_assert!(cost >= quote.fixed() && quote.fixed() >= NanoUsd::ZERO);
    }

    #[test]
    fn what_is_affordable_is_the_most_that_fits(
        figures in figures(), extras in extras(), input in tokens(), answers in 0..5_u64, left in any::<i64>(),
    ) {
        let price = Arc::new(Price::new(figures, None, "a:1"));
        let terms = Terms::as_named(Some(price), crate::prices::Factor::ONE, None, &extras);
        let quote = terms.quote(&Bound { input, answers });
        let left = NanoUsd::from_nanos(left);
        let fits = |output| {
            let whole = i128::from(quote.fixed().nanos()) + i128::from(quote.hold_for(output).nanos());
            whole <= i128::from(left.nanos()) && quote.hold_for(output) < NanoUsd::MAX
        };
        match quote.affordable(left) {
            Some(most) => {
                prop_assert!(fits(most));
                prop_assert!(most == u64::MAX || !fits(most + 1));
            }
            None => prop_assert!(!fits(0)),
        }
    }

    #[test]
    fn a_hold_grows_with_its_bounds(figures in figures(), extras in extras(), input in tokens(), output in tokens()) {
        let price = Arc::new(Price::new(figures, None, "a:1"));
        let terms = Terms::as_named(Some(price), crate::prices::Factor::ONE, None, &extras);
        let hold = |input, answers, output| terms.quote(&Bound { input, answers }).hold_for(output);
        let least = hold(input, 1, output);
        prop_assert!(hold(input.saturating_add(1), 1, output) >= least);
        prop_assert!(hold(input, 2, output) >= least);
        prop_assert!(hold(input, 1, output.saturating_add(1)) >= least);
        prop_assert_eq!(hold(input, 0, output), least);
    }
}

#[test]
fn nothing_costs_nothing_and_needs_something_left() {
    assert_eq!(Quote::NOTHING.fixed(), NanoUsd::ZERO);
    assert_eq!(Quote::NOTHING.hold_for(u64::MAX), NanoUsd::ZERO);
    assert_eq!(Quote::NOTHING.affordable(NanoUsd::ZERO), Some(u64::MAX));
    assert_eq!(Quote::NOTHING.affordable(NanoUsd::from_nanos(-1)), None);
}
