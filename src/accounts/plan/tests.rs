use super::Plan;
use crate::{
    accounts::{LowCredit, PlanSpec},
    domain::{LimitStatus, Limits, Mode, ModelName, Per, PlanId, Quota, Unit},
    prices::Factor,
};

fn quota(unit: Unit, per: Per, limit: u64) -> Quota {
    Quota {
        unit,
        per,
        limit,
        status: LimitStatus::default(),
        mode: Mode::Enforce,
    }
}

fn plan() -> PlanSpec {
    PlanSpec {
        id: PlanId::parse("pro").unwrap(),
        models: Some([ModelName::parse("m").unwrap()].into()),
        subscription_required: false,
        credit_required: false,
        on_low_credit: LowCredit::Refuse,
        limits: Limits {
            quotas: vec![
                quota(Unit::Tokens, Per::Day, 100),
                quota(Unit::Requests, Per::Day, 100),
            ],
            ..Limits::default()
        },
        per_key: Limits::default(),
        default_max_output_tokens: 16_384,
        price_factor: Factor::ONE,
        redact_amounts: false,
    }
}

fn version(spec: &PlanSpec) -> String {
    Plan::new(spec.clone()).version().to_string()
}

#[test]
fn a_plan_that_says_the_same_has_the_same_version() {
    // In every daemon, for good: rows of years are told apart by it.
    assert_eq!(version(&plan()), "992ec47d");
    let mut same = plan();
    same.limits.quotas.reverse();
    same.id = PlanId::parse("other").unwrap();
    assert_eq!(version(&same), version(&plan()));
}

#[test]
fn whatever_a_plan_says_makes_another_version() {
    let changes: [fn(&mut PlanSpec); 13] = [
        |plan| plan.models = None,
        |plan| plan.models = Some([].into()),
        |plan| plan.models.as_mut().unwrap().extend(ModelName::parse("n")),
        |plan| plan.subscription_required = true,
        |plan| plan.credit_required = true,
        |plan| plan.on_low_credit = LowCredit::Clamp,
        |plan| plan.limits.quotas[0].limit = 101,
        |plan| plan.limits.quotas[0].mode = Mode::Shadow,
        |plan| plan.limits.rates.requests_per_minute = 60.try_into().ok(),
        |plan| std::mem::swap(&mut plan.per_key, &mut plan.limits),
        |plan| plan.default_max_output_tokens = 1,
        |plan| plan.price_factor = Factor::parse("1.2").unwrap(),
        |plan| plan.redact_amounts = true,
    ];
    let mut versions = vec![version(&plan())];
    for change in changes {
        let mut changed = plan();
        change(&mut changed);
        versions.push(version(&changed));
    }
    let all = versions.len();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), all);
}
