//! The public models, and where each is served.

use std::{collections::HashMap, sync::Arc};

use crate::{
    domain::{ModelName, ProviderId},
    prices::Schedule,
    providers::{Dialect, ProviderKind},
};

/// A model as clients name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name clients use.
    pub name: ModelName,
    /// Who serves it.
    pub provider: ProviderId,
    /// What that provider speaks.
    pub kind: ProviderKind,
    /// The provider's name for it.
    pub upstream_name: ModelName,
    /// Input and output tokens together, at most.
    pub context_window: Option<u64>,
    /// Output tokens at most.
    pub max_output_tokens: Option<u64>,
    /// What it costs, if it has a price.
    pub prices: Option<Schedule>,
}

/// Every model that can be called.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// `None` takes every name and leaves the choice to the dialect's one provider.
    listed: Option<HashMap<ModelName, Arc<Model>>>,
    order: Vec<Arc<Model>>,
    /// The one provider of each dialect, for a file without models.
    open: Vec<(ProviderId, ProviderKind)>,
}

impl Catalogue {
    /// A catalogue of exactly these models.
    pub fn of(models: Vec<Model>) -> Self {
        let order: Vec<_> = models.into_iter().map(Arc::new).collect();
        let listed = order
            .iter()
            .map(|model| (model.name.clone(), Arc::clone(model)))
            .collect();
        Self {
            listed: Some(listed),
            order,
            open: Vec::new(),
        }
    }

    /// A catalogue that takes every name and asks the one provider of the dialect.
    pub fn open(providers: Vec<(ProviderId, ProviderKind)>) -> Self {
        Self {
            listed: None,
            order: Vec::new(),
            open: providers,
        }
    }

    /// Whether every name is taken.
    pub fn is_open(&self) -> bool {
        self.listed.is_none()
    }

    /// The models in the order of the file.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.order.iter()
    }

    /// The model of this public name, for a call in `dialect`.
    pub fn find(&self, name: &ModelName, dialect: Dialect) -> Option<Arc<Model>> {
        match &self.listed {
            Some(listed) => listed.get(name).cloned(),
            None => {
                let (provider, kind) = self.open.iter().find(|(_, kind)| kind.speaks(dialect))?;
                Some(Arc::new(Model::unlisted(name, provider, *kind)))
            }
        }
    }

    /// The model that a call on a route of `provider` names, by its public name or by the provider's own.
    pub fn find_at(
        &self,
        name: &ModelName,
        provider: &ProviderId,
        kind: ProviderKind,
    ) -> Option<Arc<Model>> {
        let Some(listed) = &self.listed else {
            return Some(Arc::new(Model::unlisted(name, provider, kind)));
        };
        let public = listed.get(name).filter(|model| model.provider == *provider);
        public
            .or_else(|| self.named_at(name, provider).next())
            .cloned()
    }

    /// The models of `provider` that are called `name` there, in the order of the file.
    pub fn named_at(
        &self,
        name: &ModelName,
        provider: &ProviderId,
    ) -> impl Iterator<Item = &Arc<Model>> {
        self.order
            .iter()
            .filter(move |model| model.provider == *provider && model.upstream_name == *name)
    }
}

impl Model {
    fn unlisted(name: &ModelName, provider: &ProviderId, kind: ProviderKind) -> Self {
        Self {
            name: name.clone(),
            provider: provider.clone(),
            kind,
            upstream_name: name.clone(),
            context_window: None,
            max_output_tokens: None,
            prices: None,
        }
    }
}
