//! Instructions that exchange memory with a register.

use super::{finish, replace};
use crate::address::{self, Use};
use crate::alu::{self, ZF};
use crate::operand::register;
use crate::register::Part;
use crate::retire::retire;
use crate::string::UNHANDLED;
use crate::{Cpu, Gpr, Result, Size};
use iced_x86::{Instruction, OpKind};

/// XCHG with memory on either side.
pub(super) fn xchg(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let other = match (instruction.op0_kind(), instruction.op1_kind()) {
        (OpKind::Memory, _) => register(instruction, 1),
        (_, OpKind::Memory) => register(instruction, 0),
        _ => None,
    };
    let Some(other) = other else { return UNHANDLED };
    let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
        return UNHANDLED;
    };
    let value = other.get(cpu);
    let old = replace(cpu, at, size, |_| value)?;
    if let Some(old) = old {
        other.set(cpu, old);
    }
    let flags = cpu.rflags();
    finish(cpu, instruction, old.map(|_| flags))
}

/// XADD: memory gets the sum, the register what memory held.
pub(super) fn xadd(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(other) = register(instruction, 1) else {
        return UNHANDLED;
    };
    let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
        return UNHANDLED;
    };
    let (value, flags) = (other.get(cpu), cpu.rflags());
    let old = replace(cpu, at, size, |old| {
        alu::add(flags, size, old, value, false).0
    })?;
    if let Some(old) = old {
        other.set(cpu, old);
    }
    finish(
        cpu,
        instruction,
        old.map(|old| alu::add(flags, size, old, value, false).1),
    )
}

/// CMPXCHG: one try, whose result the guest sees.
pub(super) fn cmpxchg(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(source) = register(instruction, 1) else {
        return UNHANDLED;
    };
    let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
        return UNHANDLED;
    };
    let accumulator = Part::low(Gpr::Rax, size);
    let (expected, new) = (accumulator.get(cpu), source.get(cpu));
    let found = cpu.compare_exchange(at, size, expected, new)? & size.mask();
    let (_, flags) = alu::sub(cpu.rflags(), size, expected, found, false);
    cpu.set_rflags(flags);
    if found != expected {
        accumulator.set(cpu, found);
    }
    Ok(retire(cpu, instruction))
}

/// CMPXCHG8B: EDX:EAX against eight bytes of memory, ECX:EBX to be written.
pub(super) fn cmpxchg8b(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
        return UNHANDLED;
    };
    let part = |gpr| Part::low(gpr, Size::B4);
    let pair = |cpu: &_, high, low| part(high).get(cpu) << 32 | part(low).get(cpu);
    let expected = pair(cpu, Gpr::Rdx, Gpr::Rax);
    let new = pair(cpu, Gpr::Rcx, Gpr::Rbx);
    let found = cpu.compare_exchange(at, size, expected, new)?;
    if found != expected {
        part(Gpr::Rax).set(cpu, found);
        part(Gpr::Rdx).set(cpu, found >> 32);
    }
    let flags = alu::put(cpu.rflags(), ZF, found == expected);
    cpu.set_rflags(flags);
    Ok(retire(cpu, instruction))
}
