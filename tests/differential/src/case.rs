//! One instruction with the registers that it is executed with.

use crate::layout::{self, CODE, FLAT};
use libc::user_regs_struct;
use x86_emulate::{Bits, Gpr, SegmentName};

/// CF, PF, AF, ZF, SF, DF and OF: the flags that instructions here read and change.
pub const FLAGS: u64 = 0xcd5;
/// Trap flag.
pub const TF: u64 = 1 << 8;
/// Interrupt flag, which a process always has.
const IF: u64 = 1 << 9;

/// The longest instruction, in bytes.
pub const LONGEST: usize = 15;

/// An instruction and its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Width of the code.
    pub bits: Bits,
    /// The instruction's bytes.
    pub code: Vec<u8>,
    /// Its linear address.
    pub at: u64,
    /// General registers, numbered as instructions do.
    pub gprs: [u64; 16],
    /// Of the flags, those in [`FLAGS`].
    pub flags: u64,
    /// Selectors, in the order of [`SegmentName`].
    pub selectors: [u16; 6],
    /// Bases of FS and GS in 64-bit code.
    pub bases: [u64; 2],
}

impl Case {
    /// A NOP in 64-bit code.
    pub fn new(bits: Bits) -> Case {
        let cs = match bits {
            Bits::B64 => layout::CODE64,
            Bits::B32 => layout::CODE32,
            Bits::B16 => layout::local(0),
        };
        Case {
            bits,
            code: vec![0x90],
            at: CODE,
            gprs: [0; 16],
            flags: 0,
            selectors: [FLAT, cs, FLAT, FLAT, 0, 0],
            bases: [0; 2],
        }
    }

    /// The selector of a segment.
    pub fn selector(&self, name: SegmentName) -> u16 {
        self.selectors[name as usize]
    }

    /// The linear address of offset 0 of a segment.
    pub fn base(&self, name: SegmentName) -> u64 {
        match (self.bits, name) {
            (Bits::B64, SegmentName::Fs) => self.bases[0],
            (Bits::B64, SegmentName::Gs) => self.bases[1],
            (Bits::B64, _) => 0,
            _ => layout::segment(self.selector(name)).map_or(0, |segment| segment.base),
        }
    }

    /// The instruction pointer.
    pub fn rip(&self) -> u64 {
        self.at - self.base(SegmentName::Cs)
    }

    /// The registers as the processor gets them.
    pub fn native(&self, plain: &user_regs_struct) -> user_regs_struct {
        let [es, cs, ss, ds, fs, gs] = self.selectors.map(u64::from);
        let g = |gpr: Gpr| self.gprs[gpr as usize];
        // A loaded selector brings its base.
        let base = |name| self.base(name);
        user_regs_struct {
            r15: g(Gpr::R15),
            r14: g(Gpr::R14),
            r13: g(Gpr::R13),
            r12: g(Gpr::R12),
            rbp: g(Gpr::Rbp),
            rbx: g(Gpr::Rbx),
            r11: g(Gpr::R11),
            r10: g(Gpr::R10),
            r9: g(Gpr::R9),
            r8: g(Gpr::R8),
            rax: g(Gpr::Rax),
            rcx: g(Gpr::Rcx),
            rdx: g(Gpr::Rdx),
            rsi: g(Gpr::Rsi),
            rdi: g(Gpr::Rdi),
            orig_rax: plain.orig_rax,
            rip: self.rip(),
            cs,
            eflags: self.flags | IF | 2,
            rsp: g(Gpr::Rsp),
            ss,
            fs_base: base(SegmentName::Fs),
            gs_base: base(SegmentName::Gs),
            ds,
            es,
            fs,
            gs,
        }
    }
}

/// The general registers of the processor, numbered as instructions do.
pub fn gprs(regs: &user_regs_struct) -> [u64; 16] {
    [
        regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi, regs.r8,
        regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ]
}
