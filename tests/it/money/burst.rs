//! Ten thousand calls at once against money for few.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    task::JoinSet,
};

use super::{PRICES, adds_up, kept, nanos};
use crate::{
    fixture::{KEY, file, provider},
    harness::{Gateway, Upstream, json as whole, within},
};

const CONNECTIONS: usize = 200;
/// One after another on each connection.
const CALLS: usize = 50;

/// So often each burst is repeated, unless `FAREGATE_BURSTS` says how often.
fn repeats() -> usize {
    let wanted = std::env::var("FAREGATE_BURSTS").ok();
    wanted.map_or(1, |count| count.parse().unwrap())
}

/// A request as bytes.
fn request(path: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// How often each status and code was answered when all `requests` are sent in turn, on all connections at once.
async fn burst(gateway: &Gateway, requests: &[Vec<u8>]) -> BTreeMap<(u16, String), usize> {
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let requests: Arc<[Vec<u8>]> = requests.into();
    let mut clients = JoinSet::new();
    for client in 0..CONNECTIONS {
        let (start, requests) = (Arc::clone(&start), Arc::clone(&requests));
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        clients.spawn(async move {
            start.wait().await;
            let mut answered = Vec::with_capacity(CALLS);
            let mut buffer = Vec::new();
            for call in 0..CALLS {
                let request = &requests[(client + call) % requests.len()];
                stream.write_all(request).await.unwrap();
                answered.push(answer(&mut stream, &mut buffer).await);
            }
            answered
        });
    }
    let mut counted = BTreeMap::new();
    while let Some(answered) = within("all were answered", clients.join_next()).await {
        for answer in answered.unwrap() {
            *counted.entry(answer).or_default() += 1;
        }
    }
    counted
}

/// The status of the next answer, and its code where it is an error.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> (u16, String) {
    let head = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0);
    };
    let text = std::str::from_utf8(&buffer[..head]).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let end = head + length.unwrap().trim().parse::<usize>().unwrap();
    while buffer.len() < end {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0);
    }
    let body: Vec<u8> = buffer.drain(..end).skip(head).collect();
    let code = if status == 200 {
        String::new()
    } else {
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        body["error"]["code"].as_str().unwrap().to_owned()
    };
    (status, code)
}

/// Answers with this status: how many there were.
fn with(counted: &BTreeMap<(u16, String), usize>, status: u16) -> usize {
    let with = counted.iter().filter(|((other, _), _)| *other == status);
    with.map(|(_, count)| count).sum()
}

/// Asserts money all the time, until it is dropped: nobody ever has less than nothing, and what was paid stays paid.
async fn watch(gateway: &Gateway, key: &str) {
    let mut before = i64::MAX;
    loop {
        let limits = gateway.limits(key).await;
        let credit = &limits["credit"];
        if !credit.is_null() {
            let (balance, held) = (nanos(&credit["balance"]), nanos(&credit["held"]));
            assert!(balance >= 0 && balance >= held, "{credit}");
            assert!(balance <= before, "{credit} after {before}");
            before = balance;
        }
        for limit in limits["limits"].as_array().unwrap() {
            if limit["kind"] == "budget" {
                let sum = nanos(&limit["used"]) + nanos(&limit["held"]);
                assert!(sum <= nanos(&limit["limit"]), "{limit}");
            }
        }
    }
}

/// A burst with a reader beside it.
async fn watched(
    gateway: &Gateway,
    key: &str,
    requests: &[Vec<u8>],
) -> BTreeMap<(u16, String), usize> {
    tokio::select! {
        counted = burst(gateway, requests) => counted,
        () = watch(gateway, key) => panic!("nothing was to be seen any more"),
    }
}

const OTHER: &str = "the-other-key-of-account-a";

/// The same file for a machine that is busy with something else: nobody is given up for being slow.
fn patient(yaml: &str) -> String {
    let server = "server: {listen: \"127.0.0.1:0\", timeouts: {head: 60s, lateness: off}}\n";
    let slow = "timeouts: {connect: 60s}";
    let yaml = yaml.replace(
        "api_key: sk-upstream",
        &format!("api_key: sk-upstream, {slow}"),
    );
    server.to_owned() + &yaml.replace("{kind: http,", &format!("{{kind: http, {slow},"))
}

