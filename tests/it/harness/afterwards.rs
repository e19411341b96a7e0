//! What holds after every case, whatever it did.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Answer, Call, Daemon, Gateway, HEALTHY, KEY, LIMITED, TOKEN, Upstream, within};

/// What no output may have: the keys of `shared_config`, tokens, and the credentials of its providers.
const SECRETS: [&str; 6] = [
    KEY,
    LIMITED,
    TOKEN,
    "sk-upstream",
    "sk-ant-upstream",
    "web-token",
];

/// Fails where a text has a secret of the shared configuration.
#[track_caller]
pub(crate) fn tells_no_secret(text: &str) {
    for secret in SECRETS {
        let found = text.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret} was written");
    }
}

/// Calls that were settled, by the metrics of an admin listener.
pub(crate) async fn settled(admin: SocketAddr) -> u64 {
    let metrics = metrics(admin).await;
    let counts = metrics.text().lines().filter_map(|line| {
        let (_, count) = line
            .strip_prefix("faregate_calls_total{")?
            .rsplit_once(' ')?;
        count.parse::<u64>().ok()
    });
    counts.sum()
}

/// What an admin listener tells of itself.
pub(crate) async fn metrics(admin: SocketAddr) -> Answer {
    Call::new(admin, "GET", "/metrics").send().await
}

/// Waits until `key` holds nothing: no tokens, no money, no place among the calls at the same time.
pub(crate) async fn nothing_held(address: SocketAddr, key: &str) {
    within("everything held went back", async {
        loop {
            let page = Call::new(address, "GET", "/v1/faregate/limits").bearer(key);
            let page = page.send().await.value();
            let holds = |held: &Value| *held != 0 && *held != "0.00";
            let held = |limit: &Value| {
                let seats = limit["kind"] == "concurrency" && limit["used"] != 0;
                holds(&limit["held"]) || seats
            };
            let credit = page["credit"].get("held").is_some_and(holds);
            if !credit && !page["limits"].as_array().unwrap().iter().any(held) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Nothing is held, every attempt that the provider saw is a settled call and the other way round, the metrics tell no
/// secret, and the next call of anybody is served.
async fn all_settled(address: SocketAddr, admin: SocketAddr, upstream: &Upstream, key: &str) {
    nothing_held(address, key).await;
    let asked = upstream.count();
    within("every attempt was settled", async {
        while settled(admin).await < asked {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(settled(admin).await, asked, "calls against attempts");
    tells_no_secret(metrics(admin).await.text());
    let healthy = Call::new(address, "POST", "/v1/chat/completions").bearer(key);
    let healthy = healthy.json(HEALTHY).send().await;
    assert_eq!(healthy.status, 200, "{}", healthy.text());
}

impl Gateway {
    /// See [`all_settled`]; the access records tell no secret either.
    pub(crate) async fn all_settled(&self, upstream: &Upstream, key: &str) {
        all_settled(self.address, self.admin, upstream, key).await;
        tells_no_secret(&self.recorded());
    }
}

impl Daemon {
    /// See [`all_settled`]; the log tells no secret and of no panic either.
    pub(crate) async fn all_settled(&self, upstream: &Upstream, key: &str) {
        all_settled(self.address, self.admin, upstream, key).await;
        let log = self.written();
        tells_no_secret(&log);
        assert!(!log.contains("panicked"), "{log}");
    }
}
