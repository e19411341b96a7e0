//! What the API shows: one thing, or a page of a list.
//!
//! Owns which parameters each of them takes. Must not change anything.

use http::Method;
use serde_json::{Value, json};

use super::{
    Registry,
    api::{Api, Done, not_allowed},
    credit::entry_filter,
    operations,
    payments::{customer_filter, event_filter},
    problem::{Reason, Rejection},
    query::{Query, call_filter, notification_filter, page, usage_query},
    route::Resource,
    view,
};
use crate::accounts::KeySpec;

impl<R: Registry> Api<R> {
    /// Shows what a path names.
    ///
    /// # Errors
    /// Says why it is not shown.
    pub(super) async fn read(
        &self,
        resource: &Resource<'_>,
        query: Query,
    ) -> Result<Done, Rejection> {
        let body = match resource {
            Resource::Accounts => self.accounts(query)?,
            Resource::Account(id) => {
                query.finish()?;
                view::account(operations::account(&self.registry().roster(), id)?)
            }
            Resource::Keys => self.keys(query)?,
            Resource::Key(id) => {
                query.finish()?;
                view::key(operations::key(&self.registry().roster(), id)?, self.now())
            }
            Resource::Plans => self.plans(query)?,
            Resource::Calls => json!(self.registry().calls(query.read(call_filter)?).await?),
            Resource::Call(id) => {
                query.finish()?;
                self.call_of(id).await?
            }
            Resource::Usage => self.usage(query).await?,
            Resource::Credit(id) => {
                query.finish()?;
                self.credit_of(id).await?
            }
            Resource::Ledger => self.ledger(query.read(entry_filter)?).await?,
            Resource::Notifications => {
                let filter = query.read(notification_filter)?;
                json!(self.registry().notifications(filter).await?)
            }
            Resource::Webhooks => self.webhooks(query.read(event_filter)?).await?,
            Resource::Customers => {
                let filter = query.read(customer_filter)?;
                json!(self.registry().customers(filter).await?)
            }
            Resource::Subscription(_)
            | Resource::Customer(..)
            | Resource::Rotation(_)
            | Resource::CreditTransfer
            | Resource::Retry(_)
            | Resource::Test
            | Resource::Replay(_) => {
                return Err(not_allowed(&Method::GET, resource.methods()));
            }
        };
        Ok(body.into())
    }

    fn accounts(&self, query: Query) -> Result<Value, Rejection> {
        let range = query.read(Query::range)?;
        let roster = self.registry().roster();
        let accounts = roster.accounts.iter().map(|account| &**account);
        Ok(page(
            accounts,
            |spec| spec.id.as_str(),
            view::account,
            range,
        ))
    }

    fn keys(&self, query: Query) -> Result<Value, Rejection> {
        let (range, owner) = query.read(|query| {
            let range = query.range()?;
            Ok((range, query.parsed::<String>("account")?))
        })?;
        let (roster, now) = (self.registry().roster(), self.now());
        if let Some(owner) = &owner {
            operations::account(&roster, owner)?;
        }
        let of_owner =
            |key: &&KeySpec| owner.as_deref().is_none_or(|id| key.account.as_str() == id);
        let keys = roster.keys.iter().map(|key| &**key).filter(of_owner);
        let view = |spec: &KeySpec| view::key(spec, now);
        Ok(page(keys, |spec| spec.id.as_str(), view, range))
    }

    fn plans(&self, query: Query) -> Result<Value, Rejection> {
        let range = query.read(Query::range)?;
        let roster = self.registry().roster();
        let plans = roster.plans.iter();
        Ok(page(plans, |spec| spec.id.as_str(), view::plan, range))
    }

    async fn usage(&self, query: Query) -> Result<Value, Rejection> {
        let (asked, range) = query.read(|query| {
            let asked = usage_query(query)?;
            Ok((asked, (query.limit_or_most()?, query.parsed("cursor")?)))
        })?;
        let rows = self.registry().usage(asked).await?;
        Ok(page(
            rows.iter(),
            |row| row.group.as_deref().unwrap_or_default(),
            |row| json!(row),
            range,
        ))
    }

    async fn call_of(&self, id: &str) -> Result<Value, Rejection> {
        let none = || {
            let words = format!(
                "There is no record of a call {id:?}. A refused request leaves none, because a flood of them must not \
                 fill the disk: the access log has one line for every request, with its status and code. A call under \
                 way has none yet, and one older than `store.retention` has none any more."
            );
            Rejection::new(Reason::NotFound, words)
        };
        let id = id.parse().map_err(|_| none())?;
        let call = self.registry().call(id).await?;
        call.map(|call| json!(call)).ok_or_else(none)
    }
}
