//! A deadline that is seen too late is pushed out once.

use std::{future::pending, pin::pin, time::Duration};

use tokio::time::{Instant, advance, sleep, timeout};

use super::{CATCH_UP, CatchUp, STOOD_STILL, by};

#[tokio::test(start_paused = true)]
async fn a_process_that_is_always_late_does_not_push_a_deadline_out_for_ever() {
    let at = Instant::now() + CATCH_UP;
    let mut catch_up = CatchUp::default();
    let late = async {
        for _ in 0..20 {
            advance(CATCH_UP + STOOD_STILL).await;
        }
        panic!("nothing came due");
    };
    let never = pin!(pending::<()>());
    tokio::select! {
        biased;
        ended = by(at, &mut catch_up, never) => assert!(ended.is_none()),
        () = late => {}
    }
}

/// Each of its bytes is waited for by the same deadline.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_does_not_push_a_deadline_out_for_ever() {
    let at = Instant::now() + Duration::from_secs(10);
    let mut catch_up = CatchUp::default();
    advance(Duration::from_secs(20)).await;
    let mut waits = 0;
    let waiting = async {
        while by(at, &mut catch_up, pin!(sleep(CATCH_UP / 2)))
            .await
            .is_some()
        {
            waits += 1;
        }
    };
    timeout(CATCH_UP * 2, waiting).await.expect("ends");
    assert!(waits > 0, "what came is read");
}
