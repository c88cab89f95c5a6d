//! I/O ports. Whether the guest may use one is decided by the virtual CPU.

use crate::address;
use crate::operand::{register, value};
use crate::retire::retire;
use crate::string::{self, UNHANDLED};
use crate::{Cpu, Gpr, Privileged, Result};
use iced_x86::Instruction;

/// A port operand: a constant of eight bits or DX.
fn port(cpu: &impl Cpu, instruction: &Instruction, index: u32) -> Option<u16> {
    u16::try_from(value(cpu, instruction, index)?).ok()
}

fn dx(cpu: &impl Cpu) -> u16 {
    let [low, high, ..] = cpu.gpr(Gpr::Rdx).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The low four bytes, which is all that a port takes.
fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// IN.
pub(super) fn input(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let Some((to, port)) = register(instruction, 0).zip(port(cpu, instruction, 1)) else {
        return UNHANDLED;
    };
    let value = cpu.port_in(port, to.size)?;
    to.set(cpu, value.into());
    Ok(retire(cpu, instruction))
}

/// OUT.
pub(super) fn output(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let Some((from, port)) = register(instruction, 1).zip(port(cpu, instruction, 0)) else {
        return UNHANDLED;
    };
    let value = from.get(cpu);
    cpu.port_out(port, from.size, low(value))?;
    Ok(retire(cpu, instruction))
}

/// INSB, INSW, INSD.
pub(super) fn input_string(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let Some(size) = address::size(instruction) else {
        return UNHANDLED;
    };
    cpu.check_port(dx(cpu), size)?;
    string::repeat(cpu, instruction, |cpu| {
        let at = string::destination(cpu, instruction, size)?;
        let value = cpu.port_in(dx(cpu), size)?;
        cpu.write(at, size, u64::from(value) & size.mask())?;
        string::step(cpu, instruction, Gpr::Rdi, size);
        Ok(())
    })
}

/// OUTSB, OUTSW, OUTSD.
pub(super) fn output_string(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let Some(size) = address::size(instruction) else {
        return UNHANDLED;
    };
    cpu.check_port(dx(cpu), size)?;
    string::repeat(cpu, instruction, |cpu| {
        let at = string::source(cpu, instruction, size)?;
        let value = cpu.read(at, size)?;
        cpu.port_out(dx(cpu), size, low(value))?;
        string::step(cpu, instruction, Gpr::Rsi, size);
        Ok(())
    })
}
