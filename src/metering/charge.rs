//! What a call is charged: how much of what was observed, and at which terms.
//!
//! Owns the sum, and what is recorded of how it came to be. Must not know what a limit counts, nor where a record goes.

use std::{borrow::Cow, sync::Arc};

use http::StatusCode;

use super::Draft;
use crate::{
    accounts::{Settled, Taken},
    domain::{Features, NanoUsd, ServiceTier, Usage},
    prices::{Factor, Pico, Terms},
    providers::Observed,
    store::Agreed,
};

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

/// What a call used and costs, against what was held for it.
#[derive(Debug)]
pub(super) struct Bill {
    pub(super) usage: Usage,
    /// Whether the usage is our own count.
    pub(super) estimated: bool,
    /// `None` where nothing of it has a price.
    pub(super) cost: Option<NanoUsd>,
    /// Whether it used more than was held.
    pub(super) overrun: bool,
    pub(super) held_tokens: u64,
    pub(super) held: Option<NanoUsd>,
    pub(super) price_version: Option<Arc<str>>,
    pub(super) agreed: Agreed,
    /// What the account's book takes of it.
    pub(super) settled: Settled,
}

impl Charge {
    /// How the call was served, where its provider said so.
    const fn service_tier(self) -> Option<ServiceTier> {
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
            Self::Metered(observed) => observed
                .without_echo(draft.echoed)
                .settle(draft.input_estimate, most),
            Self::Overrun(observed) => {
                let observed = observed.without_echo(draft.echoed);
                let (usage, _) = observed.settle(draft.input_estimate, None);
                let output = usage.output.max(observed.output_at_least());
                (Usage { output, ..usage }, true)
            }
        }
    }

    /// What an answer with this status costs, of which so much was observed. A provider that failed by its own word is
    /// paid nothing; one that refused the call, or whose answer is an error alone whatever its status, what it reports.
    pub fn by(status: StatusCode, observed: Observed) -> Self {
        if status.is_server_error() {
            Self::Void
        } else if status.is_client_error() || observed.is_error_alone() {
            Self::Reported(observed)
        } else {
            Self::Metered(observed)
        }
    }

    /// What the call of `draft` costs, for which `taken` is held. `most` is the output limit that the provider got.
    pub(super) fn bill(self, draft: &Draft, taken: &Taken, most: Option<u64>) -> Bill {
        let (usage, estimated) = self.usage(draft, most);
        let (held_tokens, held) = (taken.tokens(), draft.terms.as_ref().map(|_| taken.money()));
        let terms = self.terms(draft.terms.as_ref(), &usage, taken.money());
        let terms = terms.as_deref();
        let cost = terms.map(|terms| match self {
            Self::Void => NanoUsd::ZERO,
            _ => terms.cost(&usage),
        });
        let settled = match self {
            Self::Void => Settled::Void,
            _ => Settled::Used {
                tokens: usage.total(),
                cost: cost.unwrap_or_default(),
            },
        };
        Bill {
            usage,
            estimated,
            cost,
            overrun: matches!(self, Self::Overrun(_))
                || held_tokens > 0 && usage.total() > held_tokens
                || cost > held,
            held_tokens,
            held,
            price_version: terms.and_then(Terms::version).cloned(),
            agreed: agreed(draft, terms, taken),
            settled,
        }
    }

    /// The terms that the call is charged by: those that were agreed, unless its provider refused it or served it
    /// otherwise and that has terms of its own.
    fn terms<'a>(
        self,
        agreed: Option<&'a Terms>,
        usage: &Usage,
        held: NanoUsd,
    ) -> Option<Cow<'a, Terms>> {
        let agreed = agreed?;
        let refused = match self {
            Self::Reported(_) => agreed.refused(),
            _ => None,
        };
        let terms = refused.map_or(Cow::Borrowed(agreed), Cow::Owned);
        let tier = self.service_tier();
        let served = tier.and_then(|tier| served_as(&terms, tier, usage, held));
        Some(served.map_or(terms, Cow::Owned))
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
pub(super) fn agreed(draft: &Draft, terms: Option<&Terms>, taken: &Taken) -> Agreed {
    let extras = terms.map(Terms::extras);
    Agreed {
        output_limit: taken.output,
        written: draft.limit_written,
        answers: taken.answers(),
        factor: terms.map_or(Factor::ONE, Terms::factor),
        per_request: terms.map_or(Pico::ZERO, Terms::per_request),
        service_tier: extras.and_then(|extras| extras.service_tier),
        features: extras.map_or(Features::NONE, |extras| extras.features),
        plan_version: Some(draft.key.account.plan.version()),
    }
}
