//! Changes inputs at random, from a seed.

/// The generator: xorshift64* (Vigna).
pub struct Random(u64);

impl Random {
    /// The one with this seed.
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..4).for_each(|_| {
            random.next();
        });
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; zero if that is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 32) as usize)
            .checked_rem(bound)
            .unwrap_or(0)
    }
}

/// Values near which things go wrong.
const EDGES: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 63,
    u64::MAX,
];

/// An input made of one of `corpus`, at most `max_len` bytes.
pub fn input(random: &mut Random, corpus: &[Vec<u8>], max_len: usize) -> Vec<u8> {
    let pick = |random: &mut Random| corpus.get(random.below(corpus.len()));
    let mut data = match random.below(16) {
        0 => (0..random.below(max_len))
            .map(|_| random.next() as u8)
            .collect(),
        _ => pick(random).cloned().unwrap_or_default(),
    };
    for _ in 0..=random.below(6) {
        let at = random.below(data.len());
        match random.below(10) {
            0 | 1 if !data.is_empty() => data[at] ^= 1 << random.below(8),
            2 | 3 if !data.is_empty() => data[at] = random.next() as u8,
            4 | 5 if !data.is_empty() => {
                let len = [1, 2, 4, 8][random.below(4)].min(data.len() - at);
                let edge = EDGES[random.below(EDGES.len())].wrapping_add(random.next() & 3);
                data[at..at + len].copy_from_slice(&edge.to_le_bytes()[..len]);
            }
            6 => {
                let end = (at + random.below(16)).min(data.len());
                data.drain(at..end);
            }
            7 => {
                let new: Vec<u8> = (0..random.below(16)).map(|_| random.next() as u8).collect();
                data.splice(at..at, new);
            }
            8 => data.truncate(at + 1),
            _ => {
                // A piece of another.
                let other = pick(random).cloned().unwrap_or_default();
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(64)).min(other.len())];
                let end = (at + piece.len()).min(data.len());
                data.splice(at..end, piece.iter().copied());
            }
        }
    }
    data.truncate(max_len);
    data
}
