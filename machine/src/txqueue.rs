//! Bytes on their way to a serial line.
//!
//! Owned by whoever drives the line, under that one's lock. Invariant: what comes out is what
//! went in, in order; whatever its fields are, no call leaves the array (a crash may find the
//! queue in the middle of a change).

/// Bytes that have room.
pub const ROOM: usize = 32 << 10;

/// A queue of bytes.
pub struct TxQueue {
    bytes: [u8; ROOM],
    start: usize,
    len: usize,
}

impl TxQueue {
    /// An empty queue.
    pub const fn new() -> TxQueue {
        TxQueue {
            bytes: [0; ROOM],
            start: 0,
            len: 0,
        }
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that can be added.
    pub fn room(&self) -> usize {
        ROOM.saturating_sub(self.len)
    }

    /// Adds a byte; `false` when there is no room.
    pub fn push(&mut self, byte: u8) -> bool {
        let at = self.start.wrapping_add(self.len) % ROOM;
        match self.bytes.get_mut(at) {
            Some(slot) if self.len < ROOM => {
                *slot = byte;
                self.len += 1;
                true
            }
            _ => false,
        }
    }

    /// Takes the oldest byte.
    pub fn pop(&mut self) -> Option<u8> {
        self.len = self.len.checked_sub(1)?;
        let byte = self.bytes.get(self.start % ROOM).copied();
        self.start = self.start.wrapping_add(1) % ROOM;
        byte
    }
}

impl Default for TxQueue {
    fn default() -> Self {
        TxQueue::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too long under an interpreter")]
    fn bytes_come_out_in_order_and_no_more_go_in_than_fit() {
        let mut queue = TxQueue::new();
        let (mut next_in, mut next_out) = (0u32, 0u32);
        for round in 0..5 {
            while queue.push(next_in as u8) {
                next_in += 1;
            }
            assert_eq!((queue.len(), queue.room()), (ROOM, 0));
            for _ in 0..ROOM / 2 + round {
                assert_eq!(queue.pop(), Some(next_out as u8));
                next_out += 1;
            }
        }
        while let Some(byte) = queue.pop() {
            assert_eq!(byte, next_out as u8);
            next_out += 1;
        }
        assert_eq!(next_in, next_out);
        assert!(queue.is_empty());
    }
}
