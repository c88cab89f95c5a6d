//! What a physical CPU offers to the policy: entering a guest, time, interrupts, flushes, and
//! careful access to guests' memory. Each machine implements [`CpuApi`] for its `Cpu`.

use crate::cpumask::{AtomicCpuMask, CpuMask};
use crate::frame::Page;
use crate::pv::PvState;
use crate::regs::GuestRegs;
use crate::tlb::Flush;
use zerocopy::{FromBytes, IntoBytes};

/// Why a guest was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// SYSCALL instruction: a hypercall from the guest's kernel, a system call from its users.
    Syscall,
    /// SYSCALL from 32-bit code.
    Syscall32,
    /// SYSENTER; where the guest was is not known.
    Sysenter,
    /// The guest's own frame could not be returned to.
    IretFault,
    /// An exception in the guest; the error code is in the registers.
    Exception(u8),
    /// An interrupt of the host, not yet acknowledged.
    Interrupt(u8),
}

/// An interrupt of the host, acknowledged as far as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The CPU's own timer.
    Timer,
    /// Another CPU asked this one to look at its work.
    Kick,
    /// A TLB flush was asked for, and done.
    Flush,
    /// The console's serial line has input or room.
    Console,
    /// A device; needs [`CpuApi::eoi`] after its line has been dealt with.
    Device(u8),
    /// Nothing.
    Spurious,
}

/// A guest's address could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first address that failed, or the start of the access.
    pub addr: u64,
}

/// Segment registers and bases that PV guests set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegBase {
    /// FS base.
    Fs,
    /// GS base in use now.
    Gs,
    /// GS base that SWAPGS would bring in: the user's while the guest's kernel runs.
    OtherGs,
}

/// What the machine needs to serve, by itself and in the policy's place, a system call of the
/// loaded guest's users (a frame on the kernel's stack, events masked) and the kernel's `iret`.
/// It may always leave either to the policy.
#[derive(Debug)]
pub struct Shortcut<'a> {
    /// Root table of the kernel.
    pub kernel_root: Option<&'a Page>,
    /// Root table of the users.
    pub user_root: Option<&'a Page>,
    /// The kernel's stack pointer for entries from its users.
    pub kernel_sp: u64,
    /// The kernel's 64-bit handler of system calls, which wants events masked; `None` when it
    /// has none of this kind.
    pub syscall: Option<u64>,
    /// Bits that RFLAGS gets in the kernel's frames (its I/O privilege level).
    pub flags: u64,
    /// The frame that `vcpu_info` is in, and where: its first byte is "an event is pending", its
    /// second "events are masked".
    pub info: (&'a Page, usize),
}

/// A physical CPU, as its own code sees it. Never shared between CPUs.
pub trait CpuApi {
    /// Its number, from 0.
    fn id(&self) -> u32;
    /// The loaded guest's registers.
    fn regs(&self) -> &GuestRegs;
    /// The loaded guest's registers, to change.
    fn regs_mut(&mut self) -> &mut GuestRegs;
    /// Runs the loaded guest until its next exit.
    fn enter(&mut self) -> Exit;
    /// Waits for an interrupt with no guest loaded; `None` when woken by none.
    fn idle(&mut self) -> Option<u8>;

    /// Nanoseconds since boot; never goes back, the same on all CPUs.
    fn now(&self) -> u64;
    /// The time stamp counter.
    fn tsc(&self) -> u64;
    /// The TSC's scale in the form of Xen's `vcpu_time_info`: (multiplier, shift, kHz).
    fn tsc_scale(&self) -> (u32, i8, u64);
    /// The time stamp counter's value at nanosecond 0: [`CpuApi::now`] is the scaled difference.
    fn tsc_start(&self) -> u64 {
        0
    }
    /// Arms the timer interrupt for `deadline` (nanoseconds since boot) or disarms it.
    fn set_timer(&mut self, deadline: Option<u64>);

    /// Interrupts another CPU so that it looks at its work.
    fn kick(&self, cpu: u32);
    /// Whether a long operation should stop: an interrupt, kick or flush waits, or the time
    /// since the last exit is long.
    fn work_pending(&self) -> bool;
    /// Acknowledges the interrupt of an [`Exit::Interrupt`] and says what it is.
    fn ack(&mut self, vector: u8) -> Interrupt;
    /// Ends a device's interrupt.
    fn eoi(&mut self);
    /// Whether an NMI came since the last call.
    fn take_nmi(&mut self) -> bool;

    /// Flushes this CPU's TLB.
    fn flush_local(&mut self, what: Flush);
    /// Flushes the TLBs of `mask`, this CPU's among them if it is in it, and waits.
    fn flush(&mut self, mask: &CpuMask, what: Flush);
    /// Flushes those CPUs of `mask` that have not flushed since the TLB clock stood at `stamp`.
    fn flush_since(&mut self, mask: &CpuMask, stamp: u32);

