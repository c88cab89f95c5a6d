//! Domains and their vCPUs: who they are and what they own.

mod changes;
mod create;
mod destroy;
mod info;
mod lifecycle;
mod list;
mod lookup;
mod pages;
mod vcpu;

pub use changes::{Changes, state};
pub use create::{MAX_VCPUS, NewDomain, create, make_vcpus};
pub use destroy::bury;
pub use info::info;
pub use list::DomainList;
pub use pages::DomainPages;
pub use vcpu::{Callback, DECODED, GuestArea, PvTraps, Vcpu, VcpuState};

use crate::event::{EventState, WritablePage};
use crate::fail::Fail;
use crate::grant::GrantState;
use crate::hv::domain_lock;
use crate::irq::DomainIrqs;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use machine::{AtomicCpuMask, Lock, Page};
use spin::Once;
use xen_abi::arch_x86::ArchDomainconfig;
use xen_abi::compat::{SharedOffsets, Width};
use xen_abi::shared_info::{VCPU_INFO_SIZE, VCPU_INFO_UPCALL_MASK};
use xen_abi::{DomId, Errno};

/// How a domain stopped, as `SCHEDOP_shutdown` names it.
pub type ShutdownCode = u32;

/// A domain.
pub struct Domain {
    /// Its id.
    pub id: DomId,
    /// A number that no other domain of this boot has.
    pub unique_id: AtomicU64,
    /// Whether it is the control domain (dom0).
    pub privileged: bool,
    /// Its UUID.
    pub handle: Lock<[u8; 16]>,
    /// Its vCPUs, by number; filled as they are made.
    pub vcpus: Box<[Once<Arc<Vcpu>>]>,
    /// The page that it shares with the hypervisor.
    pub shared_info: WritablePage,
    /// Whether what is shared with it has the form of 32-bit code; see [`Domain::width`].
    narrow: AtomicBool,
    /// Its memory.
    pub pages: DomainPages,
    /// CPUs whose TLB may hold translations of this domain.
    pub dirty_cpus: AtomicCpuMask,
    /// Its physical memory map, if it was given one.
    pub memory_map: Lock<Vec<xen_abi::memory::reservation::E820Entry>>,
    /// What its processor looks like.
    pub policy: crate::cpu_policy::DomainPolicy,
    /// Its time stamp counter.
    pub tsc: crate::time::DomainTsc,
    /// Its event channels.
    pub events: EventState,
    /// Its grant table.
    pub grants: GrantState,
    /// Its physical interrupts and device permissions.
    pub irqs: DomainIrqs,
    /// Its physical map and parameters, if it is hardware-virtualised.
    pub hvm: Once<crate::hvm::HvmDomain>,
    /// Bits set by `vm_assist`.
    pub assists: AtomicU64,
    /// Added to system time for the guest's wall clock, seconds (`settimeoffset`).
    pub time_offset: AtomicU64,
    /// The time on CPUs that it is entitled to.
    pub share: Arc<crate::sched::Share>,
    /// The pool of CPUs that it runs in; see [`crate::sched::Scheduler::pool`].
    pub cpupool: AtomicU32,
    /// Whether its writes are asked for.
    pub log_dirty: Lock<crate::control::LogDirty>,
    /// How many want it not to run.
    pub pause_count: AtomicU32,
    /// How many of those are the tools' own (`pausedomain`).
    pub controller_pauses: Lock<u32>,
    /// Whether it was told to go.
    pub dying: AtomicBool,
    /// Whether nothing is left of it but memory that others hold.
    pub dead: AtomicBool,
    /// How far its end has come.
    teardown: Lock<destroy::Teardown>,
    /// Whether a debugger is told of its faults, as `getdomaininfo` shows it.
    pub debugged: AtomicBool,
    /// Whether it was made to run the Xenstore.
    pub xenstore: AtomicBool,
    /// Its port that is signalled when it suspends; zero for none.
    pub suspend_port: AtomicU32,
    /// The configuration that it was made with, for the tools.
    pub arch_config: Lock<ArchDomainconfig>,
    /// Why it shut down, if it did.
    pub shutdown: Lock<Option<ShutdownCode>>,
    /// The reason it announced for its next shutdown, which then counts; `u32::MAX` for none.
    pub shutdown_code: AtomicU32,
    /// vCPUs in `SCHEDOP_poll`: whoever makes a port pending while this is not zero calls
    /// `sched::wake_pollers`.
    pub pollers: AtomicU32,
}

