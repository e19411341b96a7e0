//! `accounts`: who pays, with which keys.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    hash::Hash,
    sync::Arc,
};

use super::{
    DemoKey,
    fields::{Fields, Unread},
    limits::level,
    models::Models,
    nearest::suggestion,
    plans::Plans,
    problem::{Inside, Place, Report},
    read::Reader,
    secret,
    subscription::{placed, subscription},
    table::ACCOUNT,
};
use crate::{
    accounts::{AccountSpec, Digests, KeySpec, Label, OwnTerms, Source},
    domain::{
        AccountId, EmailAddress, InvalidEmailAddress, KeyDigest, KeyId, ModelName, PlanId, Secret,
        Timestamp, Vendor,
    },
};

/// A key that is shorter can be guessed, or was meant for something else.
const SHORT_KEY: usize = 20;
/// What begins like this is no secret.
const DEMO: &str = "demo-key-";

/// Accounts and keys, and what must not come twice among them.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) accounts: Vec<Arc<AccountSpec>>,
    pub(crate) keys: Vec<Arc<KeySpec>>,
    pub(crate) demo_keys: Vec<DemoKey>,
    pub(crate) customers: BTreeMap<(Vendor, String), AccountId>,
    demo_places: Vec<Place>,
    known_accounts: HashMap<AccountId, Inside>,
    known_keys: HashMap<KeyId, Inside>,
    known_digests: HashMap<KeyDigest, Inside>,
}

/// What an account's keys depend on.
struct Owner<'a> {
    /// `None` when its name is wrong; its keys are looked at all the same.
    account: Option<AccountId>,
    plan_models: Option<&'a BTreeSet<ModelName>>,
    models: Option<&'a BTreeSet<ModelName>>,
}

/// Compiles `accounts`, one after the other: they may be nearly all of a file, and what is read of one leaves its memory to
/// the next.
pub(crate) fn accounts(
    unread: Option<Unread>,
    plans: &Plans,
    models: &Models,
    reader: &mut Reader<'_>,
) -> Accounts {
    let mut accounts = Accounts::default();
    for (place, node) in unread.into_iter().flatten() {
        if let Some(fields) = reader.item(&ACCOUNT, node, place) {
            accounts.add(&fields, plans, models, reader.report);
        }
    }
    // They are kept as long as the file holds.
    accounts.accounts.shrink_to_fit();
    accounts.keys.shrink_to_fit();
    accounts
}

impl Accounts {
    /// The names of all accounts, good or bad.
    pub(crate) fn names(&self) -> BTreeSet<&AccountId> {
        self.known_accounts.keys().collect()
    }

    /// Warns of keys that everybody knows, where others can use them.
    pub(crate) fn warn_of_demo_keys(&self, report: &mut Report) {
        for place in &self.demo_places {
            let text = "begins with demo-key-, so it is no secret, and server.listen is open to other machines";
            let warning = report.warning(place, text);
            warning.hint("`faregate keys create` makes one that nobody knows");
        }
    }

