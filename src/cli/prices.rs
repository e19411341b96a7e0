//! `faregate prices`.

use serde_json::{Map, Value, json};

use super::{
    Failure, Terminal,
    arguments::PricesFlags,
    backend::listed,
    show,
    table::{Heading, Table as Shown},
};
use crate::{
    config::Config,
    domain::Clock,
    gateway::ModelSettings,
    prices::{Factor, Item, Pico, Price, Rates, Service, Table},
};

/// What has a column of its own.
const COLUMNS: [Item; 5] = [
    Item::Input,
    Item::CachedInput,
    Item::CacheWrite,
    Item::Output,
    Item::Reasoning,
];

/// A version of a model's price, or that there is none.
#[derive(Debug)]
struct Row<'a> {
    model: &'a ModelSettings,
    price: Option<&'a Price>,
    state: &'static str,
}

pub(super) fn run(
    flags: &PricesFlags,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let PricesFlags { model, plan, json } = flags;
    let factor = match plan {
        Some(plan) => {
            let mut plans = config.roster.plans.iter();
            let known = plans.find(|known| known.id.as_str() == plan);
            let unknown = || unknown("plan", plan, "plans");
            known.ok_or_else(unknown)?.price_factor
        }
        None => Factor::ONE,
    };
    let models = config.gateway.models.as_deref().unwrap_or_default();
    let wanted = |known: &&ModelSettings| {
        let name = known.name.as_str();
        model.as_ref().is_none_or(|model| model == name)
    };
    let chosen: Vec<&ModelSettings> = models.iter().filter(wanted).collect();
    if let (Some(model), true) = (model, chosen.is_empty()) {
        return Err(unknown("model", model, "models"));
    }
    let now = clock.now();
    let mut rows = Vec::new();
    for model in chosen {
        let schedule = model.prices.as_ref();
        let current = schedule.and_then(|schedule| schedule.at(now));
        rows.push(Row {
            model,
            price: current.map(|price| &**price),
            state: current.map_or("unpriced", |_| "current"),
        });
        let versions = schedule
            .into_iter()
            .flat_map(|schedule| schedule.versions());
        let upcoming = versions.filter(|price| price.effective().is_some_and(|from| from > now));
        rows.extend(upcoming.map(|price| Row {
            model,
            price: Some(price),
            state: "upcoming",
        }));
    }
    if *json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| object(row, plan.as_deref(), factor))
            .collect();
        return show::json(terminal, &listed(&rows));
    }
    if rows.is_empty() {
        terminal.note("The configuration lists no models.");
        return Ok(());
    }
    terminal.result(table(&rows, factor, terminal.heading()))
}

fn unknown(what: &str, name: &str, section: &str) -> Failure {
    Failure::failed(format!(
        "{name} is not a {what} of the configuration\n  hint: write one that stands in its `{section}`"
    ))
}

