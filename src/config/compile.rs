//! From a file to the whole configuration.

use std::{
    fs,
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use super::{
    Asked, Config, accounts,
    fields::{Fields, Unread},
    models, notifications, payment, plans, prices,
    problem::{Place, Position, Problems, Report},
    providers,
    read::Reader,
    routes,
    secret::Environment,
    server,
    tls::Clients,
    tree, webhooks,
};
use crate::{accounts::Roster, gateway};

/// Where the public listener is when nothing says so.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8402);

/// Nobody writes a configuration of this size by hand or by machine.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads and compiles a file. Relative paths in it start at its own directory.
///
/// # Errors
/// Everything that is wrong with it, together.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Config, Problems> {
    let shown = path.display().to_string();
    let fail = |text: String| {
        let hint = "name another file with --config or FAREGATE_CONFIG";
        Err(Problems::of_file(&shown, text, hint))
    };
    let too_large = || format!("is larger than {LARGEST} bytes");
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => return fail("is a directory".to_owned()),
        Ok(about) if about.len() > LARGEST => {
            return fail(too_large());
        }
        Ok(_) | Err(_) => {}
    }
    // A device may have more than it says, and no end.
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    match read.map(|_| String::from_utf8(bytes)) {
        Err(error) => fail(format!("cannot be read: {error}")),
        Ok(Ok(text)) if text.len() as u64 > LARGEST => fail(too_large()),
        Ok(Ok(text)) => parse(&text, path, environment),
        Ok(Err(error)) => {
            let wrong = error.utf8_error().valid_up_to();
            not_text(&shown, &error.as_bytes()[..wrong])
        }
    }
}

/// Reads a file that takes the place of one that is in force. It has to say something: an empty one would take every
/// account away, and is more likely one that is being written. And it has to be a file: a pipe would be waited for.
///
/// # Errors
/// Everything that is wrong with it, together.
pub fn load_again(path: &Path, environment: &dyn Environment) -> Result<Config, Problems> {
    let shown = path.display().to_string();
    let hint =
        "write another file and move it into its place, so that it is never read half-written";
    let fail = |text: &str| Err(Problems::of_file(&shown, text.to_owned(), hint));
    match fs::metadata(path) {
        Err(error) => return fail(&format!("cannot be read: {error}")),
        Ok(about) if about.is_dir() => return fail("is a directory"),
        Ok(about) if !about.is_file() => {
            return fail("is a pipe or a device, which is not read again");
        }
        Ok(_) => {}
    }
    let config = load(path, environment)?;
    if config.blank {
        return fail("is empty");
    }
    Ok(config)
}

/// Says where a file stops being text: after `before`.
fn not_text(shown: &str, before: &[u8]) -> Result<Config, Problems> {
    let before = String::from_utf8_lossy(before);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let position = Position::of(before.matches('\n').count() + 1, line.chars().count());
    let mut report = Report::new(shown);
    let problem = report.problem(&Place::root(position), "is not UTF-8 text");
    problem.hint("save the file as UTF-8");
    report.finish(None).map(|(never, ..)| never)
}

/// Compiles a text as if it had been read from `path`.
///
/// # Errors
/// Everything that is wrong with it, together.
pub fn parse(text: &str, path: &Path, environment: &dyn Environment) -> Result<Config, Problems> {
    let mut report = Report::new(&path.display().to_string());
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let mut blank = false;
    let root = match tree::parse(text) {
        Ok(mut node) => {
            blank = node.is_none();
            Reader {
                environment,
                directory,
                report: &mut report,
            }
            .root(node.as_mut())
        }
        Err(fault) => {
            let problem = report.problem(&Place::root(fault.at), fault.text);
            problem.maybe_hint(fault.hint);
            None
        }
    };
    let config = root.and_then(|mut root| {
        let accounts = root.take_unread("accounts");
        compile(&root, accounts, directory, environment, &mut report)
    });
    let (config, warnings, files) = report.finish(config)?;
    Ok(Config {
        blank,
        files,
        warnings,
        ..config
    })
}

