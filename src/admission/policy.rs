//! [`Admitted`] × what is asked → [`Permitted`]: may this caller have this model on this route?

use std::{collections::BTreeSet, sync::Arc};

use super::{Admitted, Caller};
use crate::{
    accounts::Accounts,
    call::{Catalogue, Destination, Model, Requirement, Route},
    domain::{Extras, ModelName, Timestamp},
    prices::{Item, Price, Terms, Unpriced},
    providers::{Ask, Endpoint},
    refusal::{Code, Detail, Refusal},
};

/// Of another model than the one that was looked at, neither permission nor price is known, and the provider may take an
/// output limit from beside its name.
const SUBSTITUTES: &str = "`fallbacks` and `models` name models that are not checked here; leave them out and name one model.";

/// A caller who may have what is asked.
#[derive(Debug)]
pub struct Permitted {
    admitted: Admitted,
    model: Option<Arc<Model>>,
    terms: Option<Terms>,
}

impl Permitted {
    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        self.admitted.caller()
    }

    /// The model, where the call names one.
    pub fn model(&self) -> Option<&Arc<Model>> {
        self.model.as_ref()
    }

    /// What it is charged by; `None` where nothing of it has a price.
    pub(super) fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    pub(super) fn into_parts(self) -> (Admitted, Option<Arc<Model>>, Option<Terms>) {
        (self.admitted, self.model, self.terms)
    }
}

/// Finds the model, asks the key, the account and the plan whether it may be used, and agrees on its price.
///
/// # Errors
/// 404 for an unknown model, 400 when its provider speaks another dialect or when money is counted and the call has no
/// price, 403 when the key or the account may not use it or the call could not be metered, 402 when another plan
/// includes it.
pub fn policy(
    admitted: Admitted,
    destination: &Destination,
    ask: Option<&Ask>,
    catalogue: &Catalogue,
    accounts: &Accounts,
    now: Timestamp,
) -> Result<Permitted, Refusal> {
    let caller = admitted.caller();
    let asked = ask.and_then(|ask| ask.model.as_ref());
    let agree = |model: Option<Arc<Model>>| {
        if let Some(model) = &model {
            permit(caller, &model.name, accounts)?;
        }
        let terms = terms(caller, destination, model.as_deref(), ask, now)?;
        Ok((model, terms))
    };
    let passed = find(caller, destination, asked, catalogue).and_then(|model| {
        agree(model).or_else(|refusal| {
            // Several public names may have the target that is asked for: the first that may be had is taken, in the order
            // of the file, with its price.
            let at = destination.route.provider.as_ref().zip(asked);
            let others = at.map(|((provider, _), name)| catalogue.named_at(name, provider));
            let mut refusal = refusal;
            for other in others.into_iter().flatten() {
                match agree(Some(Arc::clone(other))) {
                    Err(other) if nearness(&other) > nearness(&refusal) => refusal = other,
                    Err(_) => {}
                    agreed => return agreed,
                }
            }
            Err(refusal)
        })
    });
    let passed = passed.and_then(|passed| {
        let substitutes = ask.is_some_and(|ask| ask.substitutes);
        if substitutes && destination.endpoint.meters_tokens() && binds_model(caller, catalogue) {
            return Err(Refusal::new(Code::PermissionDenied).with(Detail::Say(SUBSTITUTES)));
        }
        if let Some(model) = &passed.0
            && destination.endpoint.meters_tokens()
            && ask.is_some_and(|ask| ask.opaque_input)
            && model.context_window.is_none()
            // What is in shadow mode refuses nothing.
            && caller.key().levels.limits_output()
        {
            return Err(unbounded(&model.name));
        }
        Ok(passed)
    });
    match passed {
        Ok((model, terms)) => Ok(Permitted {
            admitted,
            model,
            terms,
        }),
        Err(refusal) => Err(refusal.about(caller.subject())),
    }
}

/// How near to being permitted a call was: of several refusals the nearest says what helps.
fn nearness(refusal: &Refusal) -> u8 {
    match refusal.code {
        // It was permitted.
        Code::ModelNotPriced => 2,
        Code::PlanUpgradeRequired => 1,
        _ => 0,
    }
}

/// What the call is charged by: its model's price now, the plan's factor, and the price of the route. Where money is
/// counted, nothing is free by accident.
fn terms(
    caller: &Caller,
    destination: &Destination,
    model: Option<&Model>,
    ask: Option<&Ask>,
    now: Timestamp,
) -> Result<Option<Terms>, Refusal> {
    if destination.requirement() != Requirement::Full {
        return Ok(None);
    }
    let counted = caller.key().levels.counts_money();
    let plain = Extras::default();
    let extras = ask.map_or(&plain, |ask| &ask.extras);
    let factor = caller.account().plan.price_factor;
    let per_request = destination.route.price_per_request;
    let price = model
        .and_then(|model| model.prices.as_ref()?.at(now))
        .cloned();
    if price.is_none() && destination.endpoint.meters_tokens() {
        if let (true, Some(model)) = (counted, model) {
            return Err(unpriced(&model.name, None));
        }
        return Ok(per_request.map(|_| Terms::as_named(None, factor, per_request, extras)));
    }
    if price.is_none() && per_request.is_none() {
        return Ok(None);
    }
    match Terms::new(price.clone(), factor, per_request, extras) {
        Ok(terms) => Ok(Some(terms)),
        // What has no output needs no price for it.
        Err(Unpriced::Tokens)
            if destination.endpoint == Endpoint::Embeddings && has_input(&price) =>
        {
            Ok(Some(Terms::as_named(price, factor, per_request, extras)))
        }
        Err(missing) => match model {
            Some(model) if counted => Err(unpriced(&model.name, Some(missing))),
            _ => Ok(Some(Terms::as_named(price, factor, per_request, extras))),
        },
    }
}

