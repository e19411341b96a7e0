//! `prices`: what models cost.

use std::path::{Path, PathBuf};

use super::{
    fields::{Fields, Named, Take, Value},
    models::Models,
    nearest::suggestion,
    problem::{Place, Report},
    providers::Providers,
    secret,
};
use crate::{
    domain::{Feature, ModelName, ServiceTier, Timestamp},
    gateway::ModelSettings,
    prices::{
        Factor, Figures, Item, Pico, Price, Rates, Schedule, Service, Table,
        litellm::{self, Found, Imported},
    },
};

/// The published file has a few megabytes.
const LARGEST_FILE: u64 = 64 << 20;

/// Compiles `prices` into the models that they are for. A mistake leaves a model without a price, which no rule about
/// missing prices is to report again.
///
/// A row of the file itself goes before one in the file that it names.
pub(crate) fn prices(
    root: &Fields,
    providers: &Providers,
    models: &mut Models,
    report: &mut Report,
) {
    for Named { name, fields } in root.named("prices") {
        let known = ModelName::parse(name).is_ok_and(|name| models.knows(&name));
        if !known {
            let problem = report.problem(&fields.place, "is not a model of this file");
            problem.maybe_hint(suggestion(name, models.names()));
        }
        let schedule = schedule(fields, report);
        let mut settings = models.settings.iter_mut();
        if let Some(model) = settings.find(|model| model.name.as_str() == name) {
            if schedule.is_none() {
                models.mispriced.insert(model.name.clone());
            }
            model.prices = schedule;
        }
    }
    let Some((path, place)) = root.beside::<PathBuf>("prices") else {
        return;
    };
    let file = imported(&path).map_err(|wrong| {
        let problem = report.problem(place, wrong);
        problem.hint("name a file in the format of LiteLLM's model_prices_and_context_window.json; a relative path starts at the directory of this one");
    });
    for model in &mut models.settings {
        if model.prices.is_some() || models.mispriced.contains(&model.name) {
            continue;
        }
        let Ok(file) = &file else {
            models.mispriced.insert(model.name.clone());
            continue;
        };
        match from_file(file, model, providers) {
            Ok(None) => {}
            Ok(Some(Found { schedule, unknown })) => {
                model.prices = Some(schedule);
                if !unknown.is_empty() {
                    let text = format!(
                        "the file has costs for {} that are not known here: {}",
                        model.name,
                        unknown.join(", ")
                    );
                    let warning = report.warning(place, text);
                    warning.hint("a call that they are for is charged without them; give the model a row here with higher prices, or keep it from such calls");
                }
            }
            Err(wrong) => {
                let problem = report.problem(place, wrong);
                let name = &model.name;
                problem.hint(format!(
                    "correct it there, or give {name} a row here, which goes before it"
                ));
                models.mispriced.insert(name.clone());
            }
        }
    }
}

fn imported(path: &Path) -> Result<Imported, String> {
    let shown = path.display().to_string();
    let bytes = secret::read(path, LARGEST_FILE)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text"))?;
    litellm::read(&text, &shown).map_err(|error| error.to_string())
}

/// A model's price in a file: by its public name, the provider's name for it, or that behind the provider's kind, as
/// LiteLLM names what several providers serve.
fn from_file(
    file: &Imported,
    model: &ModelSettings,
    providers: &Providers,
) -> Result<Option<Found>, String> {
    let upstream = model.upstream_name.as_str();
    let provider = providers
        .known
        .iter()
        .find(|known| known.id == model.provider);
    let kind = provider.and_then(|provider| provider.kind);
    let qualified = kind.map(|kind| format!("{}/{upstream}", kind.as_str()));
    let names = [
        Some(model.name.as_str()),
        Some(upstream),
        qualified.as_deref(),
    ];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    file.find(&names).map_err(|error| error.to_string())
}

/// All versions of one model's price.
fn schedule(fields: &Fields, report: &mut Report) -> Option<Schedule> {
    let own = fields.written.iter().any(|key| *key != "versions");
    if !fields.has("versions") {
        if !own {
            let problem = report.problem(&fields.place, "says no price");
            problem.hint("write {input: 0.15, output: 0.60}, in US dollars per million tokens");
            return None;
        }
        return Some(Schedule::new([price(fields, None, report)?]));
    }
    if own {
        let problem = report.problem(
            fields.place_of("versions"),
            "is set together with other prices",
        );
        problem.hint("move them into the first version, without `effective`");
        return None;
    }
    let mut versions: Vec<Price> = Vec::new();
    for fields in fields.sections("versions") {
        let effective = fields.get::<Timestamp>("effective");
        // A date that was written wrong has been reported, and is not that of another version as well.
        let dated = effective.is_some() || !fields.has("effective");
        if dated && versions.iter().any(|known| known.effective() == effective) {
            let problem = report.problem(
                &fields.place,
                "takes effect at the same instant as another version",
            );
            problem.hint("give each its own `effective`; one may do without");
            continue;
        }
        versions.extend(price(fields, effective, report));
    }
    if fields.list("versions").is_some_and(<[_]>::is_empty) {
        let problem = report.problem(fields.place_of("versions"), "is empty");
        problem.hint("write at least one version, or the prices themselves");
    }
    (!versions.is_empty()).then(|| Schedule::new(versions))
}

