//! What a call holds, from before it is forwarded until its cost is known.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::sync::oneshot;

use super::{
    MeteringContext,
    charge::{Bill, Charge, agreed},
    cut::CUT_OFF,
};
use crate::{
    accounts::{Key, Moved, Seat, Settled, Taken},
    call::Model,
    domain::{NanoUsd, ProviderId, RequestId, Timestamp, Usage, whole_millis},
    prices::Terms,
    providers::{Endpoint, Observed},
    refusal::Code,
    store::{
        CallRecord, Checkpoint, Durability, HeldCounter, HoldRecord, Outcome, Posting, Slot,
        Unwritten, Whose,
    },
    telemetry::ProviderMetrics,
};

/// Who calls what, as far as it is known before forwarding.
#[derive(Debug)]
pub struct Draft {
    /// Our id of the request, which is the call's.
    pub id: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// The same on the clock that never goes back.
    pub arrived: Duration,
    /// With which key.
    pub key: Arc<Key>,
    /// On which route.
    pub route: Arc<str>,
    /// Where it goes.
    pub provider: ProviderId,
    /// The model, where the call names one.
    pub model: Option<Arc<Model>>,
    /// What it is charged by, as agreed when it was admitted; `None` where nothing of it has a price.
    pub terms: Option<Terms>,
    /// Whether the output limit is ours, and goes into the forwarded body.
    pub limit_written: bool,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The end user the call names.
    pub end_user: Option<String>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Input tokens by the size of the body, for an answer that reports none.
    pub input_estimate: u64,
    /// Bytes of its input, at most, that the answer has as well.
    pub echoed: u64,
}

/// Proof that a call was admitted and that everything it may use is held. It is settled once: by [`Self::settle`], or
/// when it is dropped.
#[derive(Debug)]
pub struct Reservation(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    metering: Arc<MeteringContext>,
    provider: Arc<ProviderMetrics>,
    taken: Taken,
    slot: Slot,
    draft: Draft,
    /// Whether what is held is on the disk. A power cut may tear what is written over that.
    held: bool,
    forwarded: Option<Duration>,
    first_byte: Option<Duration>,
    /// The provider's, once it has answered.
    status: Option<StatusCode>,
    /// Whether that is a failure of the provider's own, though it may not say so.
    failed: bool,
    attempts: u32,
    /// Free again when the call has ended.
    _seat: Seat,
}

/// What a settled call used.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// Whether that is our own count.
    pub estimated: bool,
    /// What it cost; `None` where nothing of it has a price.
    pub cost: Option<NanoUsd>,
    /// From arrival to the start of forwarding.
    pub queue: Duration,
    /// From the start of forwarding to the first byte of the answer.
    pub first_byte: Option<Duration>,
}

/// How a call went, beside what it used.
struct Course {
    /// What its client was told.
    status: u16,
    attempts: u32,
    /// From arrival to the end.
    total: Duration,
}

/// A settled call, and what the end of its answer waits for.
#[derive(Debug)]
pub struct Ending {
    /// What it used.
    pub receipt: Receipt,
    /// Ready when its record is on the disk; only where the store is strict, and to be waited for within bounds.
    pub on_disk: Option<oneshot::Receiver<()>>,
}

impl Reservation {
    /// Opens a reservation over what was taken, with a place in the ledger that is kept for it.
    pub(crate) fn open(
        metering: &Arc<MeteringContext>,
        taken: Taken,
        seat: Seat,
        slot: Slot,
        draft: Draft,
    ) -> Self {
        let provider = metering.metrics.provider(draft.provider.as_str());
        let metering = Arc::clone(metering);
        Self(Some(Box::new(Open {
            metering,
            provider,
            taken,
            slot,
            draft,
            held: false,
            forwarded: None,
            first_byte: None,
            status: None,
            failed: false,
            attempts: 0,
            _seat: seat,
        })))
    }

    /// Who calls what.
    pub fn draft(&self) -> Option<&Draft> {
        self.0.as_ref().map(|open| &open.draft)
    }

    /// The output tokens that it holds for, over all answers, and the code of an answer that passes them; `None` where
    /// nothing that is limited grows with the output. What comes back of the input is no output: no token of it has less
    /// than a byte.
    pub fn allowance(&self) -> Option<(u64, Code)> {
        let open = self.0.as_ref()?;
        let most = open.most_output()?;
        let levels = &open.draft.key.levels;
        let code = if levels.credit {
            Code::InsufficientCreditForRequest
        } else if levels.limits_tokens() {
            Code::RequestExceedsLimit
        } else {
            Code::BudgetExceeded
        };
        Some((most.saturating_add(open.draft.echoed), code))
    }

