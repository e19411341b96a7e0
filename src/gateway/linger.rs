//! What is done with the body of a request that was refused before all of its body was read.
//!
//! HTTP/1 closes the connection with care, which is the listener's work, unless all of the body has come already. Which of
//! the two it is, the answer has to say: a client that is not told sends its next request into the end. Over HTTP/2 hyper
//! resets a stream that has been answered as soon as nobody wants its body. RFC 9113 §8.1 allows it and forbids clients to
//! throw the answer away for it; some do, curl 7 among them, and never show the refusal. So the body is taken and thrown
//! away for a moment.

use std::{future::poll_fn, pin::Pin, time::Duration};

use http::Version;
use http_body::Body;
use hyper::body::Incoming;
use tokio::{task::yield_now, time::timeout};

use crate::listener::Tasks;

/// As long as the listener lingers on a refused HTTP/1 connection.
const LINGER: Duration = Duration::from_secs(2);

/// Lets go of a body that nobody wants; to be called before the answer is given.
pub(super) async fn leave(body: Incoming, version: Version, most: u64, tasks: &Tasks) {
    if body.is_end_stream() {
        return;
    }
    if version == Version::HTTP_2 {
        return discard(body, most, tasks);
    }
    drop(body);
    until_noticed().await;
}

/// hyper looks for a body's end once it knows that nobody reads on. Where it does not find it, it closes the connection,
/// and says `Connection: close` in an answer that comes after it has looked.
pub(super) async fn until_noticed() {
    yield_now().await;
}

/// Takes up to `most` bytes of what is still coming.
fn discard(body: Incoming, most: u64, tasks: &Tasks) {
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
