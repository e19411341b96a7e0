//! Closing so that the last answer arrives.
//!
//! A socket closed with unread bytes in it, or to which bytes are still coming, answers them with a reset, and a reset
//! makes the client's kernel throw away the answer that the client has not read yet. So a client that still sends when
//! it has been refused gets our end of stream first, and we go on reading and throwing away for a while
//! (RFC 9112 §9.6).

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{settings::Closing, stream::Stream};

const SCRATCH: usize = 16 << 10;

/// Sends the end of our side, then discards until the client has ended its own, `closing.linger_bytes` were read or
/// `closing.linger` has passed.
pub(super) async fn linger(mut stream: Stream, closing: Closing) {
    let discard = async {
        // Sends TLS's close_notify where there is TLS. hyper has mostly done it; doing it again changes nothing, and an
        // error here shows in the reads below.
        let _ = stream.shutdown().await;
        let mut scratch = vec![0; SCRATCH];
        let mut left = closing.linger_bytes;
        while left > 0 {
            // Below TLS: nobody needs these bytes decrypted.
            match stream.socket().read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX)),
            }
        }
    };
    // Late or not, what follows is the same: the stream is dropped.
    let _ = timeout(closing.linger, discard).await;
}
