//! What configuration, the store and the admin API say about plans, accounts and keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;

use super::{Digests, Label, Own};

use crate::{
    domain::{
        AccountId, EmailAddress, KeyId, Limits, ModelName, NanoUsd, PlanId, RateLimits,
        Subscription, Timestamp, Vendor,
    },
    prices::Factor,
};

/// Where an account or key was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the configuration file; read-only to the API.
    Config,
    /// Through the command line or the admin API.
    Api,
}

/// What happens to a call that may cost more than the credit left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LowCredit {
    /// It is refused, with the output limit that would be affordable.
    #[default]
    Refuse,
    /// Its output limit is lowered to what is affordable.
    Clamp,
}

impl LowCredit {
    /// Its word in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Clamp => "clamp",
        }
    }
}

/// A plan as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSpec {
    /// Its name.
    pub id: PlanId,
    /// Public names of the models it includes; `None` includes all.
    pub models: Option<BTreeSet<ModelName>>,
    /// Whether calls need an open subscription.
    pub subscription_required: bool,
    /// Whether calls are paid from prepaid credit.
    pub credit_required: bool,
    /// What happens to a call that may cost more than the credit left.
    pub on_low_credit: LowCredit,
    /// Limits over all keys of an account.
    pub limits: Limits,
    /// Limits of each key by itself.
    pub per_key: Limits,
    /// The output limit of a call that names none.
    pub default_max_output_tokens: u64,
    /// What all prices are multiplied by for its accounts.
    pub price_factor: Factor,
    /// Whether refusals name no figures.
    pub redact_amounts: bool,
}

/// An account as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSpec {
    /// Its name.
    pub id: AccountId,
    /// Its plan.
    pub plan: PlanId,
    /// Where it was declared.
    pub source: Source,
    /// When it was first seen; anchors `per: period` where there is no billing period.
    pub created_at: Timestamp,
    /// Whether all its keys are refused.
    pub disabled: bool,
    /// Its standing with the payment provider.
    pub subscription: Option<Subscription>,
    /// Models it may use; `None` leaves that to the plan.
    pub models: Option<BTreeSet<ModelName>>,
    /// Limits of its own, beside the plan's.
    pub limits: Limits,
    /// Where e-mail about it is sent.
    pub email: Option<EmailAddress>,
    /// Credit that the configuration file gives it once, when it is first seen.
    pub opening_credit: Option<NanoUsd>,
}

/// A key as written. There may be a million of them, so it has no room for what most do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpec {
    /// Its name.
    pub id: KeyId,
    /// Who pays for it.
    pub account: AccountId,
    /// Where it was declared.
    pub source: Source,
    /// Whether it is refused for now.
    pub disabled: bool,
    /// The secrets that open it. All but the last have an end: a rotation's overlap.
    pub digests: Digests,
    /// The public part of the newest secret, to recognise it by; empty for a key we did not make.
    pub public_part: Label,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it says for itself.
    pub own: Own,
}

/// What a key may say for itself, beside its account and plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnTerms {
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Models it may use; `None` leaves that to the account and plan.
    pub models: Option<BTreeSet<ModelName>>,
    /// Limits of its own, beside the plan's and the account's.
    pub limits: Limits,
    /// Networks it may be used from; empty allows all.
    pub allowed_ips: Vec<IpNet>,
}

impl OwnTerms {
    /// No end, no limits, every model, from anywhere.
    pub(super) const NOTHING: Self = Self {
        expires_at: None,
        revoked_at: None,
        models: None,
        limits: Limits {
            rates: RateLimits {
                requests_per_minute: None,
                tokens_per_minute: None,
                concurrent_requests: None,
            },
            quotas: Vec::new(),
        },
        allowed_ips: Vec::new(),
    };
}

/// Everything that can be published at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// All plans.
    pub plans: Vec<PlanSpec>,
    /// All accounts. Whoever keeps one keeps this one: what is written is in memory once.
    pub accounts: Vec<Arc<AccountSpec>>,
    /// All keys, likewise.
    pub keys: Vec<Arc<KeySpec>>,
    /// The models that plans, accounts and keys may name; `None` where the file lists none and every name is taken.
    pub models: Option<BTreeMap<ModelName, Extent>>,
    /// Customers of payment providers, and whose they are.
    pub customers: BTreeMap<(Vendor, String), AccountId>,
}

/// What is known of a model that limits need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Whether its `context_window` bounds the input of a call, whatever the body refers to. Without it no token quota
    /// and no amount of money can hold a call.
    pub bounded: bool,
    /// Whether it has a price.
    pub priced: bool,
}
