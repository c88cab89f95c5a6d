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
    pub(crate) fn low(gpr: Gpr, size: Size) -> Self {
        Self {
            gpr,
            size,
            high: false,
        }
    }

    /// The part that the decoder means; `None` for registers that are not general.
    pub(crate) fn new(register: Register) -> Option<Self> {
        use Register as R;
        let number = register as usize;
        let within = |first: Register, last: Register| {
            (first as usize..=last as usize)
                .contains(&number)
                .then(|| number - first as usize)
        };
        let low = |number, size| Gpr::new(number).map(|gpr| Self::low(gpr, size));
        if let Some(n) = within(R::RAX, R::R15) {
            low(n, Size::B8)
        } else if let Some(n) = within(R::EAX, R::R15D) {
            low(n, Size::B4)
        } else if let Some(n) = within(R::AX, R::R15W) {
            low(n, Size::B2)
        } else if let Some(n) = within(R::AL, R::BL) {
            low(n, Size::B1)
        } else if let Some(n) = within(R::AH, R::BH) {
            Gpr::new(n).map(|gpr| Self {
                gpr,
                size: Size::B1,
                high: true,
            })
        } else {
            // SPL, BPL, SIL, DIL, R8L and up follow the high bytes.
            within(R::SPL, R::R15L).and_then(|n| low(n + 4, Size::B1))
        }
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
