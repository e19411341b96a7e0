//! Credit through the API: what is asked for becomes an entry, and entries become JSON.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Api, CreditSheet, Done, Registry,
    input::{self, Members},
    operations,
    problem::Rejection,
    query::{self, Query},
};
use crate::{
    domain::{AccountId, CURRENCY, NanoUsd, Timestamp},
    store::{
        EntryFilter, EntryKind, EntryRow, LotRow, NewEntry, NewTransfer, Page, Posted,
        USUAL_PRIORITY,
    },
};

/// Kinds that somebody may post; the others follow from what is done.
pub const POSTABLE: [EntryKind; 4] = [
    EntryKind::TopUp,
    EntryKind::Grant,
    EntryKind::Refund,
    EntryKind::Adjustment,
];

/// How the ids of entries begin by which the configuration file's accounts get their opening credit.
pub const OPENING: &str = "config-credit:";

/// A billion dollars: a larger entry is a slip of the hand.
pub const LARGEST: NanoUsd = NanoUsd::from_nanos(1_000_000_000_000_000_000);

/// What is said of an entry besides its amount.
struct Words {
    id: Option<String>,
    author: String,
    reason: Option<String>,
    expires_at: Option<Timestamp>,
    priority: u8,
}

impl<R: Registry> Api<R> {
    /// `POST /accounts/{id}/credit`.
    pub(super) async fn add_credit(
        &self,
        id: &str,
        mut members: Members,
    ) -> Result<Done, Rejection> {
        let account = self.account_id(id)?;
        let amount = members.require("amount", input::amount)?;
        let kind = members.take("kind", kind)?;
        let related = members.take("related", input::word)?;
        let words = self.words(&mut members)?;
        members.finish()?;
        let kind = kind.unwrap_or(EntryKind::TopUp);
        bounded(amount)?;
        if amount.is_negative() && matches!(kind, EntryKind::TopUp | EntryKind::Grant) {
            return Err(Rejection::invalid(format!(
                "A {} adds credit, and `amount` is {amount}; to take credit away, post a refund or an adjustment.",
                kind.as_str()
            )));
        }
        if amount.is_negative() && words.expires_at.is_some() {
            let words = "`expires_at` is for credit that is added; `amount` takes some.";
            return Err(Rejection::invalid(words));
        }
        let entry = NewEntry {
            id: words.id,
            account,
            kind,
            amount,
            author: words.author,
            reason: words.reason,
            expires_at: words.expires_at,
            priority: words.priority,
            related,
        };
        let posted = self.registry().credit_add(entry.clone()).await?;
        self.log(&entry.account, &posted, amount);
        Ok(done(posted.existed, posted_view(&entry, &posted)))
    }

    /// `POST /credit/transfer`.
    pub(super) async fn transfer_credit(&self, mut members: Members) -> Result<Done, Rejection> {
        let from = members.require("from", input::account_id)?;
        let to = members.require("to", input::account_id)?;
        let amount = members.require("amount", input::amount)?;
        let words = self.words(&mut members)?;
        members.finish()?;
        bounded(amount)?;
        if amount.is_negative() {
            let words = "`amount` must be above zero; exchange `from` and `to` for the other way.";
            return Err(Rejection::invalid(words));
        }
        if from == to {
            return Err(Rejection::invalid("`from` and `to` are the same account."));
        }
        for account in [&from, &to] {
            operations::account(&self.registry().roster(), account.as_str())?;
        }
        let transfer = NewTransfer {
            id: words.id,
            from,
            to,
            amount,
            author: words.author,
            reason: words.reason,
            expires_at: words.expires_at,
            priority: words.priority,
        };
        let [given, got] = self.registry().credit_transfer(transfer.clone()).await?;
        self.log(&transfer.from, &given, amount.saturating_neg());
        self.log(&transfer.to, &got, amount);
        let side = |account: &AccountId, posted: &Posted| {
            json!({
                "account": account,
                "entry": posted.number,
                "id": posted.id,
                "balance": posted.balance,
            })
        };
        let view = json!({
            "from": side(&transfer.from, &given),
            "to": side(&transfer.to, &got),
            "amount": amount,
            "currency": CURRENCY,
            "at": given.at,
            "existed": given.existed,
        });
        Ok(done(given.existed, view))
    }

    /// `GET /accounts/{id}/credit`.
    pub(super) async fn credit_of(&self, id: &str) -> Result<Value, Rejection> {
        let account = self.account_id(id)?;
        let sheet = self.registry().credit(account.clone()).await?;
        Ok(sheet_view(&account, &sheet))
    }

    /// `GET /ledger`.
    pub(super) async fn ledger(&self, filter: EntryFilter) -> Result<Value, Rejection> {
        let Page { data, next_cursor } = self.registry().entries(filter).await?;
        Ok(json!({
            "data": data,
            "next_cursor": next_cursor.map(|number| number.to_string()),
        }))
    }

