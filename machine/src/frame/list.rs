//! A list of frames, linked through the frame table.

use super::{Mem, NIL};
use crate::addr::Mfn;
use core::sync::atomic::Ordering::Relaxed;

/// A doubly linked list of frames. Its owner serialises all changes; a frame stands in at most
/// one list.
#[derive(Debug)]
pub struct PageList {
    head: u32,
    tail: u32,
    len: u64,
}

impl Default for PageList {
    fn default() -> Self {
        PageList::new()
    }
}

impl PageList {
    /// An empty list.
    pub const fn new() -> PageList {
        PageList {
            head: NIL,
            tail: NIL,
            len: 0,
        }
    }

    /// Number of frames in it.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first frame.
    pub fn first(&self) -> Option<Mfn> {
        (self.head != NIL).then_some(Mfn(self.head as u64))
    }

    /// The frame after `mfn`, which stands in this list.
    pub fn next(&self, mem: Mem, mfn: Mfn) -> Option<Mfn> {
        let next = mem.frame(mfn)?.next.load(Relaxed);
        (next != NIL).then_some(Mfn(next as u64))
    }

    /// Adds a frame at the end.
    pub fn push_back(&mut self, mem: Mem, mfn: Mfn) {
        let Some(info) = mem.frame(mfn) else { return };
        let idx = mfn.0 as u32;
        info.next.store(NIL, Relaxed);
        info.prev.store(self.tail, Relaxed);
        match mem
            .frame(Mfn(self.tail as u64))
            .filter(|_| self.tail != NIL)
        {
            Some(tail) => tail.next.store(idx, Relaxed),
            None => self.head = idx,
        }
        self.tail = idx;
        self.len += 1;
    }

    /// Adds a frame at the front.
    pub fn push_front(&mut self, mem: Mem, mfn: Mfn) {
        let Some(info) = mem.frame(mfn) else { return };
        let idx = mfn.0 as u32;
        info.prev.store(NIL, Relaxed);
        info.next.store(self.head, Relaxed);
        match mem
            .frame(Mfn(self.head as u64))
            .filter(|_| self.head != NIL)
        {
            Some(head) => head.prev.store(idx, Relaxed),
            None => self.tail = idx,
        }
        self.head = idx;
        self.len += 1;
    }

    /// Takes a frame that stands in this list, or in none, out of it; whether it stood in it.
    pub fn remove(&mut self, mem: Mem, mfn: Mfn) -> bool {
        let Some(info) = mem.frame(mfn) else {
            return false;
        };
        let (prev, next) = (info.prev.load(Relaxed), info.next.load(Relaxed));
        if prev == NIL && self.head as u64 != mfn.0 {
            return false;
        }
        match mem.frame(Mfn(prev as u64)).filter(|_| prev != NIL) {
            Some(p) => p.next.store(next, Relaxed),
            None => self.head = next,
        }
        match mem.frame(Mfn(next as u64)).filter(|_| next != NIL) {
            Some(n) => n.prev.store(prev, Relaxed),
            None => self.tail = prev,
        }
        info.unlink();
        self.len -= 1;
        true
    }

    /// Takes the first frame out.
    pub fn pop_front(&mut self, mem: Mem) -> Option<Mfn> {
        let mfn = self.first()?;
        self.remove(mem, mfn);
        Some(mfn)
    }
}
