//! Plans as requests see them: what was written, and the version that calls keep of it.

use std::{
    fmt::{self, Write as _},
    ops::Deref,
};

use sha2::{Digest as _, Sha256};

use super::{PlanSpec, limits_to_json};
use crate::domain::Limits;

/// A plan as requests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    spec: PlanSpec,
    version: PlanVersion,
}

/// Names what a plan said when a call was admitted, so that the calls before a change are told from those after it: the
/// first bytes of a digest, so that the same plan always has the same version, in every daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanVersion([u8; 4]);

impl Plan {
    /// What was written, with its version.
    pub fn new(spec: PlanSpec) -> Self {
        let version = PlanVersion::of(&spec);
        Self { spec, version }
    }

    /// What was written.
    pub const fn spec(&self) -> &PlanSpec {
        &self.spec
    }

    /// The name that a call keeps of it.
    pub const fn version(&self) -> PlanVersion {
        self.version
    }
}

impl Deref for Plan {
    type Target = PlanSpec;

    fn deref(&self) -> &PlanSpec {
        &self.spec
    }
}

impl PlanVersion {
    fn of(spec: &PlanSpec) -> Self {
        let digest = Sha256::digest(canonical(spec));
        let [a, b, c, d, ..]: [u8; 32] = digest.into();
        Self([a, b, c, d])
    }

    /// What [`Self::to_bytes`] gave.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// It in bytes.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }
}

impl fmt::Display for PlanVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// All that a plan says as a text that does not depend on how it is kept, nor on the order of a list in the file. Its name
/// is left out, which stands beside the version. What is added to plans is to be written only where it is not as before:
/// else every version changes with the daemon's.
fn canonical(spec: &PlanSpec) -> String {
    let PlanSpec {
        id: _,
        models,
        subscription_required,
        credit_required,
        on_low_credit,
        limits,
        per_key,
        default_max_output_tokens,
        price_factor,
        redact_amounts,
    } = spec;
    let mut text = String::new();
    if let Some(models) = models {
        text.push_str("models");
        for model in models {
            text.push(' ');
            text.push_str(model.as_str());
        }
        text.push('\n');
    }
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "subscription {subscription_required}\ncredit {credit_required} {}\noutput {default_max_output_tokens}\n\
         factor {}\nredact {redact_amounts}\nlimits {}\nper_key {}\n",
        on_low_credit.as_str(),
        price_factor.millionths(),
        sorted(limits),
        sorted(per_key),
    );
    text
}

fn sorted(limits: &Limits) -> serde_json::Value {
    let mut limits = limits.clone();
    limits
        .quotas
        .sort_by_key(|quota| (quota.unit, quota.per.as_str()));
    limits_to_json(&limits)
}

#[cfg(test)]
mod tests;
