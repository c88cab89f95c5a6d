//! What ends every instruction: the next instruction pointer, RF, and the trap flag.

use crate::{Bits, Cpu, Outcome};
use iced_x86::Instruction;

pub(crate) const TF: u64 = 1 << 8;
pub(crate) const DF: u64 = 1 << 10;
pub(crate) const RF: u64 = 1 << 16;

/// Moves past `instruction`.
pub(crate) fn retire(cpu: &mut impl Cpu, instruction: &Instruction) -> Outcome {
    let next = match cpu.bits() {
        Bits::B64 => instruction.next_ip(),
        Bits::B32 => instruction.next_ip() & u64::from(u32::MAX),
        Bits::B16 => instruction.next_ip() & u64::from(u16::MAX),
    };
    cpu.set_rip(next);
    pause(cpu)
}

/// Ends without moving: the instruction, or the rest of it, is to be met again.
pub(crate) fn pause(cpu: &mut impl Cpu) -> Outcome {
    let flags = cpu.rflags();
    if flags & RF != 0 {
        cpu.set_rflags(flags & !RF);
    }
    Outcome::Done {
        single_step: flags & TF != 0,
    }
}
