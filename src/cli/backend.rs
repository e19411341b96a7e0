//! Who does the work: the running daemon through its admin API, or this process on the store of a stopped one.

use std::{path::Path, time::Duration};

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    client::Client,
    exit::{Exit, Failure},
    offline::{Offline, is_missing},
};
use crate::{
    admin::{Api, Reason, Rejection},
    config::Config,
    domain::Clock,
    store::{Location, OpenError, once_free},
};

/// How long a daemon may take to write what it has answered, before the store's file is read as it is.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Items a page when a whole list is wanted.
const PAGE: &str = "1000";

/// The administrative API, wherever it is.
#[derive(Debug)]
pub(super) enum Backend {
    /// A running daemon.
    Daemon(Client),
    /// This process.
    Here(Box<Api<Offline>>),
}

impl Backend {
    /// For a verb that changes something: the daemon where one holds the store, else the store itself.
    pub(super) async fn to_write(config: &Config, clock: &Clock) -> Result<Self, Failure> {
        let daemon = client(config);
        let file = match &config.store.location {
            Location::File(file) => file.clone(),
            Location::Memory => return in_memory(daemon).await,
        };
        // Looked for before the store is made, which would stay behind.
        not_elsewhere(daemon.as_ref(), &file).await?;
        let webhooks = &config.gateway.webhooks;
        let own = || {
            Offline::own(
                config.roster.clone(),
                &config.store,
                webhooks.clone(),
                clock,
            )
        };
        let mut owned = own();
        // Nobody held this store. A daemon that listens all the same is starting and about to take it, or has another. It is
        // let have it while it is asked: it answers when it has its store, and does not start while we have that.
        if let (Ok(offline), Some(daemon)) = (&owned, &daemon)
            && daemon.listens().await.is_ok()
        {
            offline.close().await;
            let takes_us = daemon.takes_us().await;
            owned = own();
            // What is written here such a daemon would not see, and what is shown comes from there.
            if takes_us && let Ok(offline) = &owned {
                offline.close().await;
                return Err(elsewhere(daemon, &file));
            }
        }
        if matches!(owned, Err(OpenError::Locked { .. })) {
            let listens = match &daemon {
                Some(daemon) => daemon.listens().await.is_ok(),
                None => false,
            };
            // Then it may be another verb's.
            if !listens {
                owned = once_free(own).await;
            }
        }
        match owned {
            Ok(offline) => Ok(Self::Here(Box::new(Api::new(offline, clock.clone())))),
            Err(OpenError::Locked { .. }) => match daemon {
                Some(daemon) => reach(daemon, &file).await,
                None => Err(Failure::failed(format!(
                    "a daemon is running and holds the store {}, and the configuration has no `admin:` section to \
                     reach it through\n  hint: add `admin: {{token: …}}` and restart the daemon, or stop it while you \
                     make the change",
                    file.display()
                ))),
            },
            Err(error) => match daemon {
                // Who may not touch the files may still ask the daemon that holds them.
                Some(daemon) if error.is_denied() && daemon.takes_us().await => {
                    Ok(Self::Daemon(daemon))
                }
                _ => Err(Failure::unavailable(error.to_string())),
            },
        }
    }

    /// For a verb that changes what is there already: as [`Self::to_write`], but where there is no store none is made.
    pub(super) async fn to_change(config: &Config, clock: &Clock) -> Result<Self, Failure> {
        if let Location::File(file) = &config.store.location {
            not_elsewhere(client(config).as_ref(), file).await?;
            if is_missing(file) {
                return Self::to_read(config, clock).await;
            }
        }
        Self::to_write(config, clock).await
    }

    /// For a verb that only looks: the daemon where one answers, else the store, which can be read beside a daemon.
    async fn to_read(config: &Config, clock: &Clock) -> Result<Self, Failure> {
        let daemon = client(config);
        let file = match &config.store.location {
            Location::File(file) => file.clone(),
            Location::Memory => return in_memory(daemon).await,
        };
        if let Some(daemon) = daemon
            && daemon.listens().await.is_ok()
        {
            return Ok(Self::Daemon(daemon));
        }
        let offline = Offline::watch(config.roster.clone(), &file, clock);
        let offline = offline.map_err(Failure::unavailable)?;
        Ok(Self::Here(Box::new(Api::new(offline, clock.clone()))))
    }

    /// Asks the API.
    pub(super) async fn call(
        &self,
        method: Method,
        target: &str,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        match self {
            Self::Daemon(client) => client.call(&method, target, body.as_ref()).await,
            Self::Here(api) => {
                let (path, query) = match target.split_once('?') {
                    Some((path, query)) => (path, Some(query)),
                    None => (target, None),
                };
                let body = body.map(|body| body.to_string()).unwrap_or_default();
                let done = api.respond(&method, path, query, body.as_bytes()).await;
                done.map(|done| done.body).map_err(Failure::from)
            }
        }
    }

