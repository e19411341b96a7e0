//! Credential → [`Caller`]: who is calling, and may they call from here and on this route at all?

use std::{net::IpAddr, sync::Arc};

use http::request::Parts;

use super::{credential::credential, guesses::Guesses};
use crate::{
    accounts::{Account, Directory, Key},
    call::Route,
    domain::{KeyDigest, Timestamp},
    refusal::{Code, Detail, Refusal, Subject},
};

/// Somebody with a valid key.
#[derive(Debug)]
pub struct Caller {
    key: Arc<Key>,
}

impl Caller {
    /// The key.
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Who pays.
    pub fn account(&self) -> &Arc<Account> {
        &self.key.account
    }

    /// Whom a refusal concerns.
    pub fn subject(&self) -> Subject {
        subject(&self.key)
    }
}

/// Whom a refusal to a key concerns.
pub fn subject(key: &Key) -> Subject {
    let account = &key.account;
    Subject {
        account: account.id.clone(),
        plan: account.plan.id.clone(),
        subscription: account
            .subscription
            .as_ref()
            .map(|subscription| subscription.status),
        redact: account.plan.redact_amounts,
    }
}

/// Finds the key that a request presents.
///
/// # Errors
/// 400 for two credentials; 401 without one, or with one that is unknown, revoked or expired; 429 in place of 401 where
/// too many unknown ones came from this address; 403 for a disabled key or account, for a place or a route that the key
/// may not be used from.
pub fn authenticate(
    directory: &Directory,
    guesses: &Guesses,
    head: &Parts,
    route: Option<&Route>,
    client: IpAddr,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let secret = credential(&head.headers, &head.uri)?;
    let found = directory.lookup(&KeyDigest::of(&secret));
    // Unknown and revoked keys get one answer: it must not tell which keys once existed.
    let found = found
        .filter(|found| found.key.own.revoked_at.is_none())
        .ok_or_else(|| guesses.refuse(client))?;
    let ends = [found.until, found.key.own.expires_at]
        .into_iter()
        .flatten()
        .min();
    if let Some(end) = ends.filter(|end| *end <= now) {
        return Err(Refusal::new(Code::InvalidApiKey).with(Detail::Since(end)));
    }
    let caller = Caller { key: found.key };
    let denied = if caller.key.disabled {
        "This API key is disabled; ask whoever runs this gateway to enable it."
    } else if caller.account().disabled {
        "This account is disabled; ask whoever runs this gateway to enable it."
    } else if !caller.key.own.allowed_ips.is_empty()
        && !caller
            .key
            .own
            .allowed_ips
            .iter()
            .any(|net| net.contains(&client))
    {
        "This API key may not be used from this address; call from an allowed network."
    } else {
        return match route {
            Some(route) => open_to(&caller, route).map(|()| caller),
            None => Ok(caller),
        };
    };
    Err(Refusal::new(Code::PermissionDenied)
        .with(Detail::Say(denied))
        .about(caller.subject()))
}

/// Whether `route` is open to the caller's account.
///
/// # Errors
/// 403 where it names other accounts.
pub(super) fn open_to(caller: &Caller, route: &Route) -> Result<(), Refusal> {
    let account = &caller.account().id;
    if route
        .accounts
        .as_ref()
        .is_none_or(|open| open.contains(account))
    {
        return Ok(());
    }
    let denied = "This account may not use this route; ask whoever runs this gateway for access.";
    Err(Refusal::new(Code::PermissionDenied)
        .with(Detail::Say(denied))
        .about(caller.subject()))
}
