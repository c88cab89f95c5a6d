//! The instructions that are tried: those that the emulator's entry points name, and a few that
//! it must leave alone.

use crate::random::Random;

/// What follows the opcode, before a constant.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// ModRM, whose middle field may be part of the opcode.
    ModRm(Option<u8>),
    /// An address.
    Offset,
}

/// The constant at the end.
#[derive(Clone, Copy, Debug)]
pub enum Immediate {
    /// None.
    None,
    /// One byte.
    Byte,
    /// Two or four bytes.
    Long,
}

/// A family of instructions.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// The opcode.
    pub bytes: &'static [u8],
    /// What follows it.
    pub rest: Rest,
    /// And then.
    pub immediate: Immediate,
    /// LOCK may stand before it.
    pub lock: bool,
    /// It can be repeated.
    pub string: bool,
    /// How often it is chosen.
    weight: u32,
}

const fn op(bytes: &'static [u8], rest: Rest, immediate: Immediate, lock: bool) -> Op {
    Op {
        bytes,
        rest,
        immediate,
        lock,
        string: false,
        weight: 4,
    }
}

/// Any register, memory.
const fn plain(bytes: &'static [u8]) -> Op {
    op(bytes, Rest::ModRm(None), Immediate::None, false)
}

/// The same, where LOCK may stand before it.
const fn locked(bytes: &'static [u8]) -> Op {
    op(bytes, Rest::ModRm(None), Immediate::None, true)
}

/// A group, of which `reg` chooses one.
const fn group(bytes: &'static [u8], reg: u8, immediate: Immediate) -> Op {
    op(bytes, Rest::ModRm(Some(reg)), immediate, true)
}

/// A string instruction.
const fn string(bytes: &'static [u8]) -> Op {
    Op {
        string: true,
        weight: 8,
        ..op(bytes, Rest::Nothing, Immediate::None, false)
    }
}

/// What a process may not execute.
const fn refused(bytes: &'static [u8], rest: Rest, immediate: Immediate) -> Op {
    Op {
        weight: 1,
        ..op(bytes, rest, immediate, false)
    }
}

/// An instruction with an address behind its opcode.
const fn offset(bytes: &'static [u8]) -> Op {
    op(bytes, Rest::Offset, Immediate::None, false)
}

use Immediate::{Byte, Long, None as Nil};

