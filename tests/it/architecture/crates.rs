//! What is built in besides our own sources: where it comes from, and what of it runs while we build.

use std::{collections::BTreeSet, fmt::Write, process::Command};

use serde_json::Value;
use sha2::{Digest, Sha256};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(ROOT);
    let output = command.output().unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {notes}");
    String::from_utf8(output.stdout).unwrap()
}

/// Crates that run a program of their own while they are built, each with a digest of it. A change here is a program to be
/// read: at the last review, all of them but `aws-lc-sys` and `libsqlite3-sys` asked the compiler what it can do, or wrote
/// a few lines into the folder of the build; those two compile the C that they bring. None reached for the network.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn what_runs_while_we_build_has_been_read() {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let offline = ["--locked", "--offline"];
    let tree = [
        "tree",
        "-e",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--target",
        TARGET,
    ];
    let shipped = cargo(&[&tree[..], &offline].concat());
    let shipped: BTreeSet<(&str, &str)> = shipped
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    assert!(shipped.len() > 100, "{} crates", shipped.len());
    let metadata = [
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        TARGET,
    ];
    let metadata: Value =
        serde_json::from_str(&cargo(&[&metadata[..], &offline].concat())).unwrap();
    let (mut scripts, mut macros) = (BTreeSet::new(), BTreeSet::new());
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        // Our own program is read as all of our sources are.
        if name == env!("CARGO_PKG_NAME") {
            continue;
        }
        if !shipped.contains(&(name, package["version"].as_str().unwrap())) {
            continue;
        }
        for target in package["targets"].as_array().unwrap() {
            let is = |kind: &str| {
                target["kind"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|known| known == kind)
            };
            if is("custom-build") {
                let source = std::fs::read(target["src_path"].as_str().unwrap()).unwrap();
                let digest =
                    Sha256::digest(&source)
                        .iter()
                        .take(8)
                        .fold(String::new(), |mut text, byte| {
                            let _ = write!(text, "{byte:02x}");
                            text
                        });
                scripts.insert(format!("{name} {digest}"));
            }
            if is("proc-macro") {
                macros.insert(name);
            }
        }
    }
    let listed = |lines: Vec<&str>| lines.join("\n");
    insta::assert_snapshot!(
        "build_scripts",
        listed(scripts.iter().map(String::as_str).collect())
    );
    insta::assert_snapshot!("macros", listed(macros.into_iter().collect()));
}

#[test]
fn every_crate_comes_from_the_registry_and_is_known_by_its_digest() {
    let lock = text("Cargo.lock");
    let packages = lock.split("[[package]]\n").skip(1);
    let mut checked = 0;
    for package in packages {
        let name = package.lines().next().unwrap();
        if name == "name = \"faregate\"" {
            continue;
        }
        checked += 1;
        assert!(
            package
                .contains("\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"),
            "{name}"
        );
        assert!(package.contains("\nchecksum = \""), "{name}");
    }
    assert!(checked > 100, "{checked}");
    let manifest = text("Cargo.toml");
    for word in ["git =", "path = \"..", "[patch", "[replace"] {
        assert!(!manifest.contains(word), "{word}");
    }
}

#[test]
fn nobody_here_writes_unsafe_code() {
    assert!(text("Cargo.toml").contains("\nunsafe_code = \"forbid\"\n"));
    assert!(text("Cargo.toml").contains("\noverflow-checks = true\n"));
}

#[test]
fn every_tool_has_its_version() {
    let run = text(".ci/run");
    for line in run
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let installs = line.contains("cargo install");
        assert!(
            !installs || (line.contains("--locked") && line.contains("--version")),
            "{line}"
        );
        let builds = [
            "cargo test",
            "cargo build",
            "cargo clippy",
            "cargo doc",
            "cargo fetch",
        ];
        let called = builds.iter().any(|tool| line.contains(tool)) && !line.contains("results+=");
        assert!(!called || line.contains("--locked"), "{line}");
        assert!(!line.contains("curl ") && !line.contains("wget "), "{line}");
    }
    for line in text("tests/sdk/python/requirements.txt").lines() {
        let line = line.split('#').next().unwrap().trim();
        assert!(line.is_empty() || line.contains("=="), "{line}");
    }
    let lock: Value = serde_json::from_str(&text("tests/sdk/node/package-lock.json")).unwrap();
    for (name, package) in lock["packages"].as_object().unwrap() {
        assert!(
            name.is_empty() || package["integrity"].is_string(),
            "{name}"
        );
    }
    assert!(text("rust-toolchain.toml").contains("channel = \"1."));
}