    /// What it holds.
    pub(crate) fn taken(&self) -> Option<&Taken> {
        self.0.as_ref().map(|open| &open.taken)
    }

    /// Where the store is strict, writes what is held to the file of calls under way, and waits until it is on the disk.
    /// Elsewhere [`Self::forwarding`] writes it.
    ///
    /// # Errors
    /// It is not written, or not confirmed: the call must not be sent.
    pub async fn hold_on_disk(&mut self) -> Result<(), Unwritten> {
        let open = self.0.as_mut().ok_or(Unwritten::Ended)?;
        if open.metering.ledger.durability() == Durability::Grouped {
            return Ok(());
        }
        open.write_hold()?;
        let on_disk = open.slot.held_on_disk();
        on_disk.await?;
        if let Some(open) = &mut self.0 {
            open.held = true;
        }
        Ok(())
    }

    /// Notes that the call is about to be sent, for the first time or once more: from here on the provider may have it,
    /// and whatever happens to this process, what it holds is written down.
    ///
    /// # Errors
    /// It is not: the call must not be sent.
    pub fn forwarding(&mut self) -> Result<(), Unwritten> {
        let open = self.0.as_mut().ok_or(Unwritten::Ended)?;
        if open.forwarded.is_none() {
            if !open.held {
                open.write_hold()?;
            }
            open.forwarded = Some(open.metering.clock.elapsed());
        }
        open.attempts += 1;
        Ok(())
    }

    /// Notes how far the answer is, so that a crash loses little of it. `output` counts tokens, roughly; `seen` is asked
    /// now and then.
    pub fn checkpoint(&mut self, output: u64, seen: impl FnOnce() -> Observed) {
        let Some(open) = &mut self.0 else { return };
        let most = open.most_output();
        let (draft, now) = (&open.draft, open.metering.clock.elapsed());
        open.slot.checkpoint(now, output, || {
            let seen = seen().without_echo(draft.echoed);
            let (usage, _) = seen.settle(draft.input_estimate, most);
            let cost = draft.terms.as_ref().map(|terms| terms.cost(&usage));
            Checkpoint {
                usage,
                cost: cost.unwrap_or_default(),
            }
        });
    }

    /// Notes the answer's head.
    pub fn answered(&mut self, status: StatusCode) {
        if let Some(open) = &mut self.0 {
            open.status = Some(status);
            let since = open.forwarded.unwrap_or(open.draft.arrived);
            let after = open.metering.clock.elapsed().saturating_sub(since);
            open.first_byte = Some(after);
            open.provider.first_byte(after);
        }
    }

    /// Notes that the answer is a failure of the provider's own, whatever else it says: the call costs nothing, also where
    /// nobody waits for the rest.
    pub fn failed_upstream(&mut self) {
        if let Some(open) = &mut self.0 {
            open.failed = true;
        }
    }

    /// Takes it out of its place, where one that is settled already stays.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Replaces the hold by what was used, and records the call.
    pub fn settle(mut self, outcome: Outcome, status: u16, charge: Charge) -> Option<Ending> {
        self.0
            .take()
            .map(|open| open.settle(outcome, status, charge))
    }

    /// Settles a call that the end of our own drain finds without an answer: one that was sent is charged its input. `None`
    /// for one that was not sent, which never happened.
    pub fn cut_off(mut self) -> Option<Ending> {
        let open = self.0.take_if(|open| open.forwarded.is_some())?;
        let told = Code::Draining.status().as_u16();
        Some(open.settle(CUT_OFF, told, Charge::Metered(Observed::default())))
    }
}

impl Drop for Reservation {
    /// A call that is dropped before it was sent never happened. One that was sent is charged its input at least: the
    /// provider may be working on it, unless it has said that it failed.
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        if open.forwarded.is_none() {
            open.draft
                .key
                .account
                .book
                .settle(open.taken, Settled::Void, &open.metering.clock);
            open.slot.void();
            return;
        }
        // 499 is nginx's status for a client that closed the connection before its answer.
        let (outcome, told) = if open.metering.cuts_off() {
            (CUT_OFF, Code::Draining.status().as_u16())
        } else if std::thread::panicking() {
            (Outcome::Indeterminate, 499)
        } else {
            (Outcome::ClientClosed, 499)
        };
        let charge = if open.failed {
            Charge::Void
        } else {
            Charge::by(open.status.unwrap_or(StatusCode::OK), Observed::default())
        };
        open.settle(outcome, told, charge);
    }
}

