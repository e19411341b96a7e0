//! The immutable picture of all keys, accounts and plans that requests read.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use ipnet::IpNet;

use super::{Book, Levels, PlanSpec};
use crate::domain::{AccountId, Anchor, KeyDigest, KeyId, ModelName, Subscription, Timestamp};

/// A plan as requests see it.
pub type Plan = PlanSpec;

/// An account as requests see it.
#[derive(Debug)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Whether all its keys are refused.
    pub disabled: bool,
    /// Its standing with the payment provider.
    pub subscription: Option<Subscription>,
    /// Models it may use; `None` leaves that to the plan.
    pub models: Option<BTreeSet<ModelName>>,
    /// Where `per: period` is counted from.
    pub anchor: Anchor,
    /// The state of its limits.
    pub book: Arc<Book>,
}

/// A key as requests see it.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub id: KeyId,
    /// Who pays.
    pub account: Arc<Account>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether it is refused for now.
    pub disabled: bool,
    /// Models it may use; `None` leaves that to the account and plan.
    pub models: Option<BTreeSet<ModelName>>,
    /// Networks it may be used from; empty allows all.
    pub allowed_ips: Vec<IpNet>,
    /// Every limit that binds it.
    pub levels: Levels,
}

/// What a digest opens.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The key.
    pub key: Arc<Key>,
    /// Until when this secret opens it; set on the old secret of a rotation.
    pub until: Option<Timestamp>,
}

/// All keys by digest. A digest is already a hash, so its first bytes serve as one.
#[derive(Debug, Default)]
pub struct Directory {
    pub(super) keys: HashMap<KeyDigest, Lookup, BuildHasherDefault<Prefix>>,
}

/// A hasher that takes the first eight bytes of a digest. Digests are SHA-256 of secrets that no caller chooses freely,
/// and finding many with one prefix costs 2^64 hashes for each.
#[derive(Debug, Default)]
pub(super) struct Prefix(u64);

impl Hasher for Prefix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // The length of the array is written too; only the digest itself has eight bytes and more.
        if let Some(prefix) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*prefix);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

impl Directory {
    /// The key that a digest opens.
    pub fn lookup(&self, digest: &KeyDigest) -> Option<&Lookup> {
        self.keys.get(digest)
    }

    /// All keys; one with several secrets comes several times.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values().map(|lookup| &lookup.key)
    }
}
