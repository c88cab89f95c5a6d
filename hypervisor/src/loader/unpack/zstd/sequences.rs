//! A block's sequences: so many literals, then so many bytes from so far before, again and again.

use super::bits::{Backward, Left};
use super::corrupt;
use super::fse::{Distribution, State};
use super::literals::Run;
use super::output::Output;
use crate::loader::LoadError;
use crate::loader::reader::Reader;
use alloc::boxed::Box;

const STATES: usize = 1 << 9;

/// A state of one of the three tables, with what its symbol means. Masks stand beside the numbers
/// of bits because making one takes longer than loading it.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The number that the symbol stands for when its extra bits are zero.
    base: u32,
    /// As many ones as there are extra bits.
    extra_mask: u32,
    /// The next state when its bits are zero.
    next: u16,
    /// As many ones as bits lead to the next state.
    mask: u16,
    /// How many extra bits there are.
    extra: u8,
    /// How many bits lead to the next state.
    bits: u8,
    /// Both together.
    cost: u8,
}

impl Entry {
    fn new((base, extra): (u32, u8), state: State) -> Self {
        Self {
            base,
            extra_mask: 1u32.wrapping_shl(extra.into()).wrapping_sub(1),
            next: state.next,
            mask: 1u16.wrapping_shl(state.bits.into()).wrapping_sub(1),
            extra,
            bits: state.bits,
            cost: extra.wrapping_add(state.bits),
        }
    }

    /// Takes the symbol's extra bits, uncounted, and returns its number.
    #[inline(always)]
    fn number(&self, bits: &mut Backward<'_>) -> usize {
        let extra = bits.take_uncounted(self.extra.into(), self.extra_mask.into());
        u64::from(self.base).wrapping_add(extra) as usize
    }

    /// Takes the bits that lead to the next state, uncounted, and returns it.
    #[inline(always)]
    fn follow(&self, bits: &mut Backward<'_>) -> usize {
        let low = bits.take_uncounted(self.bits.into(), self.mask.into());
        u64::from(self.next).wrapping_add(low) as usize
    }
}

/// A decoding table for one of the three numbers of a sequence.
#[derive(Debug)]
struct Table {
    entries: Box<[Entry; STATES]>,
    /// Logarithm of the number of states.
    log: u32,
    /// There is something to repeat.
    valid: bool,
    kind: &'static Kind,
}

/// What the symbols of a table mean, and its limits.
#[derive(Debug)]
struct Kind {
    /// Base and extra bits of a symbol.
    meaning: fn(u8) -> (u32, u8),
    symbols: usize,
    max_log: u32,
    /// The predefined distribution.
    fixed: &'static [i16],
    fixed_log: u32,
}

static LITERALS: Kind = Kind {
    meaning: |symbol| match symbol {
        0..16 => (symbol.into(), 0),
        16..20 => (16 + 2 * u32::from(symbol - 16), 1),
        20..22 => (24 + 4 * u32::from(symbol - 20), 2),
        22..24 => (32 + 8 * u32::from(symbol - 22), 3),
        24 => (48, 4),
        // 64, 128, ... with as many bits as the base needs.
        _ => (1u32.wrapping_shl(u32::from(symbol) - 19), symbol - 19),
    },
    symbols: 36,
    max_log: 9,
    fixed: &[
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1,
        1, 1, -1, -1, -1, -1,
    ],
    fixed_log: 6,
};

