//! What a call may use at most, weighed against every level: what a call that is made and one that is only asked about
//! have in common.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Permitted, binding};
use crate::{
    accounts::{Binding, Book, Levels, LowCredit, Output, Plan, Reason, Wanted},
    call::{Destination, Model, Requirement},
    domain::{Anchor, Clock, ProviderId, RequestId, Timestamp, Unit},
    metering::MeteringContext,
    prices::{Bound, Quote, Terms},
    providers::{Ask, Endpoint, count_input, estimate_tokens},
    refusal::{Code, Detail, Refusal},
    store::{LedgerBusy, Slot},
};

/// Bytes that tools add to a prompt beyond their own: providers wrap them in instructions of theirs.
const TOOLS: u64 = 1024;

/// Fewer output tokens than this make an answer useless; a limit that cannot hold them refuses instead.
const FLOOR: u64 = 256;

/// A body is counted by a tokenizer only up to this size; beyond it, its bytes are the bound.
const COUNTED: usize = 64 << 10;

/// Bytes by which a body that names no output limit grows when it names one: `,"max_completion_tokens":` and its digits.
const OWN_LIMIT: u64 = 48;

/// The same in tokens, where the input is counted: a dozen at most, and a margin.
const OWN_LIMIT_TOKENS: u64 = 16;

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

/// A call that fits every level.
#[derive(Debug)]
pub(super) struct Weighed<T> {
    /// Its place in the ledger.
    pub(super) slot: Slot,
    /// Where it goes.
    pub(super) provider: ProviderId,
    /// What was asked of the levels.
    pub(super) wanted: Wanted,
    /// What they answered.
    pub(super) found: T,
}

/// Asks every level for what the call may use, by `take`, which takes it or only looks. Where a bound that is read off
/// the body's size is refused, the input is counted before anybody is.
///
/// Nothing is awaited between the last `take` and the return: whoever takes can keep it safe at once.
///
/// # Errors
/// 402 or 429 by the level that binds; 503 when the call could not be recorded.
pub(super) async fn weigh<T>(
    permitted: &Permitted,
    request: &Request<'_>,
    metering: &MeteringContext,
    take: impl Fn(&Book, &Levels, &Wanted, &Clock, Anchor) -> Result<T, Binding>,
) -> Result<Weighed<T>, Refusal> {
    let (caller, model, terms) = (permitted.caller(), permitted.model(), permitted.terms());
    let provider = match (&request.destination.route.provider, model) {
        (Some((provider, _)), _) => provider.clone(),
        (None, Some(model)) => model.provider.clone(),
        (None, None) => return Err(Code::RouteNotFound.into()),
    };
    let slot = metering
        .ledger
        .reserve()
        .map_err(|busy| Refusal::new(code(busy)).about(caller.subject()))?;

    let model = model.map(Arc::as_ref);
    let mut wanted = want(request, model, terms, &caller.account().plan);
    let (account, levels) = (caller.account(), &caller.key().levels);
    let mut counted = None;
    if let Some((window, alone)) = crowded(&wanted, request, model)
        && levels.limits_output()
    {
        // A long prompt has so many more bytes than tokens that little would seem to be left.
        let input = if alone <= window / 2 {
            alone
        } else if alone < wanted.input {
            // Only all of them together are counted.
            estimated(alone, window)
        } else {
            counted = count(request, model, metering).await;
            counted.unwrap_or_else(|| estimated(request.body.len() as u64, window))
        };
        wanted.output = within(wanted.output, window.saturating_sub(input));
    }
    let take = |wanted: &Wanted| {
        take(
            &account.book,
            levels,
            wanted,
            &metering.clock,
            account.anchor,
        )
    };
    let bound = match take(&wanted) {
        Ok(found) => {
            return Ok(Weighed {
                slot,
                provider,
                wanted,
                found,
            });
        }
        Err(bound) => bound,
    };
    // Only what binds is kept while the input is counted: every call's future has room for this.
    let counted = match counted {
        _ if !counting_may_help(&bound) => None,
        None => count(request, model, metering).await,
        known => known,
    };
    let mut longer = OWN_LIMIT;
    let found = match counted {
        Some(input) if input < wanted.input => {
            wanted = Wanted { input, ..wanted }.priced(terms);
            longer = OWN_LIMIT_TOKENS;
            take(&wanted)
        }
        _ => Err(bound),
    };
    let found = found.map_err(|bound| {
        let now = metering.clock.now();
        let affordable = bound.affordable.map(|affordable| {
            match wanted.with_own_limit(longer, request, model, terms) {
                // A retry that says so has a longer body than this one.
                Some(named) => account.book.affordable(levels, &named, now, account.anchor),
                None => affordable,
            }
        });
        let least = least_output(request);
        let bound = Binding {
            affordable: affordable.map(|most| if most < least { 0 } else { most }),
            ..bound
        };
        let refusal = binding::refuse(&bound, caller.subject(), now);
        match without_output(request) {
            Some(words) if costs_too_much(&refusal) => refusal.with(Detail::Say(words)),
            _ => refusal,
        }
    })?;
    Ok(Weighed {
        slot,
        provider,
        wanted,
        found,
    })
}

