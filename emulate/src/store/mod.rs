//! Instructions that write one to eight bytes of memory.
//!
//! They are executed when a guest writes to a page that it may not write to directly, such as a
//! page table: the virtual CPU's `write` and `compare_exchange` see the address and the value.
//! A store is a `write`; everything that depends on the old value is a `compare_exchange`,
//! whether locked or not, so bits that the hardware sets meanwhile are not lost.

mod bits;
mod exchange;
mod modify;

use crate::address::{self, Use};
use crate::decode::decode;
use crate::operand::{register, value};
use crate::retire::{pause, retire};
use crate::string::{self, UNHANDLED};
use crate::{Cpu, Gpr, Result, Size};
use iced_x86::{Code, Instruction, Mnemonic, OpKind};

/// How often an exchange is tried before the guest is asked to come again.
const TRIES: u32 = 8;

/// Executes the instruction at the instruction pointer if it writes to memory and is one of MOV,
/// MOVNTI, XCHG, CMPXCHG, CMPXCHG8B, XADD, ADD, ADC, SUB, SBB, AND, OR, XOR, INC, DEC, NEG, NOT,
/// BTS, BTR, BTC, STOS, MOVS.
///
/// # Errors
/// The trap that the instruction causes, such as what the virtual CPU's accesses return.
pub fn store(cpu: &mut impl Cpu) -> Result {
    let Some(instruction) = decode(cpu)? else {
        return UNHANDLED;
    };
    let i = &instruction;
    match i.code() {
        Code::Stosb_m8_AL | Code::Stosw_m16_AX | Code::Stosd_m32_EAX | Code::Stosq_m64_RAX => {
            return stos(cpu, i);
        }
        Code::Movsb_m8_m8 | Code::Movsw_m16_m16 | Code::Movsd_m32_m32 | Code::Movsq_m64_m64 => {
            return movs(cpu, i);
        }
        _ => {}
    }
    if i.mnemonic() == Mnemonic::Xchg {
        return exchange::xchg(cpu, i);
    }
    if i.op0_kind() != OpKind::Memory {
        return UNHANDLED;
    }
    match i.mnemonic() {
        Mnemonic::Mov | Mnemonic::Movnti => mov(cpu, i),
        Mnemonic::Cmpxchg => exchange::cmpxchg(cpu, i),
        Mnemonic::Cmpxchg8b => exchange::cmpxchg8b(cpu, i),
        Mnemonic::Xadd => exchange::xadd(cpu, i),
        Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc => bits::bit(cpu, i),
        mnemonic => match modify::operation(mnemonic) {
            Some(operation) => modify::modify(cpu, i, operation),
            None => UNHANDLED,
        },
    }
}

fn mov(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(value) = value(cpu, instruction, 1) else {
        return UNHANDLED;
    };
    let Some((at, size)) = address::operand(cpu, instruction, Use::Write)? else {
        return UNHANDLED;
    };
    cpu.write(at, size, value & size.mask())?;
    Ok(retire(cpu, instruction))
}

fn stos(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(from) = register(instruction, 1) else {
        return UNHANDLED;
    };
    string::repeat(cpu, instruction, |cpu| {
        let at = string::destination(cpu, instruction, from.size)?;
        let value = from.get(cpu);
        cpu.write(at, from.size, value)?;
        string::step(cpu, instruction, Gpr::Rdi, from.size);
        Ok(())
    })
}

fn movs(cpu: &mut impl Cpu, instruction: &Instruction) -> Result {
    let Some(size) = address::size(instruction) else {
        return UNHANDLED;
    };
    string::repeat(cpu, instruction, |cpu| {
        // Of two faults, the source's comes first.
        let from = string::source(cpu, instruction, size)?;
        let value = cpu.read(from, size)?;
        let to = string::destination(cpu, instruction, size)?;
        cpu.write(to, size, value)?;
        string::step(cpu, instruction, Gpr::Rsi, size);
        string::step(cpu, instruction, Gpr::Rdi, size);
        Ok(())
    })
}

/// Replaces what memory holds by what `change` makes of it, in one step. Returns the old value,
/// or `None` when others changed it each time: then the instruction is to be met again.
fn replace(
    cpu: &mut impl Cpu,
    at: u64,
    size: Size,
    change: impl Fn(u64) -> u64,
) -> Result<Option<u64>> {
    let mut old = cpu.read_to_write(at, size)? & size.mask();
    for _ in 0..TRIES {
        let found = cpu.compare_exchange(at, size, old, change(old) & size.mask())? & size.mask();
        if found == old {
            return Ok(Some(old));
        }
        old = found;
    }
    Ok(None)
}

/// Ends an instruction that used [`replace`].
fn finish(cpu: &mut impl Cpu, instruction: &Instruction, flags: Option<u64>) -> Result {
    let Some(flags) = flags else {
        return Ok(pause(cpu));
    };
    if flags != cpu.rflags() {
        cpu.set_rflags(flags);
    }
    Ok(retire(cpu, instruction))
}
