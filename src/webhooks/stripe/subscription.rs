//! Subscriptions, and invoices that renew them.

use super::{Event, named};
use crate::{
    domain::{SubscriptionStatus, Timestamp, Vendor},
    webhooks::{
        Fact, News, Snapshot,
        members::{Node, Wrong},
    },
};

/// A subscription as the event has it.
pub(super) fn snapshot(event: &Event<'_>) -> Result<News, Wrong> {
    let Event {
        kind,
        object,
        endpoint,
        ..
    } = event;
    let id = object.at("id").require()?;
    let status = object.at("status");
    let status = SubscriptionStatus::parse(status.require()?)
        .ok_or_else(|| status.not("a status that is known"))?;
    let price = |item: &Node<'_>| {
        let price = item.at("price").id().or_else(|| item.at("plan").id());
        let product = item.at("price.product").id();
        [price, product]
    };
    let prices: Vec<String> = object
        .at("items.data")
        .items()
        .flat_map(|item| price(&item))
        .flatten()
        .collect();
    let sold = endpoint.map(|endpoint| endpoint.plan("stripe.prices", &prices));
    let (plan, remark) = sold.unwrap_or_default();
    // Since API 2025-03-31 each item has its own period; before, the subscription had one.
    let of_items = |name: &str| -> Result<Vec<Timestamp>, Wrong> {
        let items = object.at("items.data");
        let times = items.items().map(|item| item.at(name).unix());
        Ok(times
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    };
    let start = object.at("current_period_start").unix()?;
    let end = object.at("current_period_end").unix()?;
    let start = start.or(of_items("current_period_start")?.into_iter().min());
    let end = end.or(of_items("current_period_end")?.into_iter().max());
    let fact = Fact::Subscription(Snapshot {
        first: *kind == "customer.subscription.created",
        period_start: start,
        period_end: end,
        trial_end: object.at("trial_end").unix()?,
        cancel_at: object.at("cancel_at").unix()?,
        cancel_at_period_end: object.at("cancel_at_period_end").flag().unwrap_or(false),
        ends_at: object.at("ended_at").unix()?,
        plan,
        ..Snapshot::with_status(status)
    });
    let object = named(Vendor::Stripe, id);
    Ok(News::Fact {
        object,
        fact,
        remark,
    })
}

/// A paid invoice.
pub(super) fn paid(event: &Event<'_>) -> Result<News, Wrong> {
    let Some(id) = renewed(&event.object) else {
        return Ok(News::Ignored("it is not about a subscription".to_owned()));
    };
    let mut period: Option<(Timestamp, Timestamp)> = None;
    for line in event.object.at("lines.data").items() {
        let (start, end) = (
            line.at("period.start").unix()?,
            line.at("period.end").unix()?,
        );
        if let Some((start, end)) = start.zip(end)
            && start < end
            && period.is_none_or(|(_, latest)| latest < end)
        {
            period = Some((start, end));
        }
    }
    let Some((from, until)) = period else {
        let words = "it does not say for which time; the subscription's own events do";
        return Ok(News::Ignored(words.to_owned()));
    };
    Ok(News::Fact {
        object: named(Vendor::Stripe, &id),
        fact: Fact::RenewalPaid { until, from },
        remark: None,
    })
}

/// An invoice that is due. Only that of a new period changes the standing: of others the subscription's own events
/// tell whether they do.
pub(super) fn due(event: &Event<'_>) -> Result<News, Wrong> {
    let renews = event.object.at("billing_reason").text() == Some("subscription_cycle");
    match renewed(&event.object) {
        Some(id) if renews => Ok(News::Fact {
            object: named(Vendor::Stripe, &id),
            fact: Fact::RenewalDue {
                invoiced: event.object.at("created").unix()?,
            },
            remark: None,
        }),
        Some(_) => Ok(News::Ignored(
            "it is not about a new period; the subscription's own events tell its standing"
                .to_owned(),
        )),
        None => Ok(News::Ignored("it is not about a subscription".to_owned())),
    }
}

/// The subscription of an invoice; since API 2025-03-31 it stands under `parent`.
fn renewed(invoice: &Node<'_>) -> Option<String> {
    let parent = invoice.at("parent.subscription_details.subscription").id();
    parent.or_else(|| invoice.at("subscription").id())
}
