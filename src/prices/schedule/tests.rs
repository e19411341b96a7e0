use super::Schedule;
use crate::{
    domain::{Feature, ServiceTier, Timestamp},
    prices::{Factor, Figures, Item, Pico, Price, Rates, Service, Table},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn figures(input: u64) -> Figures {
    let mut rates = Rates::default();
    rates.set(Item::Input, Pico::new(input).unwrap());
    rates.set(Item::Output, Pico::ZERO);
    Figures {
        table: Table::new(rates, []),
        ..Figures::default()
    }
}

#[test]
fn the_version_that_has_begun_last_holds() {
    let version = |from: Option<&str>, input| Price::new(figures(input), from.map(at), "a:1");
    let schedule = Schedule::new([
        version(Some("2026-12-01T00:00:00Z"), 3),
        version(None, 1),
        version(Some("2026-11-01T12:30:00Z"), 2),
    ]);
    let name = |now: &str| schedule.at(at(now)).unwrap().version().to_string();
    assert_eq!(name("2026-11-01T12:30:00Z"), "2026-11-01T12:30:00Z");
    assert_eq!(name("2026-11-30T23:59:59.999Z"), "2026-11-01T12:30:00Z");
    assert_eq!(name("2026-12-01T00:00:00Z"), "2026-12-01");
    assert_eq!(name("2026-11-01T12:29:59Z").len(), 8);
    let names = schedule.versions().map(|version| version.version().len());
    assert_eq!(names.collect::<Vec<_>>(), [8, 20, 10]);
    let later = Schedule::new([version(Some("2026-12-01T00:00:00Z"), 3)]);
    assert_eq!(later.at(at("2026-11-30T00:00:00Z")), None);
}

#[test]
fn an_undated_version_is_named_by_its_figures() {
    let version = |figures| Price::new(figures, None, "elsewhere").version().to_string();
    // This name stands in records: it may never change for the same figures.
    assert_eq!(version(figures(150_000)), "12959eba");
    let mut names = vec![version(figures(1)), version(figures(2))];
    let changes: [fn(&mut Figures); 5] = [
        |figures| figures.request = Some(Pico::ZERO),
        |figures| figures.features = vec![(Feature::Mcp, Pico::ZERO)],
        |figures| figures.services = vec![service("flex", None)],
        |figures| figures.services = vec![service("flex", Some(Table::default()))],
        |figures| figures.table = Table::new(*figures.table.base(), [(5, Rates::default())]),
    ];
    for change in changes {
        let mut figures = figures(1);
        change(&mut figures);
        names.push(version(figures));
    }
    let (mut one, mut other) = (figures(1), figures(1));
    one.services = vec![service("flex", None), service("priority", None)];
    other.services = vec![service("priority", None), service("flex", None)];
    assert_eq!(version(one.clone()), version(other));
    names.push(version(one));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

fn service(tier: &str, table: Option<Table>) -> Service {
    Service {
        tier: ServiceTier::parse(tier).unwrap(),
        factor: Factor::ONE,
        table,
    }
}

#[test]
fn a_price_has_tokens_only_with_both_sides() {
    let schedule = |figures| Schedule::new([Price::new(figures, None, "a:1")]);
    assert!(schedule(figures(0)).has_tokens());
    assert!(!schedule(Figures::default()).has_tokens());
    assert!(!Schedule::new([]).has_tokens());
    let mut rates = Rates::default();
    rates.set(Item::Input, Pico::ZERO);
    let reads = schedule(Figures {
        table: Table::new(rates, []),
        ..Figures::default()
    });
    assert!(reads.has_input() && !reads.has_tokens());
    assert!(!schedule(Figures::default()).has_input() && !Schedule::new([]).has_input());
}
