use std::{path::Path, time::Duration};

use rusqlite::{Error, ffi};

use super::{Fault, Health, Monitor, PATIENCE};

fn fault(code: i32) -> Fault {
    let error = Error::SqliteFailure(ffi::Error::new(code), None);
    Fault::of(&error, Path::new("faregate.db"))
}

#[test]
fn what_may_have_lost_a_write_is_fatal_and_the_rest_is_not() {
    let codes = [
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_CORRUPT,
        ffi::SQLITE_NOTADB,
        ffi::SQLITE_FULL,
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_BUSY,
        ffi::SQLITE_READONLY,
    ];
    let lines: Vec<String> = codes
        .into_iter()
        .map(fault)
        .map(|Fault { words, fatal }| {
            let kind = if fatal { "fatal" } else { "retry" };
            format!("{kind}: {words}")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_write_that_goes_through_clears_a_fault() {
    let monitor = Monitor::new();
    let watch = monitor.watch();
    monitor.failed(fault(ffi::SQLITE_FULL));
    assert!(monitor.is_broken());
    assert!(watch.has_changed().unwrap());
    assert!(monitor.health().words().unwrap().contains("no room"));
    monitor.succeeded();
    assert!(!monitor.is_broken());
    assert_eq!(monitor.health(), Health::Writable);
}

#[test]
fn nothing_clears_a_fatal_fault() {
    let monitor = Monitor::new();
    monitor.failed(fault(ffi::SQLITE_IOERR_FSYNC));
    monitor.succeeded();
    monitor.failed(fault(ffi::SQLITE_FULL));
    assert!(monitor.is_broken());
    assert!(monitor.is_fatal());
}

#[test]
fn a_write_that_takes_too_long_is_a_fault_until_it_ends() {
    let monitor = Monitor::new();
    let name = Path::new("faregate.db");
    let start = Duration::from_secs(9);
    let late = start + PATIENCE;
    monitor.look(late, name);
    assert!(!monitor.is_broken(), "nothing is under way");
    monitor.begins(start);
    monitor.look(late - Duration::from_millis(1), name);
    assert!(!monitor.is_broken());
    monitor.look(late, name);
    let words = "a write to faregate.db has taken longer than 5 s; check the disk";
    assert_eq!(monitor.health(), Health::Retrying(words.to_owned()));
    monitor.ended();
    assert_eq!(monitor.health(), Health::Writable);

    // What failed before stays failed when a write behind it only takes its time.
    monitor.failed(fault(ffi::SQLITE_FULL));
    monitor.begins(start);
    monitor.look(late, name);
    monitor.ended();
    assert!(monitor.is_broken());
}
