//! An alarm rings for whoever asked last, and for nobody too early.

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::{
    task::{coop, yield_now},
    time::{Instant, advance, timeout},
};

use super::Alarm;

const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn ask(alarm: Pin<&mut Alarm>, who: &Arc<Count>) -> Poll<()> {
    let waker = Waker::from(Arc::clone(who));
    alarm.poll(&mut Context::from_waker(&waker))
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_last_is_woken() {
    let mut alarm = pin!(Alarm::new(Instant::now() + SHORT));
    let (first, second) = (Arc::<Count>::default(), Arc::<Count>::default());
    for who in [&first, &first, &second, &second] {
        assert!(ask(alarm.as_mut(), who).is_pending());
    }
    advance(SHORT * 2).await;
    yield_now().await;
    assert_eq!(
        (first.0.load(Relaxed), second.0.load(Relaxed)),
        (0, 1),
        "who asked before has handed it on"
    );
    assert!(ask(alarm.as_mut(), &second).is_ready());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_set_anew_rings_again() {
    let start = Instant::now();
    let mut alarm = pin!(Alarm::new(start + SHORT));
    alarm.as_mut().await;
    assert!(alarm.has_rung());
    alarm.as_mut().set(start + LONG);
    assert!(!alarm.has_rung());
    timeout(LONG * 2, alarm.as_mut()).await.expect("rings");
    assert!(start.elapsed() >= LONG, "not before");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_set_back_while_somebody_waits_rings_earlier() {
    let start = Instant::now();
    let mut alarm = pin!(Alarm::new(start + LONG));
    let who = Arc::<Count>::default();
    assert!(ask(alarm.as_mut(), &who).is_pending());
    alarm.as_mut().set(start + SHORT);
    timeout(LONG / 2, alarm.as_mut()).await.expect("rings");
}

/// The runtime sends a task away that has done too much in one turn, before its timer has been told of the waker.
#[tokio::test(start_paused = true)]
async fn who_has_used_up_a_turn_is_woken_all_the_same() {
    let mut alarm = pin!(Alarm::new(Instant::now() + SHORT));
    let who = Arc::<Count>::default();
    poll_fn(|cx| {
        while coop::has_budget_remaining() {
            let _ = pin!(coop::consume_budget()).poll(cx);
        }
        assert!(ask(alarm.as_mut(), &who).is_pending());
        Poll::Ready(())
    })
    .await;
    yield_now().await;
    assert_eq!(who.0.load(Relaxed), 0, "it is not time yet");
    advance(SHORT * 2).await;
    yield_now().await;
    assert_eq!(who.0.load(Relaxed), 1);
}
