//! `models`: the names clients may use, and lists of them elsewhere in the file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    fields::{Entry, Fields, Named, Value},
    nearest::suggestion,
    problem::{Place, Report},
    providers::Providers,
};
use crate::{
    accounts::Extent,
    domain::{ModelName, ProviderId, Timestamp},
    gateway::ModelSettings,
    providers::ProviderKind,
};

/// All models; `listed` is false where the file has no `models`, and every name is allowed.
#[derive(Debug)]
pub(crate) struct Models {
    pub(crate) listed: bool,
    pub(crate) settings: Vec<ModelSettings>,
    /// Names with good and with bad settings.
    known: BTreeSet<ModelName>,
    /// Models whose prices were written wrong. That was reported, and they are not missing as well.
    pub(crate) mispriced: BTreeSet<ModelName>,
    /// When the file is read.
    pub(crate) now: Timestamp,
}

/// Compiles `models`.
pub(crate) fn models(
    root: &Fields,
    providers: &Providers,
    now: Timestamp,
    report: &mut Report,
) -> Models {
    let mut models = Models {
        listed: root.has("models"),
        settings: Vec::new(),
        known: BTreeSet::new(),
        mispriced: BTreeSet::new(),
        now,
    };
    for Named { name, fields } in root.named("models") {
        match ModelName::parse(name) {
            Ok(name) => {
                models.known.insert(name.clone());
                let settings = model(name, fields, providers, report);
                models.settings.extend(settings);
            }
            Err(error) => {
                report.problem(&fields.place, format!("this name {error}"));
            }
        }
    }
    models
}

fn model(
    name: ModelName,
    fields: &Fields,
    providers: &Providers,
    report: &mut Report,
) -> Option<ModelSettings> {
    let provider = provider(fields, providers, report);
    let upstream_name = match fields.text("model") {
        Some(other) => ModelName::parse(other),
        None => Ok(name.clone()),
    };
    let place = fields.place_of("model");
    let upstream_name = upstream_name
        .map_err(|error| report.problem(place, format!("this name {error}")))
        .ok();
    if let Some((most, place)) = fields.located::<u64>("max_output_tokens")
        && fields
            .get::<u64>("context_window")
            .is_some_and(|window| most > window)
    {
        let problem = report.problem(place, "is more than the model's context_window");
        problem.hint("context_window counts input and output together");
    }
    Some(ModelSettings {
        name,
        provider: provider?,
        upstream_name: upstream_name?,
        // One that was written wrong has been reported, and is not missing as well.
        context_window: fields
            .get("context_window")
            .or_else(|| fields.has("context_window").then_some(u64::MAX)),
        max_output_tokens: fields.get("max_output_tokens"),
        prices: None,
    })
}

fn provider(fields: &Fields, providers: &Providers, report: &mut Report) -> Option<ProviderId> {
    let known = providers.named(fields, report)?;
    let place = fields.place_of("provider");
    if known.kind == Some(ProviderKind::Http) {
        let text = "is of `kind: http`, which has no models";
        let problem = report.problem(place, text);
        problem.hint("reach it through a route with `provider:`, or make its kind openai if it speaks that dialect");
        return None;
    }
    Some(known.id.clone())
}

impl Models {
    /// Whether a model of this name stands in the file.
    pub(crate) fn knows(&self, name: &ModelName) -> bool {
        self.known.contains(name)
    }

    /// Every name in the file.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.known.iter().map(ModelName::as_str)
    }

    /// What is missing for a model's calls to have a price, in words behind its name; `None` where nothing is. One that
    /// only reads, as for embeddings, needs no price for output; one with a bound of its output writes.
    pub(crate) fn unpriced(model: &ModelSettings) -> Option<&'static str> {
        let writes = model.max_output_tokens.is_some();
        match &model.prices {
            None => Some(""),
            Some(prices) if !prices.has_input() => Some(" (no price for `input`)"),
            Some(prices) if writes && !prices.has_tokens() => Some(" (no price for `output`)"),
            Some(_) => None,
        }
    }

    /// What accounts and keys that are created later may name.
    pub(crate) fn extents(&self) -> BTreeMap<ModelName, Extent> {
        let extent = |model: &ModelSettings| Extent {
            bounded: model.context_window.is_some(),
            priced: Self::unpriced(model).is_none(),
        };
        let models = self.settings.iter();
        models
            .map(|model| (model.name.clone(), extent(model)))
            .collect()
    }

    /// A list of public names: `None` where it was left out.
    pub(crate) fn list(&self, fields: &Fields, report: &mut Report) -> Option<BTreeSet<ModelName>> {
        let mut names = BTreeSet::new();
        for Entry { place, value } in fields.list("models")? {
            let Value::Text(text) = value else { continue };
            match ModelName::parse(text) {
                Ok(name) if self.listed && !self.known.contains(&name) => {
                    let problem = report.problem(place, "is not a model of this file");
                    let known = self.known.iter().map(ModelName::as_str);
                    problem.maybe_hint(suggestion(text, known));
                }
                Ok(name) => {
                    names.insert(name);
                }
                Err(error) => {
                    report.problem(place, format!("this name {error}"));
                }
            }
        }
        Some(names)
    }

    /// Reports token quotas at `quotas` that no bound of the input can be found for, where `allowed` are the lists
    /// that all have to name a model.
    pub(crate) fn bound(
        &self,
        quotas: &[Place],
        allowed: &[Option<&BTreeSet<ModelName>>],
        report: &mut Report,
    ) {
        if quotas.is_empty() {
            return;
        }
        let reached = |model: &&ModelSettings| {
            let named = |list: &BTreeSet<ModelName>| list.contains(&model.name);
            model.context_window.is_none() && allowed.iter().flatten().all(|list| named(list))
        };
        let missing: Vec<&str> = self
            .settings
            .iter()
            .filter(reached)
            .map(|model| model.name.as_str())
            .collect();
        for place in quotas {
            if !self.listed {
                let text = "a token quota needs the models it is for, and the file lists none";
                let problem = report.problem(place, text);
                problem.hint("add `models` with a context_window each");
            } else if !missing.is_empty() {
                let text = format!(
                    "a token quota needs `context_window` for every model it allows; missing for {}",
                    missing.join(", ")
                );
                let problem = report.problem(place, text);
                problem.hint("add it to these models, or leave them out of the plan's `models`");
            }
        }
    }
}
