//! The running daemon: every part, in the order in which it is started and stopped.

use std::{
    io, mem,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Publisher, fullness, metrics, serve, simulators::Simulators};
use crate::{
    accounts::Accounts,
    admin::Admin,
    config::Config,
    domain::Clock,
    gateway::{self, Gateway},
    listener::{BindError, Listener, Pressure, Shutdown, ShutdownHandle, Tasks, Tuning},
    metering::MeteringContext,
    notify::Notifier,
    overload::Overload,
    reload::Fixed,
    store::{Loaded, OpenError, Store, WriteError, once_free},
    telemetry::{AccessLog, Metrics},
};

/// How long what is left after a forced end may take to settle.
const LAST_SETTLEMENTS: Duration = Duration::from_secs(5);

/// How often expired credit is looked for: its entry is posted about so soon after it was lost.
const EXPIRED_EVERY: Duration = Duration::from_secs(1);

/// The same after the store did not take an entry, which is logged each time.
const EXPIRED_AGAIN: Duration = Duration::from_secs(60);

/// How often a write that hangs is looked for.
const WRITER_EVERY: Duration = Duration::from_millis(500);

/// A daemon that serves.
#[derive(Debug)]
pub struct App {
    gateway: Arc<Gateway>,
    publisher: Arc<Publisher>,
    metering: Arc<MeteringContext>,
    store: Store,
    metrics: Arc<Metrics>,
    clock: Clock,
    public: SocketAddr,
    tuning: Tuning,
    overload: Overload,
    notifier: Notifier,
    admin: Option<(SocketAddr, Arc<Admin<Arc<Publisher>>>)>,
    fixed: Fixed,
    drain: Mutex<Duration>,
    simulators: Simulators,
    /// Ends the public listener.
    stop: ShutdownHandle,
    serving: Tasks,
    /// Ends the admin listener, which tells of the drain until it is over, and the simulators, which calls under way
    /// use until then.
    stop_admin: ShutdownHandle,
    shutdown_admin: Shutdown,
    serving_admin: Tasks,
    background: Tasks,
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store cannot be written.
    #[error("the store cannot be written: {0}")]
    Write(#[from] WriteError),
    /// A simulated provider has no port.
    #[error("no loopback port for a simulated provider: {0}")]
    Simulator(#[from] io::Error),
}

impl App {
    /// Binds every address, opens the store and starts to serve. Nothing is served unless everything could be started.
    ///
    /// # Errors
    /// An address, the store or a simulated provider's port is not to be had.
    pub async fn start(config: Config, clock: Clock, log: AccessLog) -> Result<Self, StartError> {
        let fixed = Fixed::of(&config);
        let configured = config.listener.address;
        let pressure = Pressure::default();
        let overload = Overload::new(&fullness::limits(&config), pressure.clone());
        let Config {
            listener,
            admin,
            store,
            mut gateway,
            simulated,
            roster,
            notifications,
            drain,
            ..
        } = config;
        let listener = Listener::bind(listener)?.under(pressure);
        let admin = admin
            .map(|admin| Listener::bind(admin.listener).map(|listener| (listener, admin.token)))
            .transpose()?;
        let (public, tuning) = (listener.local_addr(), listener.tuning());

        let open = || Store::open(&store, clock.clone());
        let (store, loaded) = once_free(open).await?;
        let metrics = metrics::new();
        let (stop, shutdown) = ShutdownHandle::new();
        let (stop_admin, shutdown_admin) = ShutdownHandle::new();
        let notifier = Notifier::new(notifications, store.clone(), clock.clone());
        let (accounts, publisher) = known(loaded, &store, &notifier, &clock, &shutdown);
        publisher
            .set_file(roster, gateway.webhooks.clone(), || ())
            .await?;

        let background = Tasks::default();
        let mut simulators = Simulators::default();
        simulators
            .start(&simulated, &mut gateway, &background, &shutdown_admin)
            .await?;
        reachable(&mut gateway, configured, public);
        let metering = MeteringContext::new(store.ledger(), clock.clone(), Arc::clone(&metrics));
        let metering = Arc::new(metering.ended_by(shutdown.clone()));
        let gateway = Arc::new(
            Gateway::new(
                gateway,
                Arc::clone(&accounts),
                Arc::clone(&metering),
                store.clone(),
                log.clone(),
                shutdown.clone(),
            )
            .with_payments(Arc::new(Arc::clone(&publisher)))
            .under(overload.clone()),
        );

        notifier.start(accounts, Arc::clone(&metrics), &background, &shutdown_admin);
        metrics::watch(&metrics, &store, &clock, log, overload.clone());
        look_after(&publisher, &store, &overload, &background, &shutdown_admin);
        let serving_admin = Tasks::default();
        let admin = admin.map(|(listener, token)| {
            let (publisher, metrics) = (Arc::clone(&publisher), Arc::clone(&metrics));
            let admin = Arc::new(Admin::new(publisher, token, metrics, clock.clone()));
            let running = (listener.local_addr(), Arc::clone(&admin));
            serving_admin.spawn(serve::admin(listener, admin, shutdown_admin.clone()));
            running
        });
        let serving = Tasks::default();
        serving.spawn(serve::public(
            listener,
            Arc::clone(&gateway),
            Arc::clone(&metrics),
            overload.clone(),
            shutdown,
        ));
        Ok(Self {
            gateway,
            publisher,
            metering,
            store,
            metrics,
            clock,
            public,
            tuning,
            overload,
            notifier,
            admin,
            fixed,
            drain: Mutex::new(drain),
            simulators,
            stop,
            serving,
            stop_admin,
            shutdown_admin,
            serving_admin,
            background,
        })
    }

    /// The public listener's address, with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.public
    }

    /// The admin listener's address, where there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(address, _)| *address)
    }

