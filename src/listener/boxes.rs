//! Boxes for the futures of calls, which are used again.
//!
//! The future of a call is large, and over when its answer has a head. hyper has a place for one in each connection, for as
//! long as that lives: a stream lasts for minutes, and an idle connection longer still. So what is put there is a handle on
//! a box, and the box goes to the next call of any connection. Owns the boxes. Must not know what is in them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

/// How many empty boxes are kept: calls that are at their heads at the same time, and not all that are open.
const SPARE: usize = 64;

type Slot<F> = Pin<Box<Option<F>>>;

/// The empty boxes.
#[derive(Debug)]
pub(super) struct FutureBoxes<F>(Mutex<Vec<Slot<F>>>);

/// A future in a box, which it leaves when it is over or dropped.
#[derive(Debug)]
pub(super) struct Boxed<F> {
    slot: Option<Slot<F>>,
    boxes: Arc<FutureBoxes<F>>,
}

impl<F> Default for FutureBoxes<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F> FutureBoxes<F> {
    /// Puts a future into a box: made there, it is moved once less.
    pub(super) fn put(self: &Arc<Self>, make: impl FnOnce() -> F) -> Boxed<F> {
        let spare = self.spare().pop();
        #[expect(
            clippy::disallowed_methods,
            reason = "once for as many calls as are at their heads at the same time"
        )]
        let mut slot = spare.unwrap_or_else(|| Box::pin(None));
        slot.set(Some(make()));
        Boxed {
            slot: Some(slot),
            boxes: Arc::clone(self),
        }
    }

    /// A list of empty boxes is whole whatever panicked.
    fn spare(&self) -> MutexGuard<'_, Vec<Slot<F>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Boxed<F> {
    fn leave(&mut self) {
        let Some(mut slot) = self.slot.take() else {
            return;
        };
        // Before the lock: what is dropped here may be a whole call.
        slot.set(None);
        let mut spare = self.boxes.spare();
        if spare.len() < SPARE {
            spare.push(slot);
        }
    }
}

impl<F: Future> Future for Boxed<F> {
    type Output = F::Output;

    /// Pending for ever once it is over, as hyper never asks then.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self
            .slot
            .as_mut()
            .and_then(|slot| slot.as_mut().as_pin_mut());
        let Some(future) = future else {
            return Poll::Pending;
        };
        let output = ready!(future.poll(cx));
        self.leave();
        Poll::Ready(output)
    }
}

impl<F> Drop for Boxed<F> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::Arc,
    };

    use futures_util::FutureExt;

    use super::{FutureBoxes, SPARE};

    #[test]
    fn a_box_is_used_again_and_keeps_nothing() {
        let boxes = Arc::new(FutureBoxes::default());
        let count = || boxes.spare().len();
        let held = Arc::new(());
        let mut first = boxes.put(|| ready(Arc::clone(&held)));
        assert_eq!((count(), Arc::strong_count(&held)), (0, 2));
        drop((&mut first).now_or_never().unwrap());
        // It has left at its end, though there is still a handle.
        assert_eq!((count(), Arc::strong_count(&held)), (1, 1));
        let second = boxes.put(|| ready(Arc::clone(&held)));
        assert_eq!(count(), 0);
        drop(second);
        assert_eq!((count(), Arc::strong_count(&held)), (1, 1));
        drop(first);
        assert_eq!(count(), 1);
    }

    #[test]
    fn after_a_flood_few_are_kept() {
        let boxes = Arc::new(FutureBoxes::default());
        let many: Vec<_> = (0..SPARE * 2).map(|_| boxes.put(pending::<()>)).collect();
        drop(many);
        assert_eq!(boxes.spare().len(), SPARE);
    }
}