const OPS: &[Op] = &[
    // ADD, OR, ADC, SBB, AND, SUB, XOR: to memory and from it; CMP.
    locked(&[0x00]),
    locked(&[0x01]),
    plain(&[0x02]),
    plain(&[0x03]),
    locked(&[0x08]),
    locked(&[0x09]),
    plain(&[0x0a]),
    plain(&[0x0b]),
    locked(&[0x10]),
    locked(&[0x11]),
    plain(&[0x12]),
    plain(&[0x13]),
    locked(&[0x18]),
    locked(&[0x19]),
    plain(&[0x1a]),
    plain(&[0x1b]),
    locked(&[0x20]),
    locked(&[0x21]),
    plain(&[0x22]),
    plain(&[0x23]),
    locked(&[0x28]),
    locked(&[0x29]),
    plain(&[0x2a]),
    plain(&[0x2b]),
    locked(&[0x30]),
    locked(&[0x31]),
    plain(&[0x32]),
    plain(&[0x33]),
    plain(&[0x38]),
    plain(&[0x39]),
    plain(&[0x3a]),
    plain(&[0x3b]),
    op(&[0x80], Rest::ModRm(None), Byte, true),
    op(&[0x81], Rest::ModRm(None), Long, true),
    op(&[0x82], Rest::ModRm(None), Byte, true),
    op(&[0x83], Rest::ModRm(None), Byte, true),
    // MOV and its kin, TEST, XCHG.
    plain(&[0x63]),
    plain(&[0x84]),
    plain(&[0x85]),
    locked(&[0x86]),
    locked(&[0x87]),
    plain(&[0x88]),
    plain(&[0x89]),
    plain(&[0x8a]),
    plain(&[0x8b]),
    offset(&[0xa0]),
    offset(&[0xa1]),
    offset(&[0xa2]),
    offset(&[0xa3]),
    group(&[0xc6], 0, Byte),
    group(&[0xc7], 0, Long),
    plain(&[0x0f, 0xb6]),
    plain(&[0x0f, 0xb7]),
    plain(&[0x0f, 0xbe]),
    plain(&[0x0f, 0xbf]),
    plain(&[0x0f, 0xc3]),
    // TEST, NOT, NEG, INC, DEC.
    group(&[0xf6], 0, Byte),
    group(&[0xf7], 0, Long),
    group(&[0xf6], 1, Byte),
    group(&[0xf7], 1, Long),
    group(&[0xf6], 2, Nil),
    group(&[0xf7], 2, Nil),
    group(&[0xf6], 3, Nil),
    group(&[0xf7], 3, Nil),
    group(&[0xfe], 0, Nil),
    group(&[0xff], 0, Nil),
    group(&[0xfe], 1, Nil),
    group(&[0xff], 1, Nil),
    // CMPXCHG, XADD, CMPXCHG8B; BTS, BTR, BTC.
    locked(&[0x0f, 0xb0]),
    locked(&[0x0f, 0xb1]),
    locked(&[0x0f, 0xc0]),
    locked(&[0x0f, 0xc1]),
    group(&[0x0f, 0xc7], 1, Nil),
    locked(&[0x0f, 0xab]),
    locked(&[0x0f, 0xb3]),
    locked(&[0x0f, 0xbb]),
    op(&[0x0f, 0xba], Rest::ModRm(None), Byte, true),
    // MOVS, STOS, LODS.
    string(&[0xa4]),
    string(&[0xa5]),
    string(&[0xaa]),
    string(&[0xab]),
    string(&[0xac]),
    string(&[0xad]),
    // What only a kernel may do: INS, OUTS, IN, OUT, CLI, STI, CLTS, LMSW, moves of control and
    // debug registers, RDMSR, WRMSR, WBINVD, INVD, XSETBV.
    string(&[0x6c]),
    string(&[0x6d]),
    string(&[0x6e]),
    string(&[0x6f]),
    refused(&[0xe4], Rest::Nothing, Byte),
    refused(&[0xe5], Rest::Nothing, Byte),
    refused(&[0xe6], Rest::Nothing, Byte),
    refused(&[0xe7], Rest::Nothing, Byte),
    refused(&[0xec], Rest::Nothing, Nil),
    refused(&[0xed], Rest::Nothing, Nil),
    refused(&[0xee], Rest::Nothing, Nil),
    refused(&[0xef], Rest::Nothing, Nil),
    refused(&[0xfa], Rest::Nothing, Nil),
    refused(&[0xfb], Rest::Nothing, Nil),
    refused(&[0x0f, 0x06], Rest::Nothing, Nil),
    refused(&[0x0f, 0x01], Rest::ModRm(Some(6)), Nil),
    refused(&[0x0f, 0x20], Rest::ModRm(None), Nil),
    refused(&[0x0f, 0x21], Rest::ModRm(None), Nil),
    refused(&[0x0f, 0x22], Rest::ModRm(None), Nil),
    refused(&[0x0f, 0x23], Rest::ModRm(None), Nil),
    refused(&[0x0f, 0x32], Rest::Nothing, Nil),
    refused(&[0x0f, 0x30], Rest::Nothing, Nil),
    refused(&[0x0f, 0x09], Rest::Nothing, Nil),
    refused(&[0x0f, 0x08], Rest::Nothing, Nil),
    refused(&[0x0f, 0x01, 0xd1], Rest::Nothing, Nil),
];

/// One of them.
pub fn choose(random: &mut Random) -> &'static Op {
    let total: u32 = OPS.iter().map(|op| op.weight).sum();
    let mut left = random.below(total as usize) as u32;
    for op in OPS {
        if left < op.weight {
            return op;
        }
        left -= op.weight;
    }
    &OPS[0]
}
