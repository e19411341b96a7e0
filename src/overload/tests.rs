mod memory;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Level, NoRoom, Overload, Settings, Shed, sample::Lateness};
use crate::{accounts::Book, listener::Pressure};

fn settings() -> Settings {
    Settings {
        calls: 100,
        connections: 100,
        bodies: 1000,
        memory: Some(1000),
        lateness: Some(Duration::from_secs(1)),
    }
}

fn house() -> (Overload, Pressure) {
    let pressure = Pressure::default();
    (Overload::new(&settings(), pressure.clone()), pressure)
}

fn account() -> Arc<Book> {
    Arc::default()
}

/// A call under way.
struct Visit(Overload, Arc<Book>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.let_out(&self.1);
    }
}

fn visit(house: &Overload, account: &Arc<Book>) -> Result<Visit, Shed> {
    house.let_in(account)?;
    Ok(Visit(house.clone(), Arc::clone(account)))
}

fn visits(house: &Overload, account: &Arc<Book>, count: usize) -> Vec<Visit> {
    (0..count).map(|_| visit(house, account).unwrap()).collect()
}

const CALM: Duration = Duration::ZERO;

#[test]
fn levels_begin_at_their_percent() {
    let level = |used| Level::of(used, 100);
    let at = [84, 85, 91, 92, 94, 95, 100, 1000].map(level);
    use Level::{Busy, Calm, Full, Scarce};
    assert_eq!(at, [Calm, Busy, Busy, Scarce, Scarce, Full, Full, Full]);
    // The smallest file of calls under way.
    let at = [54, 55, 58, 59, 60, 61].map(|used| Level::of(used, 64));
    assert_eq!(at, [Calm, Busy, Busy, Scarce, Scarce, Full]);
    assert_eq!(Level::of(1 << 56, u64::MAX), Calm);
}

#[test]
fn one_account_alone_leaves_room_for_those_who_come() {
    let (house, pressure) = house();
    let (greedy, modest) = (account(), account());
    let mut held = visits(&house, &greedy, 84);
    assert_eq!((house.level(), house.closes()), (Level::Calm, false));
    held.extend(visits(&house, &greedy, 1));
    assert_eq!((house.level(), house.closes()), (Level::Busy, true));
    assert!(pressure.is_on());
    held.extend(visits(&house, &greedy, 7));
    assert_eq!(house.level(), Level::Scarce);
    assert_eq!(house.let_in(&greedy), Err(Shed::Share));
    // There is room for somebody else, though not for nearly as many.
    held.extend(visits(&house, &modest, 3));
    assert_eq!(house.level(), Level::Full);
    assert_eq!(house.opens(), Err(Shed::All));
    held.clear();
    assert_eq!((house.level(), house.closes()), (Level::Calm, false));
    assert!(!pressure.is_on());
    assert_eq!(house.opens(), Ok(()));
    let figures = house.figures();
    let shed = (figures.shed_all, figures.shed_share, figures.shed_body);
    assert_eq!(shed, (1, 1, 0));
    assert_eq!(
        (greedy.under_way().calls(), modest.under_way().calls()),
        (0, 0)
    );
}

#[test]
fn accounts_with_equal_parts_leave_room_for_one_more() {
    let (house, _) = house();
    let accounts: Vec<_> = (0..4).map(|_| account()).collect();
    let mut held: Vec<_> = accounts
        .iter()
        .flat_map(|one| visits(&house, one, 23))
        .collect();
    assert_eq!(house.level(), Level::Scarce);
    for account in &accounts {
        assert_eq!(house.let_in(account), Err(Shed::Share));
    }
    held.push(visit(&house, &account()).unwrap());
}

