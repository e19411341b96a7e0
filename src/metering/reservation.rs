//! What a call holds, from before it is forwarded until its cost is known.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::sync::oneshot;

use crate::{
    accounts::{Key, Moved, Seat, Settled, Taken},
    call::Model,
    domain::{
        Features, NanoUsd, ProviderId, RequestId, ServiceTier, Timestamp, Usage, whole_millis,
    },
    metering::{MeteringContext, body::CUT_OFF},
    prices::{Factor, Pico, Terms},
    providers::{Endpoint, Observed},
    refusal::Code,
    store::{
        Agreed, CallRecord, Checkpoint, Durability, HeldCounter, HoldRecord, Outcome, Posting,
        Slot, Unwritten, Whose,
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
    pub limited: bool,
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
    forwarded: Option<Duration>,
    first_byte: Option<Duration>,
    /// The provider's, once it has answered.
    status: Option<StatusCode>,
    attempts: u32,
    /// Free again when the call has ended.
    _seat: Seat,
}

/// How much of a call is charged.
#[derive(Debug, Clone, Copy)]
pub enum Charge {
    /// Nothing: everything goes back, the request's count too.
    Void,
    /// What the provider reported, and nothing where it reported nothing.
    Reported(Observed),
    /// What the provider reported, or our own count.
    Metered(Observed),
    /// What was passed on of an answer that was cut because it was longer than what was held for it.
    Overrun(Observed),
}

impl Charge {
    /// How the call was served, where its provider said so.
    const fn service_tier(&self) -> Option<ServiceTier> {
        match self {
            Self::Void => None,
            Self::Reported(observed) | Self::Metered(observed) | Self::Overrun(observed) => {
                observed.service_tier
            }
        }
    }

    /// What is charged, and whether that is our own count. `most` is the output limit that the provider got.
    fn usage(self, draft: &Draft, most: Option<u64>) -> (Usage, bool) {
        match self {
            Self::Void => (Usage::default(), false),
            Self::Reported(Observed {
                suspect: false,
                usage: Some(usage),
                ..
            }) => (usage, false),
            Self::Reported(_) => (Usage::default(), false),
            Self::Metered(_) if !draft.endpoint.meters_tokens() => (Usage::default(), false),
            Self::Metered(observed) => observed.settle(draft.input_estimate, most),
            Self::Overrun(observed) => {
                let (usage, _) = observed.settle(draft.input_estimate, None);
                let output = usage.output.max(observed.output_at_least());
                (Usage { output, ..usage }, true)
            }
        }
    }

    /// What an answer with this status costs, of which so much was observed. A provider that failed by its own word is
    /// paid nothing; one that refused the call, what it reports.
    pub fn by(status: StatusCode, observed: Observed) -> Self {
        if status.is_server_error() {
            Self::Void
        } else if status.is_client_error() {
            Self::Reported(observed)
        } else {
            Self::Metered(observed)
        }
    }
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
            forwarded: None,
            first_byte: None,
            status: None,
            attempts: 0,
            _seat: seat,
        })))
    }

    /// Who calls what.
    pub fn draft(&self) -> Option<&Draft> {
        self.0.as_ref().map(|open| &open.draft)
    }

    /// The output tokens that it holds for, over all answers, and the code of an answer that passes them; `None` where
    /// nothing that is limited grows with the output.
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
        Some((most, code))
    }

    /// Tokens that it holds of every token quota.
    pub fn held_tokens(&self) -> u64 {
        self.0.as_ref().map_or(0, |open| open.taken.tokens())
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
        on_disk.await
    }

    /// Notes that the call is about to be sent, for the first time or once more: from here on the provider may have it,
    /// and whatever happens to this process, what it holds is written down.
    ///
    /// # Errors
    /// It is not: the call must not be sent.
    pub fn forwarding(&mut self) -> Result<(), Unwritten> {
        let open = self.0.as_mut().ok_or(Unwritten::Ended)?;
        if open.forwarded.is_none() {
            open.write_hold()?;
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
            let (usage, _) = seen().settle(draft.input_estimate, most);
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
        let status = open.status.unwrap_or(StatusCode::OK);
        open.settle(outcome, told, Charge::by(status, Observed::default()));
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
        let most = self.most_output();
        let Self {
            metering,
            provider,
            taken,
            slot,
            draft,
            forwarded,
            first_byte,
            status: _,
            attempts,
            _seat,
        } = *self;
        let (usage, estimated) = charge.usage(&draft, most);
        let terms = draft.terms.as_ref();
        let held = terms.map(|_| taken.money());
        let refused = match charge {
            Charge::Reported(_) => terms.and_then(Terms::refused),
            _ => None,
        };
        let terms = refused.as_ref().or(terms);
        let served = terms.zip(charge.service_tier());
        let served = served.and_then(|(terms, tier)| served_as(terms, tier, &usage, taken.money()));
        let terms = served.as_ref().or(terms);
        let (cost, settled) = match charge {
            Charge::Void => (terms.map(|_| NanoUsd::ZERO), Settled::Void),
            Charge::Reported(_) | Charge::Metered(_) | Charge::Overrun(_) => {
                let cost = terms.map(|terms| terms.cost(&usage));
                let settled = Settled::Used {
                    tokens: usage.total(),
                    cost: cost.unwrap_or_default(),
                };
                (cost, settled)
            }
        };
        let held_tokens = taken.tokens();
        let price_version = terms.and_then(Terms::version).cloned();
        let agreed = agreed(&draft, terms, &taken);
        let Moved { counters, credit } =
            draft
                .key
                .account
                .book
                .settle(taken, settled, &metering.clock);
        let now = metering.clock.elapsed();
        let queue = forwarded.unwrap_or(now).saturating_sub(draft.arrived);
        provider.call_ended(outcome.as_str(), &usage, cost);
        if estimated {
            metering.metrics.call_estimated();
        }
        let total = now.saturating_sub(draft.arrived);
        let call = CallRecord {
            id: draft.id,
            at: draft.at,
            account: draft.key.account.id.clone(),
            key: draft.key.id.clone(),
            plan: draft.key.account.plan.id.clone(),
            route: draft.route,
            provider: draft.provider,
            model: draft.model.as_ref().map(|model| model.name.clone()),
            upstream_model: draft
                .model
                .as_ref()
                .map(|model| model.upstream_name.clone()),
            endpoint: draft.endpoint.as_str(),
            stream: draft.stream,
            outcome,
            status,
            usage,
            estimated,
            overrun: matches!(charge, Charge::Overrun(_))
                || held_tokens > 0 && usage.total() > held_tokens
                || cost > held,
            held_tokens,
            held,
            cost,
            price_version,
            agreed: Some(agreed),
            end_user: draft.end_user,
            idempotency_key: draft.idempotency_key,
            attempt: attempts,
            queue_ms: whole_millis(queue),
            first_byte_ms: first_byte.map(whole_millis),
            total_ms: whole_millis(total),
        };
        let posting = Posting {
            call,
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
        let receipt = Receipt {
            outcome,
            usage,
            estimated,
            cost,
            queue,
            first_byte,
        };
        Ending { receipt, on_disk }
    }
}

/// The terms of a call that was served in `tier`, where that is another one than it asked for. What was asked for is what
/// was held for: being served in another tier never makes the call cost more.
fn served_as(terms: &Terms, tier: ServiceTier, usage: &Usage, held: NanoUsd) -> Option<Terms> {
    let served = terms.served_as(tier)?;
    let most = terms.cost(usage).max(held);
    (served.cost(usage) <= most).then_some(served)
}

/// What was agreed besides the version of the price.
fn agreed(draft: &Draft, terms: Option<&Terms>, taken: &Taken) -> Agreed {
    let extras = terms.map(Terms::extras);
    Agreed {
        output_limit: taken.output,
        written: draft.limited,
        answers: taken.answers(),
        factor: terms.map_or(Factor::ONE, Terms::factor),
        per_request: terms.map_or(Pico::ZERO, Terms::per_request),
        service_tier: extras.and_then(|extras| extras.service_tier),
        features: extras.map_or(Features::NONE, |extras| extras.features),
        plan_version: Some(draft.key.account.plan.version()),
    }
}
