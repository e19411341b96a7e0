//! Verbs beside a running daemon: they go through its admin API.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{
    Exit, Variables, clock, settled,
    stopped::{CONFIG, directory_with},
    type_in,
};
use crate::{
    accounts::{AccountSpec, KeySpec, Roster, Spoken},
    admin::{Admin, CreditSheet, Linked, Registry, Rejection},
    cli::offline::Offline,
    config,
    domain::{AccountId, RequestId},
    store::{
        CallDetails, CallFilter, CallRow, CustomerFilter, CustomerRow, EntryFilter, EntryRow,
        EventFilter, EventRow, NewEntry, NewLink, NewTransfer, NotificationFilter, NotificationId,
        NotificationRow, Page, Posted, Received, UsageQuery, UsageRow,
    },
    telemetry::{Metrics, Vocabulary},
};

const TOKEN: &str = "a-token-of-thirty-two-characters";

/// A registry that takes requests, as a daemon's does.
struct Serving(Offline);

impl Registry for Serving {
    fn roster(&self) -> Arc<Roster> {
        self.0.roster()
    }

    async fn put_account(&self, account: AccountSpec, spoken: Spoken) -> Result<(), Rejection> {
        self.0.put_account(account, spoken).await
    }

    async fn put_key(&self, key: KeySpec) -> Result<(), Rejection> {
        self.0.put_key(key).await
    }

    async fn calls(&self, filter: CallFilter) -> Result<Page<CallRow>, Rejection> {
        self.0.calls(filter).await
    }

    async fn call(&self, id: RequestId) -> Result<Option<CallDetails>, Rejection> {
        self.0.call(id).await
    }

    async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, Rejection> {
        self.0.usage(query).await
    }

    async fn notifications(
        &self,
        filter: NotificationFilter,
    ) -> Result<Page<NotificationRow>, Rejection> {
        self.0.notifications(filter).await
    }

    async fn retry_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationRow>, Rejection> {
        self.0.retry_notification(id).await
    }

    async fn test_notification(&self) -> Result<usize, Rejection> {
        Ok(1)
    }

    async fn credit_add(&self, entry: NewEntry) -> Result<Posted, Rejection> {
        self.0.credit_add(entry).await
    }

    async fn credit_transfer(&self, transfer: NewTransfer) -> Result<[Posted; 2], Rejection> {
        self.0.credit_transfer(transfer).await
    }

    async fn credit(&self, account: AccountId) -> Result<CreditSheet, Rejection> {
        self.0.credit(account).await
    }

    async fn entries(&self, filter: EntryFilter) -> Result<Page<EntryRow, i64>, Rejection> {
        self.0.entries(filter).await
    }

    async fn payment_events(&self, filter: EventFilter) -> Result<Page<EventRow, i64>, Rejection> {
        self.0.payment_events(filter).await
    }

    async fn replay_payment(&self, id: String) -> Result<Received, Rejection> {
        self.0.replay_payment(id).await
    }

    async fn customers(
        &self,
        filter: CustomerFilter,
    ) -> Result<Page<CustomerRow, String>, Rejection> {
        self.0.customers(filter).await
    }

    async fn link_customer(&self, link: NewLink) -> Result<Linked, Rejection> {
        self.0.link_customer(link).await
    }

