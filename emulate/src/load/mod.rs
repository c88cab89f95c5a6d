//! Instructions that read one to eight bytes of memory into a register or into the flags.
//!
//! They are executed when a guest reads a device's register: the virtual CPU's `read` sees the
//! address and the width.

use crate::address::{self, Use};
use crate::alu;
use crate::decode::decode;
use crate::operand::{register, value};
use crate::retire::retire;
use crate::string::{self, UNHANDLED};
use crate::{Cpu, Gpr, Result, Size};
use iced_x86::{Code, Instruction, Mnemonic, OpKind};

/// Executes the instruction at the instruction pointer if it reads memory and is one of MOV,
/// MOVZX, MOVSX, MOVSXD, ADD, SUB, AND, OR, XOR with a register as destination, CMP, TEST, LODS.
///
/// # Errors
/// The trap that the instruction causes, such as what the virtual CPU's accesses return.
pub fn load(cpu: &mut impl Cpu) -> Result {
    let Some(instruction) = decode(cpu)? else {
        return UNHANDLED;
    };
    let i = &instruction;
    match i.code() {
        Code::Lodsb_AL_m8 | Code::Lodsw_AX_m16 | Code::Lodsd_EAX_m32 | Code::Lodsq_RAX_m64 => {
            return lods(cpu, i);
        }
        // How much this one reads depends on who made the processor.
        Code::Movsxd_r16_rm16 => return UNHANDLED,
        _ => {}
    }
    match (i.op0_kind(), i.op1_kind()) {
        (OpKind::Register, OpKind::Memory) => to_register(cpu, i),
        (OpKind::Memory, _) => to_flags(cpu, i),
        _ => UNHANDLED,
    }
}

/// The value read, and its width.
fn fetch(cpu: &mut impl Cpu, instruction: &Instruction) -> Result<Option<(u64, Size)>> {
    let Some((at, size)) = address::operand(cpu, instruction, Use::Read)? else {
        return Ok(None);
    };
    Ok(Some((cpu.read(at, size)? & size.mask(), size)))
}

fn to_register(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    type Change = fn(u64, Size, u64, u64) -> (u64, u64);
    let mnemonic = instruction.mnemonic();
    let compute: Option<Change> = match mnemonic {
        Mnemonic::Add => Some(|f, size, a, b| alu::add(f, size, a, b, false)),
        Mnemonic::Sub | Mnemonic::Cmp => Some(|f, size, a, b| alu::sub(f, size, a, b, false)),
        Mnemonic::And | Mnemonic::Test => Some(|f, size, a, b| alu::logic(f, size, a & b)),
        Mnemonic::Or => Some(|f, size, a, b| alu::logic(f, size, a | b)),
        Mnemonic::Xor => Some(|f, size, a, b| alu::logic(f, size, a ^ b)),
        Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd => None,
        _ => return UNHANDLED,
    };
    let Some(to) = register(instruction, 0) else {
        return UNHANDLED;
    };
    let Some((read, size)) = fetch(cpu, instruction)? else {
        return UNHANDLED;
    };
    match (compute, mnemonic) {
        (Some(compute), _) => {
            let (result, flags) = compute(cpu.rflags(), size, to.get(cpu), read);
            cpu.set_rflags(flags);
            if !matches!(mnemonic, Mnemonic::Cmp | Mnemonic::Test) {
                to.set(cpu, result);
            }
        }
        (None, Mnemonic::Movsx | Mnemonic::Movsxd) => {
            let unused = 64 - size.bits();
            to.set(
                cpu,
                ((read << unused).cast_signed() >> unused).cast_unsigned(),
            );
        }
        _ => to.set(cpu, read),
    }
    Ok(retire(cpu, instruction))
}

/// CMP and TEST with memory first: nothing but the flags changes.
fn to_flags(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let test = match instruction.mnemonic() {
        Mnemonic::Cmp => false,
        Mnemonic::Test => true,
        _ => return UNHANDLED,
    };
    let Some(other) = value(cpu, instruction, 1) else {
        return UNHANDLED;
    };
    let Some((read, size)) = fetch(cpu, instruction)? else {
        return UNHANDLED;
    };
    let flags = cpu.rflags();
    let (_, flags) = if test {
        alu::logic(flags, size, read & other & size.mask())
    } else {
        alu::sub(flags, size, read, other & size.mask(), false)
    };
    cpu.set_rflags(flags);
    Ok(retire(cpu, instruction))
}

fn lods(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(to) = register(instruction, 0) else {
        return UNHANDLED;
    };
    string::repeat(cpu, instruction, |cpu| {
        let from = string::source(cpu, instruction, to.size)?;
        let read = cpu.read(from, to.size)?;
        to.set(cpu, read);
        string::step(cpu, instruction, Gpr::Rsi, to.size);
        Ok(())
    })
}
