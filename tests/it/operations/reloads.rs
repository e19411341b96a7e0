//! One file after the other while calls come and streams go on. `FAREGATE_RELOADS=100` is the full run: as many reloads,
//! under 500 calls a second and 200 streams.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::BodyExt;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::interval,
};

use super::{ANSWER, Gates, figures::descriptors, stream, yaml};
use crate::harness::{Call, Daemon, KEY, Upstream, notice, number_of, within};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// Reads a stream to its end, and tells each event.
async fn follow(
    daemon: std::net::SocketAddr,
    name: usize,
    told: mpsc::UnboundedSender<()>,
) -> usize {
    let call = Call::new(daemon, "POST", "/v1/chat/completions").bearer(KEY);
    let answer = call.json(&stream(name)).open().await;
    assert_eq!(answer.status(), 200, "stream {name}");
    let (mut body, mut read, mut events) = (answer.into_body(), String::new(), 0);
    // A stream waits for every reload before it goes on; one that is dropped ends here with an error.
    while let Some(frame) = body.frame().await {
        let frame = frame.unwrap_or_else(|error| panic!("stream {name} was dropped: {error}"));
        read.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        while let Some(end) = read.find("\n\n") {
            let event: String = read.drain(..end + 2).collect();
            if event == "data: [DONE]\n\n" {
                return events;
            }
            // A comment, because the machine stood still for so long.
            if event.starts_with(':') {
                continue;
            }
            events += 1;
            told.send(()).unwrap();
        }
    }
    panic!("stream {name} has no end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_fail_no_call_and_drop_no_stream() {
    let asked = number_of("FAREGATE_RELOADS");
    let reloads = usize::try_from(asked.unwrap_or(6)).unwrap();
    let (streams, rate) = if asked.is_some() {
        (200, 500)
    } else {
        (20, 200)
    };
    let gates = Arc::new(Gates::of(streams));
    let script = Arc::clone(&gates);
    let upstream = Upstream::start(move |seen| script.answer(seen, reloads)).await;
    let first = yaml(&upstream.url(), "");
    let mut daemon = Daemon::start(&first).await;
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    let (address, pid) = (daemon.address, daemon.pid());
    let idle = descriptors(pid) - upstream.open_connections();

    let (told, mut events) = mpsc::unbounded_channel();
    let mut following = JoinSet::new();
    for name in 0..streams {
        following.spawn(follow(address, name, told.clone()));
    }
    let over = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicU64::new(0));
    let calling = tokio::spawn({
        let (over, served) = (Arc::clone(&over), Arc::clone(&served));
        async move {
            let mut clock = interval(Duration::from_secs(1) / rate);
            let mut calls = JoinSet::new();
            // A machine that stands still for a while is asked less, not more at once than anybody may.
            let places = Arc::new(Semaphore::new(256));
            while !over.load(Ordering::Relaxed) {
                clock.tick().await;
                let place = Arc::clone(&places).acquire_owned().await.unwrap();
                let (call, served) = (
                    Call::new(address, "POST", "/v1/chat/completions"),
                    Arc::clone(&served),
                );
                calls.spawn(async move {
                    let _place = place;
                    let answer = call.bearer(KEY).json(CHAT).send().await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert_eq!(answer.text(), ANSWER);
                    served.fetch_add(1, Ordering::Relaxed);
                });
            }
            while let Some(call) = calls.join_next().await {
                call.unwrap();
            }
        }
    });

    let mut all_told = async || {
        for _ in 0..streams {
            within("every stream went on", events.recv()).await.unwrap();
        }
    };
    all_told().await;
    let started = Instant::now();
    for round in 0..reloads {
        // Each file is another one: more models, and providers whose connections are made anew.
        let models = format!(
            "models:\n  extra{round}: {{provider: up, context_window: 1000, max_output_tokens: 500}}\n"
        );
        let timeouts = format!("api_key: sk-upstream, timeouts: {{idle: {}s}}", 300 + round);
        let next = first
            .replace("models:\n", &models)
            .replace("api_key: sk-upstream", &timeouts);
        let said = daemon.reload(&next).await;
        assert_eq!(
            said["message"], "the configuration was reloaded",
            "{said:#}"
        );
        gates.open();
        all_told().await;
        // A twentieth of a second's calls between one reload and the next.
        let wanted = (round as u64 + 1) * u64::from(rate) / 20;
        within("calls were served", async {
            while served.load(Ordering::Relaxed) < wanted {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let seconds = started.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    within("the calls", calling).await.unwrap();
    gates.open();
    while let Some(events) = within("a stream", following.join_next()).await {
        assert_eq!(events.unwrap(), reloads + 1);
    }
    let served = served.load(Ordering::Relaxed);
    notice(&format!(
        "{reloads} reloads in {seconds:.1} s, {streams} streams, {served} calls ({:.0}/s): 0 failed, 0 dropped",
        served as f64 / seconds
    ));
    // What was opened for them is closed again; what is kept for the next call is known at the other end.
    within("the descriptors came back", async {
        while descriptors(pid) > idle + upstream.open_connections() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    daemon.all_settled(&upstream, KEY).await;
    daemon.signal("TERM");
    daemon.whole_log().await;
}
