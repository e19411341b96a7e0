//! The API without its transport: method, path and body in, JSON or words out.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    Registry,
    input::{self, Members},
    operations::{
        AccountChange, CommonChange, KeyChange, MadeKey, NewAccount, NewKey, change_account,
        change_key, create_account, create_key, revoke_key, rotate_key,
    },
    problem::{Reason, Rejection},
    query::Query,
    route::Resource,
    view,
};
use crate::{
    accounts::{AccountSpec, KeySpec, Spoken},
    domain::{Clock, Limits, Subscription, Timestamp},
    store::NotificationStatus,
};

/// How long an old secret works when nobody says.
const OVERLAP_SECONDS: u64 = 86_400;

/// The operations over a registry. The daemon serves them; the command line beside a stopped daemon calls them.
#[derive(Debug)]
pub struct Api<R> {
    registry: R,
    clock: Clock,
    /// Changes read the roster and then write: two at once could both create the same id.
    changing: Semaphore,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// 200, or 201 where something was created.
    pub status: StatusCode,
    /// The thing, or the list.
    pub body: Value,
}

impl From<Value> for Done {
    fn from(body: Value) -> Self {
        let status = StatusCode::OK;
        Self { status, body }
    }
}

impl<R: Registry> Api<R> {
    /// The API over `registry`.
    pub fn new(registry: R, clock: Clock) -> Self {
        Self {
            registry,
            clock,
            changing: Semaphore::new(1),
        }
    }