    /// What tells people.
    pub const fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// What is counted.
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Puts another configuration in force. What only a restart can change is named in the log.
    ///
    /// # Errors
    /// The store cannot be written, or a simulated provider has no port; what was in force stays.
    pub async fn reload(&mut self, config: Config) -> Result<(), StartError> {
        let waiting = self.fixed.differs_from(&Fixed::of(&config));
        let configured = config.listener.address;
        let limits = fullness::limits(&config);
        let Config {
            listener,
            admin,
            mut gateway,
            simulated,
            roster,
            notifications,
            drain,
            ..
        } = config;
        let shutdown = &self.shutdown_admin;
        self.simulators
            .start(&simulated, &mut gateway, &self.background, shutdown)
            .await?;
        reachable(&mut gateway, configured, self.public);
        let webhooks = gateway.webhooks.clone();
        let beside = || self.gateway.publish(gateway);
        self.publisher.set_file(roster, webhooks, beside).await?;
        self.notifier.publish(notifications);
        if let (Some((_, running)), Some(admin)) = (&self.admin, admin) {
            running.change_token(admin.token);
        }
        self.tuning.change(listener);
        self.overload.change(&limits);
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner) = drain;
        if !waiting.is_empty() {
            tracing::warn!(
                changed = waiting.join(", "),
                "these settings take effect at the next restart; all others are in force"
            );
        }
        self.metrics.restart_pending(!waiting.is_empty());
        self.metrics.config_loaded(self.clock.now());
        Ok(())
    }

    /// Notes that a changed file was refused; what was in force stays.
    pub fn reload_refused(&self) {
        self.metrics.config_refused();
    }

    /// Begins the drain: nothing new is accepted, readiness says so.
    pub fn begin_drain(&self) {
        self.metrics.draining();
        self.stop.begin();
    }

    /// Ends the drain early: streams still open get their last event.
    pub fn force(&self) {
        self.stop.force();
    }

    /// How long the drain may take.
    pub fn drain_time(&self) -> Duration {
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the public listener has ended.
    pub async fn served(&self) {
        self.serving.wait().await;
    }

    /// Stops: drains for as long as the configuration allows, settles everything, closes the store.
    pub async fn stop(self) {
        self.begin_drain();
        if tokio::time::timeout(self.drain_time(), self.served())
            .await
            .is_err()
        {
            self.force();
            self.served().await;
        }
        self.close().await;
    }

    /// The rest of stopping, when the public listener has ended.
    pub async fn close(self) {
        // Answers whose client has left are read on for their usage; at the end of the drain they are settled as they
        // stand.
        if tokio::time::timeout(LAST_SETTLEMENTS, self.metering.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                calls = self.metering.tasks.running(),
                "answers without a reader were cut off"
            );
            self.metering.stop_drains();
            self.metering.tasks.wait().await;
        }
        self.stop_admin.force();
        self.serving_admin.wait().await;
        self.background.wait().await;
        self.store.close().await;
    }
}

/// The accounts and keys that the store has, with what they have used and what they have left.
fn known(
    mut loaded: Loaded,
    store: &Store,
    notifier: &Notifier,
    clock: &Clock,
    shutdown: &Shutdown,
) -> (Arc<Accounts>, Arc<Publisher>) {
    let accounts = Accounts::new(clock.clone(), mem::take(&mut loaded.counters));
    let accounts = accounts.with_credit(&loaded.credit);
    let accounts = Arc::new(accounts.since(loaded.newest));
    let publisher = Publisher::new(
        Arc::clone(&accounts),
        store.clone(),
        notifier.clone(),
        shutdown.clone(),
        loaded,
    );
    (accounts, Arc::new(publisher))
}

/// What has to be done again and again, for as long as there are calls.
fn look_after(
    publisher: &Arc<Publisher>,
    store: &Store,
    overload: &Overload,
    tasks: &Tasks,
    shutdown: &Shutdown,
) {
    tasks.spawn(record_expired(Arc::clone(publisher), shutdown.clone()));
    tasks.spawn(watch_writer(store.clone(), shutdown.clone()));
    tasks.spawn(overload.clone().watch(shutdown.cut_off()));
}

/// Posts expired credit. It is lost at its instant, whenever it is posted; until then it is in memory alone.
async fn record_expired(publisher: Arc<Publisher>, shutdown: Shutdown) {
    loop {
        let pause = if publisher.credit_ledger().post_expired().await {
            EXPIRED_AGAIN
        } else {
            EXPIRED_EVERY
        };
        tokio::select! {
            () = shutdown.cut_off() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Finds a disk that hangs.
async fn watch_writer(store: Store, shutdown: Shutdown) {
    loop {
        store.look_at_writer();
        tokio::select! {
            () = shutdown.cut_off() => return,
            () = tokio::time::sleep(WRITER_EVERY) => {}
        }
    }
}

/// Links that follow the listener's address get its real port.
fn reachable(settings: &mut gateway::Settings, configured: SocketAddr, public: SocketAddr) {
    for scheme in ["http", "https"] {
        if settings.links.public_url == format!("{scheme}://{configured}") {
            settings.links.public_url = format!("{scheme}://{public}");
        }
    }
}
