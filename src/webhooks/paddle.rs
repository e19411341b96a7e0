//! Paddle Billing's events.

use super::{
    Endpoint, Fact, Illegible, News, Party, PaymentEvent, Snapshot, Verified,
    event::named,
    members::{Node, Wrong, document},
};
use crate::domain::{SubscriptionStatus, Vendor};

/// Reads an event.
pub(super) fn read(
    verified: &Verified<'_>,
    endpoint: Option<&Endpoint>,
) -> Result<PaymentEvent, Illegible> {
    let value = document(verified)?;
    let root = Node::root(&value);
    let id = root.at("event_id").require().map_err(Illegible::Nameless)?;
    let id = named(Vendor::Paddle, id);
    let odd = |words: Wrong| Illegible::Odd {
        id: id.clone(),
        kind: root.at("event_type").text().unwrap_or_default().to_owned(),
        words,
    };
    let kind = root.at("event_type").require().map_err(odd)?;
    let occurred = root.at("occurred_at");
    let created = occurred.require_instant().map_err(odd)?;
    let data = root.at("data");
    let news = news(kind, &data, endpoint).map_err(odd)?;
    let account = data.at("custom_data.faregate_account").text();
    Ok(PaymentEvent {
        kind: kind.to_owned(),
        vendor: Vendor::Paddle,
        created,
        party: Party {
            customer: data.at("customer_id").id(),
            account: account.map(str::to_owned),
            claimed: false,
        },
        news,
        id,
    })
}

fn news(kind: &str, data: &Node<'_>, endpoint: Option<&Endpoint>) -> Result<News, Wrong> {
    match kind {
        "transaction.completed" => bought(data, endpoint),
        "transaction.payment_failed" => {
            let renews = data.at("origin").text() == Some("subscription_recurring");
            Ok(match data.at("subscription_id").id() {
                Some(id) if renews => fact(&id, Fact::RenewalDue { invoiced: None }),
                _ => News::Ignored("it is not about the renewal of a subscription".to_owned()),
            })
        }
        "adjustment.created" | "adjustment.updated" => adjusted(data),
        kind if kind.starts_with("subscription.") => subscription(kind, data, endpoint),
        _ => Ok(News::Ignored(
            "it changes no standing, no credit and no plan".to_owned(),
        )),
    }
}

fn subscription(kind: &str, data: &Node<'_>, endpoint: Option<&Endpoint>) -> Result<News, Wrong> {
    let id = data.at("id").require()?;
    let status = data.at("status");
    // Paddle's five words are among Stripe's eight.
    let status = SubscriptionStatus::parse(status.require()?)
        .ok_or_else(|| status.not("a status that is known"))?;
    let prices: Vec<String> = data
        .at("items")
        .items()
        .flat_map(|item| [item.at("price.id").id(), item.at("price.product_id").id()])
        .flatten()
        .collect();
    let sold = endpoint.map(|endpoint| endpoint.plan("paddle.prices", &prices));
    let (plan, remark) = sold.unwrap_or_default();
    let mut trial_end = None;
    for item in data.at("items").items() {
        trial_end = trial_end.max(item.at("trial_dates.ends_at").instant()?);
    }
    let cancels = data.at("scheduled_change.action").text() == Some("cancel");
    let scheduled = data.at("scheduled_change.effective_at").instant()?;
    let snapshot = Snapshot {
        first: kind == "subscription.created",
        period_start: data.at("current_billing_period.starts_at").instant()?,
        period_end: data.at("current_billing_period.ends_at").instant()?,
        trial_end,
        cancel_at: scheduled.filter(|_| cancels),
        plan,
        ..Snapshot::with_status(status)
    };
    Ok(News::Fact {
        object: named(Vendor::Paddle, id),
        fact: Fact::Subscription(snapshot),
        remark,
    })
}

/// A transaction that belongs to no subscription is a top-up.
fn bought(data: &Node<'_>, endpoint: Option<&Endpoint>) -> Result<News, Wrong> {
    if !data.at("subscription_id").is_null() {
        return Ok(News::Link);
    }
    let configured = endpoint.is_none_or(|endpoint| endpoint.top_up);
    let credited = match data.at("custom_data.faregate_credit") {
        said if said.is_null() => configured,
        said => said.text() == Some("true") || said.flag() == Some(true),
    };
    if !credited {
        return Ok(News::Ignored("what was bought is not credit".to_owned()));
    }
    if let Some(parked) = data.at("currency_code").foreign() {
        return Ok(parked);
    }
    let id = data.at("id").require()?;
    let nano_usd = data.at("details.totals.grand_total").cents()?;
    if nano_usd == 0 {
        return Ok(News::Ignored("nothing was to be paid".to_owned()));
    }
    let order = id.to_owned();
    Ok(fact(id, Fact::Paid { order, nano_usd }))
}

/// A refund, a credit or a chargeback of a transaction.
fn adjusted(data: &Node<'_>) -> Result<News, Wrong> {
    let action = data.at("action").require()?;
    let status = data.at("status").text().unwrap_or("approved");
    let id = data.at("transaction_id").require()?;
    if let Some(parked) = data.at("currency_code").foreign() {
        return Ok(parked);
    }
    let nano_usd = data.at("totals.total").cents()?;
    let adjustment = data.at("id").require()?.to_owned();
    let stands = matches!(status, "approved" | "pending_approval");
    let adjusted = match action {
        "refund" => Fact::Refund {
            refund: adjustment,
            nano_usd,
            stands,
        },
        "chargeback" => Fact::Dispute {
            dispute: adjustment,
            nano_usd,
            held_back: stands,
        },
        _ => {
            let words = format!("an adjustment by {action} takes no credit");
            return Ok(News::Ignored(words));
        }
    };
    Ok(fact(id, adjusted))
}

fn fact(object: &str, fact: Fact) -> News {
    News::Fact {
        object: named(Vendor::Paddle, object),
        fact,
        remark: None,
    }
}
