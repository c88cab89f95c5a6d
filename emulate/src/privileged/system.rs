//! Instructions whose operands are fixed registers.

use crate::register::Part;
use crate::retire::retire;
use crate::{Cpu, Gpr, Privileged, Result, Size, Trap};
use iced_x86::Instruction;

fn get(cpu: &impl Cpu, gpr: Gpr) -> u32 {
    let [a, b, c, d, ..] = cpu.gpr(gpr).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn set(cpu: &mut impl Cpu, gpr: Gpr, value: u32) {
    Part::low(gpr, Size::B4).set(cpu, value.into());
}

/// EDX and EAX as one number.
fn pair(cpu: &impl Cpu) -> u64 {
    u64::from(get(cpu, Gpr::Rdx)) << 32 | u64::from(get(cpu, Gpr::Rax))
}

/// Splits a number into EDX and EAX.
fn set_pair(cpu: &mut impl Cpu, value: u64) {
    Part::low(Gpr::Rax, Size::B4).set(cpu, value);
    Part::low(Gpr::Rdx, Size::B4).set(cpu, value >> 32);
}

fn kernel_only(cpu: &impl Privileged) -> Result<()> {
    if cpu.is_kernel() {
        Ok(())
    } else {
        Err(Trap::GP)
    }
}

pub(super) fn rdmsr(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    kernel_only(cpu)?;
    let value = cpu.read_msr(get(cpu, Gpr::Rcx))?;
    set_pair(cpu, value);
    Ok(retire(cpu, instruction))
}

pub(super) fn wrmsr(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    kernel_only(cpu)?;
    cpu.write_msr(get(cpu, Gpr::Rcx), pair(cpu))?;
    Ok(retire(cpu, instruction))
}

pub(super) fn cpuid(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let [eax, ebx, ecx, edx] = cpu.cpuid(get(cpu, Gpr::Rax), get(cpu, Gpr::Rcx))?;
    set(cpu, Gpr::Rax, eax);
    set(cpu, Gpr::Rbx, ebx);
    set(cpu, Gpr::Rcx, ecx);
    set(cpu, Gpr::Rdx, edx);
    Ok(retire(cpu, instruction))
}

pub(super) fn rdtsc(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let tsc = cpu.read_tsc()?;
    set_pair(cpu, tsc);
    Ok(retire(cpu, instruction))
}

pub(super) fn rdtscp(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let tsc = cpu.read_tsc()?;
    let aux = cpu.read_tsc_aux()?;
    set_pair(cpu, tsc);
    set(cpu, Gpr::Rcx, aux);
    Ok(retire(cpu, instruction))
}

pub(super) fn xgetbv(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    let value = cpu.read_xcr(get(cpu, Gpr::Rcx))?;
    set_pair(cpu, value);
    Ok(retire(cpu, instruction))
}

pub(super) fn xsetbv(cpu: &mut impl Privileged, instruction: &Instruction) -> Result {
    kernel_only(cpu)?;
    cpu.write_xcr(get(cpu, Gpr::Rcx), pair(cpu))?;
    Ok(retire(cpu, instruction))
}

/// WBINVD, WBNOINVD, and INVD, which is treated as WBINVD.
pub(super) fn flush(
    cpu: &mut impl Privileged,
    instruction: &Instruction,
    invalidate: bool,
) -> Result {
    kernel_only(cpu)?;
    cpu.flush_caches(invalidate)?;
    Ok(retire(cpu, instruction))
}

/// CLI and STI.
pub(super) fn interrupt_flag(
    cpu: &mut impl Privileged,
    instruction: &Instruction,
    on: bool,
) -> Result {
    cpu.set_interrupt_flag(on)?;
    Ok(retire(cpu, instruction))
}
