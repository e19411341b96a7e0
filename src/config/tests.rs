use std::{collections::BTreeMap, path::Path};

use rustls::pki_types::CertificateDer;

use super::{Config, Environment, Problems, parse};
use crate::domain::Timestamp;

mod cross;
mod mistakes;
mod mutated;
mod notifications;
mod overload;
mod payments;
mod pem;
mod prices;
mod scalars;
mod settings;
mod shipped;
mod trees;

/// Variables that a test sets, and one trusted root, so that nothing depends on the machine.
#[derive(Debug, Default)]
pub(crate) struct Fixed(BTreeMap<String, String>);

impl Fixed {
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Self(variables.iter().map(owned).collect())
    }
}

impl Environment for Fixed {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn system_roots(&self) -> Vec<CertificateDer<'static>> {
        let key = rcgen::generate_simple_self_signed(vec!["root.example".to_owned()]);
        vec![key.unwrap().cert.der().clone()]
    }

    fn now(&self) -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }
}

/// Compiles a text without any variable set.
pub(crate) fn compiled(text: &str) -> Result<Config, Problems> {
    parse(
        text,
        Path::new("/etc/test/faregate.yaml"),
        &Fixed::default(),
    )
}

/// What is wrong with a text.
pub(crate) fn problems(text: &str) -> String {
    compiled(text).unwrap_err().to_string()
}

/// What is allowed and seldom meant in a text.
pub(crate) fn warnings(text: &str) -> String {
    let config = compiled(text).unwrap();
    let lines: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
