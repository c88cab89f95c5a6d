//! Operands that are registers or constants.

use crate::Cpu;
use crate::register::Part;
use iced_x86::{Instruction, OpKind};

/// The value of operand `index`, which is a general register or a constant extended to the width
/// of the instruction; `None` if it is something else.
pub(crate) fn value(cpu: &impl Cpu, instruction: &Instruction, index: u32) -> Option<u64> {
    match instruction.try_op_kind(index).ok()? {
        OpKind::Register => Some(register(instruction, index)?.get(cpu)),
        OpKind::Memory => None,
        _ => instruction.try_immediate(index).ok(),
    }
}

/// Operand `index` as a general register.
pub(crate) fn register(instruction: &Instruction, index: u32) -> Option<Part> {
    match instruction.try_op_kind(index).ok()? {
        OpKind::Register => Part::new(instruction.try_op_register(index).ok()?),
        _ => None,
    }
}
