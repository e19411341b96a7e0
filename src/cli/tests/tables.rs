//! Tables as people read them.

use std::{fs, path::Path};

use serde_json::json;

use super::super::{
    table::{Heading, Table},
    usage,
};

#[test]
fn columns_are_aligned_and_cells_are_harmless() {
    let mut table = Table::new(&["NAME", ">COUNT", "WORDS"], Heading::Plain);
    table.row(["ä-long-name".to_owned(), "7".to_owned(), String::new()]);
    table.row([
        "x\x1b[2J".to_owned(),
        "12345678".to_owned(),
        "a b".to_owned(),
    ]);
    insta::assert_snapshot!("table", table);
    let mut table = Table::new(&["NAME"], Heading::Plain);
    table.row(["a\u{202e}b\u{2066}c\u{61c}d\u{e0041}e".to_owned()]);
    assert!(
        table
            .to_string()
            .ends_with("\na\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e\n")
    );
    let bold = Table::new(&["NAME"], Heading::Bold).to_string();
    assert_eq!(bold, "\x1b[1mNAME\x1b[0m\n");
}

#[test]
fn usage_has_a_total() {
    let row = |group: serde_json::Value, calls: u64| {
        json!({
            "group": group, "calls": calls, "estimated_calls": 1,
            "tokens": {"input": 1000 * calls, "cached_input": 10, "cache_write": 0, "output": 50, "reasoning": 0},
            "cost": (calls > 1).then(|| format!("{calls}.000000001")), "currency": "USD",
        })
    };
    let rows = [
        row(json!("2026-11-19"), 3),
        row(json!("2026-11-20"), 1200),
        row(json!(null), 1),
    ];
    insta::assert_snapshot!("usage", usage::table("day", &rows, Heading::Plain));
    let alone = usage::table("model", &rows[..1], Heading::Plain).to_string();
    assert!(alone.starts_with("MODEL ") && !alone.contains("total"));
}

#[test]
fn the_readme_shows_usage_as_it_is_printed() {
    let row = json!({
        "group": "gpt-4o-mini", "calls": 21, "estimated_calls": 0, "cost": null, "currency": null,
        "tokens": {"input": 42, "cached_input": 0, "cache_write": 0, "output": 1129, "reasoning": 0},
    });
    let shown = usage::table("model", &[row], Heading::Plain).to_string();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    assert!(readme.contains(&shown), "{shown}");
}
