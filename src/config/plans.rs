//! `plans`: named sets of models and limits.

use super::{
    fields::{Fields, Named},
    limits::{Level, level},
    models::Models,
    problem::Report,
};
use crate::accounts::{LowCredit, PlanSpec};
use crate::domain::PlanId;

/// All plans. A name is known even when something else about its plan is wrong, so that one mistake is reported once.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    pub(crate) specs: Vec<PlanSpec>,
    pub(crate) known: Vec<PlanId>,
}

impl Plans {
    /// The plan with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&PlanId> {
        self.known.iter().find(|known| known.as_str() == name)
    }

    /// What the plan with this name says, where nothing about it is wrong.
    pub(crate) fn spec(&self, id: &PlanId) -> Option<&PlanSpec> {
        self.specs.iter().find(|spec| spec.id == *id)
    }

    /// Every name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.known.iter().map(PlanId::as_str)
    }
}

/// Compiles `plans`.
pub(crate) fn plans(named: &[Named], models: &Models, report: &mut Report) -> Plans {
    let mut plans = Plans::default();
    for Named { name, fields } in named {
        match PlanId::parse(name) {
            Ok(id) => {
                plans.known.push(id.clone());
                plans.specs.extend(plan(id, fields, models, report));
            }
            Err(error) => {
                report.problem(&fields.place, format!("this name {error}"));
            }
        }
    }
    plans
}

fn plan(id: PlanId, fields: &Fields, models: &Models, report: &mut Report) -> Option<PlanSpec> {
    let allowed = models.list(fields, report);
    let own = level(fields, report);
    let each: Level = level(fields.section("per_key")?, report);
    let mut money = Vec::new();
    for level in [&own, &each] {
        models.bound(&level.token_quotas, &[allowed.as_ref()], report);
        money.extend_from_slice(&level.budgets);
    }
    if fields.get("credit") == Some("required") {
        money.push(fields.place_of("credit").clone());
    }
    models.priced(&money, &[allowed.as_ref()], report);
    Some(PlanSpec {
        id,
        models: allowed,
        subscription_required: fields.get("subscription") == Some("required"),
        credit_required: fields.get("credit") == Some("required"),
        on_low_credit: match fields.get("on_low_credit")? {
            "clamp" => LowCredit::Clamp,
            _ => LowCredit::Refuse,
        },
        limits: own.limits,
        per_key: each.limits,
        default_max_output_tokens: fields.get("default_max_output_tokens")?,
        price_factor: fields.get("price_factor")?,
        redact_amounts: fields.get("redact") == Some("amounts"),
    })
}
