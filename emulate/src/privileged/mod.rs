//! The privileged instructions that a paravirtualised kernel executes in ring 3.

mod control;
mod port;
mod system;

use crate::decode::{decode, decode_at, fetch};
use crate::string::UNHANDLED;
use crate::{Outcome, Privileged, Result};
use iced_x86::{Code, Instruction, Mnemonic};

/// The bytes of Xen's forced-emulation prefix: UD2 and "xen".
const PREFIX: [u8; 5] = [0x0f, 0x0b, b'x', b'e', b'n'];

/// Executes the instruction at the instruction pointer after a general protection fault.
///
/// Handled are MOV to and from control and debug registers, CLTS, LMSW, SMSW, RDMSR, WRMSR,
/// CPUID, RDTSC, RDTSCP, XGETBV, XSETBV, WBINVD, WBNOINVD, INVD, CLI, STI, and IN, OUT, INS and
/// OUTS with or without a repeat prefix. HLT and INVLPG are not: a PV kernel has hypercalls for
/// them.
///
/// # Errors
/// The trap that the instruction causes; see [`Privileged`].
pub fn privileged(cpu: &mut impl Privileged) -> Result {
    match decode(cpu)? {
        Some(instruction) => execute(cpu, &instruction),
        None => UNHANDLED,
    }
}

/// Executes a CPUID behind Xen's forced-emulation prefix, after an invalid-opcode fault.
///
/// # Errors
/// The trap that the instruction causes.
pub fn forced(cpu: &mut impl Privileged) -> Result {
    let rip = cpu.rip();
    let mut prefix = [0; PREFIX.len()];
    fetch(cpu, rip, &mut prefix)?;
    if prefix != PREFIX {
        return UNHANDLED;
    }
    match decode_at(cpu, rip.wrapping_add(PREFIX.len() as u64))? {
        Some(instruction) if instruction.code() == Code::Cpuid => system::cpuid(cpu, &instruction),
        _ => UNHANDLED,
    }
}

fn execute(cpu: &mut impl Privileged, instruction: &Instruction) -> Result<Outcome> {
    match instruction.mnemonic() {
        Mnemonic::Mov => control::mov(cpu, instruction),
        Mnemonic::Clts => control::clts(cpu, instruction),
        Mnemonic::Lmsw => control::lmsw(cpu, instruction),
        Mnemonic::Smsw => control::smsw(cpu, instruction),
        Mnemonic::Rdmsr => system::rdmsr(cpu, instruction),
        Mnemonic::Wrmsr => system::wrmsr(cpu, instruction),
        Mnemonic::Cpuid => system::cpuid(cpu, instruction),
        Mnemonic::Rdtsc => system::rdtsc(cpu, instruction),
        Mnemonic::Rdtscp => system::rdtscp(cpu, instruction),
        Mnemonic::Xgetbv => system::xgetbv(cpu, instruction),
        Mnemonic::Xsetbv => system::xsetbv(cpu, instruction),
        Mnemonic::Wbinvd | Mnemonic::Invd => system::flush(cpu, instruction, true),
        Mnemonic::Wbnoinvd => system::flush(cpu, instruction, false),
        Mnemonic::Cli => system::interrupt_flag(cpu, instruction, false),
        Mnemonic::Sti => system::interrupt_flag(cpu, instruction, true),
        Mnemonic::In => port::input(cpu, instruction),
        Mnemonic::Out => port::output(cpu, instruction),
        Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => port::input_string(cpu, instruction),
        Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => {
            port::output_string(cpu, instruction)
        }
        _ => UNHANDLED,
    }
}