/// Plan, each of its keys, account, first key and credit have money for so many calls at two cents; 0 is no limit.
fn shared_config(upstream: &Upstream, paid: [u32; 5]) -> String {
    let usd = |calls: u32| format!("{}.{:02}", calls / 50, calls % 50 * 2);
    let budget = |calls: u32| match calls {
        0 => "budgets: []".to_owned(),
        calls => format!("budgets: [{{usd: {}, per: month}}]", usd(calls)),
    };
    let (required, given) = match paid[4] {
        0 => ("none", "1".to_owned()),
        calls => ("required", usd(calls)),
    };
    let [plan, per_key, own, narrow] = [0, 1, 2, 3].map(|at| budget(paid[at]));
    let rest = format!(
        "\
prices: {{m: {{input: 0, output: 0, request: 0.02}}, big: {{input: 1, output: 4}}, c: {{input: 3, output: 15}}}}
routes:
  - {{path: /}}
  - {{path: /search, provider: web, strip_prefix: true, price_per_request: 0.02}}
plans: {{p: {{credit: {required}, {plan}, per_key: {{{per_key}}}}}}}
accounts:
  - id: a
    plan: p
    credit: {given}
    {own}
    keys: [{{id: k, key: {KEY}, {narrow}}}, {{id: k2, key: {OTHER}}}]
"
    );
    let web = format!(
        "providers:\n  web: {{kind: http, base_url: \"{}/base\", credential: {{header: x-token, value: t}}}}",
        upstream.url()
    );
    file(upstream, &rest).replacen("providers:", &web, 1)
}

/// Exactly fifty of ten thousand are served, `code` is all that the others hear, and every row says so.
async fn fifty(paid: [u32; 5], codes: &[&str], requests: &[Vec<u8>]) {
    for _ in 0..repeats() {
        let folder = TempDir::new().unwrap();
        let upstream = provider().await;
        let gateway =
            Gateway::start(&kept(&patient(&shared_config(&upstream, paid)), &folder)).await;
        let counted = watched(&gateway, KEY, requests).await;
        assert_eq!(with(&counted, 200), 50, "{paid:?}: {counted:?}");
        assert_eq!(with(&counted, 402), CONNECTIONS * CALLS - 50, "{counted:?}");
        let heard = counted.keys().filter(|(status, _)| *status == 402);
        let heard: Vec<_> = heard.map(|(_, code)| code.as_str()).collect();
        assert_eq!(heard, codes, "{paid:?}");
        assert_eq!(upstream.seen().len(), 50);
        let limits = gateway.limits(KEY).await;
        if paid[4] > 0 {
            let left = i64::from(paid[4] - 50) * 20_000_000;
            assert_eq!(nanos(&limits["credit"]["balance"]), left);
            assert_eq!(nanos(&limits["credit"]["held"]), 0);
        }
        for limit in limits["limits"].as_array().unwrap() {
            assert_eq!(limit["held"], json!("0.00"), "{limit}");
            if limit["scope"] != "key" {
                assert_eq!(limit["used"], json!("1.00"), "{limit}");
            }
        }
        gateway.stop().await;
        adds_up(&folder, 50);
    }
}

