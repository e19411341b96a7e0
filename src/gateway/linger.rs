//! What is done with the body of a request that was refused before its body was read.
//!
//! HTTP/1 closes the connection with care, which is the listener's work. Over HTTP/2 hyper resets a stream that has been
//! answered as soon as nobody wants its body. RFC 9113 §8.1 allows it and forbids clients to throw the answer away for
//! it; some do, curl 7 among them, and never show the refusal. So the body is taken and thrown away for a moment.

use std::{future::poll_fn, pin::Pin, time::Duration};

use http::Version;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::listener::Tasks;

/// As long as the listener lingers on a refused HTTP/1 connection.
const LINGER: Duration = Duration::from_secs(2);

/// Takes up to `most` bytes of what is still coming.
pub(super) fn discard(body: Incoming, version: Version, most: u64, tasks: &Tasks) {
    if version != Version::HTTP_2 || body.is_end_stream() {
        return;
    }
    tasks.spawn(async move {
        let mut body = body;
        let discard = async {
            let mut left = most;
            while left > 0 {
                let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
                let Some(Ok(frame)) = frame else { return };
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                left = left.saturating_sub(length);
            }
        };
        // Late or not, what follows is the same: the stream is reset.
        let _ = timeout(LINGER, discard).await;
    });
}
