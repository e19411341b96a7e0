//! Everything that a price says.

use super::{Factor, Pico, Table};
use crate::domain::{Feature, ServiceTier};

/// Everything that a price says: what each unit costs, and what is asked on top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Prices by what is counted.
    pub table: Table,
    /// What each request costs, whatever it uses.
    pub request: Option<Pico>,
    /// What each request that asks for a feature costs on top, whatever it uses of it.
    pub features: Vec<(Feature, Pico)>,
    /// Other ways of being served that have a price.
    pub services: Vec<Service>,
}

/// A way of being served that has another price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The provider's word for it.
    pub tier: ServiceTier,
    /// What prices of units are multiplied by.
    pub factor: Factor,
    /// A table of its own; `None` takes the usual one.
    pub table: Option<Table>,
}

impl Figures {
    /// The way of being served that this word names, if it has a price.
    pub fn service(&self, tier: ServiceTier) -> Option<&Service> {
        self.services.iter().find(|service| service.tier == tier)
    }

    /// What a feature costs on top, if it has a price.
    pub fn feature(&self, feature: Feature) -> Option<Pico> {
        let found = self.features.iter().find(|(known, _)| *known == feature);
        found.map(|(_, price)| *price)
    }
}