    /// Brings a PV guest's state into the processor. Its root table is set apart, by
    /// [`CpuApi::set_root`].
    fn load_pv(&mut self, state: &PvState);
    /// Takes a PV guest's state out of the processor.
    fn save_pv(&mut self, state: &mut PvState);
    /// Makes `root` the page table in use. `false`, and nothing done, unless it is a
    /// validated L4.
    fn set_root(&mut self, root: &Page) -> bool;
    /// An entry of a validated L4 was changed, and CPUs of `users` may be running on it: they
    /// take the change over, with a full flush, where they run on copies of it (XPTI). Called
    /// before what the entry named is given up.
    fn root_changed(&mut self, _users: &AtomicCpuMask) {}
    /// Tells the machine whether the loaded guest's kernel runs, or its users.
    fn set_in_kernel(&mut self, _kernel: bool) {}
    /// Whether the kernel runs: `was`, if nothing happened since the last entry that the policy
    /// does not know of (see [`Shortcut`]).
    fn in_kernel(&self, was: bool) -> bool {
        was
    }
    /// Whether a [`Shortcut`] would be of use, and none is set.
    fn wants_shortcut(&self) -> bool {
        false
    }
    /// Sets a shortcut or takes it away. It goes by itself when the guest is loaded or its
    /// tables are left; until then, whoever changes what it names sets another or none.
    fn set_shortcut(&mut self, _shortcut: Option<&Shortcut<'_>>) {}
    /// Leaves the guest's page tables for the host's own.
    fn unset_root(&mut self);
    /// Maps a descriptor frame at page `slot` (0 to 13) of the GDT.
    fn set_gdt_frame(&mut self, slot: usize, frame: Option<&Page>);
    /// Maps the frames of an LDT of `entries` descriptors, or none.
    fn set_ldt(&mut self, frames: &[Page], entries: u32);
    /// Exchanges the two GS bases, as between a guest's kernel and its users.
    fn swap_gs(&mut self);
    /// Sets a segment base; `false` when the address is not canonical.
    fn set_seg_base(&mut self, which: SegBase, base: u64) -> bool;
    /// Reads a segment base.
    fn seg_base(&self, which: SegBase) -> u64;
    /// Loads GS with a selector for the users (between two SWAPGS).
    fn set_user_gs_selector(&mut self, sel: u16);
    /// Selectors in DS, ES, FS, GS.
    fn data_selectors(&self) -> [u16; 4];
    /// Loads DS, ES, FS and GS with the null selector.
    fn clear_data_selectors(&mut self);
    /// Whether the next FPU instruction shall trap.
    fn set_task_switched(&mut self, on: bool);
    /// Whether RDTSC in the guest shall fault (#GP).
    fn set_tsc_trap(&mut self, on: bool);
    /// Sets a debug register whose value the policy has checked.
    fn set_debug_reg(&mut self, index: usize, value: u64);
    /// Reads a debug register.
    fn debug_reg(&self, index: usize) -> u64;
    /// Faulting address of the last page fault.
    fn cr2(&self) -> u64;
    /// Sets the extended control register 0; `false` when the processor refuses.
    fn set_xcr0(&mut self, value: u64) -> bool;
    /// Reads the extended control register 0.
    fn xcr0(&self) -> u64;
    /// CR0 and CR4 as they are in the processor.
    fn control_regs(&self) -> (u64, u64);
    /// The CPUID instruction.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];
    /// Reads a model-specific register; `None` when there is none.
    fn rdmsr(&self, msr: u32) -> Option<u64>;
    /// Writes a model-specific register that the policy lets its caller write.
    fn wrmsr(&mut self, msr: u32, value: u64) -> bool;
    /// Reads 1, 2 or 4 bytes of an I/O port.
    fn port_in(&mut self, port: u16, bytes: u8) -> u32;
    /// Writes 1, 2 or 4 bytes to an I/O port.
    fn port_out(&mut self, port: u16, bytes: u8, value: u32);
    /// Writes back and invalidates the caches.
    fn wbinvd(&mut self);

    /// Copies from the guest's virtual memory, with the guest's own rights.
    fn read_guest(&mut self, va: u64, buf: &mut [u8]) -> Result<(), Fault>;
    /// Copies to the guest's virtual memory, with the guest's own rights.
    fn write_guest(&mut self, va: u64, buf: &[u8]) -> Result<(), Fault>;

    /// Reads a value of plain data.
    #[inline]
    fn get_guest<T: FromBytes + IntoBytes>(&mut self, va: u64) -> Result<T, Fault> {
        let mut value = T::new_zeroed();
        self.read_guest(va, value.as_mut_bytes())?;
        Ok(value)
    }

    /// Writes a value of plain data.
    #[inline]
    fn put_guest<T: IntoBytes + zerocopy::Immutable>(
        &mut self,
        va: u64,
        value: &T,
    ) -> Result<(), Fault> {
        self.write_guest(va, value.as_bytes())
    }
}

/// Whether a PV guest may name this address at all: it lies outside the hypervisor's slots.
#[inline]
pub fn guest_va_ok(va: u64, len: usize) -> bool {
    const LOW_END: u64 = 0x0000_8000_0000_0000;
    const HIGH_START: u64 = 0xffff_8800_0000_0000;
    match va.checked_add(len as u64) {
        Some(end) => end <= LOW_END || va >= HIGH_START,
        // The last byte of the address space may be named.
        None => va >= HIGH_START && va.wrapping_add(len as u64) == 0,
    }
}