fn has_input(price: &Option<Arc<Price>>) -> bool {
    let price = price.as_ref().map(|price| price.figures().table.base());
    price.is_some_and(|rates| rates.own(Item::Input).is_some())
}

fn unpriced(model: &ModelName, missing: Option<Unpriced>) -> Refusal {
    let refusal = Refusal::new(Code::ModelNotPriced);
    match missing {
        None => refusal.with(Detail::Model(model.clone())),
        Some(missing) => {
            let words = format!(
                "Model {model} has no price for {missing}, and this account is charged by price; leave that out, or ask \
                 whoever runs this gateway to add a price for it."
            );
            refusal.with(Detail::Explain(words.into()))
        }
    }
}

/// The file itself is refused where this could happen. Accounts that are not in it may find their models changed.
fn unbounded(model: &ModelName) -> Refusal {
    let words = format!(
        "The call refers to input that its body does not show, and model {model} has no `context_window` here that bounds \
         it, while this account's tokens or money are limited; send text alone, or ask whoever runs this gateway to add one."
    );
    Refusal::new(Code::PermissionDenied).with(Detail::Explain(words.into()))
}

fn find(
    caller: &Caller,
    destination: &Destination,
    asked: Option<&ModelName>,
    catalogue: &Catalogue,
) -> Result<Option<Arc<Model>>, Refusal> {
    let unknown =
        |name: &ModelName| Refusal::new(Code::ModelNotFound).with(Detail::Model(name.clone()));
    match (&destination.route.provider, asked) {
        (Some((provider, kind)), Some(name)) => catalogue
            .find_at(name, provider, *kind)
            .map(Some)
            .ok_or_else(|| unknown(name)),
        (Some(_), None) if names_model(destination.endpoint) => {
            let missing = "The body names no model; add `model`.";
            if binds_model(caller, catalogue) {
                Err(Refusal::new(Code::ModelNotFound).with(Detail::Say(missing)))
            } else {
                Ok(None)
            }
        }
        (Some(_), None) => {
            // It has been asked before anybody was sent to pay; here no permit is made without it.
            meterable(caller, destination)?;
            Ok(None)
        }
        (None, Some(name)) => {
            let model = catalogue
                .find(name, destination.dialect)
                .ok_or_else(|| unknown(name))?;
            if model.kind.speaks(destination.dialect) {
                Ok(Some(model))
            } else {
                Err(other_dialect(&model, &destination.route))
            }
        }
        (None, None) if names_model(destination.endpoint) => {
            let missing = "The body names no model; add `model`.";
            Err(Refusal::new(Code::InvalidJson).with(Detail::Say(missing)))
        }
        (None, None) => Err(Code::RouteNotFound.into()),
    }
}

/// Whether what happens here can be metered, as far as the request's head tells. Asked before the subscription is looked
/// at: no payment would open a path that is closed to everybody who is metered.
///
/// # Errors
/// 403 where nothing would count, and tokens or money are limited.
pub fn meterable(caller: &Caller, destination: &Destination) -> Result<(), Refusal> {
    let route = &destination.route;
    let metered = names_model(destination.endpoint)
        || destination.requirement() != Requirement::Full
        || route.counts_requests
        || route.price_per_request.is_some();
    if route.provider.is_none() || metered || !is_limited(caller) {
        return Ok(());
    }
    let denied = "This path cannot be metered, and this account's tokens or money are limited; use a known endpoint, or ask \
                whoever runs this gateway to set `price_per_request` or `meter: requests` on the route.";
    Err(Refusal::new(Code::PermissionDenied)
        .with(Detail::Say(denied))
        .about(caller.subject()))
}

fn is_limited(caller: &Caller) -> bool {
    let levels = &caller.key().levels;
    levels.limits_tokens() || levels.counts_money()
}

/// Whether a call to this endpoint names a model in its body.
fn names_model(endpoint: Endpoint) -> bool {
    endpoint.meters_tokens() || endpoint == Endpoint::CountTokens
}

/// Whether it matters which model answers: what may be called is limited, or what an answer may use.
fn binds_model(caller: &Caller, catalogue: &Catalogue) -> bool {
    let restricted = caller.key().model_lists().next().is_some();
    is_limited(caller) || !catalogue.is_open() || restricted
}

fn permit(caller: &Caller, name: &ModelName, accounts: &Accounts) -> Result<(), Refusal> {
    let account = caller.account();
    let allows = |models: &Option<BTreeSet<ModelName>>| {
        models.as_ref().is_none_or(|models| models.contains(name))
    };
    let denied = |who: &str, what: &str| {
        let words = format!("{who} model {name}; {what}.");
        Err(Refusal::new(Code::PermissionDenied).with(Detail::Explain(words.into())))
    };
    if !allows(&caller.key().own.models) {
        return denied(
            "This API key may not use",
            "use another model or another key",
        );
    }
    if !allows(&account.models) {
        return denied("This account may not use", "use another model");
    }
    if allows(&account.plan.models) {
        return Ok(());
    }
    if accounts
        .roster()
        .plans
        .iter()
        .any(|plan| allows(&plan.models))
    {
        return Err(Refusal::new(Code::PlanUpgradeRequired).with(Detail::Model(name.clone())));
    }
    denied("No plan includes", "use another model")
}

fn other_dialect(model: &Model, route: &Route) -> Refusal {
    let mut calls = route.calls.iter();
    let path = calls
        .find(|(dialect, _)| model.kind.speaks(*dialect))
        .map_or("its provider's own route", |(_, path)| path);
    let words = format!(
        "Model {} is served in another format; call it at {path}.",
        model.name
    );
    Refusal::new(Code::EndpointNotInDialect).with(Detail::Explain(words.into()))
}
