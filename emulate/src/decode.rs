//! Fetching and decoding: at most 15 bytes, and never a byte beyond the instruction's page
//! unless the instruction reaches over.

use crate::{Bits, Cpu, Result, SegmentName, Trap};
use iced_x86::{Decoder, DecoderError, DecoderOptions, Instruction};

/// The longest instruction, in bytes.
const LONGEST: usize = 15;
const PAGE: u64 = 4096;

/// An instruction that was decoded before: the same bytes at the same place mean the same, so a
/// virtual CPU that keeps one ([`Cpu::last`]) saves the work when it comes there again.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    bits: Bits,
    rip: u64,
    code: [u8; LONGEST],
    instruction: Instruction,
}

impl Default for Decoded {
    fn default() -> Self {
        Decoded {
            bits: Bits::B64,
            rip: 0,
            code: [0; LONGEST],
            instruction: Instruction::default(),
        }
    }
}

impl Decoded {
    /// Whether `code` at `rip` begins with this very instruction. The empty one is none.
    fn is(&self, bits: Bits, code: &[u8], rip: u64) -> bool {
        let len = self.instruction.len();
        len != 0
            && self.rip == rip
            && self.bits == bits
            && code.len() >= len
            && code.get(..len) == self.code.get(..len)
    }
}

/// Decodes the instruction at the instruction pointer; `None` if it is not a valid one.
pub(crate) fn decode(cpu: &mut impl Cpu) -> Result<Option<Instruction>> {
    let rip = cpu.rip();
    decode_at(cpu, rip)
}

/// Decodes the instruction at offset `rip` of the code segment.
pub(crate) fn decode_at(cpu: &mut impl Cpu, rip: u64) -> Result<Option<Instruction>> {
    let bits = cpu.bits();
    let mut code = [0; LONGEST];
    let (start, room) = code_address(cpu, bits, rip)?;
    let whole = code.get_mut(..room.min(LONGEST)).unwrap_or_default();
    let in_page = usize::try_from(PAGE - start % PAGE)
        .unwrap_or(LONGEST)
        .min(whole.len());
    let (first, second) = whole.split_at_mut(in_page);
    cpu.fetch(start, first)?;
    if let Some(last) = cpu.last()
        && last.is(bits, first, rip)
    {
        return Ok(Some(last.instruction));
    }
    let (mut instruction, mut error) = run(bits, first, rip);
    if error == DecoderError::NoMoreBytes && !second.is_empty() {
        let next = match bits {
            Bits::B64 => start.wrapping_add(in_page as u64),
            _ => start.wrapping_add(in_page as u64) & u64::from(u32::MAX),
        };
        cpu.fetch(next, second)?;
        (instruction, error) = run(bits, whole, rip);
    } else if !instruction.is_invalid()
        && let Some(last) = cpu.last()
    {
        *last = Decoded {
            bits,
            rip,
            code,
            instruction,
        };
    }
    if error == DecoderError::NoMoreBytes && room < LONGEST {
        // It runs over the end of the code segment.
        return Err(Trap::GP);
    }
    Ok((!instruction.is_invalid()).then_some(instruction))
}

/// Fetches exactly `code.len()` bytes, at most 15, from offset `rip` of the code segment.
pub(crate) fn fetch(cpu: &mut impl Cpu, rip: u64, code: &mut [u8]) -> Result<()> {
    let (start, room) = code_address(cpu, cpu.bits(), rip)?;
    if room < code.len() {
        return Err(Trap::GP);
    }
    let in_page = usize::try_from(PAGE - start % PAGE)
        .unwrap_or(usize::MAX)
        .min(code.len());
    let (first, second) = code.split_at_mut(in_page);
    cpu.fetch(start, first)?;
    if second.is_empty() {
        Ok(())
    } else {
        cpu.fetch(start.wrapping_add(in_page as u64), second)
    }
}

/// The linear address of offset `rip` of the code segment, and the bytes from there to the
/// segment's end.
fn code_address(cpu: &mut impl Cpu, bits: Bits, rip: u64) -> Result<(u64, usize)> {
    if bits == Bits::B64 {
        return Ok((rip, usize::MAX));
    }
    let segment = cpu.segment(SegmentName::Cs)?;
    let left = u64::from(segment.limit).checked_sub(rip).ok_or(Trap::GP)?;
    let room = usize::try_from(left).map_or(usize::MAX, |left| left.saturating_add(1));
    let start = segment.base.wrapping_add(rip) & u64::from(u32::MAX);
    Ok((start, room))
}

fn run(bits: Bits, code: &[u8], rip: u64) -> (Instruction, DecoderError) {
    let bits = match bits {
        Bits::B16 => 16,
        Bits::B32 => 32,
        Bits::B64 => 64,
    };
    let mut decoder = Decoder::with_ip(bits, code, rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (instruction, decoder.last_error())
}

/// Builds the decoder's tables, which are made on first use and take memory: call once at boot.
pub fn prime() {
    // MOV to CR0 goes through the two-byte table, NOP through the first.
    let _ = run(Bits::B64, &[0x90], 0);
    let _ = run(Bits::B64, &[0x0f, 0x22, 0xc0], 0);
}
