//! Payment events through the API: lists, looking at one again, and whose a customer is.

use serde_json::{Value, json};

use super::{
    Api, Done, Linked, Registry,
    input::{self, Members},
    problem::{Reason, Rejection},
    query::{self, Query},
};
use crate::{
    domain::{AccountId, Vendor},
    store::{CustomerFilter, EventFilter, EventStatus, NewLink, Page, Received},
};

impl<R: Registry> Api<R> {
    /// `GET /webhooks`.
    pub(super) async fn webhooks(&self, filter: EventFilter) -> Result<Value, Rejection> {
        let Page { data, next_cursor } = self.registry().payment_events(filter).await?;
        Ok(json!({
            "data": data,
            "next_cursor": next_cursor.map(|number| number.to_string()),
        }))
    }

    /// `POST /webhooks/{id}/replay`.
    pub(super) async fn replay_webhook(
        &self,
        id: &str,
        members: Members,
    ) -> Result<Done, Rejection> {
        members.finish()?;
        let received = self.registry().replay_payment(id.to_owned()).await?;
        Ok(view(&received).into())
    }

    /// `PUT /customers/{vendor}/{customer}`.
    pub(super) async fn link_customer(
        &self,
        vendor: &str,
        customer: &str,
        mut members: Members,
    ) -> Result<Done, Rejection> {
        let account = members.require("account", input::account_id)?;
        members.finish()?;
        let link = NewLink {
            vendor: known(vendor)?,
            customer: nameable(customer)?,
            account: Some(account),
        };
        self.link(link, "customer_linked").await
    }

    /// `DELETE /customers/{vendor}/{customer}`.
    pub(super) async fn unlink_customer(
        &self,
        vendor: &str,
        customer: &str,
        members: Members,
    ) -> Result<Done, Rejection> {
        members.finish()?;
        let link = NewLink {
            vendor: known(vendor)?,
            customer: named(customer)?,
            account: None,
        };
        self.link(link, "customer_unlinked").await
    }

    async fn link(&self, link: NewLink, action: &'static str) -> Result<Done, Rejection> {
        let Linked { before, replayed } = self.registry().link_customer(link.clone()).await?;
        let NewLink {
            vendor,
            customer,
            account,
        } = link;
        tracing::info!(
            target: "faregate::admin",
            action,
            vendor = vendor.as_str(),
            %customer,
            account = account.as_ref().map(tracing::field::display),
            before = before.as_ref().map(tracing::field::display),
            "customer written"
        );
        let replayed: Vec<Value> = replayed.iter().map(view).collect();
        let view = json!({
            "vendor": vendor,
            "customer": customer,
            "account": account,
            "before": before,
            "replayed": replayed,
        });
        Ok(view.into())
    }
}

fn view(received: &Received) -> Value {
    let Received {
        id,
        status,
        duplicate,
        account,
        words,
        effects: _,
    } = received;
    json!({
        "id": id,
        "status": status,
        "replayed": !duplicate,
        "account": account,
        "words": words,
    })
}

/// The vendor that a path names.
fn known(vendor: &str) -> Result<Vendor, Rejection> {
    Vendor::parse(vendor).ok_or_else(|| {
        let known = Vendor::ALL.map(Vendor::as_str).join(", ");
        let words = format!("There is no payment provider {vendor:?}; it is one of {known}.");
        Rejection::new(Reason::NotFound, words)
    })
}

/// The customer that a path names and events can name.
fn nameable(customer: &str) -> Result<String, Rejection> {
    let customer = named(customer)?;
    if !Vendor::may_name(&customer) {
        let words = format!(
            "Customer {customer:?} is one that no event can name; look for a space at its beginning or end."
        );
        return Err(Rejection::invalid(words));
    }
    Ok(customer)
}

/// The customer that a path names.
fn named(customer: &str) -> Result<String, Rejection> {
    if customer.is_empty() {
        return Err(Rejection::invalid("The path names no customer."));
    }
    Ok(customer.to_owned())
}

/// Which customers a query asks for.
pub(super) fn customer_filter(query: &mut Query) -> Result<CustomerFilter, Rejection> {
    Ok(CustomerFilter {
        account: query.take("account", query::id(AccountId::parse))?,
        vendor: query.take("vendor", one_of_vendors)?,
        limit: query.limit()?,
        after: query.parsed("cursor")?,
    })
}

fn one_of_vendors(word: &str) -> Result<Vendor, String> {
    Vendor::parse(word).ok_or_else(|| {
        let known = Vendor::ALL.map(Vendor::as_str).join(", ");
        format!("must be one of {known}")
    })
}

/// Which payment events a query asks for.
pub(super) fn event_filter(query: &mut Query) -> Result<EventFilter, Rejection> {
    let status = |word: &str| {
        EventStatus::parse(word).ok_or_else(|| {
            let known = EventStatus::ALL.map(EventStatus::as_str).join(", ");
            format!("must be one of {known}")
        })
    };
    let cursor = |text: &str| {
        let words =
            "is not a cursor; pass back the next_cursor of the previous page, or leave it out";
        text.parse().map_err(|_| words.to_owned())
    };
    Ok(EventFilter {
        status: query.take("status", status)?,
        account: query.take("account", query::id(AccountId::parse))?,
        vendor: query.take("vendor", one_of_vendors)?,
        limit: query.limit()?,
        before: query.take("cursor", cursor)?,
    })
}
