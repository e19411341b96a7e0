use proptest::{collection::vec, prelude::any, prop_assert_eq, proptest, sample::select};

use super::{Field, ITEMS, ImportError, Imported, read};
use crate::{
    domain::{Feature, ServiceTier},
    prices::{Item, Pico, Price, Rates},
};

const FILE: &str = r#"{
  "sample_spec": {"input_cost_per_token": "dollars for each token", "max_tokens": "how many"},
  "small": {
    "max_tokens": 16384, "litellm_provider": "openai", "mode": "chat", "supports_vision": true,
    "input_cost_per_token": 1.5e-07, "cache_read_input_token_cost": 7.5e-8, "output_cost_per_token": 0.0000006,
    "input_cost_per_token_batches": 7.5e-08, "output_cost_per_token_batches": 3e-07,
    "input_cost_per_token_priority": 2.5E-07, "output_cost_per_token_priority": 1e-06,
    "cache_read_input_token_cost_priority": 1.25e-07, "output_cost_per_image": null,
    "search_context_cost_per_query": {"search_context_size_low": 0.025, "search_context_size_medium": 0.0275, "search_context_size_high": 0.03}
  },
  "long": {
    "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
    "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
    "input_cost_per_token_flex": 1.5e-06, "input_cost_per_token_above_1m_tokens_flex": 4e-06,
    "input_cost_per_token_priority": 7e-06
  },
  "listed": {
    "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
    "tiered_pricing": [
      {"range": [0, 256000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 1e-7},
      {"range": [256000.0, 1000000.0], "input_cost_per_token": 3e-06, "output_cost_per_token": 6e-06, "cache_read_input_token_cost": null}
    ]
  },
  "listed alone": {"tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 0}, {"range": [9, 99], "input_cost_per_token": 1e-6}]},
  "listed by results": {"input_cost_per_token": 0, "tiered_pricing": [{"max_results_range": [0, 25], "input_cost_per_query": 0.005}]},
  "listed wrongly": {"tiered_pricing": [{"range": [0, 9], "input_cost_per_token": "1"}]},
  "sound": {"input_cost_per_token": 0, "output_cost_per_token": 0, "input_cost_per_second": 0.0001,
    "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05, "output_cost_per_reasoning_token": 1e-6},
  "scanner": {"ocr_cost_per_page": 1e-3, "annotation_cost_per_page": 3e-3},
  "painter": {"output_cost_per_image": 0.04, "input_cost_per_request": 0.005},
  "by the letter": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "input_cost_per_character": 1e-6},
  "free": {"input_cost_per_token": 0, "output_cost_per_token": 0},
  "house/silent": {"max_tokens": 5},
  "fine": {"input_cost_per_token": 1.00000000000001e-6},
  "text": {"input_cost_per_token": "0.1"},
  "debt": {"output_cost_per_token_flex": -1e-9},
  "gold": {"output_cost_per_token": 1e7},
  "huge": {"output_cost_per_token": 1e999999999},
  "list": [],
  "search": {"input_cost_per_token": 1, "search_context_cost_per_query": {"low": "dear"}}
}"#;

fn file() -> Imported {
    read(FILE, "prices.json").unwrap()
}

fn price(name: &str) -> Price {
    let schedule = file().find(&[name]).unwrap().unwrap().schedule;
    Price::clone(schedule.versions().next().unwrap())
}

fn wrong(name: &str) -> String {
    file().find(&[name]).unwrap_err().to_string()
}

/// The prices that were given, per million.
fn shown(rates: &Rates) -> String {
    let own = |item: Item| Some(format!("{item}={}", rates.own(item)?.per_million()));
    Item::ALL
        .into_iter()
        .filter_map(own)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The whole table of a service, or of calls as usual.
fn table(price: &Price, service: Option<&str>) -> Vec<String> {
    let table = match service {
        Some(word) => {
            let tier = ServiceTier::parse(word).unwrap();
            price
                .figures()
                .service(tier)
                .unwrap()
                .table
                .clone()
                .unwrap()
        }
        None => price.figures().table.clone(),
    };
    let tiers = table
        .tiers()
        .map(|(above, rates)| format!("{above}: {}", shown(rates)));
    [shown(table.base())].into_iter().chain(tiers).collect()
}

#[test]
fn prices_are_exactly_what_is_written() {
    let small = price("small");
    assert_eq!(small.source(), "prices.json: small");
    assert_eq!(
        table(&small, None),
        ["input=0.15 cached_input=0.075 output=0.6"]
    );
    assert_eq!(
        table(&small, Some("batch")),
        ["input=0.075 cached_input=0.075 output=0.3"]
    );
    assert_eq!(
        table(&small, Some("priority")),
        ["input=0.25 cached_input=0.125 output=1"]
    );
    assert!(
        small
            .figures()
            .service(ServiceTier::parse("flex").unwrap())
            .is_none()
    );
    let search = small.figures().feature(Feature::WebSearch).unwrap();
    assert_eq!(search.to_string(), "0.03");
    assert!(small.has_tokens());
}

#[test]
fn lengths_and_hours_are_read_from_the_key() {
    let long = price("long");
    assert_eq!(
        table(&long, None),
        [
            "input=3 cache_write=3.75 cache_write_1h=6 output=15",
            "200000: input=6 cache_write=7.5 cache_write_1h=12 output=22.5",
        ]
    );
    // What flex does not say costs as usual.
    assert_eq!(
        table(&long, Some("flex")),
        [
            "input=1.5 cache_write=3.75 cache_write_1h=6 output=15",
            "200000: input=6 cache_write=7.5 cache_write_1h=12 output=22.5",
            "1000000: input=4 cache_write=7.5 cache_write_1h=12 output=22.5",
        ]
    );
    // A long input is not cheaper than a short one, only because the file forgets it.
    assert!(table(&long, Some("priority"))[1].starts_with("200000: input=7 "));
}

#[test]
fn lengths_are_read_from_a_list() {
    assert_eq!(
        table(&price("listed"), None),
        [
            "input=1 cached_input=0.1 output=2",
            "256000: input=3 cached_input=0.1 output=6"
        ]
    );
    assert_eq!(
        table(&price("listed alone"), None),
        ["input=0", "9: input=1"]
    );
    // Noughts beside what is not understood are no price.
    assert!(file().find(&["listed by results"]).unwrap().is_none());
    assert_eq!(
        wrong("listed wrongly"),
        "prices.json: listed wrongly: tiered_pricing is not a JSON number"
    );
}

#[test]
fn other_units_are_read_and_noughts_in_their_place_are_no_price() {
    let sound = price("sound");
    assert_eq!(
        table(&sound, None)[0],
        "input=0 audio_input=40 output=0 reasoning=1 audio_output=80 second=100"
    );
    assert_eq!(table(&price("scanner"), None), ["page=1000"]);
    let painter = price("painter");
    assert_eq!(table(&painter, None), ["image=40000"]);
    assert_eq!(painter.figures().request.unwrap().to_string(), "0.005");
    assert!(!painter.has_tokens());
    assert_eq!(table(&price("free"), None), ["input=0 output=0"]);
    assert!(file().find(&["by the letter"]).unwrap().is_none());
}

#[test]
fn the_first_name_with_a_price_counts() {
    let file = file();
    let source = |names: &[&str]| {
        let schedule = file.find(names).unwrap()?.schedule;
        schedule
            .versions()
            .next()
            .map(|price| price.source().to_owned())
    };
    let found = source(&["nothing", "house/silent", "free", "small"]);
    assert_eq!(found.as_deref(), Some("prices.json: free"));
    assert_eq!(source(&["nothing", "house/silent"]), None);
    assert_eq!(source(&["sample_spec"]), None);
    assert_eq!(source(&[]), None);
}

#[test]
fn what_is_finer_than_a_trillionth_is_rounded_up() {
    let base = *price("fine").figures().table.base();
    assert_eq!(base.own(Item::Input), Pico::new(1_000_001));
}

#[test]
fn what_is_no_price_is_named() {
    assert_eq!(
        wrong("text"),
        "prices.json: text: input_cost_per_token is not a JSON number"
    );
    assert_eq!(
        wrong("debt"),
        "prices.json: debt: output_cost_per_token_flex is negative"
    );
    assert_eq!(
        wrong("gold"),
        "prices.json: gold: output_cost_per_token is too large: at most 1152921.504606846976"
    );
    assert_eq!(
        wrong("huge"),
        "prices.json: huge: output_cost_per_token is too large: at most 1152921.504606846976"
    );
    assert_eq!(wrong("list"), "prices.json: list is not a JSON object");
    assert_eq!(
        wrong("search"),
        "prices.json: search: search_context_cost_per_query is not a JSON number"
    );
    let broken = |text| read(text, "x").unwrap_err().to_string();
    assert_eq!(
        broken("{\n  \"a\": {]}"),
        "x:2:9: is not a JSON object of models"
    );
    assert_eq!(broken("[]"), "x:1:0: is not a JSON object of models");
    assert!(read("\u{feff}{}", "x").is_ok());
}

#[test]
fn keys_that_mean_something_else_are_not_taken() {
    for key in [
        "",
        "input_cost_per_token_above_200k",
        "input_cost_per_token_above_xk_tokens",
        "input_cost_per_token_above_k_tokens",
        "input_cost_per_token_above_0k_tokens",
        "input_cost_per_token_above_99999999999999999999k_tokens",
        "input_cost_per_token_above_1k_tokens_above_2k_tokens",
        "input_cost_per_token_above_1hr",
        "cache_creation_input_token_cost_above_1hr_above_1hr",
        "input_cost_per_token_flex_batches",
        "input_cost_per_token_slowly",
        "Input_cost_per_token",
        "_priority",
    ] {
        assert_eq!(Field::named(key), None, "{key}");
    }
}

proptest! {
    #[test]
    fn additions_to_a_key_come_in_any_order(
        item in select(&ITEMS[..]), thousands in 1..10_000_u64, turned in any::<bool>(),
    ) {
        let mut additions = [format!("_above_{thousands}k_tokens"), "_flex".to_owned()];
        if turned {
            additions.reverse();
        }
        let field = Field::named(&format!("{}{}", item.0, additions.concat()));
        let wanted = Field { item: item.1, above: thousands * 1000, service: Some("flex") };
        prop_assert_eq!(field, Some(wanted));
    }

    #[test]
    fn no_file_is_too_odd(bytes in vec(select(&b"{}[]\":,-.e01 abcinput_cost_per_token"[..]), 0..200)) {
        let text = String::from_utf8(bytes).unwrap();
        match read(&text, "x") {
            Ok(file) => { let _ = file.find(&["", "a", "input_cost_per_token"]); }
            Err(error) => prop_assert_eq!(matches!(error, ImportError::NotModels { .. }), true),
        }
        let whole = format!("{{\"a\": {{\"input_cost_per_token\": {text}}}}}");
        if let Ok(file) = read(&whole, "x") {
            let _ = file.find(&["a"]);
        }
    }
}
