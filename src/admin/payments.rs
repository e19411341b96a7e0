//! Payment events through the API: lists, and looking at one again.

use serde_json::{Value, json};

use super::{
    Api, Done, Registry,
    input::Members,
    problem::Rejection,
    query::{self, Query},
};
use crate::{
    domain::{AccountId, Vendor},
    store::{EventFilter, EventStatus, Page, Received},
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
        let Received {
            id,
            status,
            duplicate,
            account,
            words,
            effects: _,
        } = received;
        let view = json!({
            "id": id,
            "status": status,
            "replayed": !duplicate,
            "account": account,
            "words": words,
        });
        Ok(view.into())
    }
}

/// Which payment events a query asks for.
pub(super) fn event_filter(query: &mut Query) -> Result<EventFilter, Rejection> {
    let status = |word: &str| {
        EventStatus::parse(word).ok_or_else(|| {
            let known = EventStatus::ALL.map(EventStatus::as_str).join(", ");
            format!("must be one of {known}")
        })
    };
    let vendor = |word: &str| {
        Vendor::parse(word).ok_or_else(|| {
            let known = Vendor::ALL.map(Vendor::as_str).join(", ");
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
        vendor: query.take("vendor", vendor)?,
        limit: query.limit()?,
        before: query.take("cursor", cursor)?,
    })
}
