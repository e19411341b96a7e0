//! [`Permitted`] → [`Reservation`]: everything that the call may use is taken, from every level or from none.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Notice, Permitted, binding};
use crate::{
    accounts::{Binding, LowCredit, Output, Plan, Reason, Taken, Wanted},
    call::{Destination, Model, Toll},
    domain::{ProviderId, RequestId, Timestamp, Unit},
    metering::{Desk, Draft, Reservation},
    prices::{Bound, Quote, Terms},
    providers::{Ask, Endpoint, count_input, estimate_tokens},
    refusal::{Code, Refusal},
    store::LedgerBusy,
};

/// Bytes that tools add to a prompt beyond their own: providers wrap them in instructions of theirs.
const TOOLS: u64 = 1024;

/// Fewer output tokens than this make an answer useless; a limit that cannot hold them refuses instead.
const FLOOR: u64 = 256;

/// A body is counted by a tokenizer only up to this size; beyond it, its bytes are the bound.
const COUNTED: usize = 64 << 10;

/// An admitted call.
#[derive(Debug)]
pub struct Held {
    /// What it holds.
    pub reservation: Reservation,
    /// The output limit to write into the body, where limits need one and the client named none.
    pub output_limit: Option<u64>,
    /// The same, where limits made it less than it would have been.
    pub clamped: Option<u64>,
    /// What to tell beside the answer.
    pub notice: Option<Notice>,
    /// The model, where the call names one.
    pub model: Option<Arc<Model>>,
    /// Where it goes.
    pub provider: ProviderId,
}

/// What is asked, beside the permission.
#[derive(Debug)]
pub struct Request<'a> {
    /// Our id.
    pub id: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// The same on the clock that never goes back.
    pub arrived: Duration,
    /// Where it goes.
    pub destination: &'a Destination,
    /// What its body says, where it was read.
    pub ask: Option<&'a Ask>,
    /// The body, where it was read.
    pub body: &'a Bytes,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
}

/// Takes what the call may use, and a place in the ledger.
///
/// # Errors
/// 402 or 429 by the level that binds; 503 when the call could not be recorded.
pub async fn reserve(
    permitted: Permitted,
    request: Request<'_>,
    desk: &Arc<Desk>,
) -> Result<Held, Refusal> {
    let (admitted, model, terms) = permitted.into_parts();
    let caller = admitted.caller();
    let provider = match (&request.destination.route.provider, &model) {
        (Some((provider, _)), _) => provider.clone(),
        (None, Some(model)) => model.provider.clone(),
        (None, None) => return Err(Code::RouteNotFound.into()),
    };
    let slot = desk
        .ledger
        .reserve()
        .map_err(|busy| Refusal::new(code(busy)).about(caller.subject()))?;

    let wanted = want(
        &request,
        model.as_deref(),
        terms.as_ref(),
        &caller.account().plan,
    );
    let book = &caller.account().book;
    let take = |wanted: &Wanted| {
        book.hold(
            &caller.key().levels,
            wanted,
            &desk.clock,
            caller.account().anchor,
        )
    };
    let taken = match take(&wanted) {
        Err(bound) if counting_may_help(&bound) => match count(&request, model.as_deref()).await {
            Some(input) if input < wanted.input => {
                take(&Wanted { input, ..wanted }.priced(terms.as_ref()))
            }
            _ => Err(bound),
        },
        taken => taken,
    };
    // From here on nothing may fail: what was taken goes back only through its reservation.
    let taken =
        taken.map_err(|bound| binding::refuse(&bound, caller.subject(), desk.clock.now()))?;
    tell_shadow(&taken, caller.account().id.as_str());

    let ours = match wanted.output {
        Output::Fixed(_) => false,
        Output::UpTo { .. } => caller.key().levels.limits_output(),
        Output::Clamp(_) => taken.lowered,
    };
    let output_limit = ours.then_some(taken.output);
    let clamped = output_limit.filter(|_| taken.lowered);
    let key = Arc::clone(caller.key());
    let (subscriber, seat) = admitted.into_parts();
    let draft = Draft {
        id: request.id,
        at: request.at,
        arrived: request.arrived,
        key,
        route: Arc::clone(&request.destination.route.path),
        provider: provider.clone(),
        model: model.clone(),
        terms,
        endpoint: request.destination.endpoint,
        stream: request.ask.is_some_and(|ask| ask.stream),
        end_user: request.ask.and_then(|ask| ask.end_user.clone()),
        idempotency_key: request.idempotency_key,
        input_estimate: estimate_tokens(request.body.len() as u64),
    };
    let reservation = Reservation::open(desk, taken, seat, slot, draft);
    Ok(Held {
        reservation,
        output_limit,
        clamped,
        notice: subscriber.notice(),
        model,
        provider,
    })
}

