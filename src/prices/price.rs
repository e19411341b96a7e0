//! One version of a model's price.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use super::{Figures, Item, Table};
use crate::domain::Timestamp;

/// One version of a model's price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    figures: Figures,
    effective: Option<Timestamp>,
    version: Arc<str>,
    source: Box<str>,
}

impl Price {
    /// A price that holds from `effective` on, or always, as it was read at `source`.
    ///
    /// Its version is named by that date, or else by its figures, so that the same price always has the same name.
    pub fn new(
        figures: Figures,
        effective: Option<Timestamp>,
        source: impl Into<Box<str>>,
    ) -> Self {
        let version = match effective {
            Some(effective) => dated(effective),
            None => named_by(&figures),
        };
        Self {
            figures,
            effective,
            version: version.into(),
            source: source.into(),
        }
    }

    /// Everything that it says.
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// From when on it holds; `None` always.
    pub const fn effective(&self) -> Option<Timestamp> {
        self.effective
    }

    /// The name that a call keeps of it.
    pub const fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Where it was read: a file and a line, or the name in an imported file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it says what a token of the input costs, which is all that embeddings need.
    pub fn has_input(&self) -> bool {
        self.figures.table.base().own(Item::Input).is_some()
    }

    /// Whether it says what tokens cost, those read and those written.
    pub fn has_tokens(&self) -> bool {
        let base = self.figures.table.base();
        base.own(Item::Input).is_some() && base.own(Item::Output).is_some()
    }
}

/// A day, or an instant where the day alone would not tell.
fn dated(effective: Timestamp) -> String {
    let text = effective.to_string();
    match text.strip_suffix("T00:00:00Z") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

/// Eight hexadecimal digits of a digest of the figures.
fn named_by(figures: &Figures) -> String {
    let digest = Sha256::digest(Canonical(figures).to_string());
    let mut name = String::with_capacity(8);
    for byte in digest.iter().take(4) {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Figures as a text that does not depend on how they are kept.
struct Canonical<'a>(&'a Figures);

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures {
            table,
            request,
            features,
            services,
        } = self.0;
        canonical_table(f, table)?;
        if let Some(request) = request {
            write!(f, "request={} ", request.get())?;
        }
        let mut features = features.clone();
        features.sort_unstable();
        for (feature, price) in features {
            write!(f, "{}={} ", feature.as_str(), price.get())?;
        }
        let mut services: Vec<_> = services.iter().collect();
        services.sort_by_key(|service| service.tier);
        for service in services {
            write!(f, "{}:x{} ", service.tier, service.factor.millionths())?;
            if let Some(table) = &service.table {
                canonical_table(f, table)?;
            }
        }
        Ok(())
    }
}

fn canonical_table(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    for (above, rates) in [(0, table.base())].into_iter().chain(table.tiers()) {
        write!(f, ">{above} ")?;
        for item in Item::ALL {
            if let Some(price) = rates.own(item) {
                write!(f, "{item}={} ", price.get())?;
            }
        }
    }
    Ok(())
}
