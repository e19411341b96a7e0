//! A gateway that runs in the test's process.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use faregate::{
    app::App,
    config::{self, Environment, ProcessEnvironment},
    domain::{Clock, Timestamp},
    telemetry::{self, Guard},
};
use serde_json::Value;

use super::{Call, metrics, nothing_held, tells_no_secret, within};

/// The admin token of every test.
pub(crate) const TOKEN: &str = "test-admin-token-of-32-bytes-or-more";

/// A running gateway.
pub(crate) struct Gateway {
    app: App,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) clock: Clock,
    records: Records,
    log: Guard,
}

/// Every access record so far.
#[derive(Debug, Clone, Default)]
struct Records(Arc<Mutex<Vec<u8>>>);

impl io::Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// No variables, the machine's roots.
#[derive(Debug)]
struct Empty;

impl Environment for Empty {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn system_roots(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        ProcessEnvironment.system_roots()
    }

    /// Later than any clock of a test: files may have prices that do not hold yet when the gateway starts.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::MAX)
    }
}

fn compile(yaml: &str) -> config::Config {
    let whole = format!(
        "{}{}{}{yaml}",
        if yaml.contains("server:") {
            ""
        } else {
            "server: {listen: \"127.0.0.1:0\"}\n"
        },
        if yaml.contains("admin:") {
            ""
        } else {
            "admin: {listen: \"127.0.0.1:0\", token: test-admin-token-of-32-bytes-or-more}\n"
        },
        if yaml.contains("store:") {
            ""
        } else {
            "store: {url: \"sqlite::memory:\"}\n"
        },
    );
    config::parse(&whole, Path::new("test.yaml"), &Empty)
        .unwrap_or_else(|problems| panic!("{problems}\n{whole}"))
}

impl Gateway {
    /// Starts a gateway on 2026-11-20T12:00:00Z. `yaml` may leave out `server`, `admin` and `store`.
    pub(crate) async fn start(yaml: &str) -> Self {
        let start: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        Self::start_at(yaml, Clock::manual(start)).await
    }

    /// Starts a gateway with a clock.
    pub(crate) async fn start_at(yaml: &str, clock: Clock) -> Self {
        Self::start_with(yaml, clock, |_| {}).await
    }

    /// Starts a gateway with a clock, and with what no file says.
    pub(crate) async fn start_with(
        yaml: &str,
        clock: Clock,
        change: impl FnOnce(&mut config::Config),
    ) -> Self {
        let records = Records::default();
        let log = telemetry::record_to(records.clone());
        let mut config = compile(yaml);
        change(&mut config);
        let app = App::start(config, clock.clone(), log.access_log())
            .await
            .unwrap();
        let (address, admin) = (app.address(), app.admin_address().unwrap());
        Self {
            app,
            address,
            admin,
            clock,
            records,
            log,
        }
    }

    /// Reads another file, as SIGHUP does.
    pub(crate) async fn reload(&mut self, yaml: &str) {
        self.app.reload(compile(yaml)).await.unwrap();
    }

    /// Turns the clock on.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// A call to the public listener.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.address, method, path)
    }

    /// A chat completion with this key.
    pub(crate) fn chat(&self, key: &str, body: &str) -> Call {
        self.call("POST", "/v1/chat/completions")
            .bearer(key)
            .json(body)
    }

    /// A call to the admin listener, with its token.
    pub(crate) fn admin(&self, method: &str, path: &str) -> Call {
        Call::new(self.admin, method, path).bearer(TOKEN)
    }

    /// Makes the key that `body` asks the admin API for; its secret.
    pub(crate) async fn make_key(&self, body: &str) -> String {
        let made = self.admin("POST", "/admin/v1/keys").json(body).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.value()["key"].as_str().unwrap().to_owned()
    }

    /// Every recorded call, newest first, once there are `count` of them.
    pub(crate) async fn calls(&self, count: usize) -> Vec<Value> {
        within("the calls were recorded", async {
            loop {
                let answer = self.admin("GET", "/admin/v1/calls").send().await;
                let calls = answer.value()["data"].as_array().unwrap().clone();
                if calls.len() >= count {
                    assert_eq!(calls.len(), count, "{calls:#?}");
                    return calls;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Every access record so far, oldest first, once there are `count` of them. Those of the limits page are left out,
    /// because waiting asks for it again and again.
    pub(crate) async fn records(&self, count: usize) -> Vec<Value> {
        within("the records were written", async {
            loop {
                let text = String::from_utf8(self.records.0.lock().unwrap().clone()).unwrap();
                let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
                let others = |record: &Value| record["path"] != "/v1/faregate/limits";
                let records: Vec<Value> = records.filter(others).collect();
                if records.len() >= count {
                    assert_eq!(records.len(), count, "{records:#?}");
                    return records;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Every access record so far, as it was written.
    pub(crate) fn recorded(&self) -> String {
        String::from_utf8(self.records.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until `key` holds nothing any more: no tokens, no money, no place among the calls at the same time.
    pub(crate) async fn nothing_held(&self, key: &str) {
        nothing_held(self.address, key).await;
    }

    /// Neither access records nor metrics nor recorded calls have a key or a token in them.
    pub(crate) async fn tells_no_secret(&self) {
        let mut told = String::from_utf8(self.records.0.lock().unwrap().clone()).unwrap();
        for path in ["/metrics", "/admin/v1/calls"] {
            told += self.admin("GET", path).send().await.text();
        }
        tells_no_secret(&told);
    }

    /// The limits of a key, as it reads them itself.
    pub(crate) async fn limits(&self, key: &str) -> Value {
        self.call("GET", "/v1/faregate/limits")
            .bearer(key)
            .send()
            .await
            .value()
    }

    /// A figure of `/metrics`, by its name and labels.
    pub(crate) async fn metric(&self, name: &str) -> String {
        let page = metrics(self.admin).await;
        let mut lines = page.text().lines();
        let figure = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let figure = figure.unwrap_or_else(|| panic!("{name} is not in {}", page.text()));
        figure.to_owned()
    }

    /// The running parts.
    pub(crate) const fn app(&self) -> &App {
        &self.app
    }

    /// Drains and stops.
    pub(crate) async fn stop(self) {
        within("the gateway stopped", self.app.stop()).await;
        drop(self.log);
    }
}
