//! A TCP connection that its pool can look at while hyper reads and writes it.
//!
//! A provider that closes an idle connection is noticed by hyper only when its task runs next. A request written in
//! between is lost, and one that may have been processed is not sent again. So the pool asks the kernel first.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Most bytes that may come before the head of an answer has been read: the head itself, what hyper reads ahead of its
/// body, and interim answers (RFC 9110 §15.2). hyper skips any number of those, so that a provider could go on for ever.
const BEFORE_HEAD: usize = 192 << 10;

/// No head is waited for.
const NO_LIMIT: usize = usize::MAX;

/// Both directions, for hyper.
#[derive(Debug)]
pub(super) struct Socket {
    read: OwnedReadHalf,
    /// Bytes that may still come before the head.
    before_head: Arc<AtomicUsize>,
    /// Locked for single system calls, by hyper's task and, between calls, by the pool.
    write: Arc<Mutex<OwnedWriteHalf>>,
}

/// The pool's view. It does not keep the connection open.
#[derive(Debug)]
pub(super) struct Watch {
    write: Weak<Mutex<OwnedWriteHalf>>,
    before_head: Arc<AtomicUsize>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self {
            read,
            before_head: Arc::new(AtomicUsize::new(NO_LIMIT)),
            write: Arc::new(Mutex::new(write)),
        }
    }

    pub(super) fn watch(&self) -> Watch {
        Watch {
            write: Arc::downgrade(&self.write),
            before_head: Arc::clone(&self.before_head),
        }
    }

    /// Takes bytes off what may come before a head.
    fn count(&self, bytes: usize) -> io::Result<()> {
        let counted = self
            .before_head
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| match left {
                NO_LIMIT => Some(NO_LIMIT),
                left => left.checked_sub(bytes),
            });
        let without_end = |_| io::Error::new(io::ErrorKind::InvalidData, "a head without end");
        counted.map(drop).map_err(without_end)
    }

    fn write(&self) -> MutexGuard<'_, OwnedWriteHalf> {
        self.write.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// A request goes out: from here on a head is waited for.
    pub(super) fn awaits_head(&self) {
        self.before_head.store(BEFORE_HEAD, Ordering::Release);
    }

    /// The head is here, and what follows has no limit.
    pub(super) fn has_head(&self) {
        self.before_head.store(NO_LIMIT, Ordering::Release);
    }

    /// Whether the peer has neither closed nor said anything since its last answer. What it says unasked belongs to
    /// nobody's call.
    pub(super) fn is_quiet(&self) -> bool {
        let Some(write) = self.write.upgrade() else {
            return false;
        };
        let write = write.lock().unwrap_or_else(PoisonError::into_inner);
        let mut byte = [MaybeUninit::uninit()];
        SockRef::from(write.as_ref())
            .peek(&mut byte)
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buf))?;
        Poll::Ready(self.count(buf.filled().len() - before))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.write()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.write()).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.write()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.write()).poll_shutdown(cx)
    }
}
