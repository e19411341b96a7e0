//! Values of flags.

use std::{path::Path, time::Duration};

use super::{
    super::arguments::read::{self, Moment},
    Exit, clock, type_in,
};

#[test]
fn durations_are_read_or_refused() {
    for (text, seconds) in [
        ("0", 0),
        ("90s", 90),
        ("30m", 1800),
        ("24h", 86_400),
        ("7d", 604_800),
    ] {
        assert_eq!(
            read::duration(text),
            Ok(Duration::from_secs(seconds)),
            "{text}"
        );
    }
    for text in [
        "",
        "h",
        "24",
        "-1h",
        "+1h",
        "1.5h",
        "1 h",
        "24H",
        "1w",
        "99999999999999999999d",
        "300000000000000000d",
        "1ä",
    ] {
        assert!(read::duration(text).is_err(), "{text}");
    }
    assert_eq!(read::delay("30ms"), Ok(Duration::from_millis(30)));
    assert_eq!(read::delay("2s"), Ok(Duration::from_secs(2)));
    assert!(read::delay("fast").is_err());
}

#[test]
fn instants_and_moments_are_read_or_refused() {
    let noon = "2026-11-20T12:00:00Z".parse().unwrap();
    assert_eq!(read::instant("2026-11-20T12:00:00Z"), Ok(noon));
    let midnight = "2026-11-20T00:00:00Z".parse().unwrap();
    assert_eq!(read::instant("2026-11-20"), Ok(midnight));
    for text in [
        "",
        "tomorrow",
        "2026-13-01",
        "20.11.2026",
        "2026-11-20T25:00:00Z",
    ] {
        assert!(read::instant(text).is_err(), "{text}");
    }
    let at = |text: &str| read::moment(text).map(|moment: Moment| moment.from(noon));
    assert_eq!(at("12h"), Ok(midnight));
    assert_eq!(at("2026-11-20"), Ok(midnight));
    assert!(at("yesterday").unwrap_err().contains("7d"));
}

#[test]
fn quotas_are_read_or_refused() {
    let read = |text| read::quota(text).map(|quota| quota.to_string());
    assert_eq!(
        read("tokens=100000/day"),
        Ok(r#"{"per":"day","tokens":100000}"#.into())
    );
    assert_eq!(
        read("requests=0/period"),
        Ok(r#"{"per":"period","requests":0}"#.into())
    );
    for text in [
        "",
        "tokens",
        "tokens=/day",
        "tokens=1",
        "words=1/day",
        "tokens=1/year",
        "tokens=-1/day",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn budgets() {
    let read = |text| read::budget(text).map(|budget| budget.to_string());
    assert_eq!(
        read("0.50/hour"),
        Ok(r#"{"per":"hour","usd":"0.50"}"#.into())
    );
    // As in the file, it allows none.
    assert_eq!(read("0/day"), Ok(r#"{"per":"day","usd":"0.00"}"#.into()));
    for text in ["", "5", "/day", "5/year", "-1/day", "much/day"] {
        assert!(read(text).is_err(), "{text}");
    }
    assert!(read("10000000000/day").unwrap_err().contains("at most"));
}

#[test]
fn whole_numbers_are_told_from_where_to_where() {
    for (line, bounds) in [
        (
            "accounts create a --plan p --requests-per-minute 1.5",
            "1 to 4294967295",
        ),
        (
            "keys create --account a --concurrent-requests 60/min",
            "1 to 4294967295",
        ),
        (
            "keys create --account a --tokens-per-minute 1e3",
            "1 to 9223372036854775807",
        ),
        (
            "keys create --account a --requests-per-minute 0",
            "1 to 4294967295",
        ),
        ("credit add a 5 --priority 101", "0 to 100"),
        ("credit list a --limit many", "1 to 1000"),
        ("webhooks list --limit 1001", "1 to 1000"),
        ("prove --calls 0", "1 to 1000000"),
        ("prove --kills 100001", "1 to 100000"),
        ("simulate --tokens-per-second fast", "0 to 4294967295"),
    ] {
        let said = type_in(Path::new("nowhere.yaml"), line, &clock());
        assert_eq!(said.exit, Exit::Usage, "{line}: {said}");
        let words = format!("write a whole number from {bounds}");
        assert!(said.notes.contains(&words), "{line}: {said}");
    }
    let line = "keys create --account a --budget 0.0000000001/day";
    let said = type_in(Path::new("nowhere.yaml"), line, &clock());
    assert!(said.notes.contains("at most 9 decimals"), "{said}");
    let said = type_in(
        Path::new("nowhere.yaml"),
        "simulate --listen 8000",
        &clock(),
    );
    assert!(said.notes.contains("such as 127.0.0.1:8000"), "{said}");
    let line = "credit transfer a b -5";
    let said = type_in(Path::new("nowhere.yaml"), line, &clock());
    assert_eq!(said.exit, Exit::Configuration, "it is read: {said}");
}

#[test]
fn an_address_that_is_taken_is_told_how_to_take_another() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let line = format!("simulate --listen {address}");
    let said = type_in(Path::new("nowhere.yaml"), &line, &clock());
    assert_eq!(said.exit, Exit::Unavailable, "{said}");
    assert!(said.notes.contains("\n  hint: "), "{said}");
}