    /// What the API works on.
    pub const fn registry(&self) -> &R {
        &self.registry
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does what a request asks for. `path` starts with `/admin/v1/`; ids in it are percent-encoded.
    ///
    /// # Errors
    /// Says why it was not done.
    pub async fn respond(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Done, Rejection> {
        let resource = Resource::of(path).ok_or_else(|| {
            let words = format!("There is nothing at {path:?}.");
            Rejection::new(Reason::NotFound, words)
        })?;
        let looks = *method == Method::GET || *method == Method::HEAD;
        let wanted = if looks { "GET" } else { method.as_str() };
        if !resource.methods().split(", ").any(|known| known == wanted) {
            return Err(not_allowed(method, resource.methods()));
        }
        if looks {
            return self.read(&resource, Query::parse(query)?).await;
        }
        Query::parse(query)?.finish()?;
        let members = Members::of_body(body)?;
        // The semaphore is never closed; a missing permit would only mean that changes are not ordered.
        let _one_at_a_time = self.changing.acquire().await;
        match (method.as_str(), &resource) {
            ("POST", Resource::Accounts) => self.create_account(members).await,
            ("PATCH", Resource::Account(id)) => self.change_account(id, members).await,
            ("PUT", Resource::Subscription(id)) => self.set_subscription(id, members).await,
            ("DELETE", Resource::Subscription(id)) => {
                members.finish()?;
                self.subscribe(id, input::Change::Clear).await
            }
            ("POST", Resource::Keys) => self.create_key(members).await,
            ("PATCH", Resource::Key(id)) => self.change_key(id, members).await,
            ("DELETE", Resource::Key(id)) => {
                members.finish()?;
                let spec = revoke_key(&self.registry.roster(), id, self.clock.now())?;
                self.put_key(spec, "key_revoked").await
            }
            ("POST", Resource::Rotation(id)) => self.rotate(id, members).await,
            ("POST", Resource::Retry(id)) => {
                members.finish()?;
                self.retry(id).await
            }
            ("POST", Resource::Test) => {
                members.finish()?;
                let messages = self.registry.test_notification().await?;
                Ok(json!({ "messages": messages }).into())
            }
            ("POST", Resource::Credit(id)) => self.add_credit(id, members).await,
            ("POST", Resource::CreditTransfer) => self.transfer_credit(members).await,
            ("PUT", Resource::Customer(vendor, customer)) => {
                self.link_customer(vendor, customer, members).await
            }
            ("DELETE", Resource::Customer(vendor, customer)) => {
                self.unlink_customer(vendor, customer, members).await
            }
            ("POST", Resource::Replay(id)) => self.replay_webhook(id, members).await,
            _ => Err(not_allowed(method, resource.methods())),
        }
    }

    async fn create_account(&self, mut members: Members) -> Result<Done, Rejection> {
        let id = members.require("id", input::account_id)?;
        let plan = members.require("plan", input::plan_id)?;
        let subscription = members.take("subscription", input::nested_subscription)?;
        let email = members.take("email", input::email)?;
        let common = common(&mut members)?;
        members.finish()?;
        let mut new = NewAccount {
            id,
            plan,
            disabled: false,
            subscription,
            models: None,
            limits: Limits::default(),
            email,
        };
        common.apply(&mut new.disabled, &mut new.models, &mut new.limits);
        let spec = create_account(&self.registry.roster(), new, self.clock.now())?;
        let done = self
            .put_account(spec, Spoken::ALL, "account_created")
            .await?;
        Ok(created(done))
    }

    async fn change_account(&self, id: &str, mut members: Members) -> Result<Done, Rejection> {
        let plan = match members.change("plan", input::plan_id)? {
            input::Change::Keep => None,
            input::Change::Set(plan) => Some(plan),
            input::Change::Clear => {
                let words = "`plan` cannot be removed: an account always has one. Name another, or leave it out.";
                return Err(Rejection::invalid(words));
            }
        };
        let change = AccountChange {
            plan,
            subscription: members.change("subscription", input::nested_subscription)?,
            email: members.change("email", input::email)?,
            common: common(&mut members)?,
        };
        members.finish()?;
        let spoken = change.spoken();
        let spec = change_account(&self.registry.roster(), id, change, self.clock.now())?;
        self.put_account(spec, spoken, "account_changed").await
    }

    async fn set_subscription(&self, id: &str, mut members: Members) -> Result<Done, Rejection> {
        let stated = input::subscription(&mut members)?;
        members.finish()?;
        self.subscribe(id, input::Change::Set(stated)).await
    }

    async fn subscribe(
        &self,
        id: &str,
        subscription: input::Change<Subscription>,
    ) -> Result<Done, Rejection> {
        let change = AccountChange {
            subscription,
            ..AccountChange::default()
        };
        let spoken = change.spoken();
        let spec = change_account(&self.registry.roster(), id, change, self.clock.now())?;
        self.put_account(spec, spoken, "subscription_changed").await
    }

    async fn create_key(&self, mut members: Members) -> Result<Done, Rejection> {
        let account = members.require("account", input::account_id)?;
        let id = members.take("id", input::key_id)?;
        let expires_at = members.take("expires_at", input::timestamp)?;
        let allowed_ips = members.take("allowed_ips", input::networks)?;
        let common = common(&mut members)?;
        members.finish()?;
        let mut new = NewKey {
            id,
            account,
            expires_at,
            disabled: false,
            models: None,
            limits: Limits::default(),
            allowed_ips: allowed_ips.unwrap_or_default(),
        };
        common.apply(&mut new.disabled, &mut new.models, &mut new.limits);
        let made = create_key(&self.registry.roster(), new, self.clock.now())?;
        let done = self.put_made(made, "key_created").await?;
        Ok(created(done))
    }

    async fn change_key(&self, id: &str, mut members: Members) -> Result<Done, Rejection> {
        let change = KeyChange {
            expires_at: members.change("expires_at", input::timestamp)?,
            allowed_ips: members.change("allowed_ips", input::networks)?,
            common: common(&mut members)?,
        };
        members.finish()?;
        let spec = change_key(&self.registry.roster(), id, change, self.clock.now())?;
        self.put_key(spec, "key_changed").await
    }

    async fn rotate(&self, id: &str, mut members: Members) -> Result<Done, Rejection> {
        let overlap = members.take("overlap_seconds", input::seconds)?;
        members.finish()?;
        let overlap = Duration::from_secs(overlap.unwrap_or(OVERLAP_SECONDS));
        let made = rotate_key(&self.registry.roster(), id, overlap, self.clock.now())?;
        self.put_made(made, "key_rotated").await
    }

    /// Has a message sent again, from the start of its schedule.
    async fn retry(&self, id: &str) -> Result<Done, Rejection> {
        let none = || {
            let words = format!(
                "There is no message {id:?}; `faregate notifications list` shows all that are kept."
            );
            Rejection::new(Reason::NotFound, words)
        };
        let read = id.parse().map_err(|_| none())?;
        let row = self.registry.retry_notification(read).await?;
        let row = row.ok_or_else(none)?;
        if row.status == NotificationStatus::Delivered {
            let words = format!("Message {id:?} was delivered; its receiver has it.");
            return Err(Rejection::new(Reason::Conflict, words));
        }
        tracing::info!(target: "faregate::admin", action = "notification_retried", %id, "message queued again");
        Ok(json!(row).into())
    }

    async fn put_account(
        &self,
        spec: AccountSpec,
        spoken: Spoken,
        action: &'static str,
    ) -> Result<Done, Rejection> {
        let view = view::account(&spec);
        let id = spec.id.clone();
        self.registry.put_account(spec, spoken).await?;
        tracing::info!(target: "faregate::admin", action, account = %id, "account written");
        Ok(view.into())
    }

    async fn put_key(&self, spec: KeySpec, action: &'static str) -> Result<Done, Rejection> {
        let view = view::key(&spec, self.clock.now());
        let (id, account) = (spec.id.clone(), spec.account.clone());
        self.registry.put_key(spec).await?;
        tracing::info!(target: "faregate::admin", action, key = %id, %account, "key written");
        Ok(view.into())
    }

    /// The only place where a whole key leaves the process: the answer to whoever made it.
    async fn put_made(&self, made: MadeKey, action: &'static str) -> Result<Done, Rejection> {
        let mut done = self.put_key(made.spec, action).await?;
        done.body["key"] = made.text.expose().into();
        Ok(done)
    }
}

fn created(done: Done) -> Done {
    Done {
        status: StatusCode::CREATED,
        ..done
    }
}

pub(super) fn not_allowed(method: &Method, possible: &str) -> Rejection {
    let words = format!("{method} is not possible here. Possible: {possible}.");
    Rejection::new(Reason::MethodNotAllowed, words)
}

fn common(members: &mut Members) -> Result<CommonChange, Rejection> {
    let disabled = members.change("disabled", input::flag)?;
    let models = members.change("models", input::list(input::model_name))?;
    Ok(CommonChange {
        disabled,
        models,
        rates: members.limit("rate_limits", |limits| limits.rates)?,
        quotas: members.limit("quotas", |limits| limits.quotas)?,
        budgets: members.limit("budgets", |limits| limits.quotas)?,
    })
}
