//! A virtual CPU: the part that others may look at, and the state that one CPU leases.

use crate::event::VcpuEvents;
use crate::locks;
use crate::sched::VcpuSched;
use crate::time::VcpuTime;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use machine::pv::PvState;
use machine::{Lock, Page, PageType, TypeGet};
use spin::Once;
use xen_abi::arch_x86::TrapInfo;
use xen_abi::shared_info::{VCPU_INFO_SIZE, VCPU_INFO_UPCALL_MASK, VCPU_INFO_UPCALL_PENDING};

use super::Domain;

/// Memory of a guest that the hypervisor writes: a frame, held as writable memory, and where in
/// it.
#[derive(Debug)]
pub struct GuestArea {
    page: Page,
    offset: usize,
}

impl Drop for GuestArea {
    fn drop(&mut self) {
        // Writable memory: nothing in it has to be put.
        let _ = self.page.put_type();
    }
}

impl GuestArea {
    /// `len` bytes from `offset` on, which must be 4-byte aligned and lie in the frame. Takes over
    /// a reference to its type, which goes with the area.
    pub fn new(page: Page, offset: usize, len: usize) -> Option<GuestArea> {
        (offset.is_multiple_of(4) && offset.checked_add(len)? <= machine::PAGE_SIZE)
            .then_some(GuestArea { page, offset })
    }

    /// The frame.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Where in the frame it begins, bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The byte at `at`.
    #[inline(always)]
    pub fn byte(&self, at: usize) -> Option<&AtomicU8> {
        self.page.byte(self.offset + at)
    }

    /// The 32-bit word at byte `at`.
    #[inline]
    pub fn u32(&self, at: usize) -> Option<&core::sync::atomic::AtomicU32> {
        self.page.u32_at(self.offset + at)
    }

    /// The 64-bit word at byte `at`; `None` where the area is not aligned to 8 bytes, as only
    /// 32-bit kernels have it.
    #[inline]
    pub fn u64(&self, at: usize) -> Option<&AtomicU64> {
        self.page.u64_at(self.offset + at)
    }

    /// Copies `data` to byte `at`.
    pub fn write(&self, at: usize, data: &[u8]) -> bool {
        self.page.write(self.offset + at, data)
    }

    /// Copies from byte `at`.
    pub fn read(&self, at: usize, data: &mut [u8]) -> bool {
        self.page.read(self.offset + at, data)
    }
}

/// Where the guest wants to be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Callback {
    /// Code selector (ring 3).
    pub cs: u16,
    /// Address; zero is none.
    pub address: u64,
    /// Whether events are masked on entry.
    pub mask_events: bool,
}

/// A PV guest's handlers.
pub struct PvTraps {
    /// By vector.
    pub table: Box<[TrapInfo; 256]>,
    /// Event upcall.
    pub event: Callback,
    /// Called when the guest's own frame cannot be loaded.
    pub failsafe: Callback,
    /// System calls of the guest's 64-bit users.
    pub syscall: Callback,
    /// System calls of the guest's 32-bit users by SYSCALL.
    pub syscall32: Callback,
    /// SYSENTER of the guest's 32-bit users.
    pub sysenter: Callback,
}

/// What the CPU that runs a vCPU has for itself.
pub struct VcpuState {
    /// Processor state.
    pub pv: PvState,
    /// Whether the guest's kernel runs (else its users).
    pub kernel_mode: bool,
    /// Root table of the guest's kernel; its type reference and general reference are held.
    pub root: Option<Page>,
    /// Root table of the guest's users, likewise.
    pub user_root: Option<Page>,
    /// Handlers.
    pub traps: PvTraps,
    /// Stack of the guest's kernel.
    pub kernel_sp: u64,
    /// Its selector.
    pub kernel_ss: u16,
    /// I/O privilege level of the guest's users or kernel, as `PHYSDEVOP_set_iopl` has it.
    pub iopl: u8,
    /// Linear address of the I/O permission bitmap that the guest's kernel set.
    pub io_bitmap: u64,
    /// Ports that [`VcpuState::io_bitmap`] covers, from 0; 0 when there is none.
    pub io_bitmap_ports: u32,
    /// Every component that its XCR0 ever had.
    pub xcr0_accum: u64,
    /// Its virtual machine check: what it can do, and what the guest set.
    pub vmce: xen_abi::hvm::save::HvmVmceVcpu,
    /// CR4 as the guest believes it.
    pub cr4: u64,
    /// Linear address of the LDT as the guest gave it.
    pub ldt_base: u64,
    /// Whether its state was ever set.
    pub initialised: bool,
    /// Whether its NMI handler runs.
    pub in_nmi: bool,
    /// Instructions that were emulated last, by their addresses' low bits.
    pub decoded: [x86_emulate::Decoded; DECODED],
    /// What it has instead of all that, when it is hardware-virtualised.
    pub hvm: Option<Box<crate::hvm::HvmVcpu>>,
    /// Tables whose last reference went and whose entries are still to be put: worked off
    /// before the guest's next page-table call.
    pub old_tables: crate::mem::OldTables,
}

