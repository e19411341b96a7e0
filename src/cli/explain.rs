//! `faregate explain`: everything that happened to one call, in plain words.

mod call;
mod cost;
mod history;
mod page;

use serde::Serialize;
use serde_json::json;

use self::{
    call::Call,
    cost::{Costing, costing},
    history::{Hold, Outcome, Step, hold, outcome, remarks, steps},
    page::page,
};
use super::{
    Failure, Terminal,
    arguments::ExplainFlags,
    backend::{Backend, look, path},
    show,
};
use crate::{config::Config, domain::Clock};

/// A call, explained.
#[derive(Debug, Serialize)]
struct Explanation {
    call: Call,
    /// The checks that it passed, in their order.
    checks: Vec<Step>,
    hold: Hold,
    cost: Costing,
    outcome: Outcome,
    /// What else has to be said: of flags, of what is not known.
    remarks: Vec<String>,
}

pub(super) async fn run(
    flags: &ExplainFlags,
    config: &Config,
    clock: &Clock,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let target = path(&["calls", &flags.request_id]);
    let get = async |backend: &Backend| backend.get(&target).await;
    let answer = look(config, clock, get).await?;
    let call: Call = serde_json::from_value(answer).map_err(|error| {
        Failure::failed(format!(
            "the daemon describes the call in a way that this program does not know: {error}\n  hint: use the \
             faregate that the daemon is"
        ))
    })?;
    let present = cost::Present {
        models: config.gateway.models.as_deref().unwrap_or_default(),
        plans: &config.roster.plans,
        routes: &config.gateway.routes,
    };
    let cost = costing(&call, &present);
    let explanation = Explanation {
        checks: steps(&call),
        hold: hold(&call),
        outcome: outcome(&call),
        remarks: remarks(&call),
        cost,
        call,
    };
    if flags.json {
        return show::json(terminal, &json!(explanation));
    }
    terminal.result(page(&explanation, terminal.heading()))
}

#[cfg(test)]
mod tests;