static MATCHES: Kind = Kind {
    meaning: |symbol| match symbol {
        0..32 => (3 + u32::from(symbol), 0),
        32..36 => (35 + 2 * u32::from(symbol - 32), 1),
        36..38 => (43 + 4 * u32::from(symbol - 36), 2),
        38..40 => (51 + 8 * u32::from(symbol - 38), 3),
        40..42 => (67 + 16 * u32::from(symbol - 40), 4),
        42 => (99, 5),
        // 131, 259, ...: three more than a power of two.
        _ => (
            3u32.wrapping_add(1u32.wrapping_shl(u32::from(symbol) - 36)),
            symbol - 36,
        ),
    },
    symbols: 53,
    max_log: 9,
    fixed: &[
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    fixed_log: 6,
};

static OFFSETS: Kind = Kind {
    meaning: |symbol| (1u32.wrapping_shl(symbol.into()), symbol),
    symbols: 32,
    max_log: 8,
    fixed: &[
        1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
    ],
    fixed_log: 5,
};

impl Table {
    fn new(kind: &'static Kind) -> Self {
        Self {
            entries: Box::new([Entry::default(); STATES]),
            log: 0,
            valid: false,
            kind,
        }
    }

    /// Makes the table that `mode` says, from the description at the start of `block`.
    fn read(&mut self, mode: u8, block: &mut Reader<'_>) -> Result<(), LoadError> {
        match mode & 3 {
            0 => self.build(&Distribution::fixed(self.kind.fixed, self.kind.fixed_log))?,
            1 => {
                let symbol = block.u8()?;
                if usize::from(symbol) >= self.kind.symbols {
                    return corrupt("a sequence symbol is out of range");
                }
                if let Some(entry) = self.entries.first_mut() {
                    *entry = Entry::new((self.kind.meaning)(symbol), State::default());
                }
                self.log = 0;
            }
            2 => {
                let (distribution, length) =
                    Distribution::read(block.rest(), self.kind.symbols, self.kind.max_log)?;
                block.bytes(length)?;
                self.build(&distribution)?;
            }
            _ if !self.valid => return corrupt("a missing table is repeated"),
            _ => {}
        }
        self.valid = true;
        Ok(())
    }

    fn build(&mut self, distribution: &Distribution) -> Result<(), LoadError> {
        let mut states = [State::default(); STATES];
        distribution.build(&mut states)?;
        let size = 1usize.wrapping_shl(distribution.log);
        for (entry, state) in self.entries.iter_mut().zip(&states).take(size) {
            *entry = Entry::new((self.kind.meaning)(state.symbol), *state);
        }
        self.log = distribution.log;
        Ok(())
    }

    #[inline(always)]
    fn entry(&self, state: usize) -> &Entry {
        // The mask only tells the compiler that the index is in range.
        self.entries.get(state & (STATES - 1)).unwrap_or(&NOTHING)
    }
}

static NOTHING: Entry = Entry {
    base: 0,
    extra_mask: 0,
    next: 0,
    mask: 0,
    extra: 0,
    bits: 0,
    cost: 0,
};

/// The state of sequences in a frame.
#[derive(Debug)]
pub(super) struct Sequences {
    literals: Table,
    offsets: Table,
    matches: Table,
    /// The last three offsets, the newest first.
    recent: [usize; 3],
}

impl Sequences {
    pub(super) fn new() -> Self {
        Self {
            literals: Table::new(&LITERALS),
            offsets: Table::new(&OFFSETS),
            matches: Table::new(&MATCHES),
            recent: [1, 4, 8],
        }
    }

    /// Begins a frame.
    pub(super) fn reset(&mut self) {
        self.recent = [1, 4, 8];
        for table in [&mut self.literals, &mut self.offsets, &mut self.matches] {
            table.valid = false;
        }
    }

    /// Reads the sequences section in the rest of a block and executes it.
    pub(super) fn decode(
        &mut self,
        mut block: Reader<'_>,
        mut run: Run<'_>,
        output: &mut Output<'_>,
    ) -> Result<(), LoadError> {
        let count = match block.u8()? {
            first @ 0..128 => u32::from(first),
            first @ 128..255 => u32::from(u16::from_be_bytes([first - 128, block.u8()?])),
            255 => u32::from(block.le16()?).wrapping_add(0x7f00),
        };
        if count > 0 {
            let modes = block.u8()?;
            if modes & 3 != 0 {
                return corrupt("reserved sequence flag");
            }
            self.literals.read(modes >> 6, &mut block)?;
            self.offsets.read(modes >> 4, &mut block)?;
            self.matches.read(modes >> 2, &mut block)?;
            self.execute(count, block.rest(), &mut run, output)?;
        }
        let rest = run.length.saturating_sub(run.used);
        output.literals(&mut run, rest)
    }

    fn execute(
        &mut self,
        count: u32,
        stream: &[u8],
        run: &mut Run<'_>,
        output: &mut Output<'_>,
    ) -> Result<(), LoadError> {
        let mut bits = Backward::new(stream)?;
        let mut recent = self.recent;
        bits.refill();
        let mut literal_state = bits.take(self.literals.log) as usize;
        let mut offset_state = bits.take(self.offsets.log) as usize;
        let mut match_state = bits.take(self.matches.log) as usize;
        for left in (0..count).rev() {
            let literal = self.literals.entry(literal_state);
            let offset = self.offsets.entry(offset_state);
            let matched = self.matches.entry(match_state);
            bits.refill();
            let distance = offset.number(&mut bits);
            let match_length = matched.number(&mut bits);
            // A refill gives 57 bits; the whole can take 89, and hardly ever does.
            let mut cost =
                u32::from(literal.cost) + u32::from(offset.cost) + u32::from(matched.cost);
            if cost > 57 {
                let so_far = u32::from(offset.extra) + u32::from(matched.extra);
                bits.count(so_far);
                bits.refill();
                cost -= so_far;
            }
            let literal_length = literal.number(&mut bits);
            let distance = if distance > 3 {
                recent = [distance - 3, recent[0], recent[1]];
                distance - 3
            } else {
                recall(&mut recent, distance, literal_length)
            };
            output.literals(run, literal_length)?;
            output.repeat(distance, match_length)?;
            if left != 0 {
                literal_state = literal.follow(&mut bits);
                match_state = matched.follow(&mut bits);
                offset_state = offset.follow(&mut bits);
            } else {
                // The last one leads nowhere.
                let states = literal.bits + matched.bits + offset.bits;
                cost -= u32::from(states);
            }
            bits.count(cost);
        }
        self.recent = recent;
        match bits.state() {
            Left::None => Ok(()),
            _ => corrupt("a sequence stream has the wrong length"),
        }
    }
}

/// The distance that a number from 1 to 3 stands for; 0, which cannot be, if there is none.
fn recall(recent: &mut [usize; 3], number: usize, literal_length: usize) -> usize {
    let [first, second, third] = *recent;
    match number + usize::from(literal_length == 0) {
        1 => return first,
        2 => *recent = [second, first, third],
        3 => *recent = [third, first, second],
        _ => *recent = [first.saturating_sub(1), first, second],
    }
    recent[0]
}
