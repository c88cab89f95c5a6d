//! Makes up instructions that the emulator may be given, with registers that let most of them
//! reach the data, and its edges.

use crate::case::{Case, FLAGS, LONGEST};
use crate::layout::{self, CODE, CODE_END, DATA, DATA_END, FLAT, PAGE, READ_ONLY, local};
use crate::model::Model;
use crate::opcodes::{Immediate, Op, Rest, choose};
use crate::random::Random;
use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};
use x86_emulate::{Bits, SegmentName};

const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RSI: usize = 6;
const RDI: usize = 7;

/// Makes up a case; `model` is asked what memory holds.
pub fn case(random: &mut Random, model: &mut Model) -> Case {
    let bits = [Bits::B64, Bits::B64, Bits::B32, Bits::B16][random.below(4)];
    let mut case = Case::new(bits);
    segments(random, &mut case);
    case.flags = random.next() & FLAGS;
    for gpr in &mut case.gprs {
        *gpr = value(random);
    }
    case.at = place(random);
    let op = choose(random);
    case.code = assemble(random, op, bits);
    if random.one_in(40) {
        let at = random.below(case.code.len());
        case.code[at] = random.next() as u8;
    }
    aim(random, &mut case);
    expect(random, &mut case, model);
    narrow(&mut case);
    case
}

/// A value that is often near an edge.
fn value(random: &mut Random) -> u64 {
    let any = random.next();
    match random.below(8) {
        0 => any & 0xf,
        1 => (any & 0xf).wrapping_neg(),
        2 => 1 << (any & 63),
        3 => (1u64 << (any & 63)).wrapping_sub(any >> 63),
        4 => DATA + any % (DATA_END - DATA),
        5 => any >> (any & 63),
        _ => any,
    }
}

fn segments(random: &mut Random, case: &mut Case) {
    use SegmentName::{Cs, Ds, Es, Fs, Gs, Ss};
    if case.bits == Bits::B64 {
        let base = |random: &mut Random| match random.below(4) {
            0 => 0,
            1 => random.next() & 0xffff,
            2 => random.next() & 0x7fff_ffff_f000,
            _ => DATA,
        };
        case.bases = [base(random), base(random)];
        // None of these matters.
        case.selectors[Ds as usize] = 0;
        case.selectors[Es as usize] = 0;
        return;
    }
    for name in [Es, Ds, Fs, Gs] {
        case.selectors[name as usize] = match random.below(12) {
            0 => 0,
            n if random.one_in(3) => local(n % layout::LDT.len()),
            // What 16 bits reach.
            _ if case.bits == Bits::B16 => local(2),
            _ => FLAT,
        };
    }
    // What a stack segment may be, with 32 bits.
    case.selectors[Ss as usize] = [FLAT, FLAT, local(2), local(3), local(5)][random.below(5)];
    if case.bits == Bits::B32 && random.one_in(3) {
        case.selectors[Cs as usize] = [local(1), local(8)][random.below(2)];
    }
}

/// Where the instruction stands: in the middle, across pages, or at the end.
fn place(random: &mut Random) -> u64 {
    let near = random.below(LONGEST) as u64;
    match random.below(16) {
        0 => CODE + PAGE - near,
        1 => CODE_END - 1 - near,
        _ => CODE + 0x100,
    }
}

