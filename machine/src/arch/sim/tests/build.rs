//! Page tables by hand, with the references that the policy would hold.

use crate::arch::sim::SimMachine;
use crate::arch::sim::walk::pte::{P, RW, US};
use crate::frame::{Mem, Page, PageType, TypeGet};
use crate::heap::Heap;
use crate::{Cpu, CpuApi, Mfn};
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

/// An address with all table indices different from zero and from each other.
pub const VA: u64 = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12;
/// Owner of the guest's frames.
pub const OWNER: u32 = 7;
pub const URW: u64 = P | RW | US;

/// A machine, its heap, and one address space with an L1 that covers [`VA`] and on.
pub struct World {
    pub machine: SimMachine,
    pub heap: Heap,
    pub root: Page,
    pub tables: Vec<Page>,
}

pub fn heap(machine: SimMachine) -> Heap {
    let mut heap = Heap::new(machine.mem());
    heap.add_range(Mfn(0), machine.mem().max_mfn());
    heap
}

pub fn typed(page: &Page, t: PageType) {
    match page.get_type(t) {
        TypeGet::Validate { .. } | TypeGet::ReadyFlush => page.type_validated(),
        TypeGet::Ready => {}
        other => panic!("{t:?}: {other:?}"),
    }
}

impl World {
    pub fn new(cpus: usize) -> World {
        let machine = SimMachine::new(256, cpus);
        let mut heap = heap(machine);
        let tables: Vec<Page> = (1..=4)
            .map(|_| heap.alloc(0).unwrap().into_page(true).unwrap())
            .collect();
        for (i, t) in [PageType::L1, PageType::L2, PageType::L3, PageType::L4]
            .iter()
            .enumerate()
        {
            tables[i].info().set_owner(OWNER);
            typed(&tables[i], *t);
        }
        for level in 2..=4 {
            let index = (VA >> (3 + 9 * level)) as usize & 511;
            let entry = tables[level - 2].mfn().addr() | URW;
            tables[level - 1].words()[index].store(entry, Relaxed);
        }
        machine.mem().install_host_slots(&tables[3]);
        World {
            machine,
            heap,
            root: tables[3].another(),
            tables,
        }
    }

    pub fn mem(&self) -> Mem {
        self.machine.mem()
    }

    /// A cleared frame of the guest's, counted as writable.
    pub fn frame(&mut self) -> Page {
        let page = self.heap.alloc(0).unwrap().into_page(true).unwrap();
        page.info().set_owner(OWNER);
        typed(&page, PageType::Writable);
        page
    }

    /// Sets the L1 entry of the `index`th page from [`VA`] on.
    pub fn set(&self, index: usize, entry: u64) {
        self.tables[0].words()[4 + index].store(entry, Relaxed);
    }

    pub fn entry(&self, index: usize) -> u64 {
        self.tables[0].words()[4 + index].load(Relaxed)
    }

    pub fn map(&self, index: usize, page: &Page, flags: u64) {
        self.set(index, page.mfn().addr() | flags);
    }

    /// CPU `id` with the address space loaded.
    pub fn cpu(&self, id: u32) -> Cpu {
        let mut cpu = self.machine.cpu(id);
        assert!(cpu.set_root(&self.root));
        let regs = cpu.regs_mut();
        (regs.cs, regs.ss, regs.rip) = (0xe033, 0xe02b, 0x1000);
        cpu
    }
}