impl Open {
    fn write_hold(&mut self) -> Result<(), Unwritten> {
        let draft = &self.draft;
        let (key, terms) = (&draft.key, draft.terms.as_ref());
        let metered = draft.endpoint.meters_tokens();
        let least = Usage {
            input: if metered { draft.input_estimate } else { 0 },
            ..Usage::default()
        };
        let counters = self.taken.counters().map(|counted| HeldCounter {
            whose: if counted.of_key {
                Whose::Key
            } else {
                Whose::Account
            },
            unit: counted.unit,
            per: counted.per,
            window_start: counted.window_start,
        });
        let now = self.metering.clock.elapsed();
        let model = draft.model.as_ref();
        self.slot.write_hold(&HoldRecord {
            id: draft.id,
            at: draft.at,
            account: key.account.id.clone(),
            key: key.id.clone(),
            plan: key.account.plan.id.clone(),
            route: Arc::clone(&draft.route),
            provider: draft.provider.clone(),
            model: model.map(|model| model.name.clone()),
            upstream_model: model.map(|model| model.upstream_name.clone()),
            endpoint: draft.endpoint,
            stream: draft.stream,
            queue_ms: whole_millis(now.saturating_sub(draft.arrived)),
            held_tokens: self.taken.tokens(),
            input_estimate: least.input,
            held: terms.map(|_| self.taken.money()),
            least: terms.map(|terms| terms.cost(&least)).unwrap_or_default(),
            price_version: terms.and_then(Terms::version).cloned(),
            agreed: Some(agreed(draft, terms, &self.taken)),
            credit: self.taken.is_charged(),
            counters: counters.collect(),
        })
    }

    /// The output tokens that the provider was told to stop at, over all answers, where any limit grows with them.
    fn most_output(&self) -> Option<u64> {
        let limited = self.draft.key.levels.limits_output() && self.draft.endpoint.meters_tokens();
        limited.then(|| self.taken.output_of_all())
    }

    fn settle(self: Box<Self>, outcome: Outcome, status: u16, charge: Charge) -> Ending {
        let bill = charge.bill(&self.draft, &self.taken, self.most_output());
        let Self {
            metering,
            provider,
            taken,
            slot,
            draft,
            held: _,
            forwarded,
            first_byte,
            status: _,
            failed: _,
            attempts,
            _seat,
        } = *self;
        let book = &draft.key.account.book;
        let Moved { counters, credit } = book.settle(taken, bill.settled, &metering.clock);
        let now = metering.clock.elapsed();
        let receipt = Receipt {
            outcome,
            usage: bill.usage,
            estimated: bill.estimated,
            cost: bill.cost,
            queue: forwarded.unwrap_or(now).saturating_sub(draft.arrived),
            first_byte,
        };
        provider.call_ended(outcome.as_str(), &receipt.usage, receipt.cost);
        if receipt.estimated {
            metering.metrics.call_estimated();
        }
        let course = Course {
            status,
            attempts,
            total: now.saturating_sub(draft.arrived),
        };
        let posting = Posting {
            call: record(draft, bill, &receipt, course),
            counters,
            credit,
        };
        let on_disk = match metering.ledger.durability() {
            Durability::Strict => Some(slot.post_synced(posting)),
            Durability::Grouped => {
                slot.post(posting);
                None
            }
        };
        Ending { receipt, on_disk }
    }
}

/// The record of a settled call.
fn record(draft: Draft, bill: Bill, receipt: &Receipt, course: Course) -> CallRecord {
    let account = &draft.key.account;
    let model = draft.model.as_ref();
    CallRecord {
        id: draft.id,
        at: draft.at,
        account: account.id.clone(),
        key: draft.key.id.clone(),
        plan: account.plan.id.clone(),
        route: draft.route,
        provider: draft.provider,
        model: model.map(|model| model.name.clone()),
        upstream_model: model.map(|model| model.upstream_name.clone()),
        endpoint: draft.endpoint.as_str(),
        stream: draft.stream,
        outcome: receipt.outcome,
        status: course.status,
        usage: bill.usage,
        estimated: bill.estimated,
        overrun: bill.overrun,
        held_tokens: bill.held_tokens,
        held: bill.held,
        cost: bill.cost,
        price_version: bill.price_version,
        agreed: Some(bill.agreed),
        end_user: draft.end_user,
        idempotency_key: draft.idempotency_key,
        attempt: course.attempts,
        queue_ms: whole_millis(receipt.queue),
        first_byte_ms: receipt.first_byte.map(whole_millis),
        total_ms: whole_millis(course.total),
    }
}
