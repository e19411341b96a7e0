//! Providers that cannot be reached, break off, lie or are too slow: what the client gets, what the record says, and
//! that everything held goes back.

mod broken;
mod half_closed;
mod heads;
mod multiplexed;
mod nasty;
mod refused;
mod silent;
mod statuses;

use serde_json::Value;

use crate::harness::{Answer, Gateway, LIMITED, Step, Upstream, shared_config};

const WHOLE: &str = r#"{"model":"m","messages":[]}"#;
const STREAM: &str = r#"{"model":"m","stream":true}"#;

/// What one call through a fresh gateway came to.
struct Told {
    answer: Answer,
    call: Value,
    record: Value,
    /// Requests that count against the daily quota, and tokens.
    used: (u64, u64),
}

/// Billionths of a dollar for a token read and a token written, by `PRICES`.
const PRICE: (u64, u64) = (1000, 4000);
const PRICES: &str = "prices: {m: {input: 1, output: 4}}\n";

/// Our own count of a text's tokens.
fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// A gateway before the provider at `url`, and before one without faults that has the model `ok`.
async fn start(url: &str, options: &str) -> Gateway {
    start_with(url, options, "").await
}

/// The same, with more in its file.
async fn start_with(url: &str, options: &str, more: &str) -> Gateway {
    let fine = Upstream::answering("200 OK", "{}").await.url();
    let provider = format!(
        "providers:\n  fine: {{kind: openai, base_url: \"{fine}/v1\", api_key: sk-upstream}}"
    );
    let model = "models:\n  ok: {provider: fine, context_window: 100000, max_output_tokens: 5000}";
    let yaml = shared_config(url, options).replacen("providers:", &provider, 1);
    let yaml = yaml.replacen("models:", model, 1);
    Gateway::start(&format!("{yaml}{PRICES}{more}")).await
}

/// Sends one chat to `url` and waits until all of it is settled.
async fn chat(url: &str, options: &str, body: &str) -> Told {
    let gateway = start(url, options).await;
    let answer = gateway.chat(LIMITED, body).send().await;
    told(gateway, answer).await
}

/// Waits until a call is settled, and checks what has to hold after every fault: nothing is held, no secret is told, and
/// the next call, to another provider, is answered.
async fn told(gateway: Gateway, answer: Answer) -> Told {
    let call = gateway.calls(1).await.remove(0);
    gateway.nothing_held(LIMITED).await;
    let limits = gateway.limits(LIMITED).await;
    let used = |unit: &str| {
        let mut limits = limits["limits"].as_array().unwrap().iter();
        let limit = limits.find(|limit| limit["unit"] == unit && limit["per"] == "day");
        limit.unwrap()["used"].as_u64().unwrap()
    };
    let used = (used("requests"), used("tokens"));
    let record = gateway.records(1).await;
    let next = gateway.chat(LIMITED, r#"{"model":"ok"}"#).send().await;
    assert_eq!((next.status.as_u16(), next.text()), (200, "{}"));
    gateway.tells_no_secret().await;
    gateway.stop().await;
    Told {
        answer,
        call,
        record: record[0].clone(),
        used,
    }
}

impl Told {
    /// Asserts a refusal and what was recorded.
    fn refused(&self, status: u16, code: &str, outcome: &str) {
        let text = String::from_utf8_lossy(&self.answer.body).into_owned();
        assert_eq!(self.answer.status, status, "{text}");
        assert_eq!(self.answer.code(), code, "{text}");
        assert_eq!(self.answer.header("cache-control"), Some("no-store"));
        self.recorded(status, outcome);
        assert_eq!(self.record["code"], code);
    }

    /// Asserts what the call to model `m` is charged, and that its quota counts the same.
    fn charged(&self, input: u64, output: u64, estimated: bool) {
        let Self { call, used, .. } = self;
        assert_eq!(call["tokens"]["input"], input, "{call}");
        assert_eq!(call["tokens"]["output"], output, "{call}");
        assert_eq!(call["estimated"], estimated, "{call}");
        let cost = input * PRICE.0 + output * PRICE.1;
        assert_eq!(call["cost_nano_usd"], cost, "{call}");
        assert_eq!(*used, (1, input + output));
    }

    fn recorded(&self, status: u16, outcome: &str) {
        assert_eq!(self.call["outcome"], outcome);
        assert_eq!(self.call["status"], status);
        assert_eq!(self.record["outcome"], outcome);
        assert_eq!(self.record["status"], status);
    }
}

/// A provider that writes these bytes and then closes.
async fn saying(bytes: impl Into<Vec<u8>>) -> Upstream {
    let bytes = bytes.into();
    Upstream::start(move |_| vec![Step::Send(bytes.clone()), Step::Close]).await
}
