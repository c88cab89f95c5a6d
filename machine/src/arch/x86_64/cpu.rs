//! The running processor: [`CpuApi`] on real hardware.
//!
//! Why unsafe: privileged instructions, and the register frame in the CPU's area.
//! Invariant: a `Cpu` exists once for each processor and stays on it (it is `!Send`), so the
//! area it points to has no other writer.

mod descriptors;
mod flush;
mod hvm;
mod regs;
mod speculation;
mod state;
mod trap;

pub use flush::{flush_everywhere, relax};
pub use trap::patch_entry;

use super::area::{self, Area};
use super::entry::{self, VECTOR_SYSCALL32, VECTOR_SYSENTER};
use super::layout::*;
use super::mitigate::xpti;
use super::{apic, clock, fpu, io, mem::TLB, shortcut, usercopy};
use crate::addr::canonical;
use crate::cpu::{CpuApi, Exit, Fault, Interrupt, SegBase, Shortcut};
use crate::cpumask::{AtomicCpuMask, CpuMask};
use crate::frame::{Page, PageType};
use crate::measures::Measures;
use crate::pv::PvState;
use crate::regs::*;
use crate::tlb::Flush;
use core::arch::asm;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use flush::{do_flush, flush_on};
use regs::{load_selector, read_dr, read_selector, write_dr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Vector of the APIC's timer.
pub const TIMER_VECTOR: u8 = 0xfa;
/// Vector that asks a CPU to look at its work.
pub const KICK_VECTOR: u8 = 0xfb;
/// Vector of the console's serial line.
pub const CONSOLE_VECTOR: u8 = 0xfc;
/// Vector that asks for a TLB flush.
pub const FLUSH_VECTOR: u8 = 0xfd;
/// Vector of APIC errors.
pub const ERROR_VECTOR: u8 = 0xfe;
/// Vector of spurious interrupts.
pub const SPURIOUS_VECTOR: u8 = 0xff;

/// A long operation yields after this many nanoseconds.
const BUDGET_NS: u64 = 500_000;

/// Root table with nothing of any guest in it.
static HOST_CR3: AtomicU64 = AtomicU64::new(0);
/// Whether the processor has XSAVE (the same on all).
static HAS_XSAVE: AtomicBool = AtomicBool::new(false);
/// Per CPU: somebody kicked it and it has not looked since.
static KICKED: crate::cpumask::AtomicCpuMask = crate::cpumask::AtomicCpuMask::new();

/// A physical CPU, on itself.
pub struct Cpu {
    area: *mut Area,
    id: u32,
    /// TSC at the last exit.
    exit_tsc: u64,
    /// TSC ticks of [`BUDGET_NS`].
    budget: u64,
    timer: Option<u64>,
    /// [`PvState::number`] of what was loaded last.
    last: u64,
    /// What is done against speculation.
    measures: Measures,
    /// Whether the loaded guest runs on copies of its root tables.
    shadowed: bool,
    /// Whether CR4.TSD is set.
    tsc_traps: bool,
    /// Whether the measures leave room for [`Shortcut`]s.
    shortcuts: bool,
    /// The addresses that copies may follow.
    reach: usercopy::Reach,
    _here: PhantomData<*mut ()>,
}

impl Cpu {
    /// The handle on CPU `id`, which the caller runs on.
    ///
    /// # Safety
    /// Called once for each CPU, on it, after [`area::load`], with the CPU's control registers
    /// set up and `root` (the host's own root table) in CR3.
    pub unsafe fn new(id: u32) -> Cpu {
        HOST_CR3.store(io::read_cr3(), Ordering::Release);
        HAS_XSAVE.store(io::read_cr4() & 1 << 18 != 0, Ordering::Release);
        let (mul, shift, khz) = clock::tsc_scale();
        let _ = (mul, shift);
        Cpu {
            area: (area::base(id) + AREA_DATA) as *mut Area,
            id,
            exit_tsc: tsc(),
            budget: khz * BUDGET_NS / 1_000_000,
            timer: None,
            last: 0,
            measures: Measures::default(),
            shadowed: false,
            tsc_traps: false,
            shortcuts: false,
            reach: usercopy::Reach::PV,
            _here: PhantomData,
        }
    }

    #[inline(always)]
    fn area(&self) -> &Area {
        // SAFETY: see the module's invariant.
        unsafe { &*self.area }
    }

    #[inline(always)]
    fn area_mut(&mut self) -> &mut Area {
        // SAFETY: see the module's invariant.
        unsafe { &mut *self.area }
    }

    fn has_xsave() -> bool {
        HAS_XSAVE.load(Ordering::Relaxed)
    }
}

/// Machine address of the host's own root table.
pub(super) fn host_root() -> u64 {
    HOST_CR3.load(Ordering::Relaxed) & !0xfff
}

#[inline(always)]
fn tsc() -> u64 {
    // SAFETY: reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
const KERNEL_GS_BASE: u32 = 0xc000_0102;

impl CpuApi for Cpu {
    #[inline(always)]
    fn id(&self) -> u32 {
        self.id
    }

    #[inline(always)]
    fn regs(&self) -> &GuestRegs {
        &self.area().regs
    }

    #[inline(always)]
    fn regs_mut(&mut self) -> &mut GuestRegs {
        &mut self.area_mut().regs
    }

    #[inline(always)]
    fn enter(&mut self) -> Exit {
        // SAFETY: the area is this CPU's; the frame's ring is 3, which every writer of `cs`
        // and `ss` upholds by the masks in `load_pv` and in the policy's iret, and IRET checks.
        // Called directly, not through a table of addresses: a branch that cannot be mispredicted.
        unsafe {
            asm!("call {}", sym entry::__xenios_enter, inout("rdi") self.area => _,
                lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
                clobber_abi("C"));
        }
        let vector = self.regs().vector;
        match vector {
            VECTOR_SYSCALL => Exit::Syscall,
            0..=31 => Exit::Exception(vector as u8),
            32..=255 => Exit::Interrupt(vector as u8),
            VECTOR_SYSCALL32 => Exit::Syscall32,
            VECTOR_SYSENTER => Exit::Sysenter,
            _ => Exit::IretFault,
        }
    }

    fn idle(&mut self) -> Option<u8> {
        // SAFETY: interrupts are on for the one instruction in which the CPU sleeps; the stub
        // notes the vector and turns them off again.
        unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
        for (word, pending) in self.area().pending.iter().enumerate().rev() {
            let bits = pending.load(Ordering::Relaxed);
            if bits != 0 {
                let bit = 31 - bits.leading_zeros();
                pending.fetch_and(!(1 << bit), Ordering::Relaxed);
                return Some((word as u32 * 32 + bit) as u8);
            }
        }
        None
    }

    #[inline]
    fn now(&self) -> u64 {
        clock::now()
    }

    fn tsc(&self) -> u64 {
        tsc()
    }

    fn tsc_scale(&self) -> (u32, i8, u64) {
        clock::tsc_scale()
    }

    fn tsc_start(&self) -> u64 {
        clock::tsc_start()
    }

    fn set_timer(&mut self, deadline: Option<u64>) {
        if self.timer != deadline {
            self.timer = deadline;
            apic::set_timer(deadline);
        }
    }

    fn kick(&self, cpu: u32) {
        KICKED.set(cpu);
        apic::send_ipi(cpu, KICK_VECTOR);
    }

    fn work_pending(&self) -> bool {
        TLB.requested(self.id)
            || KICKED.contains(self.id)
            || tsc().wrapping_sub(self.exit_tsc) > self.budget
    }

    fn ack(&mut self, vector: u8) -> Interrupt {
        match vector {
            TIMER_VECTOR => {
                self.timer = None;
                self.exit_tsc = tsc();
                apic::eoi();
                Interrupt::Timer
            }
            KICK_VECTOR => {
                KICKED.clear(self.id);
                self.exit_tsc = tsc();
                apic::eoi();
                Interrupt::Kick
            }
            FLUSH_VECTOR => {
                let id = self.id;
                TLB.answer(id, |what| do_flush(id, what));
                apic::eoi();
                Interrupt::Flush
            }
            CONSOLE_VECTOR => {
                apic::eoi();
                Interrupt::Console
            }
            ERROR_VECTOR => {
                apic::eoi();
                Interrupt::Spurious
            }
            SPURIOUS_VECTOR => Interrupt::Spurious,
            _ => Interrupt::Device(vector),
        }
    }

    fn eoi(&mut self) {
        apic::eoi();
    }

    fn take_nmi(&mut self) -> bool {
        self.area().nmi.swap(0, Ordering::Relaxed) != 0
    }

    #[inline]
    fn flush_local(&mut self, what: Flush) {
        do_flush(self.id, what);
    }

    fn flush(&mut self, mask: &CpuMask, what: Flush) {
        flush_on(self.id, mask, what);
    }

    fn flush_since(&mut self, mask: &CpuMask, stamp: u32) {
        let need = TLB.need_flush(mask, stamp);
        self.flush(&need, Flush::All);
    }

    fn load_pv(&mut self, state: &PvState) {
        self.load_state(state);
    }

    fn save_pv(&mut self, state: &mut PvState) {
        self.save_state(state);
    }

    fn set_root(&mut self, root: &Page) -> bool {
        if !root.info().is_validated(PageType::L4) {
            return false;
        }
        // SAFETY: a validated L4 has the hypervisor's slots, so this code stays mapped.
        unsafe {
            asm!("mov cr3, {}", in(reg) root.mfn().addr(), options(nostack, preserves_flags));
        }
        if self.shadowed {
            self.set_shadow(root.mfn().addr());
        }
        true
    }

    #[inline]
    fn root_changed(&mut self, users: &AtomicCpuMask) {
        if xpti::on() {
            xpti::changed();
            self.flush(&users.load(), Flush::All);
        }
    }

    #[inline(always)]
    fn set_in_kernel(&mut self, kernel: bool) {
        shortcut::set_in_kernel(self.area_mut(), kernel);
    }

    #[inline(always)]
    fn in_kernel(&self, _was: bool) -> bool {
        shortcut::in_kernel(self.area())
    }

    #[inline]
    fn wants_shortcut(&self) -> bool {
        self.shortcuts && !shortcut::armed(self.area())
    }

    fn set_shortcut(&mut self, shortcut: Option<&Shortcut<'_>>) {
        let usable = shortcut.filter(|_| self.shortcuts);
        shortcut::set(self.area_mut(), usable);
    }

    fn unset_root(&mut self) {
        shortcut::set(self.area_mut(), None);
        let cr3 = HOST_CR3.load(Ordering::Relaxed);
        // SAFETY: the host's own tables.
        unsafe { asm!("mov cr3, {}", in(reg) cr3, options(nostack, preserves_flags)) };
        if xpti::on() {
            xpti::leave(self.id);
        }
        do_flush(self.id, Flush::All);
    }

    fn set_gdt_frame(&mut self, slot: usize, frame: Option<&Page>) {
        descriptors::set_gdt_frame(self.id, slot, frame);
    }

    fn set_ldt(&mut self, frames: &[Page], entries: u32) {
        descriptors::set_ldt(self.id, frames, entries);
    }

    #[inline(always)]
    fn swap_gs(&mut self) {
        // SAFETY: the host does not use GS.
        unsafe { asm!("swapgs", options(nomem, nostack, preserves_flags)) };
    }

    fn set_seg_base(&mut self, which: SegBase, base: u64) -> bool {
        if !canonical(base) {
            return false;
        }
        let msr = match which {
            SegBase::Fs => FS_BASE,
            SegBase::Gs => GS_BASE,
            SegBase::OtherGs => KERNEL_GS_BASE,
        };
        // SAFETY: canonical, and the host uses no segment base.
        unsafe { io::wrmsr(msr, base) };
        true
    }

    fn seg_base(&self, which: SegBase) -> u64 {
        io::rdmsr(match which {
            SegBase::Fs => FS_BASE,
            SegBase::Gs => GS_BASE,
            SegBase::OtherGs => KERNEL_GS_BASE,
        })
    }

    fn set_user_gs_selector(&mut self, sel: u16) {
        self.swap_gs();
        load_selector!("gs", sel);
        self.swap_gs();
    }

    fn data_selectors(&self) -> [u16; 4] {
        core::array::from_fn(read_selector)
    }

    fn clear_data_selectors(&mut self) {
        load_selector!("ds", 0u16);
        load_selector!("es", 0u16);
        load_selector!("fs", 0u16);
        load_selector!("gs", 0u16);
    }

    fn set_task_switched(&mut self, on: bool) {
        let cr0 = io::read_cr0();
        if (cr0 & 8 != 0) != on {
            // SAFETY: TS affects FPU instructions only, which the host uses after CLTS.
            unsafe { asm!("mov cr0, {}", in(reg) cr0 ^ 8, options(nostack, preserves_flags)) };
        }
    }

    fn set_tsc_trap(&mut self, on: bool) {
        if self.tsc_traps != on {
            self.tsc_traps = on;
            io::set_tsd(on);
        }
    }

    fn set_debug_reg(&mut self, index: usize, value: u64) {
        write_dr(index, value);
    }

    fn debug_reg(&self, index: usize) -> u64 {
        read_dr(index)
    }

    fn cr2(&self) -> u64 {
        io::read_cr2()
    }

    fn set_xcr0(&mut self, value: u64) -> bool {
        Cpu::has_xsave() && fpu::xsetbv(value)
    }

    fn xcr0(&self) -> u64 {
        if Cpu::has_xsave() { fpu::xgetbv() } else { 1 }
    }

    fn control_regs(&self) -> (u64, u64) {
        (io::read_cr0(), io::read_cr4())
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let (a, b, c, d) = io::cpuid(leaf, subleaf);
        [a, b, c, d]
    }

    fn rdmsr(&self, msr: u32) -> Option<u64> {
        regs::rdmsr(msr)
    }

    fn wrmsr(&mut self, msr: u32, value: u64) -> bool {
        regs::wrmsr(msr, value)
    }

    fn port_in(&mut self, port: u16, bytes: u8) -> u32 {
        io::port_in(port, bytes)
    }

    fn port_out(&mut self, port: u16, bytes: u8, value: u32) {
        io::port_out(port, bytes, value);
    }

    fn wbinvd(&mut self) {
        // SAFETY: writes caches back.
        unsafe { asm!("wbinvd", options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn get_guest<T: FromBytes + IntoBytes>(&mut self, va: u64) -> Result<T, Fault> {
        let mut value = T::new_zeroed();
        usercopy::read_value(&self.reach, va, value.as_mut_bytes())?;
        Ok(value)
    }

    #[inline(always)]
    fn put_guest<T: IntoBytes + Immutable>(&mut self, va: u64, value: &T) -> Result<(), Fault> {
        usercopy::write_value(&self.reach, va, value.as_bytes())
    }

    #[inline]
    fn read_guest(&mut self, va: u64, buf: &mut [u8]) -> Result<(), Fault> {
        usercopy::read(&self.reach, va, buf)
    }

    #[inline]
    fn write_guest(&mut self, va: u64, buf: &[u8]) -> Result<(), Fault> {
        usercopy::write(&self.reach, va, buf)
    }
}