impl Domain {
    /// A domain without vCPUs or memory. Errors: `ENOMEM`.
    pub fn new(
        id: DomId,
        privileged: bool,
        max_vcpus: u32,
        max_pages: u64,
        shared_info: Page,
    ) -> Result<Arc<Domain>, Errno> {
        let mut vcpus = Vec::new();
        vcpus
            .try_reserve_exact(max_vcpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        vcpus.resize_with(max_vcpus as usize, Once::new);
        // The hypervisor writes to it: it can be nothing but writable memory, for good.
        let shared_info = WritablePage::hold(shared_info).ok_or(Errno::EINVAL)?;
        // Events are masked until each vCPU's kernel is ready for them.
        for vcpu in 0..xen_abi::xen::XEN_LEGACY_MAX_VCPUS as usize {
            let at = vcpu * VCPU_INFO_SIZE + VCPU_INFO_UPCALL_MASK;
            if let Some(mask) = shared_info.byte(at) {
                mask.store(1, Ordering::Relaxed);
            }
        }
        Ok(Arc::new(Domain {
            id,
            unique_id: AtomicU64::new(0),
            privileged,
            handle: domain_lock([0; 16]),
            vcpus: vcpus.into_boxed_slice(),
            shared_info,
            narrow: AtomicBool::new(false),
            pages: DomainPages::new(max_pages),
            dirty_cpus: AtomicCpuMask::new(),
            memory_map: domain_lock(Vec::new()),
            policy: Default::default(),
            tsc: Default::default(),
            events: EventState::new(max_vcpus)?,
            grants: GrantState::new()?,
            irqs: DomainIrqs::new(privileged)?,
            hvm: Once::new(),
            assists: AtomicU64::new(0),
            time_offset: AtomicU64::new(0),
            share: Arc::new(crate::sched::Share::default()),
            cpupool: AtomicU32::new(0),
            log_dirty: domain_lock(Default::default()),
            pause_count: AtomicU32::new(0),
            controller_pauses: domain_lock(0),
            dying: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            teardown: Lock::new(crate::locks::TEARDOWN, destroy::Teardown::default()),
            debugged: AtomicBool::new(false),
            xenstore: AtomicBool::new(false),
            suspend_port: AtomicU32::new(0),
            arch_config: domain_lock(ArchDomainconfig::default()),
            shutdown: domain_lock(None),
            shutdown_code: AtomicU32::new(u32::MAX),
            pollers: AtomicU32::new(0),
        }))
    }

    /// The width of the kernel that reads what is shared with it: the shared page, the vCPUs'
    /// parts of it, their run states.
    #[inline(always)]
    pub fn width(&self) -> Width {
        match self.narrow.load(Ordering::Relaxed) {
            true => Width::W32,
            false => Width::W64,
        }
    }

    /// Where things are in its shared page.
    #[inline(always)]
    pub fn shared_offsets(&self) -> &'static SharedOffsets {
        SharedOffsets::of(self.width())
    }

    /// Changes the width. What is in the shared page already stays as it is: the kernel has yet
    /// to begin with it.
    pub fn set_width(&self, width: Width) {
        self.narrow.store(width == Width::W32, Ordering::Relaxed);
    }

    /// The owner number of its frames.
    #[inline(always)]
    pub fn owner(&self) -> u32 {
        self.id as u32
    }

    /// vCPU `id`, if it was made.
    #[inline]
    pub fn vcpu(&self, id: u32) -> Option<&Arc<Vcpu>> {
        self.vcpus.get(id as usize)?.get()
    }

    /// All vCPUs that were made.
    pub fn all_vcpus(&self) -> impl Iterator<Item = &Arc<Vcpu>> {
        self.vcpus.iter().filter_map(Once::get)
    }

    /// Whether `vm_assist` type `bit` is on.
    pub fn assist(&self, bit: u32) -> bool {
        self.assists.load(Ordering::Relaxed) >> bit & 1 != 0
    }

    /// `EPERM` unless it is the control domain or runs the Xenstore.
    pub fn require_xenstore(&self) -> Result<(), Fail> {
        if self.xenstore.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.require_privilege()
    }

    /// `EPERM` unless it is the control domain.
    pub fn require_privilege(&self) -> Result<(), Fail> {
        if self.privileged {
            Ok(())
        } else {
            Err(Errno::EPERM.into())
        }
    }
}
