//! What a compiler does not check: that modules use lower ranks only, and that files stay as they are meant to be.
//!
//! Every rule is also shown what it must find, because a rule that finds nothing looks just like one that is kept.

mod cases;
mod crates;
mod rules;
mod source;

use rules::{Exception, Ranks};
use source::{Source, blank};

/// Dependencies that go against the ranks, each with its reason. The list is empty, and every entry is a debt.
const EXCEPTIONS: [Exception; 0] = [];

fn root() -> Source {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs"));
    Source::new("src/lib.rs", &text.unwrap())
}

fn everything() -> Vec<Source> {
    let sources = Source::all(&["src", "tests"]);
    assert!(sources.len() > 200, "only {} files seen", sources.len());
    sources
}

/// Asks one rule about the whole repository.
fn check(rule: impl Fn(&Source) -> Vec<String>) {
    let broken: Vec<String> = everything().iter().flat_map(rule).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn sample(path: &str, text: &str) -> Source {
    Source::new(path, text)
}

#[test]
fn modules_use_lower_ranks_only() {
    // `main.rs` is another crate above this one: it may use whatever is public.
    let mut sources = Source::all(&["src"]);
    sources.retain(|source| source.path != "src/main.rs");
    let ranks = rules::table(&root().text);
    let broken = rules::upward(&sources, &ranks, &EXCEPTIONS);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let gateway = sources
        .iter()
        .find(|source| source.path == "src/gateway/stack.rs");
    assert!(rules::dependencies(gateway.unwrap()).contains("admission"));
}

#[test]
fn the_table_of_ranks_has_every_module() {
    let root = root();
    let ranks = rules::table(&root.text);
    assert_eq!(rules::unlisted(&root, &ranks), [""; 0]);
    assert_eq!((ranks["domain"], ranks["cli"]), (0, 10));
}

#[test]
fn files_are_short() {
    check(rules::too_long);
}

#[test]
fn modules_are_named_by_what_they_own() {
    check(rules::banned_names);
}

#[test]
fn imports_name_what_they_import() {
    check(rules::globs);
}

#[test]
fn files_say_what_they_own() {
    check(rules::undocumented);
}

#[test]
fn files_are_finished() {
    check(rules::unfinished);
}

#[test]
fn money_is_whole_numbers() {
    check(rules::floats);
}

#[test]
fn evidence_is_made_by_its_check() {
    check(rules::forged);
    let mut sources = Source::all(&["src/admission"]);
    sources.extend(Source::all(&["src/app"]));
    let moved: Vec<Source> = sources
        .iter()
        .map(|source| sample("src/gateway/stack.rs", &source.text))
        .collect();
    let found: Vec<String> = moved.iter().flat_map(rules::forged).collect();
    // Every entry is still called under its name, and would be found in another file.
    assert_eq!(found.len(), 5, "{found:#?}");
}

fn two_ranks() -> Ranks {
    rules::table(
        "//! | 0 | [`low`] | this |\n//! | 1 | [`high`] | that |\n//! | 1 | [`peer`] | other |",
    )
}

fn uses(path: &str, text: &str) -> Vec<String> {
    rules::upward(&[sample(path, text)], &two_ranks(), &[])
}

#[test]
fn a_table_is_read() {
    let ranks: Vec<_> = two_ranks().into_iter().collect();
    let expected = [("high", 1), ("low", 0), ("peer", 1)];
    assert_eq!(ranks, expected.map(|(name, rank)| (name.to_owned(), rank)));
    assert!(rules::table("//! | rank | module | what |\n//! |---|---|---|").is_empty());
}

#[test]
fn a_dependency_upward_is_found_however_it_is_written() {
    for text in [
        "use crate::high::Thing;",
        "use crate::{\n    low::{A, B},\n    high::{Thing, Other},\n};",
        "use crate::{self as me, high};",
        "fn f() { let x = crate::high::thing(); }",
        "fn f(x: &crate :: high::Thing) {}",
        "pub use super::high::Thing;",
        "pub(in crate::high) struct Thing;",
        "fn f<'a>(x: &'a str) -> char { '\\'' } use crate::high::T; const Q: char = '\"';",
    ] {
        let found = uses("src/low/mod.rs", text);
        assert!(
            found.contains(&"src/low/mod.rs: low must not use high".to_owned()),
            "{text}: {found:?}"
        );
    }
    let deep = uses("src/low/deep.rs", "use super::super::high::Thing;");
    assert_eq!(deep, ["src/low/deep.rs: low must not use high"]);
    let sideways = uses("src/high.rs", "use crate::peer::Thing;");
    assert_eq!(sideways, ["src/high.rs: high must not use peer"]);
    let unknown = uses("src/high.rs", "use crate::nowhere::Thing;");
    assert_eq!(unknown, ["src/high.rs: high must not use nowhere"]);
}

#[test]
fn a_dependency_that_is_allowed_or_no_dependency_is_passed() {
    for (path, text) in [
        ("src/high.rs", "use crate::low::Thing;"),
        ("src/low/mod.rs", "use crate::low::Thing;"),
        (
            "src/low/deep.rs",
            "use super::high; // a module of its own below low",
        ),
        (
            "src/low/mod.rs",
            "//! Used by [`crate::high`].\n/* crate::high::X /* nested */ */",
        ),
        ("src/low/mod.rs", "const A: &str = \"crate::high::X\";"),
        (
            "src/low/mod.rs",
            "const A: &str = r#\"\"crate::high::X\"\"#;",
        ),
        (
            "src/low/mod.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::high::Thing;\n}",
        ),
        ("src/low/tests.rs", "use crate::high::Thing;"),
        ("src/low/tests/more.rs", "use crate::high::Thing;"),
    ] {
        assert_eq!(uses(path, text), [""; 0], "{text}");
    }
    let sources = [
        sample("src/low/mod.rs", "#[cfg(test)]\nmod samples;\n"),
        sample("src/low/samples.rs", "use crate::high::Thing;"),
    ];
    assert_eq!(rules::upward(&sources, &two_ranks(), &[]), [""; 0]);
    // Code behind a test module is code again.
    let text = "#[cfg(test)]\nmod tests;\nuse crate::high::Thing;";
    assert_eq!(uses("src/low/mod.rs", text).len(), 1);
}

#[test]
fn an_exception_needs_a_reason_and_a_use() {
    let excused = |reason| Exception {
        from: "low",
        to: "high",
        reason,
    };
    let sources = [sample("src/low.rs", "use crate::high::Thing;")];
    let none: [Source; 0] = [];
    let ranks = two_ranks();
    assert!(rules::upward(&sources, &ranks, &[excused("it has to be")]).is_empty());
    assert_eq!(rules::upward(&sources, &ranks, &[excused("")]).len(), 1);
    assert_eq!(
        rules::upward(&none, &ranks, &[excused("it had to be")]).len(),
        1
    );
}

#[test]
fn a_module_without_a_row_and_a_row_without_a_module_are_found() {
    let root = sample(
        "src/lib.rs",
        "pub mod low;\nmod high;\npub mod other;\n// pub mod peer;",
    );
    let found = rules::unlisted(&root, &two_ranks());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`other`") && found[1].contains("`peer`"));
}

#[test]
fn a_long_file_is_found() {
    let lines = |count| sample("src/a.rs", &"x\n".repeat(count));
    assert!(rules::too_long(&lines(500)).is_empty());
    assert_eq!(
        rules::too_long(&lines(501)),
        ["src/a.rs: 501 lines, at most 500"]
    );
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for (path, text) in [
        ("src/a/util.rs", ""),
        ("src/common/b.rs", ""),
        ("tests/it/helpers/mod.rs", ""),
        ("src/a.rs", "pub(crate) mod types {\n}"),
        ("src/a.rs", "mod error;"),
    ] {
        assert_eq!(
            rules::banned_names(&sample(path, text)).len(),
            1,
            "{path} {text}"
        );
    }
    assert!(
        rules::banned_names(&sample("src/errors.rs", "mod utilities; // mod util;")).is_empty()
    );
}

#[test]
fn a_glob_import_is_found() {
    for text in [
        "use super::*;",
        "use a::{b, c::*};",
        "pub use a::{\n    *,\n};",
        "fn f() { use E::*; }",
    ] {
        assert_eq!(rules::globs(&sample("src/a.rs", text)).len(), 1, "{text}");
    }
    let fine = "use a::b; // use c::*;\nfn f(reuse: i32) -> i32 { reuse * 2 }\nconst C: &str = \"use d::*;\";";
    assert!(rules::globs(&sample("src/a.rs", fine)).is_empty());
}

#[test]
fn a_file_without_documentation_is_found() {
    let find = |path, text| rules::undocumented(&sample(path, text)).len();
    assert_eq!(find("src/a.rs", "use b::c;\n//! Too late.\n"), 1);
    assert_eq!(find("src/a.rs", "/// Of the next item.\n"), 1);
    assert_eq!(find("src/a.rs", "//! Owns it.\n"), 0);
    assert_eq!(find("src/a/tests.rs", "use b::c;\n"), 0);
}

#[test]
fn what_is_unfinished_is_found() {
    let find = |text| rules::unfinished(&sample("src/a.rs", text)).len();
    assert_eq!(find("fn f() { dbg!(1); }"), 1);
    assert_eq!(find("fn f() { todo!() }"), 1);
    assert_eq!(find("fn f() { std::unimplemented!(\"x\") }"), 1);
    assert_eq!(find("// todo!()\nfn f() { my_dbg!(\"dbg!\") }"), 0);
}

#[test]
fn floating_point_where_money_is_is_found() {
    let find = |path, text| rules::floats(&sample(path, text)).len();
    for text in [
        "fn cost(x: f64) {}",
        "let x = tokens as f32;",
        "let x = 1f64;",
        "let x = 1_f64;",
        "let x = value.as_f64();",
        "let x = Duration::from_secs_f32(1.);",
        "let x = y * 0.5;",
    ] {
        assert_eq!(find("src/prices/terms.rs", text), 1, "{text}");
        assert_eq!(find("src/telemetry/format.rs", text), 0, "{text}");
        assert_eq!(find("src/prices/terms/tests.rs", text), 0, "{text}");
    }
    assert_eq!(
        find(
            "src/store/a.rs",
            "// f64 0.5\nlet buf64 = \"f64\"; let f642 = pair.0.1; for i in 0..5 {}"
        ),
        0
    );
}

#[test]
fn blanking_keeps_lines_and_lifetimes() {
    for (text, blanked) in [
        ("a // b\nc", "a     \nc"),
        ("/* a\n/* b */ */c", "    \n          c"),
        ("\"a\\\"b\"c", "      c"),
        ("b'\\'' 'a 'b'", "b     'a    "),
        ("r##\"a\"#\"##b", "          b"),
        ("for 'a: br\"x\"", "for 'a:      "),
        ("letter\"x\"", "letter   "),
        ("'\\u{1F}'c", "        c"),
        ("\"\\\\\"c", "    c"),
    ] {
        assert_eq!(blank(text), blanked, "{text}");
    }
}
