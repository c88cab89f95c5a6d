//! A CPU's TLB: keeps what it once read of the page tables until it is told to forget.
//!
//! It never evicts, so every flush that the hypervisor leaves out is seen. Owned by its CPU;
//! other CPUs reach it through its mutex, only to flush.

use super::std::collections::BTreeMap;
use crate::tlb::Flush;

/// A cached translation of one 4 KiB page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub mfn: u64,
    pub write: bool,
    pub exec: bool,
    pub dirty: bool,
    pub global: bool,
    /// log2 of the size of the page it is a part of.
    pub shift: u32,
    /// Owner of the frame when the entry was made.
    pub owner: u32,
}

/// How often a CPU's TLB was flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlbCounts {
    /// Everything, at the CPU's own wish.
    pub local_all: u64,
    /// One page, at the CPU's own wish.
    pub local_page: u64,
    /// Everything, asked for by another CPU.
    pub remote_all: u64,
    /// One page, asked for by another CPU.
    pub remote_page: u64,
    /// Loads of a root table, which forget all but global entries.
    pub root_loads: u64,
}

#[derive(Default)]
pub(super) struct Tlb {
    entries: BTreeMap<u64, Entry>,
    pub counts: TlbCounts,
}

impl Tlb {
    pub fn get(&self, va: u64) -> Option<Entry> {
        self.entries.get(&(va >> 12)).copied()
    }

    pub fn insert(&mut self, va: u64, entry: Entry) {
        self.entries.insert(va >> 12, entry);
    }

    /// As a load of CR3.
    pub fn root_loaded(&mut self) {
        self.counts.root_loads += 1;
        self.entries.retain(|_, entry| entry.global);
    }

    pub fn flush(&mut self, what: Flush, remote: bool) {
        match what {
            Flush::All => self.entries.clear(),
            Flush::Page(va) => self.forget(va),
        }
        let counts = &mut self.counts;
        let count = match (what, remote) {
            (Flush::All, false) => &mut counts.local_all,
            (Flush::All, true) => &mut counts.remote_all,
            (Flush::Page(_), false) => &mut counts.local_page,
            (Flush::Page(_), true) => &mut counts.remote_page,
        };
        *count += 1;
    }

    /// Forgets a page, the whole of it when it is a large one.
    pub fn forget(&mut self, va: u64) {
        self.entries.retain(|vpn, entry| {
            (vpn << 12) >> entry.shift != (va & !(0xf << 60)) >> entry.shift && *vpn != va >> 12
        });
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
