use serde_json::json;

use super::{Proof, Report};
use crate::prove::Machine;

fn report(second_served: usize) -> Report {
    let mut first = Proof::new(
        "Burst, credit",
        "200 calls against 50: exactly 50 are served.",
    );
    first.expect("200", 50, 50);
    first.saw("402 credit_exhausted", 150);
    let mut second = Proof::new("Burst, key-budget", "The same for a key.");
    second.expect("200", second_served, 50);
    Report {
        version: "1.2.3",
        started: "2026-11-20T12:00:00Z".parse().unwrap(),
        seconds: 7,
        machine: Machine {
            system: "linux",
            architecture: "x86_64",
            processors: 2,
            processor: Some("A processor".to_owned()),
            memory_bytes: Some(8 << 30),
            kernel: None,
        },
        calls: 200,
        kills: 3,
        kept: None,
        proofs: vec![first, second],
    }
}

#[test]
fn it_says_what_holds_and_what_does_not() {
    assert!(report(50).holds());
    let missed = report(51);
    assert!(!missed.holds());
    insta::assert_snapshot!(format!("{}\n{missed}", report(50)));
}

#[test]
fn programs_read_the_same() {
    let said = json!(report(51));
    assert_eq!(said["holds"], false);
    assert_eq!(
        said["proofs"][1]["misses"],
        json!(["200: 51 instead of 50"])
    );
    assert_eq!(said["machine"]["processors"], 2);
}
