//! Memory operands: from what an instruction encodes to a checked linear address.

use crate::register::Part;
use crate::{Bits, Cpu, Result, SegmentName, Size, Trap};
use iced_x86::{Instruction, MemorySize, Register};

/// What a memory operand is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is read.
    Read,
    /// It is written, and perhaps read.
    Write,
}

/// The offset that an instruction's memory operand encodes, within its segment.
pub(crate) fn offset(cpu: &impl Cpu, instruction: &Instruction) -> u64 {
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    let displacement = instruction.memory_displacement64();
    // Relative to the instruction pointer: the decoder has already added it.
    if matches!(base, Register::RIP | Register::EIP) {
        let mask = if base == Register::EIP {
            Size::B4.mask()
        } else {
            Size::B8.mask()
        };
        return displacement & mask;
    }
    let (base, index) = (Part::new(base), Part::new(index));
    let mut sum = displacement;
    if let Some(base) = base {
        sum = sum.wrapping_add(base.get(cpu));
    }
    if let Some(index) = index {
        let scale = u64::from(instruction.memory_index_scale());
        sum = sum.wrapping_add(index.get(cpu).wrapping_mul(scale));
    }
    truncate(sum, width_of(base.or(index), instruction))
}

/// The address width of a memory operand, in bytes.
pub(crate) fn width(instruction: &Instruction) -> u64 {
    let base = Part::new(instruction.memory_base()).or(Part::new(instruction.memory_index()));
    width_of(base, instruction)
}

fn width_of(register: Option<Part>, instruction: &Instruction) -> u64 {
    match register {
        Some(part) => part.size.bytes(),
        None => instruction.memory_displ_size().into(),
    }
}

/// The width of a memory operand; `None` if it is not one, two, four or eight bytes.
pub(crate) fn size(instruction: &Instruction) -> Option<Size> {
    match instruction.memory_size() {
        MemorySize::UInt8 | MemorySize::Int8 => Some(Size::B1),
        MemorySize::UInt16 | MemorySize::Int16 => Some(Size::B2),
        MemorySize::UInt32 | MemorySize::Int32 => Some(Size::B4),
        MemorySize::UInt64 | MemorySize::Int64 => Some(Size::B8),
        _ => None,
    }
}

/// `value` cut to an address width in bytes.
pub(crate) fn truncate(value: u64, width: u64) -> u64 {
    match width {
        2 => value & Size::B2.mask(),
        4 => value & Size::B4.mask(),
        _ => value,
    }
}

/// The linear address of `size` bytes at `offset` of a segment.
///
/// # Errors
/// A stack or general protection trap when the bytes lie outside the segment or the address is
/// not canonical.
pub(crate) fn linear(
    cpu: &mut impl Cpu,
    name: SegmentName,
    offset: u64,
    size: Size,
    usage: Use,
) -> Result<u64> {
    let outside = if name == SegmentName::Ss {
        Trap::SS
    } else {
        Trap::GP
    };
    let reach = size.bytes() - 1;
    if cpu.bits() == Bits::B64 {
        let base = match name {
            SegmentName::Fs | SegmentName::Gs => cpu.segment(name)?.base,
            _ => 0,
        };
        let first = base.wrapping_add(offset);
        // An operand across the end of the address space is refused too.
        let last = first.checked_add(reach).ok_or(outside)?;
        return if canonical(first) && canonical(last) {
            Ok(first)
        } else {
            Err(outside)
        };
    }
    let segment = cpu.segment(name)?;
    let allowed = match usage {
        Use::Read => segment.readable,
        Use::Write => segment.writable,
    };
    let last = offset.checked_add(reach).ok_or(outside)?;
    let inside = if segment.expand_down {
        let top = if segment.big {
            u32::MAX.into()
        } else {
            u16::MAX.into()
        };
        offset > segment.limit.into() && last <= top
    } else {
        last <= segment.limit.into()
    };
    if !allowed || !inside {
        return Err(outside);
    }
    Ok(segment.base.wrapping_add(offset) & u64::from(u32::MAX))
}

/// Whether all bits from 47 up are equal.
fn canonical(address: u64) -> bool {
    matches!(address >> 47, 0 | 0x1_ffff)
}

/// The segment of an instruction's memory operand.
pub(crate) fn segment(cpu: &impl Cpu, instruction: &Instruction) -> SegmentName {
    match instruction.memory_segment() {
        Register::FS => SegmentName::Fs,
        Register::GS => SegmentName::Gs,
        // Other prefixes mean nothing in 64-bit mode: what faults as a stack access depends on
        // the base alone.
        _ if cpu.bits() == Bits::B64 => match instruction.memory_base() {
            Register::RSP | Register::ESP | Register::RBP | Register::EBP => SegmentName::Ss,
            _ => SegmentName::Ds,
        },
        Register::ES => SegmentName::Es,
        Register::CS => SegmentName::Cs,
        Register::SS => SegmentName::Ss,
        _ => SegmentName::Ds,
    }
}

/// The checked linear address and the width of an instruction's memory operand; `None` if its
/// width is not one, two, four or eight bytes.
pub(crate) fn operand(
    cpu: &mut impl Cpu,
    instruction: &Instruction,
    usage: Use,
) -> Result<Option<(u64, Size)>> {
    let Some(size) = size(instruction) else {
        return Ok(None);
    };
    let offset = offset(cpu, instruction);
    let name = segment(cpu, instruction);
    Ok(Some((linear(cpu, name, offset, size, usage)?, size)))
}