#[test]
fn the_beginning_of_an_answer_is_always_kept_and_the_rest_where_there_is_room() {
    let house = Overload::new(
        &Settings {
            bodies: 20_000,
            ..settings()
        },
        Pressure::default(),
    );
    let (one, other) = (account(), account());
    let _calls = (visits(&house, &one, 1), visits(&house, &other, 1));
    let mut kept = house.room(Some(&one));
    kept.grow_answer(16 << 10).unwrap();
    kept.grow_answer(1000).unwrap();
    let mut second = kept.another();
    second.grow_answer(10_000).unwrap();
    assert_eq!(house.figures().bodies, (16 << 10) + 11_000);
    assert_eq!(house.opens(), Err(Shed::All));
    assert_eq!(second.grow_answer(6385), Err(NoRoom));
    second.grow_answer(6384).unwrap();
    second.clear();
    assert_eq!(house.figures().bodies, (16 << 10) + 1000);
    drop((kept, second));
    let figures = house.figures();
    assert_eq!((figures.bodies, figures.shed_body), (0, 0));
    assert_eq!(one.under_way().bytes(), 0);
}

#[test]
fn bodies_find_room_up_to_the_limit_and_give_it_back() {
    let (house, _) = house();
    let (large, small) = (account(), account());
    let _calls = (visits(&house, &large, 1), visits(&house, &small, 1));
    let mut body = house.room(Some(&large));
    body.grow(919).unwrap();
    assert_eq!(
        body.grow(2),
        Err(Shed::Body),
        "more than a share of what is scarce"
    );
    let mut other = house.room(Some(&small));
    other.grow(30).unwrap();
    other.grow(51).unwrap();
    let third = account();
    let _call = visits(&house, &third, 1);
    let mut last = house.room(Some(&third));
    assert_eq!(last.grow(1), Err(Shed::Body), "nothing is left");
    assert_eq!(house.figures().bodies, 1000);
    assert_eq!(house.opens(), Err(Shed::All));
    drop(body);
    assert_eq!(house.figures().bodies, 81);
    assert_eq!(house.opens(), Ok(()));
    drop((other, last));
    assert_eq!(house.figures().bodies, 0);
    assert_eq!(large.under_way().bytes(), 0);
}

#[test]
fn bodies_of_nobodys_take_nothing_from_those_of_accounts() {
    let (house, _) = house();
    let mut events = house.room(None);
    events.grow(125).unwrap();
    assert_eq!(house.room(None).grow(1), Err(Shed::Body));
    assert_eq!((house.level(), house.opens()), (Level::Calm, Ok(())));
    assert_eq!(house.figures().bodies, 125);
    let account = account();
    let _call = visits(&house, &account, 1);
    house.room(Some(&account)).grow(800).unwrap();
    drop(events);
    assert_eq!(house.figures().bodies, 0);
    house.room(None).grow(1).unwrap();
}

#[test]
fn a_large_bodys_room_is_its_bytes_own() {
    let house = Overload::unlimited();
    let mut room = house.room(None);
    room.grow(20_000).unwrap();
    let (body, none) = room.keep(Bytes::from(vec![7; 20_000]));
    assert!(none.is_none());
    let part = body.slice(19_999..);
    drop(body);
    assert_eq!(house.figures().bodies, 20_000, "somebody has a part of it");
    assert_eq!(part[0], 7);
    drop(part);
    assert_eq!(house.figures().bodies, 0);

    let mut room = house.room(None);
    room.grow(20).unwrap();
    let (body, room) = room.keep(Bytes::from(vec![7; 20]));
    drop(body);
    assert_eq!(house.figures().bodies, 20);
    drop(room);
    assert_eq!(house.figures().bodies, 0);
}

#[test]
fn connections_alone_refuse_nobody() {
    let (house, pressure) = house();
    let guests: Vec<_> = (0..100).map(|_| house.connected()).collect();
    assert_eq!((house.level(), house.closes()), (Level::Busy, true));
    assert!(pressure.is_on());
    assert_eq!(house.opens(), Ok(()));
    drop(guests);
    assert_eq!(house.level(), Level::Calm);
}

#[test]
fn memory_refuses_calls_only_while_some_are_under_way() {
    let (house, _) = house();
    house.sampled(855, CALM);
    assert_eq!((house.level(), house.closes()), (Level::Full, true));
    let account = account();
    let mut held = visits(&house, &account, 16);
    assert_eq!(house.opens(), Err(Shed::All));
    assert_eq!(house.let_in(&account), Err(Shed::Share));
    held.pop();
    assert_eq!(house.opens(), Ok(()));
    held.push(visit(&house, &account).unwrap());
    house.sampled(100, CALM);
    assert_eq!(house.opens(), Ok(()));
}