fn price(fields: &Fields, effective: Option<Timestamp>, report: &mut Report) -> Option<Price> {
    let base = rates(fields);
    let written = Item::ALL.iter().any(|item| fields.has(item.as_str()));
    if !written && !fields.has("request") {
        let problem = report.problem(&fields.place, "says no price");
        problem.hint("write {input: 0.15, output: 0.60}, in US dollars per million tokens");
        return None;
    }
    let mut tiers: Vec<(u64, Rates)> = Vec::new();
    for fields in fields.sections("tiers") {
        let above: u64 = fields.get("above")?;
        if tiers.iter().any(|(known, _)| *known == above) {
            let problem = report.problem(&fields.place, "begins where another tier does");
            problem.hint("keep one of the two");
        }
        tiers.push((above, rates(fields)));
    }
    let services = fields.section("service_tiers")?;
    let services = services.entries.iter().filter_map(|(word, entry)| {
        Some(Service {
            tier: ServiceTier::parse(word)?,
            factor: Factor::take(&entry.value)?,
            table: None,
        })
    });
    let features = fields.section("features")?;
    let features = Feature::ALL
        .into_iter()
        .filter_map(|feature| Some((feature, features.get(feature.as_str())?)));
    let figures = Figures {
        table: Table::new(base, tiers),
        request: fields.get("request"),
        features: features.collect(),
        services: services.collect(),
    };
    // One that was written wrong has been reported, and is not missing as well.
    let misread = |item: &Item| fields.has(item.as_str()) && base.own(*item).is_none();
    if Item::ALL.iter().any(misread) {
        return None;
    }
    let source = format!("{}:{}", report.file(), fields.place.position.line);
    Some(Price::new(figures, effective, source))
}

fn rates(fields: &Fields) -> Rates {
    let mut rates = Rates::default();
    for item in Item::ALL {
        if let Some(price) = fields.get(item.as_str()) {
            rates.set(item, price);
        }
    }
    rates
}

impl Models {
    /// Reports places that count money, `places`, where a model that all of `allowed` name has no price or no bound of
    /// its input.
    pub(crate) fn priced(
        &self,
        places: &[Place],
        allowed: &[Option<&std::collections::BTreeSet<ModelName>>],
        report: &mut Report,
    ) {
        let reached = |model: &&ModelSettings| {
            allowed
                .iter()
                .flatten()
                .all(|list| list.contains(&model.name))
        };
        // One whose price was written wrong has been reported, and is not missing as well.
        let missing = |model: &ModelSettings| {
            let what = Self::unpriced(model)?;
            (!self.mispriced.contains(&model.name)).then(|| format!("{}{what}", model.name))
        };
        let listed = |of: &dyn Fn(&ModelSettings) -> Option<String>| {
            let reached = self.settings.iter().filter(reached);
            reached.filter_map(of).collect::<Vec<_>>().join(", ")
        };
        let unpriced = listed(&missing);
        let early = listed(&|model| {
            let prices = model.prices.as_ref()?;
            if Self::unpriced(model).is_some() || prices.at(self.now).is_some() {
                return None;
            }
            let from = prices.versions().next()?.effective()?;
            Some(format!("{} (its first takes effect at {from})", model.name))
        });
        let boundless =
            listed(&|model| (model.context_window.is_none()).then(|| model.name.to_string()));
        for place in places {
            if !self.listed {
                let text = "money needs the models it is for, and the file lists none";
                let problem = report.problem(place, text);
                problem.hint("add `models` with a context_window each, and `prices`");
                continue;
            }
            if !unpriced.is_empty() {
                let text = format!(
                    "money needs a price for every model that may be called; missing for {unpriced}"
                );
                let problem = report.problem(place, text);
                problem.hint("add them to `prices` (0 is a price), or leave these models out of the plan's `models`");
            }
            if !early.is_empty() {
                let text = format!("money needs a price that is in force now; missing for {early}");
                let problem = report.problem(place, text);
                problem.hint("add a version without `effective`, which holds until the first does, or leave these models out of the plan's `models`");
            }
            if !boundless.is_empty() {
                let text = format!(
                    "money needs `context_window` for every model that may be called; missing for {boundless}"
                );
                let problem = report.problem(place, text);
                problem.hint("add it to these models, or leave them out of the plan's `models`");
            }
        }
    }
}

impl Take for Pico {
    fn take(value: &Value) -> Option<Self> {
        match value {
            Value::Price(price) => Some(*price),
            _ => None,
        }
    }
}

impl Take for Factor {
    fn take(value: &Value) -> Option<Self> {
        match value {
            Value::Factor(factor) => Some(*factor),
            _ => None,
        }
    }
}