    /// Asks for one thing.
    pub(super) async fn get(&self, target: &str) -> Result<Value, Failure> {
        self.call(Method::GET, target, None).await
    }

    /// Asks for a whole list, page by page.
    pub(super) async fn all(
        &self,
        path: &str,
        parameters: &[(&str, Option<&str>)],
    ) -> Result<Vec<Value>, Failure> {
        let mut whole = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut asked = parameters.to_vec();
            asked.extend([("limit", Some(PAGE)), ("cursor", cursor.as_deref())]);
            let mut page = self.get(&target(path, &asked)).await?;
            if let Value::Array(items) = page["data"].take() {
                whole.extend(items);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(whole),
            }
        }
    }

    /// Does some work and gives back what was taken, whether or not the work was done.
    pub(super) async fn during<T>(
        self,
        work: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = work(&self).await;
        if let Self::Here(api) = self {
            api.registry().close().await;
        }
        done
    }
}

/// Looks at something wherever it is to be seen.
pub(super) async fn look<T>(
    config: &Config,
    clock: &Clock,
    work: impl AsyncFnOnce(&Backend) -> Result<T, Failure>,
) -> Result<T, Failure> {
    Backend::to_read(config, clock).await?.during(work).await
}

/// Changes something wherever the store is; what the API answers.
pub(super) async fn change(
    config: &Config,
    clock: &Clock,
    method: Method,
    target: &str,
    body: Option<Value>,
) -> Result<Value, Failure> {
    let backend = Backend::to_write(config, clock).await?;
    let change = async |backend: &Backend| backend.call(method, target, body).await;
    backend.during(change).await
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let exit = match rejection.reason {
            Reason::Unavailable => Exit::Unavailable,
            _ => Exit::Failed,
        };
        Self::new(exit, rejection.detail)
    }
}

/// A path below `/admin/v1/` from its segments; ids may hold anything.
pub(super) fn path(segments: &[&str]) -> String {
    let encoded = segments.iter().map(|segment| encode(segment));
    format!("/admin/v1/{}", encoded.collect::<Vec<_>>().join("/"))
}

/// A path with its query, of the parameters that have a value.
pub(super) fn target(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let pairs = parameters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?))));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// A list as programs read it, whole.
pub(super) fn listed(items: &[Value]) -> Value {
    json!({ "data": items, "next_cursor": null })
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Has a running daemon write what it has answered, before the store's file is read beside it. Where none answers, the
/// file is read as it is.
pub(super) async fn caught_up(config: &Config) {
    if let Some(daemon) = client(config) {
        let target = target(&path(&["calls"]), &[("limit", Some("1"))]);
        let asked = daemon.call(&Method::GET, &target, None);
        let _unanswered = tokio::time::timeout(CATCH_UP, asked).await;
    }
}

fn client(config: &Config) -> Option<Client> {
    let admin = config.admin.as_ref()?;
    Some(Client::new(admin.listener.address, admin.token.clone()))
}

/// Nothing is kept in such a store, so only a running daemon has something to show or to change.
async fn in_memory(daemon: Option<Client>) -> Result<Backend, Failure> {
    let Some(daemon) = daemon else {
        return Err(Failure::failed(
            "the configuration keeps its store in memory and has no `admin:` section, so a running daemon cannot be \
             reached\n  hint: add `admin: {token: …}`, or name a file in `store.url`",
        ));
    };
    match daemon.listens().await {
        Ok(()) => Ok(Backend::Daemon(daemon)),
        Err(error) => Err(Failure::unavailable(format!(
            "the configuration keeps its store in memory, and no daemon is running: {error}\n  hint: start it with \
             `faregate serve`"
        ))),
    }
}

/// That no daemon takes us that has another store than `file`, which is not there. One that starts listens before it makes
/// its own, and answers when it has.
async fn not_elsewhere(daemon: Option<&Client>, file: &Path) -> Result<(), Failure> {
    match daemon {
        Some(daemon) if is_missing(file) && daemon.takes_us().await && is_missing(file) => {
            Err(elsewhere(daemon, file))
        }
        _ => Ok(()),
    }
}

fn elsewhere(daemon: &Client, file: &Path) -> Failure {
    Failure::failed(format!(
        "a daemon is running at {} and does not hold the store {} of this configuration; nothing was changed\n  hint: \
         if `store.url` was changed after it was started, restart it; else name its file with --config",
        daemon.address(),
        file.display()
    ))
}

async fn reach(daemon: Client, file: &Path) -> Result<Backend, Failure> {
    match daemon.listens().await {
        Ok(()) => Ok(Backend::Daemon(daemon)),
        Err(error) => Err(Failure::unavailable(format!(
            "another process holds the store {}, and its admin listener cannot be reached: {error}\n  hint: if that \
             daemon was started before `admin:` was in the file, or with another `admin.listen`, restart it",
            file.display()
        ))),
    }
}
