use std::{io, sync::mpsc::channel};

use tokio::sync::oneshot::{self, Receiver};

use super::{Waiter, run};

/// So many who wait, and what they are told.
fn waiters(count: usize) -> (Vec<Waiter>, Vec<Receiver<Result<(), String>>>) {
    (0..count).map(|_| oneshot::channel()).unzip()
}

#[test]
fn all_who_wait_share_one_sync() {
    let (ask, asked) = channel();
    let (waiting, answers) = waiters(100);
    for waiter in waiting {
        ask.send(waiter).unwrap();
    }
    drop(ask);
    let mut syncs = 0;
    run(&asked, || {
        syncs += 1;
        Ok(())
    });
    assert_eq!(syncs, 1);
    for mut answer in answers {
        assert_eq!(answer.try_recv().unwrap(), Ok(()));
    }
}

#[test]
fn whoever_comes_during_a_sync_waits_for_the_next() {
    let (ask, asked) = channel();
    let (mut waiting, mut answers) = waiters(2);
    ask.send(waiting.remove(0)).unwrap();
    let mut late = Some((ask, waiting.remove(0)));
    let mut syncs = 0;
    run(&asked, || {
        syncs += 1;
        // Written after this sync began, so it must not be told that it is on the disk.
        if let Some((ask, waiter)) = late.take() {
            ask.send(waiter).unwrap();
        } else {
            assert_eq!(answers[0].try_recv().unwrap(), Ok(()));
        }
        assert!(answers[1].try_recv().is_err());
        Ok(())
    });
    assert_eq!(syncs, 2);
    assert_eq!(answers[1].try_recv().unwrap(), Ok(()));
}

#[test]
fn after_a_failure_nothing_is_called_durable_again() {
    let (ask, asked) = channel();
    let (mut waiting, mut answers) = waiters(2);
    ask.send(waiting.remove(0)).unwrap();
    let mut late = Some((ask, waiting.remove(0)));
    let mut syncs = 0;
    run(&asked, || {
        syncs += 1;
        if let Some((ask, waiter)) = late.take() {
            ask.send(waiter).unwrap();
        }
        Err(io::Error::other("input/output error"))
    });
    assert_eq!(syncs, 1);
    for answer in &mut answers {
        let words = answer.try_recv().unwrap().unwrap_err();
        assert_eq!(words, "input/output error");
    }
}
