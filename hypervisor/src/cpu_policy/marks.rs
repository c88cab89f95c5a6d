//! Which features a guest may have, as Xen's public `arch-x86/cpufeatureset.h` marks them, a
//! word of the feature set each.
//!
//! The header's marks: `A` all guests, `S` hardware-virtualised ones, `H` those of them with
//! nested paging; in small letters what a guest can have but does not get by default.

use super::features::{FeatureSet, WORDS};

/// The features that have a name.
pub const KNOWN: FeatureSet = FeatureSet([
    0xbfeb_fbff,
    0xfffe_fbff,
    0xee50_0800,
    0x6469_bfff,
    0x0000_001f,
    0xffbf_ffff,
    0xfb41_7fff,
    0x0000_0780,
    0x779f_d205,
    0xffdd_ef3e,
    0x00aa_1cb7,
    0xf81e_0d67,
    0x0000_0001,
    0x0000_003f,
    0x0000_0000,
    0x0004_4530,
    0x1fbe_ffff,
    0x4000_0001,
    0x0000_0006,
]);

/// Marked `A`.
pub const PV_DEFAULT: FeatureSet = FeatureSet([
    0x1fc9_cbf5,
    0xf6d8_3203,
    0xea50_0800,
    0x4421_09e3,
    0x0000_0007,
    0xf1af_0b29,
    0x0240_5f43,
    0x0000_0000,
    0x6400_1005,
    0xac80_4410,
    0x0080_1c37,
    0x781c_0c65,
    0x0000_0000,
    0x0000_0021,
    0x0000_0000,
    0x0000_4430,
    0x1d12_e173,
    0x4000_0000,
    0x0000_0006,
]);

/// Marked `a`.
const PV_MORE: FeatureSet = FeatureSet([
    0,
    0,
    0,
    0,
    0,
    0x0000_0010,
    0x1800_0000,
    0x0000_0100,
    0,
    0x0001_0100,
    0x0000_0080,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
]);

/// What PV guests can have: marked `A` or `a`.
pub const PV_MAX: FeatureSet = union(PV_DEFAULT, PV_MORE);

/// Marked `S` or `H`.
const HVM_OWN: FeatureSet = FeatureSet([
    0x0002_300a,
    0x0122_0000,
    0x0400_0000,
    0x0000_0010,
    0x0000_0008,
    0x0010_0482,
    0x8000_000c,
    0,
    0x111f_c000,
    0x1000_0000,
    0x0008_0000,
    0x0000_0102,
    0,
    0x0000_0016,
    0,
    0,
    0,
    0,
    0,
]);

/// Marked `s` or `h`.
const HVM_MORE: FeatureSet = FeatureSet([
    0,
    0x0000_0020,
    0,
    0x0000_0004,
    0,
    0x0000_4000,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
]);

/// Marked for hardware-virtualised guests, or for all, but not served to them yet: what has
/// registers that are not switched (protection keys, PCID, bounds, shadow stacks,
/// supervisor state, measures against speculation) and virtualisation in itself.
const HVM_UNSERVED: FeatureSet = FeatureSet([
    0,
    0x0002_0020,
    0,
    0x0000_0014,
    0x0000_0008,
    0x0000_4402,
    0x8000_0088,
    0,
    0x111f_c000,
    0x1000_0000,
    0x0008_0000,
    0x0000_0102,
    0,
    0x0000_0016,
    0,
    0,
    0,
    0,
    0,
]);

/// What guests with nested paging get: marked with a capital.
pub const HVM_DEFAULT: FeatureSet = without(union(PV_DEFAULT, HVM_OWN), HVM_UNSERVED);

/// What they can have: marked at all.
pub const HVM_MAX: FeatureSet = without(union(union(HVM_DEFAULT, PV_MORE), HVM_MORE), HVM_UNSERVED);

const fn without(mut all: FeatureSet, less: FeatureSet) -> FeatureSet {
    let mut word = 0;
    while word < WORDS {
        all.0[word] &= !less.0[word];
        word += 1;
    }
    all
}

const fn union(a: FeatureSet, b: FeatureSet) -> FeatureSet {
    let mut all = a;
    let mut word = 0;
    while word < WORDS {
        all.0[word] |= b.0[word];
        word += 1;
    }
    all
}
