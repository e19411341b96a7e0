//! Money that becomes credit, and money that goes back.

use super::{Event, named};
use crate::{
    domain::Vendor,
    webhooks::{
        Fact, News,
        members::{Node, Wrong},
    },
};

/// A checkout that has ended. A one-time payment is a top-up; one of a subscription tells whose customer it is.
pub(super) fn session(event: &Event<'_>) -> Result<News, Wrong> {
    let object = &event.object;
    if object.at("mode").text() != Some("payment") {
        return Ok(News::Link);
    }
    let configured = event.endpoint.is_none_or(|endpoint| endpoint.top_up);
    let credited = match object.at("metadata.faregate_credit").text() {
        Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(object.at("metadata.faregate_credit").not("true or false")),
        None => configured,
    };
    if !credited {
        return Ok(News::Ignored("what was bought is not credit".to_owned()));
    }
    let status = object.at("payment_status").require()?;
    if status != "paid" {
        let words = format!("payment_status is {status}: nothing is paid yet");
        return Ok(News::Ignored(words));
    }
    let order = object.at("id").require()?;
    if let Some(parked) = object.at("currency").foreign() {
        return Ok(parked);
    }
    let paid = object.at("amount_total").cents()?;
    if paid == 0 {
        return Ok(News::Ignored("nothing was to be paid".to_owned()));
    }
    let payment = object.at("payment_intent").id();
    Ok(News::Fact {
        object: named(Vendor::Stripe, payment.as_deref().unwrap_or(order)),
        fact: Fact::Paid {
            order: order.to_owned(),
            nano_usd: paid,
        },
        remark: None,
    })
}

/// A charge and all that went back of it so far.
pub(super) fn refunded(event: &Event<'_>) -> Result<News, Wrong> {
    let object = &event.object;
    let amount = |object: &Node<'_>| object.at("amount_refunded").cents();
    about_payment(object, |object| {
        Ok(Fact::RefundedInAll {
            nano_usd: amount(object)?,
        })
    })
}

/// One refund.
pub(super) fn refund(event: &Event<'_>) -> Result<News, Wrong> {
    about_payment(&event.object, |object| {
        let status = object.at("status").require()?;
        Ok(Fact::Refund {
            refund: object.at("id").require()?.to_owned(),
            nano_usd: object.at("amount").cents()?,
            stands: !matches!(status, "failed" | "canceled"),
        })
    })
}

/// A dispute. An inquiry (`warning_…`) takes no money yet; a won one gives it back.
pub(super) fn dispute(event: &Event<'_>) -> Result<News, Wrong> {
    about_payment(&event.object, |object| {
        let status = object.at("status").require()?;
        Ok(Fact::Dispute {
            dispute: object.at("id").require()?.to_owned(),
            nano_usd: object.at("amount").cents()?,
            held_back: matches!(status, "needs_response" | "under_review" | "lost"),
        })
    })
}

/// A credit grant. One that is voided, or that was made to expire, is withdrawn.
pub(super) fn grant(event: &Event<'_>) -> Result<News, Wrong> {
    let object = &event.object;
    let id = object.at("id").require()?;
    let about = named(Vendor::Stripe, id);
    let fact = |fact| News::Fact {
        object: about.clone(),
        fact,
        remark: None,
    };
    let expires_at = object.at("expires_at").unix()?;
    let updated = event.kind == "billing.credit_grant.updated";
    let ended = updated && expires_at.is_some_and(|end| end <= event.created);
    if ended || object.at("voided_at").unix()?.is_some() {
        return Ok(fact(Fact::GrantVoided));
    }
    let money = object.at("amount.monetary");
    if money.is_null() {
        let words = "the grant is not an amount of money".to_owned();
        return Ok(News::Parked(words));
    }
    if let Some(parked) = money.at("currency").foreign() {
        return Ok(parked);
    }
    let nano_usd = money.at("value").cents()?;
    if nano_usd == 0 {
        return Ok(News::Ignored("the grant is empty".to_owned()));
    }
    if let Some(effective) = object.at("effective_at").unix()?
        && effective > event.created
    {
        return Ok(News::Parked(format!(
            "the grant begins at {effective}, and credit counts from when it is added; add it then with `faregate \
             credit add`"
        )));
    }
    let name = object.at("name").text().map(str::to_owned);
    Ok(fact(Fact::Grant {
        nano_usd,
        expires_at,
        priority: object.at("priority").priority()?,
        reason: name.or_else(|| object.at("category").text().map(str::to_owned)),
    }))
}

/// A fact about the payment that an object names.
fn about_payment(
    object: &Node<'_>,
    fact: impl FnOnce(&Node<'_>) -> Result<Fact, Wrong>,
) -> Result<News, Wrong> {
    let Some(payment) = object.at("payment_intent").id() else {
        let words = "it names no payment_intent, so it cannot be told which credit it is about";
        return Ok(News::Parked(words.to_owned()));
    };
    if let Some(parked) = object.at("currency").foreign() {
        return Ok(parked);
    }
    Ok(News::Fact {
        object: named(Vendor::Stripe, &payment),
        fact: fact(object)?,
        remark: None,
    })
}
