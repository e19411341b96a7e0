use std::path::Path;

use super::Fixed;
use crate::config::{self, Environment};

#[derive(Debug)]
struct Nothing;

impl Environment for Nothing {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn system_roots(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        Vec::new()
    }
}

const FILE: &str = "\
server: {listen: 127.0.0.1:8402, drain: 10s}
admin: {listen: 127.0.0.1:8403, token: a-token-of-thirty-two-bytes-or-more}
store: {url: sqlite:faregate.db, retention: {calls: 30d}}
providers: {demo: {kind: simulated}}
plans: {p: {}}
log: {format: json}
";

fn fixed(yaml: &str) -> Fixed {
    let parsed = config::parse(yaml, Path::new("faregate.yaml"), &Nothing);
    Fixed::of(&parsed.unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn what_waits_for_a_restart_is_named() {
    let now = fixed(FILE);
    let cases: [(&str, &str, &[&str]); 11] = [
        ("", "", &[]),
        ("127.0.0.1:8402", "127.0.0.1:9999", &["server.listen"]),
        (
            "drain: 10s",
            "limits: {connections: 7}",
            &["server.limits.connections"],
        ),
        ("127.0.0.1:8403", "127.0.0.1:9999", &["admin.listen"]),
        ("sqlite:faregate.db", "sqlite:other.db", &["store"]),
        (
            "retention: {calls: 30d}",
            "retention: {calls: 31d}",
            &["store"],
        ),
        ("format: json", "format: pretty", &["log"]),
        (
            "127.0.0.1:840",
            "127.0.0.1:990",
            &["server.listen", "admin.listen"],
        ),
        // Everything else is put in force at once.
        ("a-token-of", "b-token-of", &[]),
        (
            "plans: {p: {}}",
            "plans: {q: {}}\npayment: {grace_period: 1d}",
            &[],
        ),
        (
            "drain: 10s",
            "drain: 20s, limits: {json_body: 1KiB}, timeouts: {head: 1s}",
            &[],
        ),
    ];
    for (from, to, sections) in cases {
        let next = fixed(&FILE.replace(from, to));
        assert_eq!(now.differs_from(&next), sections, "{to}");
        assert_eq!(next.differs_from(&now), sections, "{to}");
    }
}

#[test]
fn a_section_that_goes_away_waits_too() {
    let without = FILE.lines().filter(|line| !line.starts_with("admin"));
    let without = fixed(&without.collect::<Vec<_>>().join("\n"));
    assert_eq!(fixed(FILE).differs_from(&without), ["admin.listen"]);
    assert_eq!(without.differs_from(&fixed(FILE)), ["admin.listen"]);
}
