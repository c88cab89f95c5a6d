//! Hardware-virtualised guests: what a virtual CPU holds, how it is entered, how it exits.
//!
//! The processor's own format (AMD's VMCB, Intel's VMCS) is behind [`HvmState`], which each
//! machine implements with [`HvmApi`]; the policy sees registers, segments and events. General
//! registers of the loaded vCPU are [`crate::CpuApi::regs`], as a PV vCPU's are.

use crate::cpu::CpuApi;

pub use crate::arch::imp::HvmState;

/// Why a hardware-virtualised guest was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HvmExit {
    /// An interrupt of the host, not yet acknowledged.
    Interrupt(u8),
    /// VMMCALL, or VMCALL on Intel's.
    Hypercall,
    /// CPUID.
    Cpuid,
    /// RDMSR, or WRMSR.
    Msr {
        /// It writes.
        write: bool,
    },
    /// IN or OUT, one access, between the port and RAX.
    Port {
        /// First port.
        port: u16,
        /// 1, 2 or 4.
        bytes: u8,
        /// It is OUT.
        write: bool,
        /// The next instruction.
        next: u64,
    },
    /// HLT.
    Halt,
    /// The instruction at RIP is to be emulated: control and debug registers, string I/O,
    /// cache control, XSETBV, RDTSC where that was asked for.
    Privileged,
    /// An instruction that the guest has not: #UD.
    Undefined,
    /// An instruction that the guest may not execute: #GP.
    Protection,
    /// An access that the nested tables do not allow.
    Nested {
        /// Guest-physical address.
        gpa: u64,
        /// It writes.
        write: bool,
        /// It fetches an instruction.
        exec: bool,
        /// It was the processor's walk of the guest's own tables, not the instruction's access.
        walk: bool,
    },
    /// An exception that is watched for; its error code is in the registers.
    Exception(u8),
    /// The guest can take an interrupt now, as was asked for.
    Window,
    /// An NMI of the host: it is noted, see [`CpuApi::take_nmi`].
    Nmi,
    /// A triple fault.
    Shutdown,
    /// Not a state that the processor enters, or an exit nobody asked for: its number.
    Invalid(u64),
}

/// A register that is not among the general ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reg {
    Cr0,
    Cr2,
    Cr3,
    Cr4,
    Efer,
    Pat,
    Dr6,
    Dr7,
    FsBase,
    GsBase,
    KernelGsBase,
    Star,
    Lstar,
    Cstar,
    Sfmask,
    SysenterCs,
    SysenterEsp,
    SysenterEip,
    /// What RDTSCP returns beside the counter, and RDPID alone: 32 bits. Only where the processor
    /// has one of them.
    TscAux,
    /// Added to the TSC as the guest reads it.
    TscOffset,
}

impl Reg {
    /// Those that may be newer in the processor than in the state while it is loaded, until
    /// [`HvmApi::sync`].
    pub fn is_lazy(self) -> bool {
        use Reg::*;
        matches!(
            self,
            FsBase
                | GsBase
                | KernelGsBase
                | Star
                | Lstar
                | Cstar
                | Sfmask
                | SysenterCs
                | SysenterEsp
                | SysenterEip
        )
    }
}

/// A segment register or descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Seg {
    Es,
    Cs,
    Ss,
    Ds,
    Fs,
    Gs,
    Gdtr,
    Ldtr,
    Idtr,
    Tr,
}

/// What a segment register holds, the hidden part included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Selector.
    pub selector: u16,
    /// Type in bits 0 to 3, then S, DPL (2), P, AVL, L, D/B, G: as in the VMCB.
    pub attributes: u16,
    /// Last offset, in bytes.
    pub limit: u32,
    /// Linear base.
    pub base: u64,
}

impl Segment {
    /// Present.
    pub const P: u16 = 1 << 7;
    /// 64-bit code.
    pub const L: u16 = 1 << 9;
    /// 32-bit code or stack.
    pub const DB: u16 = 1 << 10;
}

/// What an event to inject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An external interrupt.
    Interrupt,
    /// A non-maskable interrupt.
    Nmi,
    /// An exception.
    Exception,
    /// A software interrupt.
    Software,
}

/// An event to inject at the next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is.
    pub kind: EventKind,
    /// Its vector.
    pub vector: u8,
    /// Its error code, if it has one.
    pub error: Option<u32>,
}

impl Event {
    /// An exception.
    pub const fn exception(vector: u8, error: Option<u32>) -> Event {
        Event {
            kind: EventKind::Exception,
            vector,
            error,
        }
    }

    /// An external interrupt.
    pub const fn interrupt(vector: u8) -> Event {
        Event {
            kind: EventKind::Interrupt,
            vector,
            error: None,
        }
    }
}

/// Access to a vCPU's state.
pub trait HvmApi {
    /// Reads a register; see [`Reg::is_lazy`].
    fn get(&self, reg: Reg) -> u64;
    /// Sets a register. The policy has checked the value.
    fn set(&mut self, reg: Reg, value: u64);
    /// Reads a segment register; FS, GS, LDTR and TR as lazily as [`Reg::is_lazy`] ones.
    fn segment(&self, seg: Seg) -> Segment;
    /// Sets a segment register.
    fn set_segment(&mut self, seg: Seg, value: Segment);
    /// Brings what only the processor knows into the state, if it is loaded on this CPU.
    fn sync(&mut self);
    /// The guest's privilege level.
    fn cpl(&self) -> u8;
    /// The event that the next entry injects.
    fn event(&self) -> Option<Event>;
    /// Sets the event that the next entry injects.
    fn set_event(&mut self, event: Option<Event>);
    /// Whether the instruction before holds interrupts off (STI, MOV SS).
    fn shadow(&self) -> bool;
    /// Ends that, after an instruction was emulated.
    fn clear_shadow(&mut self);
    /// Asks for [`HvmExit::Window`], or does not any more.
    fn set_window(&mut self, on: bool);
    /// Makes RDTSC an exit, or does not any more.
    fn set_tsc_trap(&mut self, on: bool);
    /// The next instruction, where the processor said so at the last exit.
    fn next_rip(&self) -> Option<u64>;
    /// Drops the translations of this vCPU before it is entered again: the policy changed what
    /// its own page tables mean.
    fn flush(&mut self);
    /// DR0 to DR3.
    fn debug_addr(&mut self) -> &mut [u64; 4];
}

/// What a CPU does with hardware-virtualised guests. The one that is loaded is given each time.
pub trait HvmCpu: CpuApi {
    /// Whether the processor and the firmware let guests be virtualised, with nested paging.
    fn has_hvm(&self) -> bool;
    /// Brings a vCPU into the processor.
    fn load_hvm(&mut self, state: &mut HvmState);
    /// Takes it out.
    fn save_hvm(&mut self, state: &mut HvmState);
    /// Runs the loaded guest until its next exit.
    fn enter_hvm(&mut self, state: &mut HvmState) -> HvmExit;
}
