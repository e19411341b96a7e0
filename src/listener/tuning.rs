//! Changing how a listener serves while it listens.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{
    protocol::{ALPN_H2, ALPN_HTTP1},
    settings::Settings,
};

/// A handle on the settings of a listener, bound or serving. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Tuning(Arc<ArcSwap<Settings>>);

impl Tuning {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(ready(settings))))
    }

    /// Serves the connections that are accepted from now on by `settings`; those that are open keep theirs. What is the
    /// socket's own stays: the address and the number of connections.
    pub fn change(&self, settings: Settings) {
        let old = self.0.load();
        self.0.store(Arc::new(Settings {
            address: old.address,
            connections: old.connections,
            ..ready(settings)
        }));
    }

    pub(super) fn current(&self) -> Guard<Arc<Settings>> {
        self.0.load()
    }
}

fn ready(settings: Settings) -> Settings {
    let mut settings = settings.bounded();
    // What we can speak is ours to say, not the certificate's owner's.
    if let Some(tls) = &mut settings.tls {
        Arc::make_mut(tls).alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    }
    settings
}