fn search(key: &str) -> Vec<u8> {
    request("/search/v2", key, r#"{"query":"fares"}"#)
}

fn chat(key: &str) -> Vec<u8> {
    request(
        "/v1/chat/completions",
        key,
        r#"{"model":"m","max_tokens":5}"#,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credit_for_fifty_serves_fifty_of_ten_thousand() {
    fifty([0, 0, 0, 0, 50], &["credit_exhausted"], &[search(KEY)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_budget_for_fifty_serves_fifty() {
    fifty([0, 0, 0, 50, 0], &["budget_exceeded"], &[chat(KEY)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_account_budget_for_fifty_serves_fifty() {
    let both = [chat(KEY), search(OTHER)];
    fifty([0, 0, 50, 0, 0], &["budget_exceeded"], &both).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_budget_for_fifty_serves_fifty() {
    let both = [search(KEY), chat(OTHER)];
    fifty([50, 0, 0, 0, 0], &["budget_exceeded"], &both).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_the_tightest_serves_fifty() {
    let both = [chat(KEY), search(OTHER)];
    // The keys of the plan have money for 25 each.
    fifty([80, 25, 60, 55, 70], &["budget_exceeded"], &both).await;
    // The credit is the tightest, however many budgets there are.
    fifty([80, 60, 60, 55, 50], &["credit_exhausted"], &both).await;
}

/// A provider that answers with 9 tokens of input and 5 to 104 of output, by turns.
async fn varying() -> Upstream {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    Upstream::start(move |_| {
        let output = 5 + turn.fetch_add(37, std::sync::atomic::Ordering::Relaxed) % 100;
        let body = format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":{output},"total_tokens":{}}}}}"#,
            9 + output
        );
        whole("200 OK", &body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_never_cost_more_than_there_is() {
    for _ in 0..repeats() {
        let folder = TempDir::new().unwrap();
        let upstream = varying().await;
        // A call holds its bytes in input and 104 tokens of output, and costs less than half of that on average.
        let body = r#"{"model":"m","max_tokens":104}"#;
        let rest = format!(
            "{PRICES}plans: {{p: {{credit: required}}}}\naccounts: [{{id: a, plan: p, credit: 0.02, keys: [{{id: k, key: {KEY}}}]}}]\n"
        );
        let gateway = Gateway::start(&kept(&patient(&file(&upstream, &rest)), &folder)).await;
        let requests = [request("/v1/chat/completions", KEY, body)];
        let counted = watched(&gateway, KEY, &requests).await;
        let served = with(&counted, 200);
        assert_eq!(served, upstream.seen().len());
        let others: Vec<_> = counted
            .keys()
            .filter(|(status, _)| *status != 200)
            .map(|(status, code)| (*status, code.as_str()))
            .collect();
        for other in &others {
            let expected = [
                (402, "insufficient_credit_for_request"),
                (429, "credit_on_hold"),
            ];
            assert!(expected.contains(other), "{counted:?}");
        }
        // The bound of the last call did not fit any more; what is left is less than that.
        let bound = body.len() as i64 * 1000 + 104 * 4000;
        let credit = gateway.limits(KEY).await["credit"].clone();
        let left = nanos(&credit["balance"]);
        assert!((0..bound).contains(&left), "{credit} after {served} calls");
        assert_eq!(nanos(&credit["held"]), 0);
        gateway.stop().await;
        adds_up(&folder, served as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_paid_in_and_taken_back_meanwhile_is_never_lost() {
    const TIMES: usize = 40;
    let folder = TempDir::new().unwrap();
    let upstream = varying().await;
    let body = r#"{"model":"m","max_tokens":104}"#;
    let rest = format!(
        "{PRICES}plans: {{p: {{credit: required}}}}\naccounts: [{{id: a, plan: p, credit: 0.02, keys: [{{id: k, key: {KEY}}}]}}]\n"
    );
    let yaml = kept(&patient(&file(&upstream, &rest)), &folder);
    let gateway = Gateway::start(&yaml).await;
    let post = async |entry: serde_json::Value| {
        let entry = entry.to_string();
        let call = gateway.admin("POST", "/admin/v1/accounts/a/credit");
        call.json(&entry).send().await.status
    };
    let entries = async {
        let mut taken_back = 0;
        for turn in 0..TIMES {
            let paid = json!({"amount": "0.01", "id": format!("in-{turn}")});
            assert_eq!(post(paid.clone()).await, 201);
            // The same once more: it is there already.
            assert_eq!(post(paid).await, 200);
            let back = json!({"amount": "-0.004", "kind": "refund", "reason": "sent back", "id": format!("out-{turn}")});
            let status = post(back).await;
            // What calls hold is not taken back.
            assert!(matches!(status.as_u16(), 201 | 409), "{status}");
            taken_back += usize::from(status == 201);
        }
        taken_back
    };
    let requests = [request("/v1/chat/completions", KEY, body)];
    let (counted, taken_back) = tokio::join!(burst(&gateway, &requests), entries);
    let served = with(&counted, 200);
    assert_eq!(served, upstream.seen().len());
    gateway.nothing_held(KEY).await;
    let balance = nanos(&gateway.limits(KEY).await["credit"]["balance"]);
    gateway.stop().await;
    adds_up(&folder, served as u64);
    // What is stored is what was in memory.
    let gateway = Gateway::start(&yaml).await;
    let credit = gateway.limits(KEY).await["credit"].clone();
    assert_eq!(nanos(&credit["balance"]), balance);
    let page = gateway
        .admin("GET", "/admin/v1/ledger?limit=1000")
        .send()
        .await;
    let entries = page.value()["data"].as_array().unwrap().len();
    assert_eq!(entries, 1 + TIMES + taken_back);
    gateway.stop().await;
}
