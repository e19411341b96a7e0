//! `prices`: what models cost.

use std::fs;

use super::{Fixed, compiled, problems};
use crate::{
    config::{Config, Problems, parse},
    domain::{Feature, ServiceTier},
    prices::{Item, Price, Schedule},
};

const MODELS: &str = "providers: {p: {kind: simulated}, o: {kind: openai}}
models: {a: {provider: p, context_window: 10}, b: {provider: p, context_window: 10}, c: {provider: o, model: far, context_window: 10}}
";

fn with_models(text: &str) -> String {
    format!("{MODELS}{text}")
}

fn schedule(config: &Config, name: &str) -> Option<Schedule> {
    let models = config.gateway.models.as_ref().unwrap();
    let model = models.iter().find(|model| model.name.as_str() == name);
    model.unwrap().prices.clone()
}

fn price(config: &Config, name: &str) -> Price {
    let schedule = schedule(config, name).unwrap();
    Price::clone(schedule.versions().next().unwrap())
}

fn own(price: &Price, item: Item) -> String {
    let own = price.figures().table.base().own(item);
    own.unwrap().to_string()
}

#[test]
fn decimals_are_exact() {
    let config = compiled(&with_models(
        "prices: {a: {input: 0.15, output: \"0.000001\", image: 0.000000000001, request: 0.1}, b: {input: 0, output: 1000000, cached_input: 0.07500}}",
    ))
    .unwrap();
    let a = price(&config, "a");
    assert_eq!(own(&a, Item::Input), "0.00000015");
    assert_eq!(own(&a, Item::Output), "0.000000000001");
    assert_eq!(own(&a, Item::Image), "0.000000000001");
    assert_eq!(a.figures().request.unwrap().to_string(), "0.1");
    assert_eq!(a.source(), "/etc/test/faregate.yaml:3");
    let b = price(&config, "b");
    assert_eq!(own(&b, Item::Input), "0");
    assert_eq!(own(&b, Item::Output), "1");
    assert_eq!(own(&b, Item::CachedInput), "0.000000075");
    assert!(schedule(&config, "c").is_none());
}

#[test]
fn versions_tiers_services_and_features_are_kept() {
    let config = compiled(&with_models(
        "prices:
  a:
    versions:
      - {effective: 2027-01-01T00:00:00Z, input: 2, output: 2}
      - input: 1
        output: 1
        tiers: [{above: 200, input: 4}, {above: 100, input: 3, output: 3}]
        service_tiers: {batch: 0.5}
        features: {web_search: 0.01}
",
    ))
    .unwrap();
    let schedule = schedule(&config, "a").unwrap();
    let versions: Vec<String> = schedule
        .versions()
        .map(|price| price.version().to_string())
        .collect();
    assert_eq!(versions[1], "2027-01-01");
    let at = |text: &str| {
        let now = text.parse().unwrap();
        schedule.at(now).unwrap().version().to_string()
    };
    assert_eq!(at("2026-12-31T23:59:59Z"), versions[0]);
    assert_eq!(at("2027-01-01T00:00:00Z"), versions[1]);
    let first = price(&config, "a");
    let figures = first.figures();
    let tiers: Vec<_> = figures
        .table
        .tiers()
        .map(|(above, rates)| (above, rates.own(Item::Output).unwrap().get()))
        .collect();
    assert_eq!(tiers, [(100, 3_000_000), (200, 3_000_000)]);
    let batch = figures.service(ServiceTier::parse("batch").unwrap());
    assert_eq!(batch.unwrap().factor.to_string(), "0.5");
    let search = figures.feature(Feature::WebSearch).unwrap();
    assert_eq!(search.to_string(), "0.01");
}

