//! [`Admitted`] × what is asked → [`Permitted`]: may this caller have this model on this route?

use std::{collections::BTreeSet, sync::Arc};

use super::{Admitted, Caller};
use crate::{
    accounts::Accounts,
    call::{Catalogue, Destination, Model, Toll},
    domain::ModelName,
    providers::{Dialect, Endpoint},
    refusal::{Code, Detail, Refusal},
};

/// A caller who may have what is asked.
#[derive(Debug)]
pub struct Permitted {
    admitted: Admitted,
    model: Option<Arc<Model>>,
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

    pub(super) fn into_parts(self) -> (Admitted, Option<Arc<Model>>) {
        (self.admitted, self.model)
    }
}

/// Finds the model and asks the key, the account and the plan whether it may be used.
///
/// # Errors
/// 404 for an unknown model, 400 when its provider speaks another dialect, 403 when the key or the account may not use it
/// or the call could not be metered, 402 when another plan includes it.
pub fn policy(
    admitted: Admitted,
    destination: &Destination,
    asked: Option<&ModelName>,
    catalogue: &Catalogue,
    accounts: &Accounts,
) -> Result<Permitted, Refusal> {
    let caller = admitted.caller();
    match find(caller, destination, asked, catalogue) {
        Ok(Some(model)) => match permit(caller, &model.name, accounts) {
            Ok(()) => Ok(Permitted {
                admitted,
                model: Some(model),
            }),
            Err(refusal) => Err(refusal.about(caller.subject())),
        },
        Ok(None) => Ok(Permitted {
            admitted,
            model: None,
        }),
        Err(refusal) => Err(refusal.about(caller.subject())),
    }
}

fn find(
    caller: &Caller,
    destination: &Destination,
    asked: Option<&ModelName>,
    catalogue: &Catalogue,
) -> Result<Option<Arc<Model>>, Refusal> {
    let limits_tokens = caller.key().levels.limits_tokens();
    let unknown =
        |name: &ModelName| Refusal::new(Code::ModelNotFound).with(Detail::Model(name.clone()));
    match (&destination.route.provider, asked) {
        (Some((provider, kind)), Some(name)) => catalogue
            .find_at(name, provider, *kind)
            .map(Some)
            .ok_or_else(|| unknown(name)),
        (Some(_), None) if names_model(destination.endpoint) => {
            let bound = limits_tokens || !catalogue.is_open() || restricted(caller);
            let missing = "The body names no model; add `model`.";
            if bound {
                Err(Refusal::new(Code::ModelNotFound).with(Detail::Say(missing)))
            } else {
                Ok(None)
            }
        }
        (Some(_), None) => {
            let metered = destination.toll() != Toll::Full || destination.route.counts_requests;
            let door = "This path cannot be metered, and this account's tokens are limited; use a known endpoint, \
                        or ask whoever runs this gateway to set `meter: requests` on the route.";
            let unmetered = limits_tokens && !metered;
            if unmetered {
                Err(Refusal::new(Code::PermissionDenied).with(Detail::Say(door)))
            } else {
                Ok(None)
            }
        }
        (None, Some(name)) => {
            let model = catalogue
                .find(name, destination.dialect)
                .ok_or_else(|| unknown(name))?;
            if model.kind.speaks(destination.dialect) {
                Ok(Some(model))
            } else {
                Err(other_dialect(&model))
            }
        }
        (None, None) if names_model(destination.endpoint) => {
            let missing = "The body names no model; add `model`.";
            Err(Refusal::new(Code::InvalidJson).with(Detail::Say(missing)))
        }
        (None, None) => Err(Code::RouteNotFound.into()),
    }
}

/// Whether a call to this endpoint names a model in its body.
fn names_model(endpoint: Endpoint) -> bool {
    endpoint.meters_tokens() || endpoint == Endpoint::CountTokens
}

fn restricted(caller: &Caller) -> bool {
    let account = caller.account();
    caller.key().models.is_some() || account.models.is_some() || account.plan.models.is_some()
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
    if !allows(&caller.key().models) {
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

fn other_dialect(model: &Model) -> Refusal {
    let path = [
        (Dialect::OpenAi, "/v1/chat/completions"),
        (Dialect::Anthropic, "/v1/messages"),
    ]
    .into_iter()
    .find_map(|(dialect, path)| model.kind.speaks(dialect).then_some(path))
    .unwrap_or("its provider's own route");
    let words = format!(
        "Model {} is served in another format; call it at {path}.",
        model.name
    );
    Refusal::new(Code::EndpointNotInDialect).with(Detail::Explain(words.into()))
}