#[test]
fn bodies_do_not_grow_while_memory_is_short() {
    let (house, _) = house();
    let wide = Settings {
        bodies: 1 << 30,
        ..settings()
    };
    house.change(&wide);
    let (large, small) = (account(), account());
    let _calls = (visits(&house, &large, 1), visits(&house, &small, 1));
    let mut room = house.room(Some(&large));
    room.grow(100_000).unwrap();
    // Nine tenths of the limit, and 85 % of them.
    house.sampled(764, CALM);
    room.grow(100_000).unwrap();
    house.sampled(765, CALM);
    assert_eq!(room.grow(1), Err(Shed::Body));
    let mut other = house.room(Some(&small));
    other.grow(50_000).unwrap();
    house.sampled(828, CALM);
    assert_eq!(other.grow(1), Err(Shed::Body));
    drop(other);
    let mut other = house.room(Some(&small));
    other.grow(16 << 10).unwrap();
    house.sampled(100, CALM);
    room.grow(100_000).unwrap();
}

#[test]
fn lateness_keeps_connections_and_memory_does_not() {
    let (house, pressure) = house();
    house.sampled(0, Duration::from_millis(499));
    assert_eq!(house.level(), Level::Calm);
    house.sampled(0, Duration::from_millis(500));
    assert_eq!((house.level(), house.closes()), (Level::Scarce, false));
    house.sampled(0, Duration::from_secs(1));
    assert_eq!((house.level(), house.closes()), (Level::Full, false));
    assert_eq!(house.opens(), Err(Shed::All));
    assert!(!pressure.is_on());
    house.sampled(855, CALM);
    assert_eq!((house.level(), house.closes()), (Level::Full, true));
    assert!(pressure.is_on());
}

#[test]
fn other_limits_are_in_force_at_once() {
    let (house, _) = house();
    let account = account();
    let mut room = house.room(Some(&account));
    room.grow(500).unwrap();
    let less = Settings {
        bodies: 500,
        lateness: None,
        memory: None,
        ..settings()
    };
    house.change(&less);
    assert_eq!(house.opens(), Err(Shed::All));
    house.change(&settings());
    assert_eq!(house.opens(), Ok(()));
    house.change(&less);
    drop(room);
    house.sampled(u64::MAX / 1000, Duration::from_secs(3600));
    assert_eq!(house.level(), Level::Calm);
}

#[test]
fn one_late_look_is_no_lateness() {
    let late = Duration::from_secs(9);
    let mut lateness = Lateness::default();
    assert_eq!(
        [late, late, late].map(|late| lateness.note(late)),
        [CALM; 3]
    );
    assert_eq!(lateness.note(late), late);
    assert_eq!(lateness.note(CALM), CALM);
    let after = [late, late, late].map(|late| lateness.note(late));
    assert_eq!(after, [CALM; 3]);
    assert_eq!(lateness.note(late), late);
}

#[test]
fn levels_follow_the_counts_whoever_counts_at_once() {
    const THREADS: usize = 8;
    let (house, pressure) = house();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let house = house.clone();
            scope.spawn(move || {
                let account = account();
                for round in 0..2000 {
                    let held: Vec<_> = (0..round % 14)
                        .filter_map(|_| visit(&house, &account).ok())
                        .collect();
                    let mut room = house.room(Some(&account));
                    // Whether there is room does not matter; what was taken goes back.
                    let _ = room.grow(round % 200);
                    drop(held);
                }
            });
        }
    });
    assert_eq!((house.level(), house.closes()), (Level::Calm, false));
    assert!(!pressure.is_on());
    assert_eq!(house.figures().bodies, 0);
    let account = account();
    let held = visits(&house, &account, 92);
    assert_eq!(house.level(), Level::Scarce);
    drop(held);
}