/// Instructions that a PV vCPU remembers: a kernel writes its page tables at a few places.
pub const DECODED: usize = 4;

impl VcpuState {
    /// The state of a vCPU that never ran. `None` when memory runs out.
    pub fn new() -> Option<VcpuState> {
        let mut table = alloc::vec::Vec::new();
        table.try_reserve_exact(256).ok()?;
        table.resize(256, TrapInfo::default());
        Some(VcpuState {
            pv: PvState::new()?,
            kernel_mode: true,
            root: None,
            user_root: None,
            traps: PvTraps {
                table: table.into_boxed_slice().try_into().ok()?,
                event: Callback::default(),
                failsafe: Callback::default(),
                syscall: Callback::default(),
                syscall32: Callback::default(),
                sysenter: Callback::default(),
            },
            kernel_sp: 0,
            kernel_ss: 0,
            iopl: 0,
            io_bitmap: 0,
            io_bitmap_ports: 0,
            xcr0_accum: 0,
            vmce: xen_abi::hvm::save::HvmVmceVcpu {
                caps: crate::pv::MC_BANKS.into(),
                ..Default::default()
            },
            cr4: 0,
            ldt_base: 0,
            initialised: false,
            in_nmi: false,
            decoded: Default::default(),
            hvm: None,
            old_tables: crate::mem::OldTables::new(),
        })
    }
}

/// A virtual CPU, as everybody may see it.
pub struct Vcpu {
    /// Its number in its domain.
    pub id: u32,
    /// Its domain.
    pub domain: Weak<Domain>,
    /// Its domain's id.
    pub domid: u16,
    /// Its state: whoever runs it holds the lock all the time.
    pub state: Lock<VcpuState>,
    /// The `vcpu_info` that the guest registered, if any.
    pub info_area: Once<GuestArea>,
    /// The `vcpu_info` in the shared page, for the first 32.
    default_info: Option<GuestArea>,
    /// Event delivery state.
    pub events: VcpuEvents,
    /// Scheduling state.
    pub sched: VcpuSched,
    /// Timers and run state.
    pub time: VcpuTime,
    /// An NMI waits to be delivered.
    pub nmi_pending: core::sync::atomic::AtomicBool,
    /// Interrupts for the local APIC of a hardware-virtualised one.
    pub posted: crate::hvm::Posted,
}

impl Vcpu {
    /// A vCPU that is not up. `None` when memory runs out.
    pub fn new(dom: &Arc<Domain>, id: u32, cpu: u32) -> Option<Arc<Vcpu>> {
        let at = id as usize * VCPU_INFO_SIZE;
        let default_info = (id < xen_abi::xen::XEN_LEGACY_MAX_VCPUS)
            .then(|| {
                let page = dom.shared_info.another();
                // It is writable for good, so this only counts.
                let counted = page.get_type(PageType::Writable) == TypeGet::Ready;
                counted.then(|| GuestArea::new(page, at, VCPU_INFO_SIZE))?
            })
            .flatten();
        let mut state = VcpuState::new()?;
        state.pv.control = dom.privileged;
        Some(Arc::new(Vcpu {
            id,
            domain: Arc::downgrade(dom),
            domid: dom.id,
            state: Lock::new(locks::LEASE, state),
            info_area: Once::new(),
            default_info,
            events: VcpuEvents::default(),
            sched: VcpuSched::new(cpu),
            time: VcpuTime::default(),
            nmi_pending: core::sync::atomic::AtomicBool::new(false),
            posted: crate::hvm::Posted::default(),
        }))
    }

    /// Whether it has a place in the shared page.
    pub fn has_default_info(&self) -> bool {
        self.default_info.is_some()
    }

    /// Its `vcpu_info`; `None` for a vCPU beyond the 32nd that has not registered one.
    #[inline(always)]
    pub fn info(&self) -> Option<&GuestArea> {
        match self.info_area.get() {
            Some(area) => Some(area),
            None => self.default_info.as_ref(),
        }
    }

    /// Whether the guest masks event upcalls.
    #[inline]
    pub fn upcall_masked(&self) -> bool {
        self.info()
            .and_then(|info| info.byte(VCPU_INFO_UPCALL_MASK))
            .is_none_or(|mask| mask.load(Ordering::Relaxed) != 0)
    }

    /// Sets or clears the guest's mask of event upcalls.
    #[inline]
    pub fn set_upcall_mask(&self, masked: bool) {
        if let Some(mask) = self
            .info()
            .and_then(|info| info.byte(VCPU_INFO_UPCALL_MASK))
        {
            mask.store(masked as u8, Ordering::Relaxed);
        }
    }

    /// Whether an event upcall is pending, masked or not.
    #[inline]
    pub fn upcall_pending(&self) -> bool {
        self.info()
            .and_then(|info| info.byte(VCPU_INFO_UPCALL_PENDING))
            .is_some_and(|pending| pending.load(Ordering::Relaxed) != 0)
    }
}
