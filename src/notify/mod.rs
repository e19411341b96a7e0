//! Notifications: webhooks and e-mail about limits, credit, subscriptions and access, before calls are refused.
//!
//! Rank 5. Owns what is told, to whom, when, and how it is signed and sent. Two tasks of its own do the work: one looks
//! at all accounts every few seconds and queues what is new (`watch`), one sends what is queued (`queue`). The queue is
//! in the store, together with what was told already, so that a restart neither forgets nor repeats. Must not know how
//! requests are admitted or forwarded; no request ever waits for anything here.

mod event;
mod queue;
mod schedule;
mod send;
mod settings;
mod watch;

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, watch as changes};

pub use event::{Event, Pattern};
pub use send::{
    sign::{InvalidSigningKey, SigningKey, signatures},
    smtp::{Smtp, WrongSmtp},
    url::{WebhookUrl, WrongUrl},
};
pub use settings::{Email, LowAt, Sender, Settings, TRY_TIME, Webhook};

use self::{
    event::{Found, Notice},
    queue::Queue,
    watch::{Balances, Marks},
};
use crate::{
    accounts::Accounts,
    domain::{Clock, Timestamp},
    listener::{Shutdown, Tasks},
    store::{EMAIL_TARGET, NewNotification, NotificationId, Store, WriteError},
    telemetry::Metrics,
};

/// How often all accounts are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// What was found in one look is written so many at a time, so that no posting waits long behind it.
const AT_ONCE: usize = 500;

/// The handle on what tells people. Cloning is shallow.
#[derive(Debug, Clone)]
pub struct Notifier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: changes::Sender<Option<Arc<Settings>>>,
    store: Store,
    clock: Clock,
    look: Notify,
    filled: Arc<Notify>,
}

impl Notifier {
    /// A handle by which nothing is looked at or sent before [`Self::start`].
    pub fn new(settings: Option<Settings>, store: Store, clock: Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings: changes::Sender::new(settings.map(Arc::new)),
                store,
                clock,
                look: Notify::new(),
                filled: Arc::default(),
            }),
        }
    }

    /// Starts to look and to send; without settings both wait for [`Self::publish`]. They end, in a few seconds at most,
    /// when `shutdown` is cut off.
    pub fn start(
        &self,
        accounts: Arc<Accounts>,
        metrics: Arc<Metrics>,
        tasks: &Tasks,
        shutdown: &Shutdown,
    ) {
        let queue = Queue {
            settings: self.inner.settings.subscribe(),
            store: self.inner.store.clone(),
            clock: self.inner.clock.clone(),
            metrics,
            filled: Arc::clone(&self.inner.filled),
        };
        tasks.spawn(queue.run(shutdown.cut_off()));
        let (watching, stop) = (self.clone(), shutdown.cut_off());
        tasks.spawn(async move {
            tokio::select! {
                () = watching.watch(&accounts) => {}
                () = stop => {}
            }
        });
    }

    /// Puts other settings in force. Messages for targets that are in them no more are given up.
    pub fn publish(&self, settings: Option<Settings>) {
        self.inner.settings.send_replace(settings.map(Arc::new));
        self.look();
    }

    /// Looks and sends now instead of in a few seconds.
    pub fn look(&self) {
        self.inner.look.notify_one();
        self.inner.filled.notify_one();
    }

    /// Queues a message for everybody who is told anything; how many there are.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn test(&self) -> Result<usize, WriteError> {
        let Some(settings) = self.settings() else {
            return Ok(0);
        };
        let notice = Notice::new(Event::Test, serde_json::json!({}));
        let messages = messages(&settings, &notice, self.inner.clock.now());
        let count = messages.len();
        self.inner
            .store
            .enqueue_notifications(messages, Vec::new())
            .await?;
        self.inner.filled.notify_one();
        Ok(count)
    }

    fn settings(&self) -> Option<Arc<Settings>> {
        self.inner.settings.borrow().clone()
    }

    /// Looks at all accounts, again and again.
    async fn watch(&self, accounts: &Accounts) {
        let mut told: Option<Marks> = None;
        let mut balances = Balances::default();
        loop {
            if let Some(settings) = self.settings() {
                if told.is_none() {
                    let marks = self.inner.store.notification_marks().await;
                    let marks = marks.inspect_err(
                        |error| tracing::warn!(%error, "what was told before could not be read"),
                    );
                    told = marks.ok().map(Marks::of);
                }
                if let Some(told) = &mut told {
                    self.ask(accounts, &mut balances).await;
                    let clock = &self.inner.clock;
                    let found = watch::look(accounts, &settings, clock, told, &balances).await;
                    self.queue(&settings, &found, told).await;
                }
            }
            tokio::select! {
                () = self.inner.look.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Asks the store for top-ups that are not known. What it does not say now is asked again.
    async fn ask(&self, accounts: &Accounts, balances: &mut Balances) {
        let asking = balances.asking(accounts);
        if asking.is_empty() {
            return;
        }
        match self.inner.store.last_top_ups(asking.clone()).await {
            Ok(last) => balances.learn(&asking, &last),
            Err(error) => tracing::warn!(%error, "the last top-ups could not be read"),
        }
    }

    /// Writes what was found. What could not be written is found again.
    async fn queue(&self, settings: &Settings, found: &[Found], told: &mut Marks) {
        let now = self.inner.clock.now();
        for some in found.chunks(AT_ONCE) {
            let notices = some.iter().filter_map(|found| found.notice.as_ref());
            let messages: Vec<_> = notices
                .flat_map(|notice| messages(settings, notice, now))
                .collect();
            let marks = some.iter().map(|found| found.mark.clone()).collect();
            let written = self
                .inner
                .store
                .enqueue_notifications(messages, marks)
                .await;
            if let Err(error) = written {
                tracing::warn!(%error, "messages could not be queued; they will be");
                return;
            }
            for found in some {
                told.put(&found.mark);
            }
            self.inner.filled.notify_one();
        }
    }
}

/// A message for each who wants to know.
fn messages(settings: &Settings, notice: &Notice, now: Timestamp) -> Vec<NewNotification> {
    let body = notice.body(now);
    let message = |target: &str, recipient: Option<&str>| NewNotification {
        id: NotificationId::new(now),
        event: notice.event.as_str(),
        account: notice.account.clone(),
        key: notice.key.clone(),
        target: target.to_owned(),
        recipient: recipient.map(str::to_owned),
        body: body.clone(),
    };
    let webhooks = settings.webhooks.iter();
    let wanting = webhooks.filter(|webhook| webhook.wants(notice.event));
    let mut messages: Vec<_> = wanting
        .map(|webhook| message(webhook.url.name(), None))
        .collect();
    if let Some(email) = &settings.email {
        let own = notice.email.as_ref().filter(|_| email.accounts);
        // An operator who is also the account's person gets it once.
        let own = own.filter(|own| !email.to.contains(own));
        let recipients = email.to.iter().chain(own);
        messages.extend(recipients.map(|to| message(EMAIL_TARGET, Some(to.as_str()))));
    }
    messages
}