/// The window, where an output limit of ours may be more than it leaves, and the input in it: of several prompts, each of
/// which has a window of its own, the longest. Where the body does not show its input, nobody knows what that is.
fn crowded(wanted: &Wanted, request: &Request<'_>, model: Option<&Model>) -> Option<(u64, u64)> {
    let window = model?.context_window?;
    let ask = request.ask.filter(|ask| !ask.opaque_input)?;
    let alone = match ask.beside {
        0 => wanted.input,
        beside => wanted.input.min(ask.input_bytes.saturating_sub(beside)),
    };
    match wanted.output {
        Output::UpTo { most, .. } if window.saturating_sub(alone) < most => Some((window, alone)),
        _ => None,
    }
}

/// About how many tokens a body has that is too large to be counted. One that seems to leave nothing useful has more bytes
/// for a token than that, as escapes have, or else the provider says so better: half the window is left then.
fn estimated(bytes: u64, window: u64) -> u64 {
    let input = estimate_tokens(bytes);
    if input.saturating_add(FLOOR) > window {
        window / 2
    } else {
        input
    }
}

/// The same output, but not more than `left`. Where nothing useful is left, the provider says so better than an answer that
/// ends at once.
fn within(output: Output, left: u64) -> Output {
    match output {
        Output::UpTo { most, floor } => Output::UpTo {
            most: most.min(left.max(FLOOR)),
            floor,
        },
        other => other,
    }
}

/// The least output limit that is worth another try. Where the client's own is less, what the provider takes is not known.
fn least_output(request: &Request<'_>) -> u64 {
    let ask = request.ask.filter(|ask| {
        let limit = ask.output_limit;
        limit.is_none_or(|limit| limit >= ask.least_output)
    });
    ask.map_or(1, |ask| ask.least_output)
}

/// What there is to say to a call that is too large and has no output limit to lower.
fn without_output(request: &Request<'_>) -> Option<&'static str> {
    match request.destination.endpoint {
        Endpoint::Embeddings => Some("Shorten the input"),
        endpoint if endpoint.meters_tokens() && request.ask.is_some() => None,
        _ => Some("A request to this path has a fixed price"),
    }
}

fn costs_too_much(refusal: &Refusal) -> bool {
    let limit = refusal
        .limit
        .is_some_and(|limit| limit.unit != Unit::Requests);
    match refusal.code {
        Code::InsufficientCreditForRequest => true,
        Code::RequestExceedsLimit => limit,
        _ => false,
    }
}

/// The output limit to write into the body, where what is limited grows with it: the client named none, or more than
/// `held`, the most that is held for. Then that is all the provider may do.
pub(super) fn output_limit(
    wanted: &Wanted,
    asked: Option<&Ask>,
    levels: &Levels,
    held: u64,
) -> Option<u64> {
    let ours = match asked.and_then(|ask| ask.output_limit) {
        Some(own) => own > held,
        None => matches!(wanted.output, Output::UpTo { .. }),
    };
    (ours && levels.limits_output()).then_some(held)
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
            quotas: request.destination.requirement() == Requirement::Full,
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
    let longest = longest_input(model, ask);
    let input = if ask.opaque_input {
        longest
    } else {
        shown.min(longest)
    };
    // Without a window nothing bounds what the body does not show; token quotas demand one, so only rates are left.
    let input = if input == u64::MAX { shown } else { input };
    let output = match ask.output_limit {
        _ if request.destination.endpoint == Endpoint::Embeddings => Output::Fixed(0),
        Some(limit) if plan.credit_required && plan.on_low_credit == LowCredit::Clamp => {
            Output::Clamp {
                most: limit.min(most),
                floor: least_output(request),
            }
        }
        Some(limit) => Output::Fixed(limit.min(most)),
        None => Output::UpTo {
            most: plan.default_max_output_tokens.min(most).min(window),
            floor: FLOOR.max(ask.least_output),
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

/// The most input that the provider takes: a window for each text. Without a window nothing bounds it.
fn longest_input(model: Option<&Model>, ask: &Ask) -> u64 {
    let window = model.and_then(|model| model.context_window);
    window.unwrap_or(u64::MAX).saturating_mul(ask.texts)
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

    /// The same call once it names its output limit itself, by which its input is `longer`; `None` where it does.
    fn with_own_limit(
        self,
        longer: u64,
        request: &Request<'_>,
        model: Option<&Model>,
        terms: Option<&Terms>,
    ) -> Option<Self> {
        let ask = request.ask.filter(|ask| ask.output_limit.is_none())?;
        let input = if ask.opaque_input {
            self.input
        } else {
            self.input.saturating_add(longer)
        };
        let input = input.min(longest_input(model, ask));
        Some(Self { input, ..self }.priced(terms))
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
async fn count(
    request: &Request<'_>,
    model: Option<&Model>,
    metering: &MeteringContext,
) -> Option<u64> {
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
    let counted = metering
        .count(move || count_input(kind, name.as_str(), &body))
        .await??;
    Some(
        counted
            .saturating_add(tools)
            .min(longest_input(Some(model), ask)),
    )
}
