//! What must hold after whatever a client or a provider has done.

use std::{
    collections::HashSet,
    panic,
    sync::{Mutex, Once},
    thread::{self, ThreadId},
};

use super::{Gateway, KEY, LIMITED, Upstream, tells_no_secret, within};

/// A whole chat completion for the model of `shared_config`.
pub(crate) const HEALTHY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

static WATCH: Once = Once::new();
static PANICKED: Mutex<Option<HashSet<ThreadId>>> = Mutex::new(None);

/// Begins to note which threads panic. A gateway in a test's process runs on the test's own thread.
pub(crate) fn watch_panics() {
    WATCH.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let mut panicked = PANICKED.lock().unwrap();
            panicked
                .get_or_insert_default()
                .insert(thread::current().id());
            drop(panicked);
            usual(info);
        }));
    });
}

/// Asserts that after everything that was done to a gateway of `shared_config`
/// (a) nothing is held any more,
/// (b) the provider was asked as often as our records say,
/// (c) neither what clients were `told` nor what was recorded has a secret,
/// (d) nothing has panicked,
/// (e) the next call is served.
///
/// Calls that their client broke off may have reached the provider whole, in part, or not at all.
pub(crate) async fn unharmed(gateway: &Gateway, upstream: &Upstream, told: &str) {
    gateway.nothing_held(KEY).await;
    gateway.nothing_held(LIMITED).await;
    let seen = upstream.seen().len();
    within("as many calls are recorded as the provider saw", async {
        loop {
            let answer = gateway
                .admin("GET", "/admin/v1/calls?limit=1000")
                .send()
                .await;
            let page = answer.value();
            let calls = page["data"].as_array().unwrap();
            let left = calls
                .iter()
                .filter(|call| call["outcome"] == "client_closed");
            if (calls.len() - left.count()..=calls.len()).contains(&seen) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    tells_no_secret(told);
    tells_no_secret(&gateway.recorded());
    let panicked = PANICKED.lock().unwrap().clone().unwrap_or_default();
    assert!(
        !panicked.contains(&thread::current().id()),
        "something panicked"
    );
    let answer = gateway.chat(KEY, HEALTHY).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.seen().len(), seen + 1);
}
