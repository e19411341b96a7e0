//! Creating, changing, rotating and revoking keys.

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;

use super::{CommonChange, account, bounds::check_key, key, writable};
use crate::{
    accounts::{ApiKey, Digests, KeySpec, OwnTerms, Roster, Source},
    admin::{
        input::Change,
        problem::{Reason, Rejection},
    },
    domain::{AccountId, KeyId, Limits, ModelName, Secret, Timestamp},
};

/// Secrets of one key that work at once; a key that is rotated faster than its overlaps end is not being rotated.
const SECRETS: usize = 8;

/// A key to be created.
#[derive(Debug, Clone)]
pub(in crate::admin) struct NewKey {
    /// Its name; `None` makes one from the public part.
    pub(in crate::admin) id: Option<KeyId>,
    /// Who pays for it. The account may be declared in the configuration file.
    pub(in crate::admin) account: AccountId,
    /// From when on it is refused.
    pub(in crate::admin) expires_at: Option<Timestamp>,
    /// Whether it is refused from the start.
    pub(in crate::admin) disabled: bool,
    /// Models it may use; `None` leaves that to the account and plan.
    pub(in crate::admin) models: Option<BTreeSet<ModelName>>,
    /// Limits of its own.
    pub(in crate::admin) limits: Limits,
    /// Networks it may be used from; empty allows all.
    pub(in crate::admin) allowed_ips: Vec<IpNet>,
}

/// What changes about a key.
#[derive(Debug, Clone, Default)]
pub(in crate::admin) struct KeyChange {
    /// When it ends.
    pub(in crate::admin) expires_at: Change<Timestamp>,
    /// Networks it may be used from.
    pub(in crate::admin) allowed_ips: Change<Vec<IpNet>>,
    /// The rest.
    pub(in crate::admin) common: CommonChange,
}

/// A key with a secret that nobody has seen yet.
#[derive(Debug, Clone)]
pub(in crate::admin) struct MadeKey {
    /// What is stored.
    pub(in crate::admin) spec: KeySpec,
    /// The whole key, to be shown once.
    pub(in crate::admin) text: Secret,
}

/// A new key.
///
/// # Errors
/// The account or a model does not exist, the id is taken, the key would be expired from the start, or a token quota
/// allows a model without a bound.
pub(in crate::admin) fn create_key(
    roster: &Roster,
    new: NewKey,
    now: Timestamp,
) -> Result<MadeKey, Rejection> {
    let owner = account(roster, new.account.as_str())?;
    in_future(new.expires_at, now)?;
    let made = ApiKey::generate();
    let id = match new.id {
        Some(id) => id,
        None => KeyId::parse(&format!("key-{}", made.public_part))
            .map_err(|wrong| Rejection::invalid(format!("The made id {wrong}.")))?,
    };
    if key(roster, id.as_str()).is_ok() {
        let words = format!("Key {:?} exists already.", id.as_str());
        return Err(Rejection::new(Reason::Conflict, words));
    }
    let spec = KeySpec {
        id,
        account: new.account,
        source: Source::Api,
        disabled: new.disabled,
        digests: Digests::one(made.digest),
        public_part: made.public_part.as_str().into(),
        created_at: now,
        own: OwnTerms {
            expires_at: new.expires_at,
            revoked_at: None,
            models: new.models,
            limits: new.limits,
            allowed_ips: new.allowed_ips,
        }
        .into(),
    };
    check_key(roster, owner, &spec)?;
    let text = made.text;
    Ok(MadeKey { spec, text })
}

/// A key after a change.
///
/// # Errors
/// There is no such key or model, it is declared in the configuration file, its new end has passed, or a token quota
/// would allow a model without a bound.
pub(in crate::admin) fn change_key(
    roster: &Roster,
    id: &str,
    change: KeyChange,
    now: Timestamp,
) -> Result<KeySpec, Rejection> {
    let mut spec = key(roster, id)?.clone();
    writable("Key", id, spec.source)?;
    if let Change::Set(end) = change.expires_at {
        in_future(Some(end), now)?;
    }
    let bears_on_models = change.common.bears_on_models();
    let own = &mut *spec.own;
    change.expires_at.apply(&mut own.expires_at);
    change.allowed_ips.apply_or_default(&mut own.allowed_ips);
    change
        .common
        .apply(&mut spec.disabled, &mut own.models, &mut own.limits);
    // The account of a created key may have gone from the file; then the key opens nothing.
    if bears_on_models && let Ok(owner) = account(roster, spec.account.as_str()) {
        check_key(roster, owner, &spec)?;
    }
    Ok(spec)
}

/// A key with a new secret. The old one works for `overlap` more; id, counters and limits stay.
///
/// # Errors
/// There is no such key, it is declared in the configuration file, it has ended, or too many of its secrets still
/// work.
pub(in crate::admin) fn rotate_key(
    roster: &Roster,
    id: &str,
    overlap: Duration,
    now: Timestamp,
) -> Result<MadeKey, Rejection> {
    let mut spec = key(roster, id)?.clone();
    writable("Key", id, spec.source)?;
    let ended = match (spec.own.revoked_at, spec.own.expires_at) {
        (Some(at), _) => Some(format!("was revoked at {at}")),
        (None, Some(at)) if at <= now => Some(format!("expired at {at}")),
        _ => None,
    };
    if let Some(ended) = ended {
        let words = format!("Key {id:?} {ended}; create a new one.");
        return Err(Rejection::new(Reason::Conflict, words));
    }
    let last = now.plus(overlap);
    for (_, end) in &mut *spec.digests {
        *end = Some(end.map_or(last, |end| end.min(last)));
    }
    spec.digests
        .retain(|(_, end)| end.is_none_or(|end| end > now));
    if spec.digests.len() >= SECRETS {
        let words = format!(
            "Key {id:?} has {SECRETS} secrets that still work; wait for an overlap to end or rotate with overlap 0."
        );
        return Err(Rejection::new(Reason::Conflict, words));
    }
    let made = ApiKey::generate();
    spec.digests.push((made.digest, None));
    spec.public_part = made.public_part.as_str().into();
    let text = made.text;
    Ok(MadeKey { spec, text })
}

/// A key that opens nothing any more. A key revoked earlier keeps its date.
///
/// # Errors
/// There is no such key, or it is declared in the configuration file.
pub(in crate::admin) fn revoke_key(
    roster: &Roster,
    id: &str,
    now: Timestamp,
) -> Result<KeySpec, Rejection> {
    let mut spec = key(roster, id)?.clone();
    writable("Key", id, spec.source)?;
    spec.own.revoked_at.get_or_insert(now);
    Ok(spec)
}

fn in_future(end: Option<Timestamp>, now: Timestamp) -> Result<(), Rejection> {
    match end {
        Some(end) if end <= now => Err(Rejection::passed(end)),
        _ => Ok(()),
    }
}
