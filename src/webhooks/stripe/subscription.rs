//! Subscriptions, and invoices that renew them.

use std::slice;

use super::{Event, named};
use crate::{
    domain::{SubscriptionStatus, Timestamp, Vendor},
    webhooks::{
        Endpoint, Fact, News, Snapshot,
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
    let items: Vec<Node<'_>> = object.at("items.data").items().collect();
    let prices: Vec<String> = items.iter().flat_map(prices).collect();
    let sold = endpoint.map(|endpoint| endpoint.plan("stripe.prices", &prices));
    let (plan, remark) = sold.unwrap_or_default();
    // Since API 2025-03-31 each item has its own period; before, the subscription had one. Beside a plan there may be items
    // of other intervals.
    let of_plan = items.iter().find(|item| is_plan(item, *endpoint));
    let counting = of_plan.map_or(&items[..], slice::from_ref);
    let of_items = |name: &str| -> Result<Vec<Timestamp>, Wrong> {
        let times = counting.iter().map(|item| item.at(name).unix());
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
    let mut lines: Vec<Node<'_>> = event.object.at("lines.data").items().collect();
    let of_plan = |line: &Node<'_>| is_plan(line, event.endpoint);
    if lines.iter().any(of_plan) {
        lines.retain(of_plan);
    }
    let mut period: Option<(Timestamp, Timestamp)> = None;
    for line in lines {
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

/// What an item or a line is sold as: its price, or its plan as it was called before, and its product.
fn prices(item: &Node<'_>) -> Vec<String> {
    let details = item.at("pricing.price_details");
    let price = ["price", "plan"].map(|name| item.at(name).id());
    let price = price.into_iter().flatten().next();
    let price = price.or_else(|| details.at("price").id());
    let product = item.at("price.product").id();
    let product = product.or_else(|| details.at("product").id());
    price.into_iter().chain(product).collect()
}

/// Whether an item or a line is sold as a plan.
fn is_plan(item: &Node<'_>, endpoint: Option<&Endpoint>) -> bool {
    let plans = endpoint.map(|endpoint| &endpoint.plans);
    plans.is_some_and(|plans| prices(item).iter().any(|price| plans.contains_key(price)))
}
