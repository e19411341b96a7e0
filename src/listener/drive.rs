//! Polls hyper's connection together with its deadlines and the shutdown.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    alarm::Alarm,
    clocks::Clocks,
    session::Shared,
    settings::{Closing, Settings},
    timer::{CatchUp, wait},
};

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// hyper was done with it.
    Finished(hyper::Result<()>),
    /// A request head was not complete in time.
    HeadLate,
    /// The client took nothing of what was written.
    Stalled,
    /// It was told to close and did not, though there was nothing to do.
    Lingered,
    /// Its client took back most of its requests, or sent little but frames that ask for nothing.
    Flooded,
    /// It was still at work when the drain was over.
    Forced,
}

/// The deadlines of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) write_stall: Duration,
    /// How long it may be idle.
    pub(super) idle: Duration,
    /// Whether its requests end in tasks of their own, which do not wake it.
    pub(super) streams: bool,
    pub(super) closing: Closing,
    /// Requests after which it is closed.
    pub(super) requests: u32,
}

/// What has come due.
#[derive(Debug, Clone, Copy)]
enum Due {
    End(fn() -> End),
    /// Nothing asked for within the idle time, or old enough.
    Enough,
    /// A look at what other tasks may have changed meanwhile.
    Look,
}

/// When the connection was told to close, and until when it may live.
#[derive(Debug, Default)]
struct Order {
    told: Option<Instant>,
    force: Option<Instant>,
    /// Whether connections are short.
    pressed: bool,
    /// Until when what came while we stood still is read, whatever has come due.
    catch_up: CatchUp,
    /// Whether there is no place for another connection, and this one has not asked for anything.
    crowded: bool,
}

impl Limits {
    pub(super) fn http1(settings: &Settings) -> Self {
        Self {
            write_stall: settings.timeouts.write_stall,
            idle: settings.timeouts.keep_alive,
            streams: false,
            closing: settings.closing,
            requests: settings.connection_requests,
        }
    }

    pub(super) fn http2(settings: &Settings) -> Self {
        Self {
            idle: settings.http2.idle,
            streams: true,
            requests: u32::MAX,
            ..Self::http1(settings)
        }
    }

    /// The next thing to come due, if any can.
    fn next(&self, clocks: &Clocks, order: &Order) -> Option<(Instant, Due)> {
        let head = clocks.head_due().map(|at| {
            if order.crowded {
                at.min(clocks.accepted() + self.closing.pressed)
            } else {
                at
            }
        });
        let stalled = clocks.stalled_since().map(|since| since + self.write_stall);
        let idle = if order.pressed {
            self.idle.min(self.closing.pressed)
        } else {
            self.idle
        };
        let old = clocks.retires().filter(|_| order.told.is_none());
        let quiet = match (order.told, clocks.quiet_since()) {
            (Some(told), Some(since)) => Some((
                told.max(since) + self.closing.linger,
                Due::End(|| End::Lingered),
            )),
            (Some(_), None) => Some((Instant::now() + self.closing.linger, Due::Look)),
            // Before its first request a connection is not idle but late.
            (None, Some(since)) if head.is_none() => Some((since + idle, Due::Enough)),
            // An HTTP/1 connection polls the body of its answer itself, and so is awake when the request ends.
            (None, _) => self.streams.then(|| (Instant::now() + idle, Due::Look)),
        };
        let mut next = quiet;
        let mut or_before = |at: Option<Instant>, due: Due| {
            let at = at.filter(|at| next.is_none_or(|(first, _)| *at <= first));
            next = at.map(|at| (at, due)).or(next);
        };
        // Of two at the same time, the last of these counts.
        or_before(old, Due::Enough);
        or_before(order.force, Due::End(|| End::Forced));
        or_before(stalled, Due::End(|| End::Stalled));
        or_before(head, Due::End(|| End::HeadLate));
        next
    }
}

/// Drives `connection` to its end. `tell` starts its graceful shutdown.
///
/// It is pinned by whoever calls: a future that takes another one by value has room for it twice.
pub(super) async fn drive<C>(
    mut connection: Pin<&mut C>,
    tell: fn(Pin<&mut C>),
    clocks: &Clocks,
    limits: Limits,
    shared: &Shared,
) -> End
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut timer = pin!(Alarm::new(Instant::now()));
    let mut draining = pin!(shared.shutdown.draining());
    let mut cut_off = pin!(shared.shutdown.cut_off());
    let mut short = shared.pressure.watch();
    let mut crowded = shared.crowded.watch();
    let mut order = Order::default();

    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(End::Finished(result));
            }
            if order.told.is_none() && draining.as_mut().poll(cx).is_ready() {
                order.told = Some(Instant::now());
                clocks.closing();
                tell(connection.as_mut());
                continue;
            }
            if order.told.is_none() && clocks.heads() >= limits.requests {
                order.told = Some(Instant::now());
                tell(connection.as_mut());
                continue;
            }
            order.crowded = clocks.heads() == 0 && crowded.is_on(cx);
            order.pressed = order.told.is_none() && short.is_on(cx);
            if order.force.is_none() && cut_off.as_mut().poll(cx).is_ready() {
                order.force = Some(Instant::now() + limits.closing.last_word);
            }
            if clocks.is_flooded() {
                tell(connection.as_mut());
                // One more poll, so that GOAWAY goes out first. What it returns does not matter any more.
                let _ = connection.as_mut().poll(cx);
                return Poll::Ready(End::Flooded);
            }
            let Some((at, due)) = limits.next(clocks, &order) else {
                return Poll::Pending;
            };
            if wait(timer.as_mut(), order.catch_up.at_least(at), cx).is_pending() {
                return Poll::Pending;
            }
            if order.catch_up.after(at, &timer).is_some() {
                continue;
            }
            match due {
                Due::End(end) => return Poll::Ready(end()),
                Due::Enough => {
                    order.told = Some(Instant::now());
                    clocks.closing();
                    tell(connection.as_mut());
                }
                Due::Look => {}
            }
        }
    })
    .await
}