    fn account_id(&self, id: &str) -> Result<AccountId, Rejection> {
        let roster = self.registry().roster();
        operations::account(&roster, id).map(|account| account.id.clone())
    }

    fn words(&self, members: &mut Members) -> Result<Words, Rejection> {
        let words = Words {
            id: members.take("id", entry_id)?,
            author: match members.take("author", input::word)?.as_deref() {
                None => "api".to_owned(),
                Some("cli") => "cli".to_owned(),
                Some(who) => format!("api:{who}"),
            },
            reason: members.take("reason", input::sentence)?,
            expires_at: members.take("expires_at", input::timestamp)?,
            priority: members
                .take("priority", input::priority)?
                .unwrap_or(USUAL_PRIORITY),
        };
        match (words.expires_at, &words.id) {
            // One with an id may have been posted before that.
            (Some(end), None) if end <= self.now() => Err(Rejection::passed(end)),
            _ => Ok(words),
        }
    }

    fn log(&self, account: &AccountId, posted: &Posted, amount: NanoUsd) {
        if !posted.existed {
            let (entry, balance) = (posted.number, posted.balance);
            tracing::info!(
                target: "faregate::admin", action = "credit_posted", %account, entry, %amount, %balance,
                "credit posted"
            );
        }
    }
}

/// Which entries a query asks for.
pub(super) fn entry_filter(query: &mut Query) -> Result<EntryFilter, Rejection> {
    let kind = |word: &str| {
        EntryKind::parse(word).ok_or_else(|| {
            let known = EntryKind::ALL.map(EntryKind::as_str).join(", ");
            format!("must be one of {known}")
        })
    };
    let cursor = |text: &str| {
        let words =
            "is not a cursor; pass back the next_cursor of the previous page, or leave it out";
        text.parse().map_err(|_| words.to_owned())
    };
    let filter = EntryFilter {
        account: query.take("account", query::id(AccountId::parse))?,
        kind: query.take("kind", kind)?,
        since: query.take("since", input::instant)?,
        until: query.take("until", input::instant)?,
        limit: query.limit()?,
        before: query.take("cursor", cursor)?,
    };
    query::in_order(filter.since, filter.until)?;
    Ok(filter)
}

/// An id that nobody else gives: an entry with the file's would pass for the credit that an account opens with.
fn entry_id(value: &Value) -> Result<String, String> {
    let id = input::word(value)?;
    if id.starts_with(OPENING) {
        return Err(format!(
            "must not begin with {OPENING}, which the configuration file's credit has"
        ));
    }
    Ok(id)
}

fn kind(value: &Value) -> Result<EntryKind, String> {
    let word = value.as_str().and_then(EntryKind::parse);
    word.filter(|kind| POSTABLE.contains(kind)).ok_or_else(|| {
        let known = POSTABLE.map(EntryKind::as_str).join(", ");
        format!("must be one of {known}")
    })
}

fn bounded(amount: NanoUsd) -> Result<(), Rejection> {
    if amount == NanoUsd::ZERO {
        return Err(Rejection::invalid("`amount` is 0, which changes nothing."));
    }
    let size = amount.max(amount.saturating_neg());
    if size > LARGEST {
        let words = format!("`amount` is {amount}; one entry has at most {LARGEST} USD.");
        return Err(Rejection::invalid(words));
    }
    Ok(())
}

fn done(existed: bool, body: Value) -> Done {
    let status = if existed {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Done { status, body }
}

fn posted_view(entry: &NewEntry, posted: &Posted) -> Value {
    let row = EntryRow {
        number: posted.number,
        id: posted.id.clone(),
        account: entry.account.as_str().to_owned(),
        kind: entry.kind,
        amount: entry.amount,
        currency: CURRENCY.to_owned(),
        at: posted.at,
        author: posted.author.clone(),
        reason: entry.reason.clone(),
        expires_at: entry.expires_at,
        priority: entry.priority,
        related: entry.related.clone(),
    };
    let mut view = json!(row);
    view["balance"] = json!(posted.balance);
    view["existed"] = posted.existed.into();
    view
}

fn sheet_view(account: &AccountId, sheet: &CreditSheet) -> Value {
    let lot = |lot: &LotRow| {
        json!({
            "entry": lot.entry,
            "kind": lot.kind,
            "amount": lot.amount,
            "remaining": lot.remaining,
            "priority": lot.priority,
            "expires_at": lot.expires_at,
        })
    };
    json!({
        "account": account,
        "balance": sheet.balance,
        "held": sheet.held,
        "available": sheet.held.map(|held| sheet.balance.saturating_sub(held)),
        "currency": CURRENCY,
        "lots": sheet.lots.iter().map(lot).collect::<Vec<_>>(),
    })
}
