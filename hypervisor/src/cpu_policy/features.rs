//! Features as a set of bits, and where in a policy each word of it stands.
//!
//! The order of words is Xen's public `arch-x86/cpufeatureset.h`.

use super::deps::NEEDED_BY;
use super::policy::{EAX, EBX, ECX, EDX, Policy};
use xen_abi::arch_x86::XEN_X86_FEATURE_ARCH_CAPS;

/// Words of a feature set.
pub const WORDS: usize = 19;

/// Word of the feature set with the low half of MSR 0x10a; the high half follows.
const ARCH_CAPS_WORD: usize = 16;

/// A set of features (`XEN_X86_FEATURE_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureSet(pub [u32; WORDS]);

impl FeatureSet {
    /// Whether it has `feature`.
    pub fn has(&self, feature: u32) -> bool {
        let word = self.0.get(feature as usize / 32);
        word.is_some_and(|word| word >> (feature % 32) & 1 != 0)
    }

    /// Adds or takes away `feature`.
    pub fn set(&mut self, feature: u32, on: bool) {
        if let Some(word) = self.0.get_mut(feature as usize / 32) {
            let bit = 1 << (feature % 32);
            *word = if on { *word | bit } else { *word & !bit };
        }
    }

    /// Takes away what is not in `other`.
    pub fn keep(&mut self, other: &FeatureSet) {
        for (word, mask) in self.0.iter_mut().zip(other.0) {
            *word &= mask;
        }
    }

    /// Takes away the features whose prerequisites are not there.
    pub fn settle(&mut self) {
        loop {
            let before = *self;
            for &(feature, others) in NEEDED_BY {
                if !self.has(feature) {
                    for &other in others {
                        self.set(other, false);
                    }
                }
            }
            if !self.has(XEN_X86_FEATURE_ARCH_CAPS) {
                // The whole register.
                for word in self.0.iter_mut().skip(ARCH_CAPS_WORD).take(2) {
                    *word = 0;
                }
            }
            // Each round but the last takes a feature away.
            if *self == before {
                return;
            }
        }
    }
}

/// The words of a policy that hold features, in the order of the set. Word 14 is leaf 7's
/// subleaf 1 ECX, in which nothing has a name yet.
fn words(p: &mut Policy) -> [&mut u32; WORDS] {
    let Policy {
        basic: [_, one, ..],
        feature: [seven0, seven1, seven2],
        xstate: [_, state1, ..],
        extended: [_, ext1, _, _, _, _, _, ext7, ext8, .., ext21],
        arch_caps: [caps_low, caps_high],
        ..
    } = p;
    let [_, _, one_c, one_d] = one;
    let [_, seven0_b, seven0_c, seven0_d] = seven0;
    let [seven1_a, seven1_b, seven1_c, seven1_d] = seven1;
    let [_, _, ext1_c, ext1_d] = ext1;
    let [ext21_a, _, ext21_c, _] = ext21;
    [
        one_d,
        one_c,
        ext1_d,
        ext1_c,
        &mut state1[EAX],
        seven0_b,
        seven0_c,
        &mut ext7[EDX],
        &mut ext8[EBX],
        seven0_d,
        seven1_a,
        ext21_a,
        seven1_b,
        &mut seven2[EDX],
        seven1_c,
        seven1_d,
        caps_low,
        caps_high,
        ext21_c,
    ]
}

impl Policy {
    /// Its features.
    pub fn features(&self) -> FeatureSet {
        let [one, ext1] = [self.basic[1], self.extended[1]];
        let [seven0, seven1, seven2] = self.feature;
        let ext21 = self.extended[0x21];
        FeatureSet([
            one[EDX],
            one[ECX],
            ext1[EDX],
            ext1[ECX],
            self.xstate[1][EAX],
            seven0[EBX],
            seven0[ECX],
            self.extended[7][EDX],
            self.extended[8][EBX],
            seven0[EDX],
            seven1[EAX],
            ext21[EAX],
            seven1[EBX],
            seven2[EDX],
            seven1[ECX],
            seven1[EDX],
            self.arch_caps[0],
            self.arch_caps[1],
            ext21[ECX],
        ])
    }

    /// Replaces its features.
    pub fn set_features(&mut self, set: &FeatureSet) {
        for (word, value) in words(self).into_iter().zip(set.0) {
            *word = value;
        }
    }
}
