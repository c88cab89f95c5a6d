//! General registers and their parts.

use crate::{Cpu, Size};
use iced_x86::Register;

/// A general register, numbered as instructions encode it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum Gpr {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

impl Gpr {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Rax,
        Self::Rcx,
        Self::Rdx,
        Self::Rbx,
        Self::Rsp,
        Self::Rbp,
        Self::Rsi,
        Self::Rdi,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
    ];

    /// The register with a number from 0 to 15.
    #[must_use]
    pub fn new(number: usize) -> Option<Self> {
        Self::ALL.get(number).copied()
    }
}

/// A general register or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    gpr: Gpr,
    /// Width of the part.
    pub size: Size,
    /// The part is the second byte: AH, CH, DH or BH.
    high: bool,
}

impl Part {
    /// The low part of `gpr`.
    pub(crate) const fn low(gpr: Gpr, size: Size) -> Self {
        Self {
            gpr,
            size,
            high: false,
        }
    }

    /// The part that the decoder means; `None` for registers that are not general.
    pub(crate) fn new(register: Register) -> Option<Self> {
        *PARTS.get(register as usize)?
    }

    /// The part's value.
    pub(crate) fn get(self, cpu: &impl Cpu) -> u64 {
        let whole = cpu.gpr(self.gpr);
        (if self.high { whole >> 8 } else { whole }) & self.size.mask()
    }

    /// Sets the part: 32 bits clear the upper half, fewer leave the rest alone.
    pub(crate) fn set(self, cpu: &mut impl Cpu, value: u64) {
        let value = value & self.size.mask();
        let whole = match self.size {
            Size::B8 | Size::B4 => value,
            _ => {
                let shift = if self.high { 8 } else { 0 };
                cpu.gpr(self.gpr) & !(self.size.mask() << shift) | value << shift
            }
        };
        cpu.set_gpr(self.gpr, whole);
    }
}

/// The parts by the decoder's numbers, which begin with the general registers from the narrowest
/// to the widest. A table, since every operand is looked up in it.
static PARTS: [Option<Part>; Register::R15 as usize + 1] = {
    let mut parts = [None; Register::R15 as usize + 1];
    let mut n = 0;
    while n < Gpr::ALL.len() {
        let gpr = Gpr::ALL[n];
        parts[Register::AX as usize + n] = Some(Part::low(gpr, Size::B2));
        parts[Register::EAX as usize + n] = Some(Part::low(gpr, Size::B4));
        parts[Register::RAX as usize + n] = Some(Part::low(gpr, Size::B8));
        if n < 4 {
            parts[Register::AL as usize + n] = Some(Part::low(gpr, Size::B1));
            let high = Part {
                gpr,
                size: Size::B1,
                high: true,
            };
            parts[Register::AH as usize + n] = Some(high);
        } else {
            // SPL, BPL, SIL, DIL, R8L and up follow the high bytes.
            parts[Register::SPL as usize + n - 4] = Some(Part::low(gpr, Size::B1));
        }
        n += 1;
    }
    parts
};