/// The bytes of an instruction with random prefixes and operands.
fn assemble(random: &mut Random, op: &Op, bits: Bits) -> Vec<u8> {
    let mut code = Vec::with_capacity(2 * LONGEST);
    let (mut operand, mut address) = (false, false);
    if random.one_in(4) {
        code.push(0x66);
        operand = true;
    }
    if random.one_in(6) {
        code.push(0x67);
        address = true;
    }
    if random.one_in(5) {
        code.push([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][random.below(6)]);
    }
    if random.one_in(if op.lock { 4 } else { 40 }) {
        code.push(0xf0);
    }
    if random.one_in(if op.string { 2 } else { 30 }) {
        code.push([0xf2, 0xf3][random.below(2)]);
    }
    let prefixes = code.len();
    if prefixes > 1 && random.one_in(4) {
        code.rotate_left(random.below(prefixes));
    }
    let mut wide = false;
    if bits == Bits::B64 && random.one_in(2) {
        let rex = 0x40 | random.next() as u8 & 0xf;
        wide = rex & 8 != 0;
        code.push(rex);
    }
    code.extend(op.bytes);
    let address_bytes = match (bits, address) {
        (Bits::B64, false) => 8,
        (Bits::B64, true) | (Bits::B32, false) | (Bits::B16, true) => 4,
        _ => 2,
    };
    let any = |random: &mut Random, count: usize, code: &mut Vec<u8>| {
        code.extend(&random.next().to_le_bytes()[..count]);
    };
    match op.rest {
        Rest::Nothing => {}
        Rest::Offset => any(random, address_bytes, &mut code),
        Rest::ModRm(reg) => modrm(random, reg, address_bytes, &mut code),
    }
    let long = match (bits == Bits::B16) != operand && !wide {
        true => 2,
        false => 4,
    };
    match op.immediate {
        Immediate::None => {}
        Immediate::Byte => any(random, 1, &mut code),
        Immediate::Long => any(random, long, &mut code),
    }
    code
}

/// A ModRM byte and what follows it; memory mostly.
fn modrm(random: &mut Random, reg: Option<u8>, address_bytes: usize, code: &mut Vec<u8>) {
    let form = if random.one_in(12) {
        3
    } else {
        random.below(3) as u8
    };
    let rm = random.below(8) as u8;
    let reg = reg.unwrap_or(random.below(8) as u8);
    code.push(form << 6 | reg << 3 | rm);
    if form == 3 {
        return;
    }
    let mut displacement = match form {
        1 => 1,
        2 => address_bytes.min(4),
        _ => 0,
    };
    if address_bytes == 2 {
        if form == 0 && rm == 6 {
            displacement = 2;
        }
    } else {
        if rm == 4 {
            let sib = random.next() as u8;
            code.push(sib);
            if form == 0 && sib & 7 == 5 {
                displacement = 4;
            }
        }
        if form == 0 && rm == 5 {
            displacement = 4;
        }
    }
    // Small ones, with either sign.
    let near = (random.next() as i64 >> [56, 56, 48, 32, 0][random.below(5)]).to_le_bytes();
    code.extend(&near[..displacement]);
}

/// A linear address that is worth reaching.
fn target(random: &mut Random) -> u64 {
    let near = random.below(9) as u64;
    match random.below(12) {
        0 => DATA + PAGE - near,
        1 => READ_ONLY - near,
        2 => DATA_END - near,
        3 => DATA - near,
        4 => CODE_END - near,
        5 => READ_ONLY + random.next() % PAGE,
        _ => DATA + random.next() % (READ_ONLY - DATA),
    }
}

fn decode(case: &Case) -> (Instruction, Option<(usize, usize)>) {
    let bits = match case.bits {
        Bits::B16 => 16,
        Bits::B32 => 32,
        Bits::B64 => 64,
    };
    let mut decoder = Decoder::with_ip(bits, &case.code, case.rip(), DecoderOptions::NONE);
    let instruction = decoder.decode();
    let offsets = decoder.get_constant_offsets(&instruction);
    let field = offsets
        .has_displacement()
        .then(|| (offsets.displacement_offset(), offsets.displacement_size()));
    (instruction, field)
}

/// The number of a general register, in the order of [`Case::gprs`].
fn number(register: Register) -> Option<usize> {
    register.is_gpr().then(|| register.number())
}