    fn add(&mut self, fields: &Fields, plans: &Plans, models: &Models, report: &mut Report) {
        let id = name(fields, AccountId::parse, report);
        if let Some((id, place)) = &id {
            once(&mut self.known_accounts, id, place, "is the id of", report);
        }
        let plan = plan(fields, plans, report);
        let plan_models = plan
            .as_ref()
            .and_then(|plan| plans.spec(plan))
            .and_then(|spec| spec.models.as_ref());
        let own = models.list(fields, report);
        let limits = level(fields, report);
        let lists = [plan_models, own.as_ref()];
        models.bound(&limits.token_quotas, &lists, report);
        models.priced(&limits.budgets, &lists, report);
        let stated = fields.section("subscription");
        let subscription = match stated {
            Some(section) => subscription(section, report).map(Some),
            None => Some(None),
        };
        let email = address(fields, report);
        if let Some((id, _)) = &id {
            self.customers(fields, id, report);
        }
        let owner = Owner {
            account: id.as_ref().map(|(id, _)| id.clone()),
            plan_models,
            models: own.as_ref(),
        };
        let others = self.keys.len();
        for key in fields.sections("keys") {
            let key = self.key(key, &owner, models, report);
            self.keys.extend(key.map(Arc::new));
        }
        if let (Some(section), Some(Some(subscription))) = (stated, &subscription) {
            let keys = self.keys[others..].iter().map(|key| &key.own.limits);
            let of_plan = plan.as_ref().and_then(|plan| plans.spec(plan)).into_iter();
            let of_plan = of_plan.flat_map(|plan| [&plan.limits, &plan.per_key]);
            let counted = of_plan.chain([&limits.limits]).chain(keys);
            placed(section, subscription, counted, report);
        }
        if let (Some((id, _)), Some(plan), Some(subscription)) = (id, plan, subscription) {
            self.accounts.push(Arc::new(AccountSpec {
                id,
                plan,
                source: Source::Config,
                created_at: Timestamp::from_millis(0),
                disabled: fields.get("disabled").unwrap_or_default(),
                subscription,
                models: own,
                limits: limits.limits,
                email,
                opening_credit: fields.get("credit"),
            }));
        }
    }

    /// Notes which customers an account is.
    fn customers(&mut self, fields: &Fields, id: &AccountId, report: &mut Report) {
        let others = fields.section("customers");
        let of = |fields: Option<&Fields>, name: &str| {
            let (customer, place) = fields?.located::<String>(name)?;
            Some((customer, place.clone()))
        };
        let named = [
            (Vendor::Stripe, of(Some(fields), "stripe_customer")),
            (Vendor::Paddle, of(others, "paddle")),
            (Vendor::LemonSqueezy, of(others, "lemonsqueezy")),
        ];
        for (vendor, customer) in named {
            let Some((customer, place)) = customer else {
                continue;
            };
            if !Vendor::may_name(&customer) {
                let problem = report.problem(&place, "is a customer that no event can name");
                problem.hint("look for a space or a line break at its beginning or end");
            }
            let other = self.customers.insert((vendor, customer), id.clone());
            if let Some(other) = other {
                let text = format!("is the customer of account {other} too");
                let problem = report.problem(&place, text);
                problem.hint("a customer belongs to one account");
            }
        }
    }

    fn key(
        &mut self,
        fields: &Fields,
        owner: &Owner<'_>,
        models: &Models,
        report: &mut Report,
    ) -> Option<KeySpec> {
        let id = name(fields, KeyId::parse, report);
        if let Some((id, place)) = &id {
            once(&mut self.known_keys, id, place, "is the id of", report);
        }
        let digest = digest(fields, report);
        if let Some((digest, place)) = &digest {
            once(
                &mut self.known_digests,
                digest,
                place,
                "is the secret of",
                report,
            );
        }
        if let (Some((id, _)), Some(account)) = (&id, &owner.account)
            && let Some((key, place)) = fields.located::<Secret>("key")
            && key.expose().starts_with(DEMO)
        {
            self.demo_places.push(place.clone());
            self.demo_keys.push(DemoKey {
                id: id.clone(),
                account: account.clone(),
                key: key.expose().to_owned(),
            });
        }
        if fields.list("allowed_ips").is_some_and(<[_]>::is_empty) {
            let place = fields.place_of("allowed_ips");
            let text = "is an empty list, which could mean no address or every address";
            let problem = report.problem(place, text);
            problem
                .hint("leave it out to allow every address, or write disabled: true to allow none");
        }
        let own = models.list(fields, report);
        let limits = level(fields, report);
        let lists = [owner.plan_models, owner.models, own.as_ref()];
        models.bound(&limits.token_quotas, &lists, report);
        models.priced(&limits.budgets, &lists, report);
        Some(KeySpec {
            id: id?.0,
            account: owner.account.clone()?,
            source: Source::Config,
            disabled: fields.get("disabled").unwrap_or_default(),
            digests: Digests::one(digest?.0),
            public_part: Label::default(),
            created_at: Timestamp::from_millis(0),
            own: OwnTerms {
                expires_at: fields.get("expires_at"),
                revoked_at: None,
                models: own,
                limits: limits.limits,
                allowed_ips: fields.items("allowed_ips"),
            }
            .into(),
        })
    }
}

