//! Reading an answer on after its client has left, because the provider bills it anyway.

use std::future::poll_fn;

use bytes::Bytes;
use http_body::Body;
use tokio::time::{Instant, timeout_at};

use super::{Answer, DrainPlace, MeteringContext, body::NOTED_AFTER};
use crate::store::Outcome;

/// Reads `answer` to its end, within the bounds that [`MeteringContext`] sets, and settles it exactly. Beyond them the
/// provider is cancelled and what was observed is charged.
pub(super) fn drain<B>(answer: Answer<B>, place: DrainPlace)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let tasks = answer.metering.tasks.clone();
    tasks.spawn(async move {
        let mut answer = answer;
        let mut read = 0_u64;
        let mut stopped = answer.metering.drains_stopped();
        let mut noted = false;
        while read <= MeteringContext::DRAIN_BYTES {
            let until = if noted {
                place.until
            } else {
                place.until.min(Instant::now() + NOTED_AFTER)
            };
            let next = poll_fn(|cx| answer.poll_data(cx));
            let next = tokio::select! {
                next = timeout_at(until, next) => next,
                () = &mut stopped => break,
            };
            if next.is_err() && !noted {
                // It has fallen silent, for how long nobody knows.
                noted = true;
                answer.checkpoint();
                continue;
            }
            noted = false;
            let data = match next {
                Ok(Some(Ok(data))) => data,
                Ok(None) => {
                    answer.observer.finish();
                    break;
                }
                Ok(Some(Err(_))) | Err(_) => break,
            };
            read = read.saturating_add(data.len() as u64);
            answer.push(data);
            answer.checkpoint();
            // What had ended was not the last: as where a client leaves within a text.
            if place.figures && answer.observer.is_writing() {
                break;
            }
        }
        answer.settle(Outcome::ClientClosed);
        drop(place);
    });
}
