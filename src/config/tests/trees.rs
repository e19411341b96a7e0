use std::fmt::Write as _;

use crate::config::tree::{Data, Node, parse};

/// The tree on one line.
fn drawn(text: &str) -> String {
    fn draw(node: &Node, out: &mut String) {
        match &node.data {
            Data::Scalar { text, .. } => {
                write!(out, "{text:?}@{}:{}", node.at.line, node.at.column)
            }
            Data::Sequence(items) => {
                out.push('[');
                items.iter().for_each(|item| {
                    draw(item, out);
                    out.push(' ');
                });
                write!(out, "]")
            }
            Data::Mapping(pairs) => {
                out.push('{');
                for (key, value) in pairs {
                    write!(out, "{}@{}:{} ", key.name, key.at.line, key.at.column).unwrap();
                    draw(value, out);
                    out.push(' ');
                }
                write!(out, "}}")
            }
        }
        .unwrap();
    }
    let mut out = String::new();
    match parse(text) {
        Ok(Some(node)) => draw(&node, &mut out),
        Ok(None) => out.push_str("nothing"),
        Err(fault) => write!(out, "{}:{} {}", fault.at.line, fault.at.column, fault.text).unwrap(),
    }
    out
}

#[test]
fn positions_and_duplicates_are_kept() {
    assert_eq!(
        drawn("a: 1\nb:\n  - x\n  - {c: 'd'}\na: 2\n"),
        r#"{a@1:1 "1"@1:4 b@2:1 ["x"@3:5 {c@4:6 "d"@4:9 } ] a@5:1 "2"@5:4 }"#
    );
    // A column counts characters, not bytes; a byte order mark is no character of the file.
    assert_eq!(drawn("\u{feff}ü: {ü: 1}"), r#"{ü@1:1 {ü@1:5 "1"@1:8 } }"#);
}

#[test]
fn an_empty_text_is_nothing() {
    for text in ["", "# only a comment\n", "---\n", "~"] {
        assert_eq!(drawn(text), "nothing", "{text:?}");
    }
}

#[test]
fn aliases_repeat_and_merges_fill_in() {
    assert_eq!(
        drawn("a: &x {b: 1, c: 2}\nd: *x\n"),
        r#"{a@1:1 {b@1:8 "1"@1:11 c@1:14 "2"@1:17 } d@2:1 {b@1:8 "1"@1:11 c@1:14 "2"@1:17 } }"#
    );
    assert_eq!(
        drawn("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n"),
        r#"{a@1:1 {b@1:8 "1"@1:11 c@1:14 "2"@1:17 } d@2:1 {c@2:13 "3"@2:16 b@1:8 "1"@1:11 } }"#
    );
    assert_eq!(
        drawn("a: &x {b: 1}\ne: &y {c: 2}\nd:\n  <<: [*x, *y]\n"),
        r#"{a@1:1 {b@1:8 "1"@1:11 } e@2:1 {c@2:8 "2"@2:11 } d@3:1 {b@1:8 "1"@1:11 c@2:8 "2"@2:11 } }"#
    );
}

#[test]
fn what_cannot_be_merged_is_called_that() {
    for (text, place) in [
        ("a: {<<: x}\n", "1:5"),
        ("a: &x 5\nb:\n  c: 1\n  <<: *x\n", "4:3"),
        ("a: &x {b: 1}\nc: {<<: [*x, y]}\n", "2:5"),
    ] {
        let said = drawn(text);
        assert!(said.contains("`<<` takes a mapping"), "{said}");
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn what_is_no_tree_says_where() {
    insta::assert_snapshot!(
        [
            "a: 1\n---\nb: 2\n",
            "a: [1, 2\nb: 3\n",
            "{a: ${NAME}}\n",
            "a:\n\t- b\n",
            "? [a, b]\n: c\n",
            "a: !env B\n",
            "a: &x [*x]\n",
            "a: *unknown\n",
            "a: \"\\q\"\n",
        ]
        .map(drawn)
        .join("\n")
    );
}

#[test]
fn depth_and_copies_are_bounded() {
    assert!(drawn(&"- ".repeat(100_000)).contains("nested too deeply"));
    assert!(drawn(&"[".repeat(100)).contains("nested too deeply"));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let line = format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 10].join(", ")
        );
        bomb.push_str(&line);
    }
    assert!(drawn(&bomb).contains("aliases repeat too much"));
    let mut tower = "a0: &a0 [x]\n".to_owned();
    for level in 1..60 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(drawn(&tower).contains("nested too deeply"));
}

/// The parser says what it met, which is seldom where the mistake is. Whoever made it is told where to look.
#[test]
fn what_is_no_yaml_is_told_where_to_look() {
    for (text, hint) in [
        (
            "server:\n  listen:127.0.0.1:1\n  drain: 1s\n",
            "a colon and a space",
        ),
        (
            "server:\n  listen 127.0.0.1:1\n  drain: 1s\n",
            "a colon and a space",
        ),
        ("server\n  drain: 1s\n", "a colon and a space"),
        ("server:\n  drain\n  log: x\n", "a colon and a space"),
        ("server: {}\n; comment\n", "a colon and a space"),
        ("server:\n  listen: x\n drain: 1s\n", "in the same column"),
        ("accounts:\n  - id: a\n  id: b\n", "in the same column"),
        ("server: {drain: 1s\nadmin: {}\n", "is still open"),
        ("plans:\n  p: {models: [a, b}\n", "is still open"),
        ("plans: {p: {}}}\n", "is closed that was not opened"),
        ("server: {listen: \"x}\n", "has no end"),
        ("server:\n  listen: 'x\n  drain: 1s\n", "has no end"),
        ("server:\n  listen: @x\n", "write quotes around"),
        ("server:\n  listen: *x\n", "write quotes around"),
        ("server:\n  listen: \"a\\q\"\n", "single quotes"),
        ("[server]\nlisten = 1\n", "`name: value`"),
    ] {
        let fault = parse(text).unwrap_err();
        let told = fault.hint.unwrap_or_default();
        assert!(told.contains(hint), "{text:?}: {} {told:?}", fault.text);
    }
}
