//! A flag that comes and goes, and wakes idle connections when it comes.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
};

use super::waiters::Waiters;

/// Whether connections are short: idle ones then close early. Cloning is shallow.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    on: AtomicBool,
    /// How often it has come. Who registered before the last time has been woken and is registered no more.
    times: AtomicU64,
    waiting: Mutex<Waiters>,
}

/// One connection's view of it.
#[derive(Debug)]
pub(super) struct Watch {
    pressure: Pressure,
    registration: Option<Registration>,
}

/// Where it waits, and since which time of the flag.
#[derive(Debug)]
struct Registration {
    at: usize,
    times: u64,
    waker: Waker,
}

// === impl Pressure ===

impl Pressure {
    /// Says whether connections are short. Every connection that waits is woken when they become so.
    pub fn set(&self, on: bool) {
        if !on {
            self.0.on.store(false, Ordering::Release);
            return;
        }
        if self.0.on.swap(true, Ordering::AcqRel) {
            return;
        }
        // Woken outside the lock: a waker may run code of its own.
        let wakers = {
            let mut waiting = self.waiting();
            self.0.times.fetch_add(1, Ordering::AcqRel);
            waiting.take()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether connections are short.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::Acquire)
    }

    pub(super) fn watch(&self) -> Watch {
        Watch {
            pressure: self.clone(),
            registration: None,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiters> {
        // Nothing between lock and unlock can leave the list half changed.
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watch ===

impl Watch {
    /// Whether connections are short. Where they are not, the task is woken when they become so. A second look by the
    /// same task takes no lock.
    pub(super) fn is_on(&mut self, cx: &Context<'_>) -> bool {
        let shared = &self.pressure.0;
        if shared.on.load(Ordering::Acquire) {
            return true;
        }
        let times = shared.times.load(Ordering::Acquire);
        if let Some(last) = &self.registration
            && last.times == times
            && last.waker.will_wake(cx.waker())
        {
            return false;
        }
        let mut waiting = self.pressure.waiting();
        // Read again under the lock in which it is counted and wakers are taken, so that no wake-up is lost.
        if shared.on.load(Ordering::Acquire) {
            return true;
        }
        let times = shared.times.load(Ordering::Acquire);
        let waker = cx.waker().clone();
        let last = self.registration.take().map(|last| last.at);
        let at = waiting.put(last, waker.clone());
        self.registration = Some(Registration { at, times, waker });
        false
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(last) = self.registration.take() {
            self.pressure.waiting().leave(last.at);
        }
    }
}
