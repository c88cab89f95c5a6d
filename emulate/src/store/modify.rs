//! Arithmetic and logic with a destination in memory.

use super::{finish, replace};
use crate::address::{self, Use};
use crate::alu::{self, CF};
use crate::operand::value;
use crate::string::UNHANDLED;
use crate::{Cpu, Result, Size};
use iced_x86::{Instruction, Mnemonic};

/// From the flags, the width, the destination and the source: the result and the new flags.
pub(super) type Operation = fn(u64, Size, u64, u64) -> (u64, u64);

/// What a mnemonic computes; `None` for other instructions.
pub(super) fn operation(mnemonic: Mnemonic) -> Option<Operation> {
    Some(match mnemonic {
        Mnemonic::Add => |f, size, a, b| alu::add(f, size, a, b, false),
        Mnemonic::Adc => |f, size, a, b| alu::add(f, size, a, b, f & CF != 0),
        Mnemonic::Sub => |f, size, a, b| alu::sub(f, size, a, b, false),
        Mnemonic::Sbb => |f, size, a, b| alu::sub(f, size, a, b, f & CF != 0),
        Mnemonic::And => |f, size, a, b| alu::logic(f, size, a & b),
        Mnemonic::Or => |f, size, a, b| alu::logic(f, size, a | b),
        Mnemonic::Xor => |f, size, a, b| alu::logic(f, size, a ^ b),
        Mnemonic::Inc => |f, size, a, _| alu::inc(f, size, a),
        Mnemonic::Dec => |f, size, a, _| alu::dec(f, size, a),
        Mnemonic::Neg => |f, size, a, _| alu::sub(f, size, 0, a, false),
        Mnemonic::Not => |f, size, a, _| (!a & size.mask(), f),
        _ => return None,
    })
}

/// Applies `operation` to the memory operand and the other one, if there is another.
pub(super) fn modify(
    cpu: &mut impl Cpu,
    instruction: &Instruction,
    operation: Operation,
) -> Result {
    let source = match instruction.op_count() {
        1 => 0,
        _ => match value(cpu, instruction, 1) {
            Some(value) => value,
            None => return UNHANDLED,
        },
    };
    let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
        return UNHANDLED;
    };
    let source = source & size.mask();
    let flags = cpu.rflags();
    let old = replace(cpu, at, size, |old| operation(flags, size, old, source).0)?;
    finish(
        cpu,
        instruction,
        old.map(|old| operation(flags, size, old, source).1),
    )
}