/// Sets registers, or the displacement, so that the memory operand is a target.
fn aim(random: &mut Random, case: &mut Case) {
    if random.one_in(30) {
        return;
    }
    let (instruction, field) = decode(case);
    if instruction.is_string_instruction() {
        let source = segment(instruction.memory_segment());
        let (source, es) = (case.base(source), case.base(SegmentName::Es));
        case.gprs[RSI] = target(random).wrapping_sub(source);
        case.gprs[RDI] = target(random).wrapping_sub(es);
        case.gprs[RCX] = [random.below(4) as u64, random.next()][usize::from(random.one_in(8))];
        return;
    }
    let has_memory = (0..instruction.op_count()).any(|n| instruction.op_kind(n) == OpKind::Memory);
    if !has_memory {
        return;
    }
    if let Some(gpr) = bit_number(&instruction)
        && !random.one_in(4)
    {
        case.gprs[gpr] = (random.next() as i64 >> 55) as u64;
    }
    let base = case.base(segment(instruction.memory_segment()));
    let to = target(random).wrapping_sub(base);
    let index = number(instruction.memory_index());
    let scaled = |case: &Case| {
        index.map_or(0, |gpr| {
            case.gprs[gpr].wrapping_mul(u64::from(instruction.memory_index_scale()))
        })
    };
    let displacement = instruction.memory_displacement64();
    if let Some(gpr) = number(instruction.memory_base()) {
        case.gprs[gpr] = to.wrapping_sub(scaled(case)).wrapping_sub(displacement);
        if random.one_in(8) {
            // Beyond a narrow address width it must not matter.
            case.gprs[gpr] ^= random.next() << 32;
        }
    } else if let Some(gpr) = index {
        let scale = u64::from(instruction.memory_index_scale());
        case.gprs[gpr] = to.wrapping_sub(displacement) / scale;
    } else if let Some((offset, size)) = field {
        let relative = instruction.memory_base() == Register::RIP
            || instruction.memory_base() == Register::EIP;
        let from = if relative { instruction.next_ip() } else { 0 };
        let bytes = to.wrapping_sub(from).to_le_bytes();
        case.code[offset..offset + size].copy_from_slice(&bytes[..size]);
    }
}

fn segment(register: Register) -> SegmentName {
    match register {
        Register::ES => SegmentName::Es,
        Register::CS => SegmentName::Cs,
        Register::SS => SegmentName::Ss,
        Register::FS => SegmentName::Fs,
        Register::GS => SegmentName::Gs,
        _ => SegmentName::Ds,
    }
}

/// For instructions that compare with the accumulator: often lets it be what memory holds.
fn expect(random: &mut Random, case: &mut Case, model: &mut Model) {
    let (instruction, _) = decode(case);
    use iced_x86::Mnemonic::{Cmpxchg, Cmpxchg8b};
    if !matches!(instruction.mnemonic(), Cmpxchg | Cmpxchg8b) || random.one_in(2) {
        return;
    }
    let at = operand(case, &instruction, 0);
    let word = model.word(at.unwrap_or(0));
    case.gprs[RAX] = word;
    if instruction.mnemonic() == Cmpxchg8b {
        case.gprs[RAX] = word & 0xffff_ffff | case.gprs[RAX] & !0xffff_ffff;
        case.gprs[RDX] = word >> 32;
    }
}

/// The register that holds the number of a bit, which may lie beyond the operand.
fn bit_number(instruction: &Instruction) -> Option<usize> {
    use iced_x86::Mnemonic::{Btc, Btr, Bts};
    let bits = matches!(instruction.mnemonic(), Bts | Btr | Btc);
    number(instruction.op1_register()).filter(|_| bits)
}

/// The linear address of an operand of the case's instruction, if it is in memory.
pub fn operand(case: &Case, instruction: &Instruction, index: u32) -> Option<u64> {
    let at = instruction.virtual_address(index, 0, |register, _, _| {
        if register.is_segment_register() {
            return Some(case.base(segment(register)));
        }
        let whole = case.gprs[number(register)?];
        Some(match register.size() {
            2 => whole & 0xffff,
            4 => whole & 0xffff_ffff,
            _ => whole,
        })
    })?;
    let Some(gpr) = bit_number(instruction) else {
        return Some(at);
    };
    let bits = instruction.op1_register().size() as u32 * 8;
    let number = (case.gprs[gpr] << (64 - bits)) as i64 >> (64 - bits);
    let units = number.div_euclid(bits.into());
    Some(at.wrapping_add((units * i64::from(bits / 8)) as u64))
}

/// In 16- and 32-bit code, registers have 32 bits.
fn narrow(case: &mut Case) {
    if case.bits != Bits::B64 {
        for gpr in &mut case.gprs {
            *gpr &= 0xffff_ffff;
        }
        case.gprs[8..].fill(0);
    }
}