/// What the call may use at most, by what can be seen without counting.
fn want(
    request: &Request<'_>,
    model: Option<&Model>,
    terms: Option<&Terms>,
    plan: &Plan,
) -> Wanted {
    let bytes = request.body.len() as u64;
    let Some(ask) = request
        .ask
        .filter(|_| request.destination.endpoint.meters_tokens())
    else {
        return Wanted {
            input: 0,
            output: Output::Fixed(0),
            answers: 1,
            bucket_input: 0,
            quotas: request.destination.toll() == Toll::Full,
            quote: Quote::NOTHING,
        }
        .priced(terms);
    };
    let window = model
        .and_then(|model| model.context_window)
        .unwrap_or(u64::MAX);
    let most = model
        .and_then(|model| model.max_output_tokens)
        .unwrap_or(u64::MAX);
    let shown = bytes.saturating_add(if ask.tools { TOOLS } else { 0 });
    let input = if ask.opaque_input {
        window
    } else {
        shown.min(window)
    };
    // Without a window nothing bounds what the body does not show; token quotas demand one, so only rates are left.
    let input = if input == u64::MAX { shown } else { input };
    let output = match ask.output_limit {
        _ if request.destination.endpoint == Endpoint::Embeddings => Output::Fixed(0),
        Some(limit) if plan.credit_required && plan.on_low_credit == LowCredit::Clamp => {
            Output::Clamp(limit.min(most))
        }
        Some(limit) => Output::Fixed(limit.min(most)),
        None => Output::UpTo {
            most: plan.default_max_output_tokens.min(most),
            floor: FLOOR,
        },
    };
    Wanted {
        input,
        output,
        answers: ask.answers.max(1),
        bucket_input: estimate_tokens(bytes),
        quotas: true,
        quote: Quote::NOTHING,
    }
    .priced(terms)
}

impl Wanted {
    /// The same, at what it may cost.
    fn priced(self, terms: Option<&Terms>) -> Self {
        let bound = Bound {
            input: self.input,
            answers: self.answers,
        };
        let quote = terms.map_or(Quote::NOTHING, |terms| terms.quote(&bound));
        Self { quote, ..self }
    }
}

/// The code of a call that could not be recorded.
fn code(busy: LedgerBusy) -> Code {
    match busy {
        LedgerBusy::Overloaded => Code::Overloaded,
        LedgerBusy::Full | LedgerBusy::Broken => Code::BillingUnavailable,
    }
}

/// Whether a smaller bound of the input could turn the refusal.
fn counting_may_help(bound: &Binding) -> bool {
    bound.unit != Unit::Requests && matches!(bound.reason, Reason::TooLarge | Reason::OnHold)
}

/// The input by a real tokenizer, for a body of plain text that is small enough to be counted.
async fn count(request: &Request<'_>, model: Option<&Model>) -> Option<u64> {
    let (ask, model) = (request.ask?, model?);
    if ask.opaque_input || request.body.len() > COUNTED {
        return None;
    }
    let (body, kind, name) = (
        request.body.clone(),
        model.kind,
        model.upstream_name.clone(),
    );
    let tools = if ask.tools { TOOLS } else { 0 };
    let counted = tokio::task::spawn_blocking(move || count_input(kind, name.as_str(), &body))
        .await
        .ok()??;
    Some(
        counted
            .saturating_add(tools)
            .min(model.context_window.unwrap_or(u64::MAX)),
    )
}

fn tell_shadow(taken: &Taken, account: &str) {
    if let Some(bound) = taken.shadow {
        tracing::info!(
            account,
            unit = bound.unit.as_str(),
            limit = bound.limit,
            used = bound.used,
            "a limit in shadow mode would have refused this call"
        );
    }
}
