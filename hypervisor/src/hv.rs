//! The hypervisor: everything that CPUs share, in one value. Nothing is static, so several
//! fit into one process.

use crate::console::Console;
use crate::domain::DomainList;
use crate::irq::Irqs;
use crate::locks;
use crate::sched::Scheduler;
use crate::time::Clocks;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use machine::frame::DeadFrames;
use machine::heap::{Block, Heap};
use machine::{CpuMask, Lock, Mem};
use xen_abi::xen::NR_VIRQS;

/// Frames that are given back in one go.
const REAP_BATCH: u32 = 512;

/// One hypervisor.
pub struct Hypervisor {
    /// The machine's memory.
    pub mem: Mem,
    /// Free frames.
    pub heap: &'static Lock<Heap>,
    /// Frames that were free when the hypervisor began.
    pub total_pages: u64,
    /// Frames without references that are being given back, the rest of those that were taken
    /// from the machine at once.
    pub dead: Lock<Option<DeadFrames>>,
    /// Whether there is such a rest.
    pub more_dead: AtomicBool,
    /// Memory that domains have been promised.
    pub claims: crate::mem::Claims,
    /// Number of CPUs.
    pub cpus: u32,
    /// `pv-linear-pt`: whether page tables may name tables of their own level.
    pub linear_tables: bool,
    /// Who may deal with whom.
    pub xsm: crate::xsm::Policy,
    /// What the processor looks like to domains.
    pub policies: crate::cpu_policy::Policies,
    /// Its command line, as `XENVER_commandline` returns it.
    pub command_line: String,
    /// `noreboot`: stop instead of rebooting after a crash of the control domain.
    pub noreboot: bool,
    /// `cpuinfo`: each CPU says what it is.
    pub cpuinfo: bool,
    /// All domains.
    pub domains: DomainList,
    /// Which of them changed since the Xenstore asked.
    pub changes: crate::domain::Changes,
    /// Who is told of each virtual interrupt that the machine has once: dom0 unless
    /// `set_virq_handler` said otherwise.
    pub virq_handlers: Lock<[u16; NR_VIRQS as usize]>,
    /// Who runs where.
    pub sched: Scheduler,
    /// Timers, wall clock.
    pub clocks: Clocks,
    /// Log and serial console.
    pub console: Console,
    /// CPUs that were asked for their registers.
    pub asked: crate::debug_keys::Asked,
    /// Host interrupts.
    pub irqs: Irqs,
    /// ACPI's facts of the machine.
    pub platform: &'static machine::platform::Platform,
    /// What the boot loader said.
    pub boot: &'static machine::boot::BootInfo,
}

impl Hypervisor {
    /// All CPUs.
    pub fn all_cpus(&self) -> CpuMask {
        CpuMask::first(self.cpus)
    }

    /// Takes 2^`order` frames from the heap, after reaping what died. The caller flushes TLBs
    /// by [`Block::stamp`] before it hands the frames on.
    pub fn alloc_block(&self, order: u32) -> Option<Block> {
        let block = self.heap.lock().alloc(order);
        if block.is_some() || !self.has_dead() {
            return block;
        }
        self.reap();
        self.heap.lock().alloc(order)
    }

    /// Gives frames whose last reference went back to the heap, and takes them off their
    /// domain's account. All that there are now, for whoever has to have memory; a call that can
    /// be restarted calls [`Cx::reap`](crate::cx::Cx::reap) first, which leaves little to do here.
    pub fn reap(&self) {
        while self.reap_some() {}
    }

    /// As [`Hypervisor::reap`], some of them: `true` when there are more.
    pub fn reap_some(&self) -> bool {
        if !self.has_dead() {
            return false;
        }
        let mut dead = self.dead.lock();
        if dead.is_none() {
            *dead = Some(self.mem.take_dead());
        }
        let mut left = REAP_BATCH;
        for mfn in dead.iter_mut().flatten() {
            let owner = self.mem.frame(mfn).map(|info| info.owner());
            if let Some(dom) = owner.and_then(|id| self.domains.any(id)) {
                dom.pages.forget(self.mem, mfn);
            }
            self.mem.set_m2p(mfn, u64::MAX);
            self.heap.lock().free(mfn);
            left -= 1;
            if left == 0 {
                self.more_dead.store(true, Ordering::Relaxed);
                return true;
            }
        }
        *dead = None;
        self.more_dead.store(false, Ordering::Relaxed);
        false
    }

    /// Whether there are frames to reap.
    #[inline]
    pub fn has_dead(&self) -> bool {
        self.mem.has_dead() || self.more_dead.load(Ordering::Relaxed)
    }

    /// Whether `mfn` is RAM that the hypervisor keeps watch over. The first megabyte is not:
    /// the control domain may map it, as devices use it.
    pub fn is_ram(&self, mfn: machine::Mfn) -> bool {
        let addr = mfn.addr();
        addr >= 0x10_0000
            && self.boot.memory.ranges().iter().any(|range| {
                range.kind == machine::boot::MemoryKind::Ram
                    && addr >= range.base
                    && addr < range.end()
            })
    }

    /// The domain with this id, unless it is dying.
    pub fn domain(&self, id: u16) -> Option<Arc<crate::domain::Domain>> {
        self.domains.get(id)
    }
}

/// A lock for what belongs to a domain.
pub fn domain_lock<T>(data: T) -> Lock<T> {
    Lock::new(locks::DOMAIN, data)
}
