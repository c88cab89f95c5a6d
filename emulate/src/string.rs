//! String instructions: element by element, each leaving the registers as the machine would, so
//! that a fault or a pause in the middle is resumed by executing the instruction again.

use crate::address::{self, Use, truncate};
use crate::register::Part;
use crate::retire::{DF, TF, pause, retire};
use crate::{Cpu, Gpr, Outcome, Result, SegmentName, Size};
use iced_x86::{Instruction, OpKind};

/// The most elements that one call moves; a guest may ask for 2^64.
const ELEMENTS: u32 = 64;

/// The address width of a string instruction, in bytes.
fn width(instruction: &Instruction) -> u64 {
    let kinds = [instruction.op0_kind(), instruction.op1_kind()];
    if kinds
        .iter()
        .any(|k| matches!(k, OpKind::MemorySegSI | OpKind::MemoryESDI))
    {
        2
    } else if kinds
        .iter()
        .any(|k| matches!(k, OpKind::MemorySegESI | OpKind::MemoryESEDI))
    {
        4
    } else {
        8
    }
}

/// The part of `gpr` that counts or points with an address width.
fn pointer(gpr: Gpr, width: u64) -> Part {
    let size = match width {
        2 => Size::B2,
        4 => Size::B4,
        _ => Size::B8,
    };
    Part::low(gpr, size)
}

/// The checked address of the source element, DS:rSI or as overridden.
pub(crate) fn source(cpu: &mut impl Cpu, instruction: &Instruction, size: Size) -> Result<u64> {
    let offset = pointer(Gpr::Rsi, width(instruction)).get(cpu);
    let name = address::segment(cpu, instruction);
    address::linear(cpu, name, offset, size, Use::Read)
}

/// The checked address of the destination element, ES:rDI.
pub(crate) fn destination(
    cpu: &mut impl Cpu,
    instruction: &Instruction,
    size: Size,
) -> Result<u64> {
    let offset = pointer(Gpr::Rdi, width(instruction)).get(cpu);
    address::linear(cpu, SegmentName::Es, offset, size, Use::Write)
}

/// Moves `gpr` past an element, in the direction that DF gives.
pub(crate) fn step(cpu: &mut impl Cpu, instruction: &Instruction, gpr: Gpr, size: Size) {
    let width = width(instruction);
    let part = pointer(gpr, width);
    let old = part.get(cpu);
    let new = match cpu.rflags() & DF {
        0 => old.wrapping_add(size.bytes()),
        _ => old.wrapping_sub(size.bytes()),
    };
    part.set(cpu, truncate(new, width));
}

/// Does `element` once, or as often as rCX says under a repeat prefix.
pub(crate) fn repeat<C: Cpu>(
    cpu: &mut C,
    instruction: &Instruction,
    mut element: impl FnMut(&mut C) -> Result<()>,
) -> Result {
    if !instruction.has_rep_prefix() && !instruction.has_repne_prefix() {
        element(cpu)?;
        return Ok(retire(cpu, instruction));
    }
    let counter = pointer(Gpr::Rcx, width(instruction));
    for _ in 0..ELEMENTS {
        let Some(left) = counter.get(cpu).checked_sub(1) else {
            break;
        };
        element(cpu)?;
        counter.set(cpu, left);
        // A single step is one element.
        if cpu.rflags() & TF != 0 {
            break;
        }
    }
    Ok(match counter.get(cpu) {
        0 => retire(cpu, instruction),
        _ => pause(cpu),
    })
}

/// The outcome of an instruction whose operands turned out not to be for this entry point.
pub(crate) const UNHANDLED: Result = Ok(Outcome::Unhandled);
