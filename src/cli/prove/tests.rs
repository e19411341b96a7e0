use super::{bar, verdict};
use crate::{
    cli::Exit,
    prove::{Machine, Progress, Proof, Report},
};

#[test]
fn a_miss_is_a_failure() {
    let mut report = Report {
        version: "1.2.3",
        started: "2026-11-20T12:00:00Z".parse().unwrap(),
        seconds: 1,
        machine: Machine::here(),
        calls: 1,
        kills: 1,
        kept: None,
        proofs: vec![Proof {
            name: "one".to_owned(),
            claim: "It holds.".to_owned(),
            seen: Vec::new(),
            misses: Vec::new(),
        }],
    };
    assert!(verdict(&report).is_ok());
    report.proofs[0].misses.push("it does not".to_owned());
    assert_eq!(verdict(&report).unwrap_err().exit, Exit::Failed);
}

#[test]
fn a_bar_is_full_at_the_end() {
    let proof = "kills";
    let shown = |done, of| bar(Progress { proof, done, of });
    assert_eq!(shown(0, 10), "[------------------------] kills: 0 of 10");
    assert_eq!(shown(5, 10), "[############------------] kills: 5 of 10");
    assert_eq!(shown(10, 10), "[########################] kills: 10 of 10");
    assert_eq!(shown(0, 0), "[------------------------] kills: 0 of 0");
}
