//! Our own vocabulary, for everybody who can sign by Standard Webhooks 1.0.0.

use super::{
    Endpoint, Fact, Illegible, News, Party, PaymentEvent, Snapshot, Verified,
    event::named,
    members::{Node, Wrong, document},
};
use crate::domain::{PlanId, SubscriptionStatus, Vendor};

/// Reads an event. Its id is the header's.
pub(super) fn read(
    verified: &Verified<'_>,
    endpoint: Option<&Endpoint>,
) -> Result<PaymentEvent, Illegible> {
    let value = document(verified)?;
    let Some(own) = verified.id() else {
        let words = "it has no webhook-id".to_owned();
        return Err(Illegible::Nameless(words));
    };
    let root = Node::root(&value);
    let id = named(Vendor::Standard, own);
    let odd = |words: Wrong| Illegible::Odd {
        id: id.clone(),
        kind: root.at("type").text().unwrap_or_default().to_owned(),
        words,
    };
    let kind = root.at("type").require().map_err(odd)?;
    let timestamp = root.at("timestamp");
    let created = timestamp.require_instant().map_err(odd)?;
    let data = root.at("data");
    let news = match kind {
        "subscription.updated" => subscription(&data, endpoint),
        "credit.granted" => granted(&data, own),
        "credit.refunded" => refunded(&data, own),
        _ => Ok(News::Ignored(
            "it is none of subscription.updated, credit.granted and credit.refunded".to_owned(),
        )),
    };
    Ok(PaymentEvent {
        kind: kind.to_owned(),
        vendor: Vendor::Standard,
        created,
        party: Party {
            customer: None,
            account: data.at("account").text().map(str::to_owned),
            claimed: false,
        },
        news: news.map_err(odd)?,
        id,
    })
}

/// An account has one subscription unless its events name several by `id`.
fn subscription(data: &Node<'_>, endpoint: Option<&Endpoint>) -> Result<News, Wrong> {
    let account = data.at("account").require()?;
    let status = data.at("status");
    let status = SubscriptionStatus::parse(status.require()?).ok_or_else(|| {
        let known = SubscriptionStatus::ALL.map(SubscriptionStatus::as_str);
        status.not(&format!("one of {}", known.join(", ")))
    })?;
    let plan = data.at("plan");
    let named_plan = match plan.text() {
        Some(name) => Some(PlanId::parse(name).map_err(|_| plan.not("the name of a plan"))?),
        None if plan.is_null() => None,
        None => return Err(plan.not("the name of a plan")),
    };
    let start = data.at("current_period_start").instant()?;
    let end = data.at("current_period_end").instant()?;
    if start.is_some() != end.is_some() || start.zip(end).is_some_and(|(start, end)| start >= end) {
        return Err(
            "data has current_period_start and current_period_end, in this order, or neither"
                .to_owned(),
        );
    }
    let at_end = data.at("cancel_at_period_end");
    let cancel_at_period_end = match at_end.flag() {
        Some(flag) => flag,
        None if at_end.is_null() => false,
        None => return Err(at_end.not("true or false")),
    };
    let unknown = |plan: &&PlanId| {
        endpoint.is_some_and(|endpoint| !endpoint.plans.contains_key(plan.as_str()))
    };
    let remark = named_plan
        .as_ref()
        .filter(unknown)
        .map(|plan| format!("the file has no plan {plan}, so the declared one is in force"));
    let fact = Fact::Subscription(Snapshot {
        period_start: start,
        period_end: end,
        trial_end: data.at("trial_end").instant()?,
        past_due_since: data.at("past_due_since").instant()?,
        cancel_at: data.at("cancel_at").instant()?,
        cancel_at_period_end,
        ends_at: data.at("ends_at").instant()?,
        plan: named_plan,
        ..Snapshot::with_status(status)
    });
    let object = match data.at("id").id() {
        Some(id) => format!("subscription:{id}"),
        None => format!("subscription-of:{account}"),
    };
    Ok(News::Fact {
        object: named(Vendor::Standard, &object),
        fact,
        remark,
    })
}

fn granted(data: &Node<'_>, event: &str) -> Result<News, Wrong> {
    data.at("account").require()?;
    let amount = data.at("amount").dollars()?;
    if let Some(parked) = foreign(data) {
        return Ok(parked);
    }
    let fact = Fact::Grant {
        nano_usd: amount.nanos(),
        expires_at: data.at("expires_at").instant()?,
        priority: data.at("priority").priority()?,
        reason: data.at("reason").text().map(str::to_owned),
    };
    let id = data.at("id").id();
    Ok(news(
        &format!("grant:{}", id.as_deref().unwrap_or(event)),
        fact,
    ))
}

fn refunded(data: &Node<'_>, event: &str) -> Result<News, Wrong> {
    data.at("account").require()?;
    let amount = data.at("amount").dollars()?;
    if let Some(parked) = foreign(data) {
        return Ok(parked);
    }
    let fact = Fact::Taken {
        nano_usd: amount.nanos(),
        reason: data.at("reason").text().map(str::to_owned),
    };
    Ok(news(&format!("refund:{event}"), fact))
}

/// Nothing said is dollars.
fn foreign(data: &Node<'_>) -> Option<News> {
    let currency = data.at("currency");
    (!currency.is_null()).then(|| currency.foreign()).flatten()
}

fn news(object: &str, fact: Fact) -> News {
    News::Fact {
        object: named(Vendor::Standard, object),
        fact,
        remark: None,
    }
}
