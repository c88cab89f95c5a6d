//! BTS, BTR, BTC on memory.

use super::{finish, replace};
use crate::address::{self, Use, linear, segment, truncate, width};
use crate::alu::{self, CF};
use crate::operand::{register, value};
use crate::register::Part;
use crate::string::UNHANDLED;
use crate::{Cpu, Result};
use iced_x86::{Instruction, Mnemonic};

/// Sets, clears or flips one bit and puts what it was into CF.
pub(super) fn bit(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(number) = value(cpu, instruction, 1) else {
        return UNHANDLED;
    };
    let Some(size) = address::size(instruction) else {
        return UNHANDLED;
    };
    let mut offset = address::offset(cpu, instruction);
    // A number in a register reaches beyond the operand, in both directions.
    if let Some(part) = register(instruction, 1) {
        let units = signed(number, part) >> size.bits().trailing_zeros();
        let bytes = units.wrapping_mul(i64::try_from(size.bytes()).unwrap_or(0));
        offset = truncate(offset.wrapping_add_signed(bytes), width(instruction));
    }
    let mask = 1u64 << (number & u64::from(size.bits() - 1));
    let name = segment(cpu, instruction);
    let at = linear(cpu, name, offset, size, Use::Write)?;
    let mnemonic = instruction.mnemonic();
    let old = replace(cpu, at, size, |old| match mnemonic {
        Mnemonic::Bts => old | mask,
        Mnemonic::Btr => old & !mask,
        _ => old ^ mask,
    })?;
    let flags = cpu.rflags();
    finish(
        cpu,
        instruction,
        old.map(|old| alu::put(flags, CF, old & mask != 0)),
    )
}

/// A register's value with its sign.
fn signed(value: u64, part: Part) -> i64 {
    let unused = 64 - part.size.bits();
    (value << unused).cast_signed() >> unused
}
