//! One event, from its row to what follows from it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    Arrived, Effect, EventStatus, LARGEST_KEPT, LiveAccounts, ParsedEvent, Received, credit, owner,
    standing,
};
use crate::{
    domain::{AccountId, Timestamp, Vendor},
    store::columns::{Columns, RowError, instant},
    webhooks::{Dated, Fact, News, PaymentEvent},
};

/// What became of an event, without its id.
pub(super) struct Verdict {
    pub(super) status: EventStatus,
    pub(super) account: Option<AccountId>,
    pub(super) words: Option<String>,
}

/// Applies one event within a transaction.
pub(super) struct Applier<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) accounts: &'a mut dyn LiveAccounts,
    pub(super) now: Timestamp,
    /// Whether the event was applied before.
    pub(super) again: bool,
    pub(super) effects: Vec<Effect>,
}

impl Verdict {
    pub(super) fn new(status: EventStatus, words: impl Into<String>) -> Self {
        Self {
            status,
            account: None,
            words: Some(words.into()),
        }
    }

    pub(super) const fn applied(words: Option<String>) -> Self {
        Self {
            status: EventStatus::Applied,
            account: None,
            words,
        }
    }

    /// Adds something that a person should know besides.
    pub(super) fn add(&mut self, words: &str) {
        self.words = Some(match self.words.take() {
            Some(before) => format!("{before}; {words}"),
            None => words.to_owned(),
        });
    }

    fn about(self, account: AccountId) -> Self {
        Self {
            account: Some(account),
            ..self
        }
    }
}

/// Applies an event, once: an id that was applied or ignored is a duplicate, one that was parked or has failed is looked
/// at again. Who asks for that has one about a subscription, though it was applied, read by what the file says now.
pub(super) fn receive(
    transaction: &Transaction<'_>,
    arrived: &Arrived,
    accounts: &mut dyn LiveAccounts,
    now: Timestamp,
) -> Result<Received, RowError> {
    let id = arrived.event.id();
    let known = known(transaction, id)?;
    let again = matches!(known, Some((EventStatus::Applied, ..)));
    if let Some((status, account, words)) = known {
        let settled = match status {
            EventStatus::Applied => {
                !(arrived.replayed && says_otherwise(transaction, &arrived.event)?)
            }
            EventStatus::Ignored => !arrived.replayed,
            EventStatus::Parked | EventStatus::Failed => false,
        };
        if settled {
            return Ok(Received {
                id: id.to_owned(),
                status,
                duplicate: true,
                account,
                words,
                effects: Vec::new(),
            });
        }
    }
    note(transaction, arrived, now)?;
    if !is_fact(&arrived.event) {
        forget(transaction, id)?;
    }
    let mut applier = Applier {
        transaction,
        accounts,
        now,
        again,
        effects: Vec::new(),
    };
    let verdict = match &arrived.event {
        ParsedEvent::Event(event) => applier.apply(event)?,
        ParsedEvent::Unreadable { words, .. } => {
            Verdict::new(EventStatus::Failed, format!("it cannot be read: {words}"))
        }
    };
    let Verdict {
        status,
        account,
        words,
    } = verdict;
    transaction
        .prepare_cached(
            "UPDATE payment_events SET status = ?, account = ?, words = ? WHERE id = ?",
        )?
        .execute(params![
            status.as_str(),
            account.as_ref().map(AccountId::as_str),
            words,
            id
        ])?;
    Ok(Received {
        id: id.to_owned(),
        status,
        duplicate: false,
        account,
        words,
        effects: applier.effects,
    })
}

type Known = (EventStatus, Option<AccountId>, Option<String>);

fn known(transaction: &Transaction<'_>, id: &str) -> Result<Option<Known>, RowError> {
    let mut select = transaction
        .prepare_cached("SELECT id, status, account, words FROM payment_events WHERE id = ?")?;
    let mut rows = select.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let columns = Columns::new(row, "payment_events", "id");
    Ok(Some((
        columns.word("status", EventStatus::parse)?,
        columns.optional("account", |id| AccountId::parse(id).ok())?,
        columns.plain("words")?,
    )))
}

