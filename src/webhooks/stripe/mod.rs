//! Stripe's events (API 2026-10-28, and older ones where they differ).

mod credit;
mod subscription;

use super::{
    Endpoint, Illegible, News, Party, PaymentEvent, Verified,
    event::{named, other_mode},
    members::{Node, Wrong, document},
};
use crate::domain::{Timestamp, Vendor};

/// What a reader of one kind of event needs.
#[derive(Debug)]
struct Event<'v> {
    kind: &'v str,
    created: Timestamp,
    /// `data.object`.
    object: Node<'v>,
    endpoint: Option<&'v Endpoint>,
}

/// Reads an event.
pub(super) fn read(
    verified: &Verified<'_>,
    endpoint: Option<&Endpoint>,
) -> Result<PaymentEvent, Illegible> {
    let value = document(verified)?;
    let root = Node::root(&value);
    let id = root.at("id").require().map_err(Illegible::Nameless)?;
    let id = named(Vendor::Stripe, id);
    let kind = root.at("type").text().unwrap_or_default();
    let odd = |words: Wrong| Illegible::Odd {
        id: id.clone(),
        kind: kind.to_owned(),
        words,
    };
    let root_kind = root.at("type").require().map_err(odd)?;
    // A thin event (API v2) has its time as RFC 3339, and tells no more than that something happened.
    let thin = root.at("object").text() == Some("v2.core.event");
    let created = if thin {
        root.at("created").instant()
    } else {
        root.at("created").unix()
    };
    let created = created
        .and_then(|at| at.ok_or_else(|| root.at("created").not("a time")))
        .map_err(odd)?;
    let event = Event {
        kind: root_kind,
        created,
        object: root.at("data.object"),
        endpoint,
    };
    let party = party(&event.object);
    let live = root.at("livemode").flag();
    let news = match other_mode(Vendor::Stripe, endpoint, live) {
        _ if thin => News::Ignored("a thin event says only that something happened".to_owned()),
        Some(words) => News::Parked(words),
        None => news(&event).map_err(odd)?,
    };
    Ok(PaymentEvent {
        kind: root_kind.to_owned(),
        vendor: Vendor::Stripe,
        created,
        party,
        news,
        id,
    })
}

fn news(event: &Event<'_>) -> Result<News, Wrong> {
    match event.kind {
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted"
        | "customer.subscription.paused"
        | "customer.subscription.resumed"
        | "customer.subscription.pending_update_applied"
        | "customer.subscription.pending_update_expired"
        | "customer.subscription.trial_will_end" => subscription::snapshot(event),
        "invoice.paid" | "invoice.payment_succeeded" => subscription::paid(event),
        "invoice.payment_failed" | "invoice.payment_action_required" | "invoice.overdue" => {
            subscription::due(event)
        }
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            credit::session(event)
        }
        "charge.refunded" => credit::refunded(event),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            credit::refund(event)
        }
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.closed"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated" => credit::dispute(event),
        "billing.credit_grant.created" | "billing.credit_grant.updated" => credit::grant(event),
        other => Ok(News::Ignored(idle(other).to_owned())),
    }
}

/// Why an event changes nothing.
fn idle(kind: &str) -> &'static str {
    match kind {
        "invoice.marked_uncollectible" | "invoice.voided" => {
            "the standing follows from the subscription's own events"
        }
        "invoice.upcoming" | "invoice.will_be_due" => "nothing is due yet",
        "checkout.session.async_payment_failed" | "checkout.session.expired" => "nothing was paid",
        _ => "it changes no standing, no credit and no plan",
    }
}

/// Metadata comes from whoever sells. `client_reference_id` may be part of a link, where whoever pays can change it.
fn party(object: &Node<'_>) -> Party {
    let metadata = [
        "metadata",
        "subscription_details.metadata",
        "parent.subscription_details.metadata",
    ];
    let named = metadata
        .into_iter()
        .find_map(|path| object.at(path).at("faregate_account").text());
    let account = named.or_else(|| object.at("client_reference_id").text());
    Party {
        customer: object.at("customer").id(),
        account: account.map(str::to_owned),
        claimed: named.is_none(),
    }
}
