//! Addresses that guess keys: each may present so many wrong ones, and is then told to wait. Whoever presents a right
//! one is not asked, wherever it comes from.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    domain::Clock,
    refusal::{Code, Detail, Refusal},
};

/// Networks that are remembered at once: `SETS` × `WAYS`, a quarter of a megabyte, however many there are.
const SETS: usize = 2048;
/// Places for networks that fall into the same set.
const WAYS: usize = 8;

const WORDS: &str =
    "Too many wrong API keys came from this address; check the key before you send it again.";

/// How many wrong keys an address may present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongKeys {
    /// Wrong keys that are allowed each second; 0 allows all.
    pub per_second: u32,
    /// Wrong keys that are allowed at once after a silence; 0 is taken for 1.
    pub at_once: u32,
}

impl Default for WrongKeys {
    fn default() -> Self {
        Self {
            per_second: 20,
            at_once: 50,
        }
    }
}

/// A network that presented wrong keys.
#[derive(Debug, Clone, Copy, Default)]
struct Guesser {
    network: u64,
    /// Nanoseconds of the clock at which nothing is held against it any more; 0 where there is nobody.
    clean: u64,
}

/// Who presented wrong keys lately.
#[derive(Debug)]
pub struct Guesses {
    limit: WrongKeys,
    clock: Clock,
    /// Nobody can choose networks that fall into the same set.
    sets: RandomState,
    /// Empty until somebody guesses.
    seen: Mutex<Box<[[Guesser; WAYS]]>>,
}

impl Guesses {
    /// Nobody has guessed yet.
    pub fn new(limit: WrongKeys, clock: Clock) -> Self {
        Self {
            limit,
            clock,
            sets: RandomState::new(),
            seen: Mutex::default(),
        }
    }

    /// The limit.
    pub const fn limit(&self) -> WrongKeys {
        self.limit
    }

    /// Counts a wrong key from this address, and gives the answer to it.
    pub(super) fn refuse(&self, from: IpAddr) -> Refusal {
        match self.count(network(from)) {
            Ok(()) => Code::InvalidApiKey.into(),
            Err(wait) => Refusal::new(Code::RateLimitExceeded)
                .with(Detail::Say(WORDS))
                .retry_after(wait),
        }
    }

    /// Takes one guess, or says how long the network has to wait for one. What is refused counts for nothing, so that
    /// waiting always helps.
    fn count(&self, network: u64) -> Result<(), Duration> {
        let WrongKeys {
            per_second,
            at_once,
        } = self.limit;
        if per_second == 0 {
            return Ok(());
        }
        let interval = 1_000_000_000 / u64::from(per_second);
        let ahead = interval.saturating_mul(u64::from(at_once.saturating_sub(1)));
        let now = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let set = self.sets.hash_one(network) as usize % SETS;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_empty() {
            *seen = vec![[Guesser::default(); WAYS]; SETS].into_boxed_slice();
        }
        let Some(set) = seen.get_mut(set) else {
            return Ok(());
        };
        let known = |guesser: &Guesser| guesser.network == network && guesser.clean > 0;
        // Where there is no room, the one against which least is held makes it.
        let Some(guesser) = set
            .iter_mut()
            .min_by_key(|guesser| (!known(guesser), guesser.clean))
        else {
            return Ok(());
        };
        if !known(guesser) {
            *guesser = Guesser { network, clean: 0 };
        }
        let next = guesser.clean.saturating_sub(ahead);
        if now < next {
            return Err(Duration::from_nanos(next - now));
        }
        guesser.clean = guesser.clean.max(now).saturating_add(interval);
        Ok(())
    }
}

/// Whom an address belongs to: an IPv6 customer has 64 bits of addresses at least (RFC 6177 §2), an IPv4 address stands
/// for itself. No IPv6 network of a sender begins as those do, because these are multicast's (RFC 4291 §2.7).
fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => (u64::from(u32::MAX) << 32) | u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests;
