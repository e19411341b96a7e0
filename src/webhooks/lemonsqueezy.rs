//! Lemon Squeezy's events.

use sha2::{Digest, Sha256};

use super::{
    Endpoint, Fact, Illegible, News, Party, PaymentEvent, Snapshot, Verified,
    event::{named, other_mode},
    members::{Node, Wrong, document},
};
use crate::domain::{SubscriptionStatus, Vendor};

/// Reads an event. It has no id of its own; a repeated one has the same bytes, so their digest is its id.
pub(super) fn read(
    verified: &Verified<'_>,
    endpoint: Option<&Endpoint>,
) -> Result<PaymentEvent, Illegible> {
    let value = document(verified)?;
    let root = Node::root(&value);
    let digest = Sha256::digest(verified.body());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = named(Vendor::LemonSqueezy, &digits);
    let odd = |words: Wrong| Illegible::Odd {
        id: id.clone(),
        kind: root
            .at("meta.event_name")
            .text()
            .unwrap_or_default()
            .to_owned(),
        words,
    };
    let kind = root.at("meta.event_name").require().map_err(odd)?;
    let (meta, data) = (root.at("meta"), root.at("data"));
    let attributes = data.at("attributes");
    let updated = attributes.at("updated_at");
    let created = updated.require_instant().map_err(odd)?;
    let live = attributes.at("test_mode").flag().map(|test| !test);
    let other_mode = other_mode(Vendor::LemonSqueezy, endpoint, live);
    // Others change nothing in either mode, and some do not say theirs.
    let counts = kind.starts_with("order_") || data.at("type").text() == Some("subscriptions");
    let news = match kind {
        _ if counts && let Some(words) = other_mode => Ok(News::Parked(words)),
        "order_created" => bought(&meta, &data, endpoint),
        "order_refunded" => refunded(&data),
        kind if kind.starts_with("subscription_")
            && data.at("type").text() == Some("subscriptions") =>
        {
            subscription(kind, &data, endpoint)
        }
        kind if kind.starts_with("subscription_payment_") => Ok(News::Ignored(
            "the subscription's own events tell its standing".to_owned(),
        )),
        _ => Ok(News::Ignored(
            "it changes no standing, no credit and no plan".to_owned(),
        )),
    };
    let account = meta.at("custom_data.faregate_account").text();
    Ok(PaymentEvent {
        kind: kind.to_owned(),
        vendor: Vendor::LemonSqueezy,
        created,
        party: Party {
            customer: attributes.at("customer_id").id(),
            account: account.map(str::to_owned),
            claimed: false,
        },
        news: news.map_err(odd)?,
        id,
    })
}

/// Its `cancelled` is paid until it ends, and may be resumed; only `expired` has ended.
fn subscription(kind: &str, data: &Node<'_>, endpoint: Option<&Endpoint>) -> Result<News, Wrong> {
    let attributes = data.at("attributes");
    let status = attributes.at("status");
    let status = match status.require()? {
        "on_trial" => SubscriptionStatus::Trialing,
        "active" | "cancelled" => SubscriptionStatus::Active,
        "past_due" => SubscriptionStatus::PastDue,
        "unpaid" => SubscriptionStatus::Unpaid,
        "paused" => SubscriptionStatus::Paused,
        "expired" => SubscriptionStatus::Canceled,
        _ => return Err(status.not("a status that is known")),
    };
    let ends = attributes.at("ends_at").instant()?;
    let sold = endpoint.map(|endpoint| endpoint.plan("lemonsqueezy.variants", &sold(&attributes)));
    let (plan, remark) = sold.unwrap_or_default();
    let snapshot = Snapshot {
        first: kind == "subscription_created",
        trial_end: attributes.at("trial_ends_at").instant()?,
        ends_at: ends,
        plan,
        ..Snapshot::with_status(status)
    };
    let id = data.at("id").require_id()?;
    Ok(News::Fact {
        object: named(Vendor::LemonSqueezy, &format!("subscription:{id}")),
        fact: Fact::Subscription(snapshot),
        remark,
    })
}

/// What a subscription, or an item of an order, is sold as.
fn sold(item: &Node<'_>) -> Vec<String> {
    let ids = ["variant_id", "product_id"].map(|name| item.at(name).id());
    ids.into_iter().flatten().collect()
}

/// An order does not say whether it began a subscription, so it is credit only where whoever made it says so. That may
/// stand in a link, where whoever pays can write it: what is sold as a plan is none.
fn bought(meta: &Node<'_>, data: &Node<'_>, endpoint: Option<&Endpoint>) -> Result<News, Wrong> {
    let said = meta.at("custom_data.faregate_credit");
    if said.text() != Some("true") && said.flag() != Some(true) {
        let words = "the order is not marked as credit (custom_data.faregate_credit: \"true\")";
        return Ok(News::Ignored(words.to_owned()));
    }
    let attributes = data.at("attributes");
    let item = sold(&attributes.at("first_order_item"));
    let is_plan = |endpoint: &Endpoint| item.iter().any(|id| endpoint.plans.contains_key(id));
    if endpoint.is_some_and(is_plan) {
        let words = "a plan was bought, and not credit; its subscription tells the standing";
        return Ok(News::Ignored(words.to_owned()));
    }
    if attributes.at("status").text() != Some("paid") {
        return Ok(News::Ignored("nothing is paid yet".to_owned()));
    }
    if let Some(parked) = attributes.at("currency").foreign() {
        return Ok(parked);
    }
    let order = data.at("id").require_id()?;
    let nano_usd = attributes.at("total").cents()?;
    if nano_usd == 0 {
        return Ok(News::Ignored("nothing was to be paid".to_owned()));
    }
    let paid = Fact::Paid {
        order: order.clone(),
        nano_usd,
    };
    Ok(about_order(&order, paid))
}

fn refunded(data: &Node<'_>) -> Result<News, Wrong> {
    let attributes = data.at("attributes");
    if let Some(parked) = attributes.at("currency").foreign() {
        return Ok(parked);
    }
    let order = data.at("id").require_id()?;
    let part = attributes.at("refunded_amount");
    let all = attributes.at("total");
    let nano_usd = if part.is_null() {
        all.cents()?
    } else {
        part.cents()?
    };
    Ok(about_order(&order, Fact::RefundedInAll { nano_usd }))
}

/// A fact about an order. Its ids are numbers, and the same number may be an order and a subscription.
fn about_order(id: &str, fact: Fact) -> News {
    News::Fact {
        object: named(Vendor::LemonSqueezy, &format!("order:{id}")),
        fact,
        remark: None,
    }
}
