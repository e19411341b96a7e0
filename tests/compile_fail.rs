//! The order of the checks is kept by types: programs that leave a check out, exchange two or make up what a check
//! gives do not compile, and the compiler says why.
//!
//! The programs are compiled against the library that these tests are built with, which takes a second; a package
//! of its own around them would compile every dependency once more. The texts are those of the toolchain that
//! `rust-toolchain.toml` names.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed; its helpers are tests as well"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// What cargo has built.
struct Built {
    faregate: PathBuf,
    http: PathBuf,
}

impl Built {
    /// Asks cargo, which has built all of it for these tests and only says where it is.
    fn find() -> Self {
        let test = std::env::current_exe().unwrap();
        // <target>/<profile>/deps/<this>
        let target = test.ancestors().nth(3).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--no-run", "--locked", "--offline"]);
        cargo.args(["--test", "compile_fail", "--message-format=json"]);
        cargo.arg("--target-dir").arg(target);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = run(&mut cargo);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let artifacts: Vec<Value> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let library = |name: &str| {
            let mut found = artifacts
                .iter()
                .filter(|artifact| {
                    let target = &artifact["target"];
                    target["name"] == name && target["kind"][0] == "lib"
                })
                .flat_map(|artifact| artifact["filenames"].as_array().unwrap())
                .filter_map(Value::as_str)
                .filter(|file| file.ends_with(".rlib"));
            PathBuf::from(found.next().unwrap_or_else(|| panic!("no library {name}")))
        };
        Self {
            faregate: library("faregate"),
            http: library("http"),
        }
    }

    fn compile(&self, program: &Path) -> Output {
        let out = tempfile::tempdir().unwrap();
        let with = |name: &str, library: &Path| format!("{name}={}", library.display());
        let mut rustc = Command::new("rustc");
        // One line for each error, without the places in the library, which move with every change.
        rustc.args(["--edition=2024", "--error-format=short", "--color=never"]);
        rustc.args(["--emit=metadata", "--out-dir"]).arg(out.path());
        let dependencies = self.http.parent().unwrap();
        rustc.args(["-L", &with("dependency", dependencies)]);
        rustc.args(["--extern", &with("faregate", &self.faregate)]);
        rustc.args(["--extern", &with("http", &self.http)]);
        run(rustc.arg(program))
    }
}

fn run(command: &mut Command) -> Output {
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[test]
fn no_way_around_a_check() {
    let built = Built::find();
    let folder = Path::new("tests/compile_fail");
    let mut programs: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| folder.join(entry.unwrap().file_name()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    programs.sort();
    assert_eq!(programs.len(), 7);
    for program in programs {
        let output = built.compile(&program);
        let errors = String::from_utf8(output.stderr).unwrap();
        let name = program.file_stem().unwrap().to_str().unwrap();
        // Only this one keeps the order: it shows that the others fail by what they do, and not by where they stand.
        assert_eq!(
            output.status.success(),
            name == "in_order",
            "{name}: {errors}"
        );
        insta::with_settings!({
            snapshot_path => "compile_fail",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, errors);
        });
    }
}
