//! What a guest does, one step at a time, as text that can be read and edited.

use super::value::{Val, hex};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// Something that stands in the caller's argument pages when it makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// A number of 1, 2, 4 or 8 bytes at a byte of the pages.
    Word(u16, u8, Val),
    /// Zeros: first byte and number.
    Zero(u16, u16),
    /// A sound `vcpu_guest_context` of a domain's vCPU: at, slot, vCPU.
    Context(u16, u8, u8),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A hypercall: number, operation (for the count of what was reached), arguments, and what
    /// stands in memory.
    Call {
        nr: u16,
        op: u32,
        args: Vec<Val>,
        mem: Vec<Put>,
    },
    /// Reads eight bytes.
    Read(Val),
    /// Writes so many bytes.
    Write(Val, u8, Val),
    /// Fetches an instruction.
    Fetch(Val),
    /// Raises an exception.
    Trap(u8),
    /// The INT instruction.
    Int(u8),
    /// A privileged instruction, up to eight bytes, first byte lowest.
    Insn(u64),
    /// Computes for so many nanoseconds.
    Work(u32),
    /// Goes to user mode.
    User,
    /// Writes a word of the caller's own shared page (0) or grant table (1), as it could where
    /// it maps them: which, byte, size, value.
    Poke(u8, u16, u8, Val),
    /// Writes a kernel's tables into the frames of the domain in this slot, as its builder does.
    Furnish(u8),
}

impl fmt::Display for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Put::Word(at, size, val) => write!(f, "{at:x}/{size:x}={val}"),
            Put::Zero(at, len) => write!(f, "zero/{at:x}={len:x}"),
            Put::Context(at, slot, vcpu) => write!(f, "context/{at:x}={slot:x}.{vcpu:x}"),
        }
    }
}

impl FromStr for Put {
    type Err = String;

    fn from_str(text: &str) -> Result<Put, String> {
        let wrong = || alloc::format!("{text:?} is nothing to put in memory");
        let (place, value) = text.split_once('=').ok_or_else(wrong)?;
        let (at, size) = place.split_once('/').ok_or_else(wrong)?;
        match at {
            "zero" => Ok(Put::Zero(hex(size)? as u16, hex(value)? as u16)),
            "context" => {
                let (slot, vcpu) = value.split_once('.').ok_or_else(wrong)?;
                Ok(Put::Context(
                    hex(size)? as u16,
                    hex(slot)? as u8,
                    hex(vcpu)? as u8,
                ))
            }
            _ => Ok(Put::Word(hex(at)? as u16, hex(size)? as u8, value.parse()?)),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Call { nr, op, args, mem } => {
                write!(f, "call {nr:x}.{op:x}")?;
                args.iter().try_for_each(|arg| write!(f, " {arg}"))?;
                if !mem.is_empty() {
                    write!(f, " with")?;
                }
                mem.iter().try_for_each(|put| write!(f, " {put}"))
            }
            Op::Read(va) => write!(f, "read {va}"),
            Op::Write(va, size, value) => write!(f, "write {va} {size:x} {value}"),
            Op::Fetch(va) => write!(f, "fetch {va}"),
            Op::Trap(vector) => write!(f, "trap {vector:x}"),
            Op::Int(vector) => write!(f, "int {vector:x}"),
            Op::Insn(bytes) => write!(f, "insn {bytes:x}"),
            Op::Work(ns) => write!(f, "work {ns:x}"),
            Op::User => write!(f, "user"),
            Op::Poke(which, at, size, value) => write!(f, "poke {which:x} {at:x} {size:x} {value}"),
            Op::Furnish(slot) => write!(f, "furnish {slot:x}"),
        }
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Op, String> {
        let mut words = text.split_whitespace();
        let what = words.next().unwrap_or("");
        let mut word = || {
            words
                .next()
                .map(ToString::to_string)
                .ok_or_else(|| alloc::format!("{text:?} ends too early"))
        };
        Ok(match what {
            "call" => {
                let number = word()?;
                let (nr, op) = number.split_once('.').unwrap_or((&number, "0"));
                let rest = text.split_whitespace().skip(2);
                let args: Result<Vec<Val>, String> = rest
                    .clone()
                    .take_while(|w| *w != "with")
                    .map(Val::from_str)
                    .collect();
                let mem: Result<Vec<Put>, String> = rest
                    .skip_while(|w| *w != "with")
                    .skip(1)
                    .map(Put::from_str)
                    .collect();
                Op::Call {
                    nr: hex(nr)? as u16,
                    op: hex(op)? as u32,
                    args: args?,
                    mem: mem?,
                }
            }
            "read" => Op::Read(word()?.parse()?),
            "write" => Op::Write(word()?.parse()?, hex(&word()?)? as u8, word()?.parse()?),
            "fetch" => Op::Fetch(word()?.parse()?),
            "trap" => Op::Trap(hex(&word()?)? as u8),
            "int" => Op::Int(hex(&word()?)? as u8),
            "insn" => Op::Insn(hex(&word()?)?),
            "work" => Op::Work(hex(&word()?)? as u32),
            "user" => Op::User,
            "poke" => Op::Poke(
                hex(&word()?)? as u8,
                hex(&word()?)? as u16,
                hex(&word()?)? as u8,
                word()?.parse()?,
            ),
            "furnish" => Op::Furnish(hex(&word()?)? as u8),
            _ => return Err(alloc::format!("{what:?} is nothing that a guest does")),
        })
    }
}
