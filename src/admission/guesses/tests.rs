use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{Guesses, SETS, WAYS, WrongKeys, network};
use crate::{domain::Clock, refusal::Code};

fn guesses(per_second: u32, at_once: u32) -> (Guesses, Clock) {
    let clock = Clock::manual("2026-11-20T12:00:00Z".parse().unwrap());
    let limit = WrongKeys {
        per_second,
        at_once,
    };
    (Guesses::new(limit, clock.clone()), clock)
}

fn address(last: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 | last).into()
}

/// How many of so many guesses get the answer of a wrong key.
fn passed(guesses: &Guesses, from: IpAddr, tries: u32) -> usize {
    let answers = (0..tries).map(|_| guesses.refuse(from).code);
    answers.filter(|code| *code == Code::InvalidApiKey).count()
}

#[test]
fn so_many_guesses_pass_at_once_and_then_so_many_a_second() {
    let (guesses, clock) = guesses(20, 50);
    assert_eq!(passed(&guesses, address(1), 1000), 50);
    let refusal = guesses.refuse(address(1));
    assert_eq!(refusal.code, Code::RateLimitExceeded);
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(50)));
    // Another address is not held to account for it.
    assert_eq!(passed(&guesses, address(2), 1000), 50);
    for _ in 0..10 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(passed(&guesses, address(1), 1000), 20);
    }
    clock.advance(Duration::from_millis(49));
    assert_eq!(passed(&guesses, address(1), 1), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(passed(&guesses, address(1), 2), 1);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(passed(&guesses, address(1), 1000), 50);
}

#[test]
fn no_limit_is_none_and_the_smallest_is_one() {
    assert_eq!(passed(&guesses(0, 1).0, address(1), 1000), 1000);
    assert_eq!(passed(&guesses(1, 0).0, address(1), 1000), 1);
    assert_eq!(
        passed(&guesses(u32::MAX, u32::MAX).0, address(1), 1000),
        1000
    );
}

#[test]
fn an_ipv6_network_is_one_guesser_and_a_mapped_address_is_itself() {
    let (guesses, _) = guesses(20, 50);
    let ipv6 = |text: &str| IpAddr::V6(text.parse::<Ipv6Addr>().unwrap());
    assert_eq!(passed(&guesses, ipv6("2001:db8:1:2::1"), 30), 30);
    assert_eq!(passed(&guesses, ipv6("2001:db8:1:2:ffff::9"), 30), 20);
    assert_eq!(passed(&guesses, ipv6("2001:db8:1:3::1"), 30), 30);
    assert_eq!(passed(&guesses, ipv6("::ffff:10.0.0.7"), 30), 30);
    assert_eq!(passed(&guesses, address(7), 30), 20);
    assert_ne!(network(ipv6("::")), network(Ipv4Addr::UNSPECIFIED.into()));
}

#[test]
fn a_million_addresses_take_no_more_room_and_stop_nobody_else() {
    let (guesses, clock) = guesses(20, 50);
    for last in 0..1_000_000 {
        assert_eq!(guesses.refuse(address(last)).code, Code::InvalidApiKey);
    }
    let seen = guesses.seen.lock().unwrap();
    assert_eq!(seen.iter().flatten().count(), SETS * WAYS);
    drop(seen);
    // Whoever has most against it is kept longest.
    clock.advance(Duration::from_secs(1));
    let loud = address(0x00ff_ffff);
    assert_eq!(passed(&guesses, loud, 1000), 50);
    for last in 0..100_000 {
        guesses.refuse(address(last));
    }
    assert_eq!(passed(&guesses, loud, 1000), 0);
}
