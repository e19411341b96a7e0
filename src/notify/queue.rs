//! From the queue to the receivers: each message until it is delivered or its tries are used up.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{Notify, watch};

use super::{Settings, schedule, send};
use crate::{
    domain::Clock,
    store::{Attempted, DamagedNotification, NotificationId, NotificationRow, Store},
    telemetry::{Metrics, NotificationResult},
};

/// Messages on their way to one target at once: enough that a slow answer does not stop the rest, few enough that nobody
/// is flooded.
const AT_ONCE: usize = 4;

/// The queue is looked at this often though nothing says that it should be: the wall clock may be set.
const AT_LEAST: Duration = Duration::from_secs(60);

/// How long after a failure of the store it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long messages under way may take when the daemon ends. What is cut off is sent again after the next start, under
/// the same name.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the sender of messages works with.
pub(super) struct Queue {
    pub(super) settings: watch::Receiver<Option<Arc<Settings>>>,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// Says that there may be something to send.
    pub(super) filled: Arc<Notify>,
}

impl Queue {
    /// Sends until `stop` is there.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut under_way: HashMap<NotificationId, String> = HashMap::new();
        let mut running = FuturesUnordered::new();
        let mut kept = self.keep().await;
        loop {
            let settings = self.settings.borrow_and_update().clone();
            if !kept {
                kept = self.keep().await;
            }
            let wait = match &settings {
                Some(settings) => match self.due(settings, &under_way).await {
                    Ok((rows, wait)) => {
                        for row in rows {
                            under_way.insert(row.id, row.target.clone());
                            running.push(self.deliver(Arc::clone(settings), row));
                        }
                        wait
                    }
                    Err(()) => AGAIN,
                },
                None => AT_LEAST,
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(id) = running.next(), if !running.is_empty() => {
                    under_way.remove(&id);
                }
                changed = self.settings.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    kept = false;
                }
                () = self.filled.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let last = async { while running.next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, last).await.is_err() {
            tracing::info!(
                "messages under way were cut off; they are sent again after the next start"
            );
        }
    }

    /// Gives up what no target is there for any more. Whether that was done; without a configuration it waits.
    async fn keep(&self) -> bool {
        let targets = self
            .settings
            .borrow()
            .as_ref()
            .map(|settings| settings.targets());
        let Some(targets) = targets else {
            return true;
        };
        let kept = self.store.keep_notification_targets(targets).await;
        kept.inspect_err(
            |error| tracing::warn!(%error, "the queue of messages could not be tidied"),
        )
        .is_ok()
    }

    /// What to send now, and how long to wait for more.
    async fn due(
        &self,
        settings: &Settings,
        under_way: &HashMap<NotificationId, String>,
    ) -> Result<(Vec<NotificationRow>, Duration), ()> {
        let now = self.clock.now();
        let due = self
            .store
            .due_notifications(settings.targets(), AT_ONCE, now)
            .await;
        let due =
            due.map_err(|error| tracing::warn!(%error, "the queue of messages could not be read"))?;
        self.metrics.notifications_pending(due.pending);
        let others_wait = self.set_aside(due.damaged).await;
        let mut places: HashMap<String, usize> = HashMap::new();
        for target in under_way.values() {
            *places.entry(target.clone()).or_default() += 1;
        }
        let free = |row: &NotificationRow| {
            if under_way.contains_key(&row.id) {
                return false;
            }
            let taken = places.entry(row.target.clone()).or_default();
            *taken += 1;
            *taken <= AT_ONCE
        };
        let mut rows = due.rows;
        rows.retain(free);
        let wait = match due.next {
            _ if others_wait => Duration::ZERO,
            next => next.map_or(AT_LEAST, |next| now.until(next)),
        };
        Ok((rows, wait.min(AT_LEAST)))
    }

    /// Gives up messages that cannot be read; whether others may have waited behind them.
    async fn set_aside(&self, damaged: Vec<DamagedNotification>) -> bool {
        if damaged.is_empty() {
            return false;
        }
        for DamagedNotification { id, words } in &damaged {
            tracing::error!(
                id = %String::from_utf8_lossy(id),
                words,
                "a message is damaged and is not sent; `faregate notifications list` shows what is left of it"
            );
        }
        let written = self.store.set_notifications_aside(damaged).await;
        written
            .inspect_err(|error| tracing::warn!(%error, "a damaged message could not be set aside"))
            .is_ok_and(|found| found > 0)
    }

    /// Tries one message once, and notes what came of it.
    fn deliver(
        &self,
        settings: Arc<Settings>,
        row: NotificationRow,
    ) -> impl Future<Output = NotificationId> + use<> {
        let (store, clock, metrics) = (
            self.store.clone(),
            self.clock.clone(),
            Arc::clone(&self.metrics),
        );
        async move {
            let tried = send::send(&settings, &row, clock.now()).await;
            let attempted = schedule::after(tried, row.id, row.attempts, clock.now());
            tell(&row, &attempted, &metrics);
            // The message keeps its place until this is written: whoever forgets a try makes it again.
            while let Err(error) = store
                .attempted_notification(row.id, row.next_at, attempted.clone())
                .await
            {
                tracing::warn!(%error, id = %row.id, "what became of a message could not be written");
                tokio::time::sleep(AGAIN).await;
            }
            row.id
        }
    }
}

/// Counts and logs. A webhook is named by its host: path and query may be what lets one in. Nobody's address is named.
fn tell(row: &NotificationRow, attempted: &Attempted, metrics: &Metrics) {
    let (id, event, target) = (row.id, &row.event, origin(&row.target));
    match attempted {
        Attempted::Delivered => {
            metrics.notification_tried(NotificationResult::Delivered);
            tracing::debug!(%id, event, target, "a message was delivered");
        }
        Attempted::Again { at, error } => {
            metrics.notification_tried(NotificationResult::Retried);
            tracing::info!(%id, event, target, error, next = %at, "a message is sent again later");
        }
        Attempted::Failed { error } => {
            metrics.notification_tried(NotificationResult::Failed);
            tracing::warn!(%id, event, target, error, "a message was given up");
        }
        Attempted::TargetGone { error } => {
            metrics.notification_tried(NotificationResult::Disabled);
            tracing::warn!(
                %id, event, target, error,
                "a webhook wants no more messages; `faregate notifications retry` of one of them starts again"
            );
        }
    }
}

/// A URL without its path.
fn origin(target: &str) -> &str {
    let path = target
        .split_once("://")
        .and_then(|(scheme, rest)| Some(scheme.len() + 3 + rest.find('/')?));
    path.map_or(target, |path| &target[..path])
}