/// Reports a value that came before.
fn once<T: Eq + Hash + Clone>(
    known: &mut HashMap<T, Inside>,
    value: &T,
    place: &Place,
    text: &str,
    report: &mut Report,
) {
    match known.entry(value.clone()) {
        Entry::Occupied(other) => {
            let text = format!("{text} {} too", other.get());
            let problem = report.problem(place, text);
            problem.hint("each must be different from all others in the file");
        }
        Entry::Vacant(free) => {
            free.insert(place.above().clone());
        }
    }
}

/// Where an account's people are written to.
fn address(fields: &Fields, report: &mut Report) -> Option<EmailAddress> {
    let read = fields.text("email")?.parse();
    let wrong = |error: InvalidEmailAddress| {
        report.problem(fields.place_of("email"), error.to_string());
    };
    read.map_err(wrong).ok()
}

fn name<'a, T, E: std::fmt::Display>(
    fields: &'a Fields,
    parse: fn(&str) -> Result<T, E>,
    report: &mut Report,
) -> Option<(T, &'a Place)> {
    let place = fields.place_of("id");
    let id = parse(fields.text("id")?);
    id.map_err(|error| report.problem(place, format!("this name {error}")))
        .ok()
        .map(|id| (id, place))
}

fn plan(fields: &Fields, plans: &Plans, report: &mut Report) -> Option<PlanId> {
    if !fields.has("plan") {
        let problem = report.problem(&fields.place, "has no `plan`");
        let mut names: Vec<&str> = plans.names().collect();
        names.sort_unstable();
        problem.hint(if names.is_empty() {
            "add one to `plans`, and name it here".to_owned()
        } else {
            format!("plans of this file: {}", names.join(", "))
        });
        return None;
    }
    let name = fields.text("plan")?;
    if let Some(plan) = plans.find(name) {
        return Some(plan.clone());
    }
    let problem = report.problem(fields.place_of("plan"), "is not a plan of this file");
    let hint = suggestion(name, plans.names());
    problem.hint(hint.unwrap_or_else(|| "add it to `plans`".to_owned()));
    None
}

fn digest<'a>(fields: &'a Fields, report: &mut Report) -> Option<(KeyDigest, &'a Place)> {
    if fields.has("key") == fields.has("key_hash") {
        let (text, hint) = if fields.has("key") {
            ("has both `key` and `key_hash`", "keep one of the two")
        } else {
            (
                "has neither `key` nor `key_hash`",
                "write key: \"${NAME}\", or key_hash: \"sha256:…\"",
            )
        };
        report.problem(&fields.place, text).hint(hint);
        return None;
    }
    if let Some((hash, place)) = fields.located::<Secret>("key_hash") {
        let digest = hash.expose().parse();
        return digest
            .map_err(|error| {
                let problem = report.problem(place, format!("{error}"));
                problem.hint("`printf %s \"$KEY\" | sha256sum` gives the digits; a key itself goes into `key`");
            })
            .ok()
            .map(|digest| (digest, place));
    }
    let (key, place) = fields.located::<Secret>("key")?;
    let key = key.expose();
    if !secret::sendable(key) {
        let problem = report.problem(place, "has characters that a header field cannot carry");
        problem.hint("look for a line break, a tab, or a space at its beginning or end");
        return None;
    }
    let length = key.chars().count();
    if length < SHORT_KEY {
        let text = format!("has {length} characters, and short keys can be guessed");
        let warning = report.warning(place, text);
        warning.hint("`faregate keys create` makes one that cannot");
    }
    Some((KeyDigest::of(key.as_bytes()), place))
}
