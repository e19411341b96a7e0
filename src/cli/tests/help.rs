//! Every help text, as it is read.

use clap::{Command, CommandFactory};

use super::{super::Arguments, Exit, type_in};

fn collect(command: &mut Command, texts: &mut String) {
    let name = command.get_bin_name().unwrap_or("faregate").to_owned();
    *texts += &format!("===== {name} --help\n{}\n", command.render_help());
    for inner in command.get_subcommands_mut() {
        if inner.get_name() != "help" {
            collect(inner, texts);
        }
    }
}

#[test]
fn every_command_has_its_help() {
    let mut command = Arguments::command().term_width(100);
    command.build();
    command.clone().debug_assert();
    let mut texts = String::new();
    collect(&mut command, &mut texts);
    insta::assert_snapshot!("help", texts);
}

#[test]
fn help_and_version_are_results_and_mistakes_are_not() {
    let (file, clock) = (std::path::Path::new("none.yaml"), super::clock());
    for line in [
        "--help",
        "help",
        "--version",
        "keys --help",
        "keys create -h",
    ] {
        let said = type_in(file, line, &clock);
        assert_eq!((said.exit, said.notes.as_str()), (Exit::Done, ""), "{line}");
        assert!(said.out.contains("faregate"), "{line}");
    }
    for line in [
        "",
        "keys",
        "fly",
        "keys create",
        "usage --by hour",
        "accounts set-subscription a --status x",
    ] {
        let said = type_in(file, line, &clock);
        assert_eq!((said.exit, said.out.as_str()), (Exit::Usage, ""), "{line}");
        assert!(!said.notes.is_empty(), "{line}");
    }
}
