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

fn overload() -> (Overload, Pressure) {
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

fn visit(overload: &Overload, account: &Arc<Book>) -> Result<Visit, Shed> {
    overload.let_in(account)?;
    Ok(Visit(overload.clone(), Arc::clone(account)))
}

fn visits(overload: &Overload, account: &Arc<Book>, count: usize) -> Vec<Visit> {
    (0..count)
        .map(|_| visit(overload, account).unwrap())
        .collect()
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
    let (overload, pressure) = overload();
    let (greedy, modest) = (account(), account());
    let mut held = visits(&overload, &greedy, 84);
    assert_eq!((overload.level(), overload.closes()), (Level::Calm, false));
    held.extend(visits(&overload, &greedy, 1));
    assert_eq!((overload.level(), overload.closes()), (Level::Busy, true));
    assert!(pressure.is_on());
    held.extend(visits(&overload, &greedy, 7));
    assert_eq!(overload.level(), Level::Scarce);
    assert_eq!(overload.let_in(&greedy), Err(Shed::Share));
    // There is room for somebody else, though not for nearly as many.
    held.extend(visits(&overload, &modest, 3));
    assert_eq!(overload.level(), Level::Full);
    assert_eq!(overload.opens(), Err(Shed::All));
    held.clear();
    assert_eq!((overload.level(), overload.closes()), (Level::Calm, false));
    assert!(!pressure.is_on());
    assert_eq!(overload.opens(), Ok(()));
    let figures = overload.figures();
    let shed = (figures.shed_all, figures.shed_share, figures.shed_body);
    assert_eq!(shed, (1, 1, 0));
    assert_eq!(
        (greedy.under_way().calls(), modest.under_way().calls()),
        (0, 0)
    );
}

#[test]
fn accounts_with_equal_parts_leave_room_for_one_more() {
    let (overload, _) = overload();
    let accounts: Vec<_> = (0..4).map(|_| account()).collect();
    let mut held: Vec<_> = accounts
        .iter()
        .flat_map(|one| visits(&overload, one, 23))
        .collect();
    assert_eq!(overload.level(), Level::Scarce);
    for account in &accounts {
        assert_eq!(overload.let_in(account), Err(Shed::Share));
    }
    held.push(visit(&overload, &account()).unwrap());
}

#[test]
fn the_beginning_of_an_answer_is_always_kept_and_the_rest_where_there_is_room() {
    let overload = Overload::new(
        &Settings {
            bodies: 20_000,
            ..settings()
        },
        Pressure::default(),
    );
    let (one, other) = (account(), account());
    let _calls = (visits(&overload, &one, 1), visits(&overload, &other, 1));
    let mut kept = overload.room(Some(&one));
    kept.grow_answer(16 << 10).unwrap();
    kept.grow_answer(1000).unwrap();
    let mut second = kept.another();
    second.grow_answer(10_000).unwrap();
    assert_eq!(overload.figures().bodies, (16 << 10) + 11_000);
    assert_eq!(overload.opens(), Err(Shed::All));
    assert_eq!(second.grow_answer(6385), Err(NoRoom));
    second.grow_answer(6384).unwrap();
    second.clear();
    assert_eq!(overload.figures().bodies, (16 << 10) + 1000);
    drop((kept, second));
    let figures = overload.figures();
    assert_eq!((figures.bodies, figures.shed_body), (0, 0));
    assert_eq!(one.under_way().bytes(), 0);
}

#[test]
fn bodies_find_room_up_to_the_limit_and_give_it_back() {
    let (overload, _) = overload();
    let (large, small) = (account(), account());
    let _calls = (visits(&overload, &large, 1), visits(&overload, &small, 1));
    let mut body = overload.room(Some(&large));
    body.grow(919).unwrap();
    assert_eq!(
        body.grow(2),
        Err(Shed::Body),
        "more than a share of what is scarce"
    );
    let mut other = overload.room(Some(&small));
    other.grow(30).unwrap();
    other.grow(51).unwrap();
    let third = account();
    let _call = visits(&overload, &third, 1);
    let mut last = overload.room(Some(&third));
    assert_eq!(last.grow(1), Err(Shed::Body), "nothing is left");
    assert_eq!(overload.figures().bodies, 1000);
    assert_eq!(overload.opens(), Err(Shed::All));
    drop(body);
    assert_eq!(overload.figures().bodies, 81);
    assert_eq!(overload.opens(), Ok(()));
    drop((other, last));
    assert_eq!(overload.figures().bodies, 0);
    assert_eq!(large.under_way().bytes(), 0);
}

#[test]
fn bodies_of_nobodys_take_nothing_from_those_of_accounts() {
    let (overload, _) = overload();
    let mut events = overload.room(None);
    events.grow(125).unwrap();
    assert_eq!(overload.room(None).grow(1), Err(Shed::Body));
    assert_eq!((overload.level(), overload.opens()), (Level::Calm, Ok(())));
    assert_eq!(overload.figures().bodies, 125);
    let account = account();
    let _call = visits(&overload, &account, 1);
    overload.room(Some(&account)).grow(800).unwrap();
    drop(events);
    assert_eq!(overload.figures().bodies, 0);
    overload.room(None).grow(1).unwrap();
}

#[test]
fn a_large_bodys_room_is_its_bytes_own() {
    let overload = Overload::unlimited();
    let mut room = overload.room(None);
    room.grow(20_000).unwrap();
    let (body, none) = room.keep(Bytes::from(vec![7; 20_000]));
    assert!(none.is_none());
    let part = body.slice(19_999..);
    drop(body);
    assert_eq!(
        overload.figures().bodies,
        20_000,
        "somebody has a part of it"
    );
    assert_eq!(part[0], 7);
    drop(part);
    assert_eq!(overload.figures().bodies, 0);

    let mut room = overload.room(None);
    room.grow(20).unwrap();
    let (body, room) = room.keep(Bytes::from(vec![7; 20]));
    drop(body);
    assert_eq!(overload.figures().bodies, 20);
    drop(room);
    assert_eq!(overload.figures().bodies, 0);
}

#[test]
fn connections_alone_refuse_nobody() {
    let (overload, pressure) = overload();
    let guests: Vec<_> = (0..100).map(|_| overload.connected()).collect();
    assert_eq!((overload.level(), overload.closes()), (Level::Busy, true));
    assert!(pressure.is_on());
    assert_eq!(overload.opens(), Ok(()));
    drop(guests);
    assert_eq!(overload.level(), Level::Calm);
}

#[test]
fn memory_refuses_calls_only_while_some_are_under_way() {
    let (overload, _) = overload();
    overload.sampled(855, CALM);
    assert_eq!((overload.level(), overload.closes()), (Level::Full, true));
    let account = account();
    let mut held = visits(&overload, &account, 16);
    assert_eq!(overload.opens(), Err(Shed::All));
    assert_eq!(overload.let_in(&account), Err(Shed::Share));
    held.pop();
    assert_eq!(overload.opens(), Ok(()));
    held.push(visit(&overload, &account).unwrap());
    overload.sampled(100, CALM);
    assert_eq!(overload.opens(), Ok(()));
}

#[test]
fn bodies_do_not_grow_while_memory_is_short() {
    let (overload, _) = overload();
    let wide = Settings {
        bodies: 1 << 30,
        ..settings()
    };
    overload.change(&wide);
    let (large, small) = (account(), account());
    let _calls = (visits(&overload, &large, 1), visits(&overload, &small, 1));
    let mut room = overload.room(Some(&large));
    room.grow(100_000).unwrap();
    // Nine tenths of the limit, and 85 % of them.
    overload.sampled(764, CALM);
    room.grow(100_000).unwrap();
    overload.sampled(765, CALM);
    assert_eq!(room.grow(1), Err(Shed::Body));
    let mut other = overload.room(Some(&small));
    other.grow(50_000).unwrap();
    overload.sampled(828, CALM);
    assert_eq!(other.grow(1), Err(Shed::Body));
    drop(other);
    let mut other = overload.room(Some(&small));
    other.grow(16 << 10).unwrap();
    overload.sampled(100, CALM);
    room.grow(100_000).unwrap();
}

#[test]
fn lateness_keeps_connections_and_memory_does_not() {
    let (overload, pressure) = overload();
    overload.sampled(0, Duration::from_millis(499));
    assert_eq!(overload.level(), Level::Calm);
    overload.sampled(0, Duration::from_millis(500));
    assert_eq!(
        (overload.level(), overload.closes()),
        (Level::Scarce, false)
    );
    overload.sampled(0, Duration::from_secs(1));
    assert_eq!((overload.level(), overload.closes()), (Level::Full, false));
    assert_eq!(overload.opens(), Err(Shed::All));
    assert!(!pressure.is_on());
    overload.sampled(855, CALM);
    assert_eq!((overload.level(), overload.closes()), (Level::Full, true));
    assert!(pressure.is_on());
}

#[test]
fn other_limits_are_in_force_at_once() {
    let (overload, _) = overload();
    let account = account();
    let mut room = overload.room(Some(&account));
    room.grow(500).unwrap();
    let less = Settings {
        bodies: 500,
        lateness: None,
        memory: None,
        ..settings()
    };
    overload.change(&less);
    assert_eq!(overload.opens(), Err(Shed::All));
    overload.change(&settings());
    assert_eq!(overload.opens(), Ok(()));
    overload.change(&less);
    drop(room);
    overload.sampled(u64::MAX / 1000, Duration::from_secs(3600));
    assert_eq!(overload.level(), Level::Calm);
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
    let (overload, pressure) = overload();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let overload = overload.clone();
            scope.spawn(move || {
                let account = account();
                for round in 0..2000 {
                    let held: Vec<_> = (0..round % 14)
                        .filter_map(|_| visit(&overload, &account).ok())
                        .collect();
                    let mut room = overload.room(Some(&account));
                    // Whether there is room does not matter; what was taken goes back.
                    let _ = room.grow(round % 200);
                    drop(held);
                }
            });
        }
    });
    assert_eq!((overload.level(), overload.closes()), (Level::Calm, false));
    assert!(!pressure.is_on());
    assert_eq!(overload.figures().bodies, 0);
    let account = account();
    let held = visits(&overload, &account, 92);
    assert_eq!(overload.level(), Level::Scarce);
    drop(held);
}