#[test]
fn mistakes_are_named_where_they_stand() {
    let mut page = String::new();
    for text in [
        "prices: {a: {input: 0.1500001, output: 1}}",
        "prices: {a: {input: -1, output: 1e-3}, b: {image: 0.0000000000001}}",
        "prices: {a: {input: 9999999999999}}",
        "prices: {aa: {input: 1}, far: {input: 1}}",
        "prices: {a: {}, b: }",
        "prices: {a: {input: 1, versions: [{input: 1}]}, b: {versions: []}}",
        "prices: {a: {versions: [{input: 1}, {input: 2}]}}",
        "prices: {a: {versions: [{effective: 2027-01-01T00:00:00Z, input: 1}, {effective: \"2027-01-01T01:00:00+01:00\", input: 2}, {effective: tomorrow, input: 2}]}}",
        "prices: {a: {input: 1, tiers: [{above: 5, input: 2}, {above: 5, input: 3}, {input: 4}]}}",
        "prices: {a: {input: 1, service_tiers: {batch: 1001, flex: 0.0000001, slow: 1}, features: {dance: 1}}}",
        "prices: {a: {input: 1}, a: {input: 2}}",
        "prices: []",
        "plans: {x: {price_factor: 1.2000001}, y: {price_factor: -1}, z: {price_factor: lots}}",
        "routes: [{path: /, price_per_request: free}, {path: /x, provider: o, price_per_request: 0.0000000000001}]",
    ] {
        page += &format!("{text}\n{}\n\n", problems(&with_models(text)));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn a_date_that_is_wrong_is_not_also_the_date_of_another_version() {
    let text = "prices: {a: {versions: [{input: 1}, {effective: 2027-02-30T00:00:00Z, input: 2}]}}";
    let told = problems(&with_models(text));
    assert!(told.contains("prices.a.versions[1].effective: "), "{told}");
    assert!(!told.contains("at the same instant"), "{told}");
}

#[test]
fn money_needs_a_price_for_every_model_it_reaches() {
    insta::assert_snapshot!(problems(&with_models(
        "prices: {a: {input: 1, output: 1}}
plans:
  all: {budgets: [{usd: 1, per: day}]}
  paid: {credit: required, models: [a, b]}
  each: {per_key: {budgets: [{usd: 1, per: day}]}, models: [c]}
  fine: {credit: required, models: [a]}
  open: {}
accounts:
  - {id: x, plan: open, budgets: [{usd: 1, per: day}]}
  - {id: y, plan: open, models: [a], budgets: [{usd: 1, per: day}]}
"
    )));
}

#[test]
fn factors_and_prices_of_requests_are_exact() {
    let config = compiled(&with_models(
        "plans: {x: {price_factor: 1.2}, y: {}, z: {price_factor: 0}}
routes: [{path: /, price_per_request: 0.005}, {path: /x, provider: o}]",
    ))
    .unwrap();
    let factors = config.roster.plans.iter().map(|plan| plan.price_factor);
    let factors: Vec<String> = factors.map(|factor| factor.to_string()).collect();
    assert_eq!(factors, ["1.2", "1", "0"]);
    let prices = config.gateway.routes.iter();
    let prices: Vec<_> = prices
        .map(|route| route.price_per_request.map(|price| price.get()))
        .collect();
    assert_eq!(prices, [Some(5_000_000_000), None]);
}

/// Compiles beside a file of prices; the directory of the test is replaced in what is said.
fn beside(json: &[u8], text: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("prices.json"), json).unwrap();
    let path = directory.path().join("faregate.yaml");
    let shown = directory.path().to_str().unwrap().to_owned();
    let config = parse(&with_models(text), &path, &Fixed::default());
    config.map_err(|problems: Problems| problems.to_string().replace(&shown, "<dir>"))
}

#[test]
fn a_file_has_the_prices_of_models_without_a_row() {
    let json = br#"{
        "a": {"input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6},
        "b": {"input_cost_per_token": 1.5e-7, "output_cost_per_token": 6.00000000000001e-7},
        "far": {"max_tokens": 1},
        "openai/far": {"input_cost_per_token": 3e-6, "output_cost_per_token": 3e-6},
        "nobody's": {"input_cost_per_token": "broken"}
    }"#;
    let text =
        "prices: {file: prices.json, a: {input: 1, output: 1}}\nplans: {x: {credit: required}}";
    let config = beside(json, text).unwrap();
    assert_eq!(own(&price(&config, "a"), Item::Input), "0.000001");
    assert_eq!(own(&price(&config, "b"), Item::Output), "0.000000600001");
    let far = price(&config, "c");
    assert_eq!(own(&far, Item::Input), "0.000003");
    assert!(far.source().ends_with("prices.json: openai/far"));
}

#[test]
fn a_row_of_a_file_without_tokens_is_no_price_of_a_model_that_reads_and_writes() {
    let json = br#"{
        "a": {"mode": "embedding", "input_cost_per_token": 2e-8},
        "b": {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
        "far": {"mode": "chat", "input_cost_per_token": 1e-6}
    }"#;
    let said = beside(
        json,
        "prices: {file: prices.json}\nplans: {x: {credit: required}}",
    );
    let said = said.unwrap_err();
    assert!(
        said.contains("missing for b (no price for `input`)\n"),
        "{said}"
    );
    let open = beside(json, "prices: {file: prices.json}\nplans: {x: {}}").unwrap();
    let models = open.roster.models.unwrap();
    let priced: Vec<bool> = models.values().map(|extent| extent.priced).collect();
    assert_eq!(priced, [true, false, true]);
}

#[test]
fn output_needs_a_price_only_where_a_model_is_known_to_write() {
    let with = |more: &str, prices: &str| {
        compiled(&format!(
            "providers: {{p: {{kind: simulated}}}}
models: {{m: {{provider: p, context_window: 10{more}}}}}
prices: {{m: {{{prices}}}}}
plans: {{x: {{credit: required}}}}"
        ))
    };
    assert!(with("", "input: 1").is_ok());
    assert!(with(", max_output_tokens: 5", "input: 1, output: 0").is_ok());
    for (more, prices, missing) in [
        (", max_output_tokens: 5", "input: 1", "output"),
        ("", "output: 1", "input"),
        ("", "request: 1", "input"),
        (
            "",
            "versions: [{input: 1}, {effective: 2027-01-01T00:00:00Z, output: 1}]",
            "input",
        ),
    ] {
        let said = with(more, prices).unwrap_err().to_string();
        let words = format!("missing for m (no price for `{missing}`)\n");
        assert!(said.contains(&words), "{said}");
    }
    // What was written wrong is not missing as well.
    for wrong in ["input: free", "versions: []", "versions: [{input: -1}]"] {
        let said = with("", wrong).unwrap_err();
        assert_eq!(said.iter().count(), 1, "{said}");
    }
}

#[test]
fn money_needs_a_price_that_is_in_force_when_the_file_is_read() {
    let text = |versions: &str| {
        with_models(&format!(
            "prices: {{a: {{versions: [{versions}]}}}}\nplans: {{x: {{credit: required, models: [a]}}}}"
        ))
    };
    let later = "{effective: 2027-01-01, input: 1, output: 1}, {effective: 2028-01-01, input: 2, output: 2}";
    let said = problems(&text(later));
    assert!(
        said.contains(
            "plans.x.credit: money needs a price that is in force now; missing for a (its first takes effect at \
             2027-01-01T00:00:00Z)\n"
        ),
        "{said}"
    );
    for now in [
        "{input: 3, output: 3}",
        "{effective: 2026-11-20, input: 3, output: 3}",
    ] {
        compiled(&text(&format!("{now}, {later}"))).unwrap();
    }
    // Nobody pays by it yet.
    compiled(&text(later).replace("credit: required, ", "")).unwrap();
}

#[test]
fn mistakes_in_a_file_are_named_once() {
    let mut page = String::new();
    let good: &[u8] = br#"{"a": {"input_cost_per_token": 1, "output_cost_per_token": 1}}"#;
    let cases: [(&[u8], &str); 9] = [
        (
            br#"{"far": {"input_cost_per_token": -1}, "b": {"output_cost_per_token": true}}"#,
            "\nprices:\n  file: prices.json\n  a: {input: 1, output: 1}\nplans: {x: {credit: required}}",
        ),
        (
            b"{\n  \"a\": 1,\n}",
            "prices: {file: prices.json}\nplans: {x: {credit: required}}",
        ),
        (b"\xff", "prices: {file: prices.json}"),
        (good, "prices: {file: other.json}"),
        (good, "prices: {file: .}"),
        (good, "prices: {file: {input: 1}}"),
        (good, "prices: {file: }"),
        (good, "prices: {file: prices.json, file: prices.json}"),
        (
            good,
            "prices: {file: prices.json}\nplans: {x: {credit: required}}",
        ),
    ];
    for (json, text) in cases {
        page += &format!("{}\n{}\n\n", text.trim(), beside(json, text).unwrap_err());
    }
    insta::assert_snapshot!(page);
}

#[test]
fn a_price_of_a_file_that_is_not_known_is_named() {
    let json = br#"{
        "a": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_image_token": 9e-6,
            "cache_creation_input_token_cost_above_12hr": 8e-6, "output_cost_per_video_per_second": 0,
            "input_cost_per_second": 1e-9},
        "b": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
            "tiered_pricing": [{"range": [9, 99], "cost_of_thought": 1}]},
        "nobody's": {"input_cost_per_token": 1, "cost_of_thought": 1}
    }"#;
    let config = beside(json, "prices: {file: prices.json}\nplans: {x: {}}").unwrap();
    let lines = config.warnings.iter().map(ToString::to_string);
    let lines = lines.filter(|line| line.contains("prices.file"));
    let said = lines.collect::<Vec<_>>().join("\n");
    let of_a = "for a that are not known here: cache_creation_input_token_cost_above_12hr, input_cost_per_image_token";
    assert!(said.contains(of_a), "{said}");
    assert!(
        said.contains("for b that are not known here: tiered_pricing"),
        "{said}"
    );
    assert!(
        !said.contains("video") && !said.contains("nobody"),
        "{said}"
    );
}