fn table(rows: &[Row<'_>], factor: Factor, heading: Heading) -> Shown {
    let columns = [
        "MODEL",
        "PROVIDER",
        ">INPUT",
        ">CACHED",
        ">CACHE WRITE",
        ">OUTPUT",
        ">REASONING",
        "OTHER",
        "VERSION",
        "FROM",
        "SOURCE",
    ];
    let mut table = Shown::new(&columns, heading);
    for Row {
        model,
        price,
        state,
    } in rows
    {
        let names = [model.name.to_string(), model.provider.to_string()];
        let Some(price) = price else {
            let prices = COLUMNS.map(|_| String::new());
            let state = (*state).to_owned();
            let rest = [String::new(), state, String::new(), String::new()];
            table.row(names.into_iter().chain(prices).chain(rest));
            continue;
        };
        let base = price.figures().table.base();
        let prices = COLUMNS.map(|item| {
            let known = base.known(item);
            known.map_or_else(String::new, |price| amount(item, price, factor))
        });
        let from = price.effective();
        let rest = [
            other(price, factor),
            format!("{} ({state})", price.version()),
            from.map_or_else(|| "always".to_owned(), |from| from.to_string()),
            price.source().to_owned(),
        ];
        table.row(names.into_iter().chain(prices).chain(rest));
    }
    table
}

/// What has no column, in words.
fn other(price: &Price, factor: Factor) -> String {
    let figures = price.figures();
    let base = figures.table.base();
    let beside = Item::ALL.into_iter().filter(|item| !COLUMNS.contains(item));
    let mut parts: Vec<String> = beside
        .filter_map(|item| Some(named(item, base.own(item)?, factor)))
        .collect();
    let request = figures.request.filter(|price| *price != Pico::ZERO);
    parts.extend(request.map(|price| format!("request {}", price.times(factor))));
    for (feature, price) in &figures.features {
        parts.push(format!("{} {}", feature.as_str(), price.times(factor)));
    }
    parts.extend(tiers(&figures.table, factor));
    for Service {
        tier,
        factor: times,
        table,
    } in &figures.services
    {
        match table {
            None => parts.push(format!("{tier} ×{times}")),
            Some(table) => {
                let apart = apart(table.base(), base, factor);
                let own = (!apart.is_empty()).then_some(apart).into_iter();
                let own = own.chain(tiers(table, factor)).collect::<Vec<_>>();
                parts.push(match own.as_slice() {
                    [] => format!("{tier} as usual"),
                    own => format!("{tier} ({})", own.join("; ")),
                });
            }
        }
    }
    parts.join("; ")
}

fn tiers(table: &Table, factor: Factor) -> Vec<String> {
    let mut below = table.base();
    let mut said = Vec::new();
    for (above, rates) in table.tiers() {
        said.push(format!("above {above}: {}", apart(rates, below, factor)));
        below = rates;
    }
    said
}

/// Prices that differ.
fn apart(rates: &Rates, from: &Rates, factor: Factor) -> String {
    let differs = |item: &Item| rates.own(*item) != from.own(*item);
    let said = Item::ALL
        .into_iter()
        .filter(differs)
        .filter_map(|item| Some(named(item, rates.own(item)?, factor)));
    said.collect::<Vec<_>>().join(", ")
}

fn named(item: Item, price: Pico, factor: Factor) -> String {
    let words = item.as_str().replace('_', " ");
    format!("{words} {}", amount(item, price, factor))
}

/// Dollars, for a million of what comes by the million.
fn amount(item: Item, price: Pico, factor: Factor) -> String {
    if item.is_token() {
        price.per_million_times(factor).to_string()
    } else {
        price.times(factor).to_string()
    }
}

/// A row for programs: exact decimals as texts.
fn object(row: &Row<'_>, plan: Option<&str>, factor: Factor) -> Value {
    let Row {
        model,
        price,
        state,
    } = row;
    let mut object = json!({
        "model": model.name.as_str(),
        "provider": model.provider.as_str(),
        "state": state,
        "version": null,
    });
    if let Some(plan) = plan {
        object["plan"] = plan.into();
        object["price_factor"] = factor.to_string().into();
    }
    let Some(price) = price else {
        return object;
    };
    let figures = price.figures();
    let features = figures.features.iter().map(|(feature, price)| {
        let price = price.times(factor).to_string();
        (feature.as_str().to_owned(), price.into())
    });
    let services = figures.services.iter().map(|service| {
        let value = match &service.table {
            Some(table) => lengths(table, factor),
            None => json!({ "factor": service.factor.to_string() }),
        };
        (service.tier.to_string(), value)
    });
    object["version"] = price.version().to_string().into();
    object["effective"] = price.effective().map(|from| from.to_string()).into();
    object["source"] = price.source().into();
    object["currency"] = "USD".into();
    object["table"] = lengths(&figures.table, factor);
    object["request"] = figures
        .request
        .map(|price| price.times(factor).to_string())
        .into();
    object["features"] = features.collect::<Map<String, Value>>().into();
    object["service_tiers"] = services.collect::<Map<String, Value>>().into();
    object
}

/// Prices that were given, by length: tokens per million, everything else for each.
fn lengths(table: &Table, factor: Factor) -> Value {
    let given = |rates: &Rates| -> Map<String, Value> {
        let given = |item: Item| {
            let price = amount(item, rates.own(item)?, factor);
            Some((item.as_str().to_owned(), price.into()))
        };
        Item::ALL.into_iter().filter_map(given).collect()
    };
    let tiers = table.tiers().map(|(above, rates)| {
        let mut tier = given(rates);
        tier.insert("above".to_owned(), above.into());
        Value::from(tier)
    });
    let tiers: Vec<Value> = tiers.collect();
    let mut whole = given(table.base());
    if !tiers.is_empty() {
        whole.insert("tiers".to_owned(), tiers.into());
    }
    whole.into()
}
