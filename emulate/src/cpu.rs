//! The virtual CPU that instructions are executed on.

use crate::{Gpr, Result, Trap};

/// The width of the code being executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// 16-bit protected mode.
    B16,
    /// 32-bit protected or compatibility mode.
    B32,
    /// 64-bit mode.
    B64,
}

/// The width of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// One byte.
    B1,
    /// Two bytes.
    B2,
    /// Four bytes.
    B4,
    /// Eight bytes.
    B8,
}

impl Size {
    /// The width in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::B1 => 1,
            Self::B2 => 2,
            Self::B4 => 4,
            Self::B8 => 8,
        }
    }

    /// The width in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::B1 => 8,
            Self::B2 => 16,
            Self::B4 => 32,
            Self::B8 => 64,
        }
    }

    /// The bits that a value of this width can have.
    #[must_use]
    pub const fn mask(self) -> u64 {
        match self {
            Self::B1 => 0xff,
            Self::B2 => 0xffff,
            Self::B4 => 0xffff_ffff,
            Self::B8 => u64::MAX,
        }
    }
}

/// The segment registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SegmentName {
    Es,
    Cs,
    Ss,
    Ds,
    Fs,
    Gs,
}

/// What a segment register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Linear address of offset 0.
    pub base: u64,
    /// The last offset; for an expand-down segment, the last one that is outside.
    pub limit: u32,
    /// Data may be read.
    pub readable: bool,
    /// Data may be written.
    pub writable: bool,
    /// The valid offsets lie above the limit.
    pub expand_down: bool,
    /// Offsets have 32 bits: the upper bound of an expand-down segment.
    pub big: bool,
}

/// Registers and memory. Addresses are linear; errors are traps for the guest.
pub trait Cpu {
    /// The width of the code at the instruction pointer.
    fn bits(&self) -> Bits;
    /// A general register, all 64 bits.
    fn gpr(&self, gpr: Gpr) -> u64;
    /// Sets a general register, all 64 bits.
    fn set_gpr(&mut self, gpr: Gpr, value: u64);
    /// The instruction pointer.
    fn rip(&self) -> u64;
    /// Sets the instruction pointer.
    fn set_rip(&mut self, rip: u64);
    /// The flags.
    fn rflags(&self) -> u64;
    /// Sets the flags; only arithmetic flags and RF ever differ from [`Cpu::rflags`].
    fn set_rflags(&mut self, rflags: u64);

    /// A segment. In 64-bit mode only the bases of FS and GS are asked for.
    ///
    /// # Errors
    /// The trap that using the segment causes.
    fn segment(&mut self, name: SegmentName) -> Result<Segment>;

    /// Fetches code; the bytes lie within one page.
    ///
    /// # Errors
    /// The page fault.
    fn fetch(&mut self, address: u64, code: &mut [u8]) -> Result<()>;

    /// Where the last instruction that was decoded is kept, if it is.
    fn last(&mut self) -> Option<&mut crate::Decoded> {
        None
    }

    /// Reads memory; the value may lie across two pages.
    ///
    /// # Errors
    /// The page fault.
    fn read(&mut self, address: u64, size: Size) -> Result<u64>;

    /// Reads memory that the same instruction is going to write.
    ///
    /// # Errors
    /// The page fault that the write would cause.
    fn read_to_write(&mut self, address: u64, size: Size) -> Result<u64> {
        self.read(address, size).map_err(Trap::of_write)
    }

    /// Writes memory.
    ///
    /// # Errors
    /// The page fault.
    fn write(&mut self, address: u64, size: Size, value: u64) -> Result<()>;

    /// Writes `new` if memory holds `old`, in one step; returns what memory held.
    ///
    /// # Errors
    /// The page fault.
    fn compare_exchange(&mut self, address: u64, size: Size, old: u64, new: u64) -> Result<u64>;
}

/// What privileged instructions act on. An instruction that the guest may not execute is a
/// general protection trap from the method.
pub trait Privileged: Cpu {
    /// The guest is in what it takes for ring 0. Otherwise only the port instructions, CLI, STI,
    /// CPUID, RDTSC, RDTSCP, XGETBV and SMSW are tried.
    fn is_kernel(&self) -> bool;

    /// Reads control register `index`.
    ///
    /// # Errors
    /// The trap to deliver.
    fn read_cr(&mut self, index: u8) -> Result<u64>;

    /// Writes control register `index`.
    ///
    /// # Errors
    /// The trap to deliver.
    fn write_cr(&mut self, index: u8, value: u64) -> Result<()>;

    /// Reads debug register `index`; 4 and 5 are passed on as they are.
    ///
    /// # Errors
    /// The trap to deliver.
    fn read_dr(&mut self, index: u8) -> Result<u64>;

    /// Writes debug register `index`.
    ///
    /// # Errors
    /// The trap to deliver.
    fn write_dr(&mut self, index: u8, value: u64) -> Result<()>;

    /// Reads a model-specific register.
    ///
    /// # Errors
    /// The trap to deliver.
    fn read_msr(&mut self, index: u32) -> Result<u64>;

    /// Writes a model-specific register.
    ///
    /// # Errors
    /// The trap to deliver.
    fn write_msr(&mut self, index: u32, value: u64) -> Result<()>;

    /// EAX, EBX, ECX, EDX of a CPUID leaf.
    ///
    /// # Errors
    /// The trap to deliver, when CPUID faulting is on.
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> Result<[u32; 4]>;

    /// The time-stamp counter.
    ///
    /// # Errors
    /// The trap to deliver, when CR4.TSD is on.
    fn read_tsc(&mut self) -> Result<u64>;

    /// The value that RDTSCP returns in ECX.
    ///
    /// # Errors
    /// The trap to deliver.
    fn read_tsc_aux(&mut self) -> Result<u32>;

    /// Reads an extended control register.
    ///
    /// # Errors
    /// The trap to deliver.
    fn read_xcr(&mut self, index: u32) -> Result<u64>;

    /// Writes an extended control register.
    ///
    /// # Errors
    /// The trap to deliver.
    fn write_xcr(&mut self, index: u32, value: u64) -> Result<()>;

    /// Whether a string instruction may use an I/O port, which it has to know before it looks at
    /// memory or at its count.
    ///
    /// # Errors
    /// General protection if the guest may not.
    fn check_port(&mut self, port: u16, size: Size) -> Result<()>;

    /// Reads an I/O port; the width is at most four bytes.
    ///
    /// # Errors
    /// General protection if the guest may not use the ports.
    fn port_in(&mut self, port: u16, size: Size) -> Result<u32>;

    /// Writes an I/O port.
    ///
    /// # Errors
    /// General protection if the guest may not use the ports.
    fn port_out(&mut self, port: u16, size: Size, value: u32) -> Result<()>;

    /// CLI or STI, which for a PV guest have no effect when its I/O privilege allows them.
    ///
    /// # Errors
    /// General protection if it does not.
    fn set_interrupt_flag(&mut self, on: bool) -> Result<()>;

    /// WBINVD, WBNOINVD (with `invalidate` false) or INVD, which must not lose data.
    ///
    /// # Errors
    /// The trap to deliver.
    fn flush_caches(&mut self, invalidate: bool) -> Result<()>;
}