/// Where a file says that its daemon can be asked, whatever else is wrong with it; what cannot be read of it has its
/// default. A daemon goes on with what it read before, and whoever asks after it must not take a mistake for its end.
pub fn asked_at(path: &Path, environment: &dyn Environment) -> Asked {
    let mut report = Report::new(&path.display().to_string());
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let small = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= LARGEST);
    let text = small.then(|| fs::read_to_string(path).ok()).flatten();
    let mut node = text.and_then(|text| tree::parse(&text).ok()).flatten();
    let mut reader = Reader {
        environment,
        directory,
        report: &mut report,
    };
    let stated = node.as_mut().and_then(|node| reader.root(Some(node)));
    let read = stated.is_some();
    let root = stated.or_else(|| reader.root(None));
    let section = |name: &str| root.as_ref().and_then(|root| root.section(name));
    if let Some(address) = section("admin").and_then(|admin| admin.get("listen")) {
        return Asked {
            address,
            tls: false,
            read,
        };
    }
    let server = section("server");
    Asked {
        address: server
            .and_then(|server| server.get("listen"))
            .unwrap_or(USUAL),
        tls: server.is_some_and(|server| server.has("tls")),
        read,
    }
}

/// Each topic is looked at before the first one that failed ends it. `accounts` have not been read.
fn compile(
    root: &Fields,
    accounts: Option<Unread>,
    directory: &Path,
    environment: &dyn Environment,
    report: &mut Report,
) -> Option<Config> {
    let payment = root.section("payment")?;
    let server = root.section("server")?;
    let public = server.get("listen");
    let server = server::server(server, report);
    let admin = server::admin(root.section("admin"), public, report);
    let store = server::store(root.section("store")?, directory, report);
    let mut clients = Clients::new(environment);
    let providers = providers::providers(root.named("providers"), &mut clients, report);
    let mut models = models::models(root, &providers, environment.now(), report);
    prices::prices(root, &providers, &mut models, report);
    if !models.listed {
        providers::one_for_each_dialect(&providers, report);
    }
    let plans = plans::plans(root.named("plans"), &models, report);
    let webhooks = webhooks::webhooks(payment, &plans, report);
    let mut reader = Reader {
        environment,
        directory,
        report,
    };
    let accounts = accounts::accounts(accounts, &plans, &models, &mut reader);
    let routes = routes::routes(root, &providers, &accounts.names(), report);
    if public.is_some_and(|public: SocketAddr| !public.ip().is_loopback()) {
        accounts.warn_of_demo_keys(report);
    }
    let known = models.listed.then(|| models.extents());
    let subscriptions = payment::patience(payment)?;
    let links = |public_url| payment::links(payment, public_url);
    let notifications = notifications::notifications(
        root,
        links(String::new()),
        subscriptions,
        &mut clients,
        environment,
        report,
    );
    let (server, store) = (server?, store?);
    let providers::Providers {
        settings,
        simulated,
        known: _,
    } = providers;
    Some(Config {
        gateway: gateway::Settings {
            providers: settings,
            models: models.listed.then_some(models.settings),
            routes,
            limits: server.limits,
            links: links(server.public_url),
            subscriptions,
            trusted_proxies: server.trusted_proxies,
            wrong_keys: server.wrong_keys,
            heartbeat: root.section("streaming")?.get("heartbeat")?,
            cors: server.cors,
            webhooks,
        },
        listener: server.listener,
        admin: admin?,
        store,
        demo_keys: accounts.demo_keys,
        simulated,
        roster: Roster {
            plans: plans.specs,
            accounts: accounts.accounts,
            keys: accounts.keys,
            models: known,
            customers: accounts.customers,
        },
        notifications: notifications?,
        drain: server.drain,
        overload: server.overload,
        log: server::log(root.section("log")?)?,
        blank: false,
        files: Vec::new(),
        warnings: Vec::new(),
    })
}
