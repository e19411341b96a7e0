//! Memory of large bodies that are gone, for those that come after them: fresh memory is mapped page by page while it is
//! first written, which took a sixth of the processor time of a prompt of a megabyte.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// Smaller bodies are left to the allocator, which does the same for them.
const LARGE: usize = 32 << 10;

/// How much is kept at most, all together, and in how many pieces.
const KEPT: usize = 16 << 20;
const PIECES: usize = 64;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct SpareBuffers(Mutex<Vec<BytesMut>>);

impl SpareBuffers {
    /// Empty memory for a body of so many bytes, which may have to grow.
    pub(super) fn take(&self, bytes: usize) -> BytesMut {
        if bytes < LARGE {
            return BytesMut::new();
        }
        let mut kept = self.kept();
        let fitting = kept.iter().map(BytesMut::capacity).enumerate();
        let smallest = fitting
            .filter(|(_, capacity)| *capacity >= bytes)
            .min_by_key(|(_, capacity)| *capacity);
        smallest.map_or_else(BytesMut::new, |(at, _)| kept.swap_remove(at))
    }

    /// Keeps the memory of a body, if nobody else has a handle on it and there is room.
    pub(super) fn put(&self, body: Bytes) {
        let Ok(mut memory) = body.try_into_mut() else {
            return;
        };
        memory.clear();
        if memory.capacity() < LARGE {
            return;
        }
        let mut kept = self.kept();
        let already: usize = kept.iter().map(BytesMut::capacity).sum();
        if kept.len() < PIECES && already.saturating_add(memory.capacity()) <= KEPT {
            kept.push(memory);
        }
    }

    /// Gives everything back.
    pub(super) fn clear(&self) {
        *self.kept() = Vec::new();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<BytesMut>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, KEPT, LARGE, SpareBuffers};

    #[test]
    fn a_body_gets_the_memory_of_one_that_is_gone() {
        let buffers = SpareBuffers::default();
        buffers.put(Bytes::from(vec![7; LARGE]));
        assert_eq!(buffers.take(LARGE - 1).capacity(), 0);
        let memory = buffers.take(LARGE);
        assert!(memory.is_empty() && memory.capacity() >= LARGE);
        assert_eq!(buffers.take(LARGE).capacity(), 0);
    }

    #[test]
    fn what_somebody_has_or_is_small_or_too_much_is_not_kept() {
        let buffers = SpareBuffers::default();
        let body = Bytes::from(vec![7; LARGE]);
        buffers.put(body.clone());
        buffers.put(Bytes::from(vec![7; LARGE - 1]));
        buffers.put(Bytes::from(vec![7; KEPT + 1]));
        assert_eq!(buffers.take(LARGE).capacity(), 0);
        assert!(body.iter().all(|byte| *byte == 7));
        for _ in 0..3 {
            buffers.put(Bytes::from(vec![7; KEPT / 2]));
        }
        let kept = [(); 3].map(|()| buffers.take(LARGE).capacity() > 0);
        assert_eq!(kept, [true, true, false]);
    }

    #[test]
    fn the_smallest_that_fits_is_taken() {
        let buffers = SpareBuffers::default();
        for size in [4, 2, 8] {
            buffers.put(Bytes::from(vec![7; size * LARGE]));
        }
        let take = |size: usize| buffers.take(size * LARGE).capacity() / LARGE;
        assert_eq!([take(3), take(3), take(3), take(1)], [4, 8, 0, 2]);
        buffers.put(Bytes::from(vec![7; LARGE]));
        buffers.clear();
        assert_eq!(take(1), 0);
    }
}