/// Writes the row of an event, or counts that it is looked at again.
fn note(transaction: &Transaction<'_>, arrived: &Arrived, now: Timestamp) -> Result<(), RowError> {
    let (id, vendor, kind, created) = match &arrived.event {
        ParsedEvent::Event(event) => (&event.id, event.vendor, &event.kind, event.created),
        ParsedEvent::Unreadable {
            id, vendor, kind, ..
        } => (id, *vendor, kind, now),
    };
    let payload = Some(&arrived.payload[..]).filter(|payload| payload.len() <= LARGEST_KEPT);
    transaction
        .prepare_cached(
            "INSERT INTO payment_events (id, vendor, type, created_at, received_at, status, attempts, payload)
             VALUES (?, ?, ?, ?, ?, 'parked', 1, ?)
             ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1, type = excluded.type,
                created_at = excluded.created_at, payload = coalesce(excluded.payload, payload)",
        )?
        .execute(params![
            id,
            vendor.as_str(),
            kind,
            instant(created),
            instant(now),
            payload,
        ])?;
    Ok(())
}

/// Whether an event says something else of a subscription than when it was applied: the file may have other prices.
fn says_otherwise(transaction: &Transaction<'_>, event: &ParsedEvent) -> rusqlite::Result<bool> {
    let ParsedEvent::Event(event) = event else {
        return Ok(false);
    };
    let News::Fact {
        fact: fact @ Fact::Subscription(_),
        ..
    } = &event.news
    else {
        return Ok(false);
    };
    let kept: Option<String> = transaction
        .prepare_cached("SELECT fact FROM payment_facts WHERE event = ?")?
        .query_row([&event.id], |row| row.get(0))
        .optional()?;
    Ok(kept.is_some_and(|kept| kept != written(fact)))
}

/// A fact as its column has it.
fn written(fact: &Fact) -> String {
    serde_json::to_string(fact)
        .expect("a fact is a structure of texts and numbers, which JSON can write")
}

fn is_fact(event: &ParsedEvent) -> bool {
    matches!(event, ParsedEvent::Event(event) if matches!(event.news, News::Fact { .. }))
}

/// An event that is read again may say nothing any more, because the file says something else: then its fact would count
/// as soon as another event tells whose it is.
fn forget(transaction: &Transaction<'_>, event: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM payment_facts WHERE event = ?")?
        .execute([event])?;
    Ok(())
}