    fn ready(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// The admin listener of a daemon, over the store of its configuration.
struct Daemon {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    fn start(listener: TcpListener, file: &Path) -> Self {
        Self::run(listener, file, false)
    }

    /// One that has bound its address and opens its store when somebody has come, as while it starts.
    fn starting(listener: TcpListener, file: &Path) -> Self {
        Self::run(listener, file, true)
    }

    fn run(listener: TcpListener, file: &Path, is_starting: bool) -> Self {
        let config = config::load(file, &Variables::default()).unwrap();
        let (stop, mut stopped) = oneshot::channel();
        let (started, running) = std::sync::mpsc::channel();
        let work = async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut first = None;
            if is_starting {
                started.send(()).unwrap();
                first = Some(listener.accept().await.unwrap().0);
            }
            let offline = Offline::own(
                config.roster,
                &config.store,
                config.gateway.webhooks,
                &clock(),
            )
            .unwrap();
            let metrics = Arc::new(Metrics::new(Vocabulary {
                dialects: &[],
                codes: &[],
                outcomes: &[],
            }));
            let token = config.admin.unwrap().token;
            let admin = Admin::new(Serving(offline), token, metrics, clock());
            if !is_starting {
                started.send(()).unwrap();
            }
            loop {
                let stream = match first.take() {
                    Some(stream) => stream,
                    None => tokio::select! {
                        accepted = listener.accept() => accepted.unwrap().0,
                        _ = &mut stopped => return,
                    },
                };
                let service = service_fn(async |request| {
                    Ok::<_, std::convert::Infallible>(admin.handle(request).await)
                });
                // A client that only looks whether somebody listens leaves without a word.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        };
        let thread = std::thread::spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(work);
        });
        running.recv().unwrap();
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn with_admin(address: SocketAddr) -> (TempDir, PathBuf) {
    directory_with(&format!(
        "{CONFIG}\nadmin: {{listen: \"{address}\", token: {TOKEN}}}\n"
    ))
}

#[test]
fn verbs_reach_the_daemon_and_it_keeps_what_they_did() {
    let (listener, address) = listener();
    let (directory, file) = with_admin(address);
    let daemon = Daemon::start(listener, &file);
    let mut page = String::new();
    for line in [
        "health",
        "accounts create team/one --plan free",
        "accounts create team/one --plan free",
        "keys create --account team/one --id one+1",
        "keys list --account team/one",
        "keys rotate one+1 --overlap 0",
        "accounts set-subscription team/one --status active",
        "accounts show team/one",
        "credit add team/one 10 --id first",
        "credit transfer team/one acme 4 --id second",
        "credit transfer team/one acme 6.01 --id third",
        "credit list team/one",
        "ledger verify",
        "usage",
    ] {
        page += &format!("$ faregate {line}\n{}\n", type_in(&file, line, &clock()));
    }
    let page = settled(&page, directory.path());
    insta::assert_snapshot!("running", page);
    drop(daemon);
    let said = type_in(&file, "accounts list", &clock());
    assert!(said.out.contains("team/one"), "it is in the store: {said}");
}

#[test]
fn a_daemon_with_another_token_is_said() {
    let (listener, address) = listener();
    let (_directory, file) = with_admin(address);
    let daemon = Daemon::start(listener, &file);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace(TOKEN, "another-token-of-32-characters-.."),
    )
    .unwrap();
    for line in ["keys list", "keys create --account acme"] {
        let said = type_in(&file, line, &clock());
        assert_eq!(said.exit, Exit::Failed);
        assert!(said.notes.contains("another `admin.token`"), "{said}");
    }
    drop(daemon);
}

#[test]
fn nothing_is_written_beside_a_daemon_with_another_store() {
    let (listener, address) = listener();
    let (directory, file) = with_admin(address);
    let daemon = Daemon::start(listener, &file);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("sqlite:faregate.db", "sqlite:moved.db")).unwrap();
    for line in ["keys create --account acme", "credit add acme 5"] {
        let said = type_in(&file, line, &clock());
        assert_eq!(said.exit, Exit::Failed, "{line}: {said}");
        assert_eq!(said.out, "", "{line}");
        let words = "does not hold the store";
        assert!(said.notes.contains(words), "{line}: {said}");
        let files = std::fs::read_dir(directory.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let made: Vec<String> = names.filter(|name| name.starts_with("moved")).collect();
        assert!(made.is_empty(), "{line}: {made:?}");
    }
    drop(daemon);
    // With the daemon stopped it is the configuration's store that is meant.
    let said = type_in(&file, "credit add acme 5", &clock());
    assert_eq!(said.exit, Exit::Done, "{said}");
    let moved = directory.path().join("moved.db");
    assert!(moved.exists());
}

/// A daemon that takes what it is asked and never says what came of it.
fn ends_when_it_is_asked(listener: &TcpListener) {
    use std::io::Read;
    listener.set_nonblocking(false).unwrap();
    loop {
        let (mut client, _) = listener.accept().unwrap();
        // Who only looked whether somebody listens has gone, and asks nothing.
        if client.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
            return;
        }
    }
}

#[test]
fn a_change_that_was_not_answered_may_have_been_made() {
    for (line, hinted) in [
        ("credit add acme 5", true),
        ("keys rotate acme-ci", true),
        ("accounts list", false),
    ] {
        let (directory, file) = directory_with(CONFIG);
        let made = type_in(&file, "accounts create bob --plan free", &clock());
        assert_eq!(made.exit, Exit::Done, "{made}");
        let (listener, address) = listener();
        let admin = format!("{CONFIG}\nadmin: {{listen: \"{address}\", token: {TOKEN}}}\n");
        std::fs::write(&file, admin).unwrap();
        let held = std::fs::File::open(directory.path().join("faregate.db.lock")).unwrap();
        held.lock().unwrap();
        let daemon = std::thread::spawn(move || ends_when_it_is_asked(&listener));
        let said = type_in(&file, line, &clock());
        assert_eq!(said.exit, Exit::Unavailable, "{line}: {said}");
        assert!(said.notes.contains("does not answer"), "{line}: {said}");
        let words = "what was asked for may have been done all the same";
        assert_eq!(said.notes.contains(words), hinted, "{line}: {said}");
        daemon.join().unwrap();
    }
}

#[test]
fn a_daemon_that_is_starting_is_waited_for() {
    let (listener, address) = listener();
    let (_directory, file) = with_admin(address);
    let daemon = Daemon::starting(listener, &file);
    let said = type_in(&file, "accounts create bob --plan free", &clock());
    assert_eq!(said.exit, Exit::Done, "{said}");
    drop(daemon);
}

#[test]
fn a_daemon_that_is_gone_is_not_ready() {
    let (listener, address) = listener();
    let (_directory, file) = with_admin(address);
    drop(listener);
    let said = type_in(&file, "health", &clock());
    assert_eq!(said.exit, Exit::Failed);
    assert!(said.notes.contains("Connection refused"), "{said}");
    assert_eq!(
        type_in(&file, "accounts create bob --plan free", &clock()).exit,
        Exit::Done
    );
}

#[test]
fn a_file_that_has_become_wrong_ends_no_daemon() {
    let (listener, address) = listener();
    let (_directory, file) = with_admin(address);
    let daemon = Daemon::start(listener, &file);
    let good = std::fs::read_to_string(&file).unwrap();
    // An unknown key, a secret that is not there for the probe, and a section that is none.
    for wrong in [
        format!("{good}\nplanz: {{}}\n"),
        good.replace(TOKEN, "\"${NOT_SET}\""),
        good.replace("plans:\n", "plans: 5\nroutes:\n"),
    ] {
        std::fs::write(&file, wrong).unwrap();
        let said = type_in(&file, "health", &clock());
        assert_eq!((said.exit, said.out.as_str()), (Exit::Done, "ready\n"));
        assert!(said.notes.contains("the configuration is wrong"), "{said}");
    }
    drop(daemon);
    // A probe knows two exits.
    let said = type_in(&file, "health", &clock());
    assert_eq!(said.exit, Exit::Failed, "{said}");
    assert!(said.notes.contains("nothing answers"), "{said}");
    assert!(said.notes.contains("plans"), "{said}");
}

/// A changed `admin.listen` waits for a restart, and the daemon listens where it did.
#[test]
fn a_changed_admin_address_ends_no_daemon() {
    let (listener, public) = listener();
    let (changed, address) = self::listener();
    drop(changed);
    let (_directory, file) = with_admin(address);
    let daemon = Daemon::start(listener, &file);
    let known = std::fs::read_to_string(&file).unwrap();
    let server = format!("{known}\nserver: {{listen: \"{public}\"}}\n");
    std::fs::write(&file, server).unwrap();
    let said = type_in(&file, "health", &clock());
    assert_eq!(
        (said.exit, said.out.as_str()),
        (Exit::Done, "ready\n"),
        "{said}"
    );
    let words = format!("nothing answers at {address}");
    assert!(said.notes.contains(&words), "{said}");
    drop(daemon);
    let said = type_in(&file, "health", &clock());
    assert_eq!(said.exit, Exit::Failed, "{said}");
}

#[test]
fn more_than_a_page_is_listed_whole() {
    let (listener, address) = listener();
    let (_directory, file) = with_admin(address);
    let declared: String = (0..1005)
        .map(|index| format!("  - {{id: team-{index}, plan: free}}\n"))
        .collect();
    let text = std::fs::read_to_string(&file).unwrap();
    let all = format!("accounts:\n{declared}");
    std::fs::write(&file, text.replace("accounts:\n", &all)).unwrap();
    let daemon = Daemon::start(listener, &file);
    let said = type_in(&file, "accounts list", &clock());
    assert_eq!(
        said.out.lines().count(),
        1 + 1 + 1005,
        "heading, acme, teams"
    );
    drop(daemon);
}

#[test]
fn a_probe_over_tls_asks_the_daemon_and_not_its_certificate() {
    let (listener, address) = listener();
    let config = format!(
        "{CONFIG}\nserver: {{listen: \"{address}\", tls: {{certificate: cert.pem, private_key: key.pem}}}}\n"
    );
    let (directory, file) = directory_with(&config);
    let made = rcgen::generate_simple_self_signed(["ai.example.com".to_owned()]).unwrap();
    std::fs::write(directory.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(
        directory.path().join("key.pem"),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    let tls = config::load(&file, &Variables::default())
        .unwrap()
        .listener
        .tls
        .unwrap();

    let daemon = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(tls);
            for _ in 0..2 {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = acceptor.accept(stream).await.unwrap();
                let service = service_fn(async |request: http::Request<hyper::body::Incoming>| {
                    assert_eq!(request.uri().path(), "/readyz");
                    Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
                });
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        });
    });
    for key in ["key.pem", "key-that-is-gone.pem"] {
        std::fs::write(&file, config.replace("key.pem", key)).unwrap();
        let said = type_in(&file, "health", &clock());
        assert_eq!(
            (said.exit, said.out.as_str()),
            (Exit::Done, "ready\n"),
            "{key}: {said}"
        );
    }
    daemon.join().unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_said_with_where_was_asked() {
    let (listener, address) = listener();
    let (_directory, file) = with_admin(address);
    let daemon = Daemon::start(listener, &file);
    let known = std::fs::read_to_string(&file).unwrap();
    // It says where the daemon is, though not what it should.
    std::fs::write(&file, format!("{known}\nplanz: {{}}\n")).unwrap();
    drop(daemon);
    let said = type_in(&file, "health", &clock());
    assert_eq!(said.exit, Exit::Failed, "{said}");
    assert!(said.notes.contains("planz"), "{said}");
    assert!(!said.notes.contains("does not say where"), "{said}");
    for text in ["not: [yaml", "- a list\n", "\u{1}"] {
        std::fs::write(&file, text).unwrap();
        let said = type_in(&file, "health", &clock());
        let words = "the file does not say where the daemon is; 127.0.0.1:8402, where it usually is, was asked";
        assert!(said.notes.contains(words), "{text:?}: {said}");
    }
}
