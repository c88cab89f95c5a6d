//! Control and debug registers.

use crate::address::{self, Use};
use crate::operand::register;
use crate::retire::retire;
use crate::string::UNHANDLED;
use crate::{Privileged, Result, Size, Trap};
use iced_x86::{Instruction, OpKind, Register};

/// CR0's protection enable bit.
const PE: u64 = 1 << 0;
/// CR0's bits that LMSW changes: PE, MP, EM, TS.
const LMSW: u64 = 0xf;
/// CR0's task switched bit.
const TS: u64 = 1 << 3;

/// A register that MOV moves to or from in a privileged form.
enum Special {
    Control(u8),
    Debug(u8),
}

fn special(register: Register) -> Option<Special> {
    let number = |first: Register, last: Register| {
        let number = (register as usize).checked_sub(first as usize)?;
        (register as usize <= last as usize).then(|| u8::try_from(number).ok())?
    };
    let control = number(Register::CR0, Register::CR15).map(Special::Control);
    control.or_else(|| number(Register::DR0, Register::DR15).map(Special::Debug))
}

/// MOV between a general and a control or debug register.
pub(super) fn mov(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    if instruction.op0_kind() != OpKind::Register || instruction.op1_kind() != OpKind::Register {
        return UNHANDLED;
    }
    let (to, from) = (
        special(instruction.op0_register()),
        special(instruction.op1_register()),
    );
    if to.is_none() && from.is_none() {
        return UNHANDLED;
    }
    if !cpu.is_kernel() {
        return Err(Trap::GP);
    }
    match (to, from) {
        (Some(to), None) => {
            let Some(from) = register(instruction, 1) else {
                return UNHANDLED;
            };
            let value = from.get(cpu);
            match to {
                Special::Control(index) => cpu.write_cr(index, value)?,
                Special::Debug(index) => cpu.write_dr(index, value)?,
            }
        }
        (None, Some(from)) => {
            let Some(to) = register(instruction, 0) else {
                return UNHANDLED;
            };
            let value = match from {
                Special::Control(index) => cpu.read_cr(index)?,
                Special::Debug(index) => cpu.read_dr(index)?,
            };
            to.set(cpu, value);
        }
        _ => return UNHANDLED,
    }
    Ok(retire(cpu, instruction))
}

/// CLTS: clears CR0.TS.
pub(super) fn clts(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    if !cpu.is_kernel() {
        return Err(Trap::GP);
    }
    let cr0 = cpu.read_cr(0)?;
    cpu.write_cr(0, cr0 & !TS)?;
    Ok(retire(cpu, instruction))
}

/// LMSW: sets CR0's low four bits, but never clears PE.
pub(super) fn lmsw(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    if !cpu.is_kernel() {
        return Err(Trap::GP);
    }
    let word = match register(instruction, 0) {
        Some(part) => part.get(cpu),
        None => match address::operand(cpu, instruction, Use::Read)? {
            Some((at, size)) => cpu.read(at, size)?,
            None => return UNHANDLED,
        },
    };
    let cr0 = cpu.read_cr(0)?;
    cpu.write_cr(0, cr0 & !(LMSW & !PE) | word & LMSW)?;
    Ok(retire(cpu, instruction))
}

/// SMSW: stores CR0; 16 bits of it in memory, as many as the register has otherwise.
pub(super) fn smsw(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    match register(instruction, 0) {
        Some(part) => {
            let cr0 = cpu.read_cr(0)?;
            part.set(cpu, cr0);
        }
        None => {
            let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
                return UNHANDLED;
            };
            let cr0 = cpu.read_cr(0)?;
            cpu.write(at, size, cr0 & Size::B2.mask())?;
        }
    }
    Ok(retire(cpu, instruction))
}
