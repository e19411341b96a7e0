//! `faregate prices`.

use std::fs;

use super::{Exit, clock, settled, stopped::directory_with, type_in};

const CONFIG: &str = r"
store: {url: 'sqlite::memory:'}
providers:
  local: {kind: openai, base_url: 'http://127.0.0.1:1'}
models:
  small: {provider: local, model: tiny}
  long: {provider: local}
  dated: {provider: local}
  later: {provider: local}
  unknown: {provider: local}
prices:
  file: prices.json
  long:
    input: 3
    cache_write: 3.75
    cache_write_1h: 6
    output: 15
    image: 0.04
    request: 0.0001
    tiers: [{above: 200000, input: 6, output: 22.5}]
    service_tiers: {batch: 0.5}
    features: {web_search: 0.01}
  dated:
    versions:
      - {input: 1, output: 1}
      - {effective: 2026-06-01T00:00:00Z, input: 2, output: 2}
      - {effective: 2027-01-01T00:00:00Z, input: 3, output: 3.000001}
  later: {versions: [{effective: 2027-01-01T08:00:00Z, input: 1, output: 1}]}
plans:
  dear: {price_factor: 1.200001}
";

const FILE: &str = r#"{"openai/tiny": {
  "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
  "input_cost_per_token_flex": 7.5e-08,
  "input_cost_per_token_above_128k_tokens": 3e-07
}}"#;

#[test]
fn prices_say_where_they_come_from() {
    let (directory, file) = directory_with(CONFIG);
    fs::write(directory.path().join("prices.json"), FILE).unwrap();
    let mut page = String::new();
    for line in [
        "prices",
        "prices --plan dear",
        "prices --model small --plan dear --json",
        "prices --model long --json",
        "prices --model later --json",
        "prices --model smal",
        "prices --plan deer",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock()));
    }
    insta::assert_snapshot!("prices", settled(&page, directory.path()));
}

#[test]
fn without_models_nothing_has_a_price() {
    let (_directory, file) = directory_with("store: {url: 'sqlite::memory:'}");
    let said = type_in(&file, "prices", &clock());
    assert_eq!((said.exit, said.out.as_str()), (Exit::Done, ""));
    assert_eq!(said.notes, "The configuration lists no models.\n");
    let said = type_in(&file, "prices --json", &clock());
    assert!(said.out.contains("\"data\": []"), "{}", said.out);
}