impl Applier<'_> {
    fn apply(&mut self, event: &PaymentEvent) -> Result<Verdict, RowError> {
        match &event.news {
            News::Ignored(words) => Ok(Verdict::new(EventStatus::Ignored, words.clone())),
            News::Parked(words) => Ok(Verdict::new(EventStatus::Parked, words.clone())),
            News::Link => self.link(event),
            News::Fact {
                object,
                fact,
                remark,
            } => {
                let mut verdict = self.fact(event, object, fact)?;
                if let Some(remark) = remark
                    && verdict.status == EventStatus::Applied
                {
                    verdict.add(remark);
                }
                Ok(verdict)
            }
        }
    }

    fn link(&mut self, event: &PaymentEvent) -> Result<Verdict, RowError> {
        let (Some(customer), Some(_)) = (&event.party.customer, &event.party.account) else {
            let words = "it does not say which account the customer belongs to";
            return Ok(Verdict::new(EventStatus::Ignored, words));
        };
        let account = match owner::of(self, event, None)? {
            Ok(account) => account,
            Err(words) => return Ok(Verdict::new(EventStatus::Parked, words)),
        };
        let known = self.linked(event.vendor, customer)?.as_ref() == Some(&account);
        if event.party.claimed
            && !known
            && owner::has_another(self, event.vendor, customer, &account)?
        {
            let words = format!(
                "customer {customer} names account {account}, which has another customer already; if both are the \
                 account's, say so in the metadata of the subscription (faregate_account)"
            );
            return Ok(Verdict::new(EventStatus::Parked, words).about(account));
        }
        let linked = owner::adopt(self, event, &account)?;
        let words = linked.then(|| format!("customer {customer} belongs to account {account}"));
        Ok(Verdict::applied(words).about(account))
    }

    fn fact(
        &mut self,
        event: &PaymentEvent,
        object: &str,
        fact: &Fact,
    ) -> Result<Verdict, RowError> {
        self.keep(event, object, fact)?;
        if credit::is_unpaid(&self.facts(object)?) {
            let words = format!(
                "no top-up by {object} has come yet; it is applied when one does, and if that payment added no credit \
                 there is nothing to do"
            );
            return Ok(Verdict::new(EventStatus::Parked, words));
        }
        let kept = if self.again {
            owner::assigned(self, object)?
        } else {
            owner::credited(self, object)?
        };
        let is_kept = kept.is_some();
        let owner = match kept {
            Some(account) => owner::existing(self, account),
            None => owner::of(self, event, Some(object))?,
        };
        let account = match owner {
            Ok(account) => account,
            Err(words) => return Ok(Verdict::new(EventStatus::Parked, words)),
        };
        self.assign(object, &account)?;
        let verdict = self.settle(event, object, &account)?;
        if verdict.status == EventStatus::Applied {
            self.release(event, object, &account)?;
            // Money stays where it was credited, and says nothing of whose the customer is now; nor does what was applied.
            if !is_kept {
                owner::adopt(self, event, &account)?;
            }
        }
        Ok(verdict.about(account))
    }

    /// Moves what follows from an object to what all its facts say.
    pub(super) fn settle(
        &mut self,
        event: &PaymentEvent,
        object: &str,
        account: &AccountId,
    ) -> Result<Verdict, RowError> {
        let facts = self.facts(object)?;
        match credit::settle(self, event, object, &facts, account)? {
            Some(verdict) => Ok(verdict),
            None => standing::settle(self, account, object),
        }
    }

    /// Keeps what an event says. One that is read again may say something else: the file may have other prices.
    fn keep(&self, event: &PaymentEvent, object: &str, fact: &Fact) -> Result<(), RowError> {
        let text = written(fact);
        self.transaction
            .prepare_cached(
                "INSERT INTO payment_facts (event, vendor, object, created_at, customer, named, fact)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (event) DO UPDATE SET object = excluded.object, created_at = excluded.created_at,
                    customer = excluded.customer, named = excluded.named, fact = excluded.fact",
            )?
            .execute(params![
                event.id,
                event.vendor.as_str(),
                object,
                instant(event.created),
                event.party.customer,
                event.party.account,
                text,
            ])?;
        Ok(())
    }

    /// All facts about an object.
    pub(super) fn facts(&self, object: &str) -> Result<Vec<Dated>, RowError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT event, created_at, fact FROM payment_facts WHERE object = ? ORDER BY event",
        )?;
        let mut rows = select.query([object])?;
        let mut facts = Vec::new();
        while let Some(row) = rows.next()? {
            facts.push(dated(&Columns::new(row, "payment_facts", "event"))?);
        }
        Ok(facts)
    }

    /// Says whose an object is.
    pub(super) fn assign(&self, object: &str, account: &AccountId) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "UPDATE payment_facts SET account = ? WHERE object = ? AND account IS NULL",
            )?
            .execute((account.as_str(), object))?;
        Ok(())
    }

    /// What waited for this event has been applied with it.
    pub(super) fn release(
        &self,
        event: &PaymentEvent,
        object: &str,
        account: &AccountId,
    ) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "UPDATE payment_events SET status = 'applied', account = ?1, words = ?2
                 WHERE status = 'parked' AND id <> ?3
                    AND id IN (SELECT event FROM payment_facts WHERE object = ?4)",
            )?
            .execute((
                account.as_str(),
                format!("applied with {}", event.id),
                &event.id,
                object,
            ))?;
        Ok(())
    }

    /// The vendor's customer that an event linked to an account.
    pub(super) fn linked(
        &self,
        vendor: Vendor,
        customer: &str,
    ) -> Result<Option<AccountId>, RowError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT customer, account FROM payment_customers WHERE vendor = ? AND customer = ?",
        )?;
        let mut rows = select.query((vendor.as_str(), customer))?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let columns = Columns::new(row, "payment_customers", "customer");
        columns
            .word("account", |id| AccountId::parse(id).ok())
            .map(Some)
    }
}

/// A fact from its row.
pub(super) fn dated(columns: &Columns<'_>) -> Result<Dated, RowError> {
    Ok(Dated {
        at: columns.instant("created_at")?,
        event: columns.plain("event")?,
        fact: columns.word("fact", |text| serde_json::from_str(text).ok())?,
    })
}
