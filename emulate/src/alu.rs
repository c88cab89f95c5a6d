//! Integer arithmetic with the flags it sets.
//!
//! Functions take values cut to `size` and return a result cut to `size` with the new state of
//! the flags. Flags that the manuals leave undefined are left alone.

use crate::Size;

pub(crate) const CF: u64 = 1 << 0;
const PF: u64 = 1 << 2;
const AF: u64 = 1 << 4;
pub(crate) const ZF: u64 = 1 << 6;
const SF: u64 = 1 << 7;
const OF: u64 = 1 << 11;
const STATUS: u64 = CF | PF | AF | ZF | SF | OF;

/// `a + b + carry`.
pub(crate) fn add(flags: u64, size: Size, a: u64, b: u64, carry: bool) -> (u64, u64) {
    let wide = u128::from(a) + u128::from(b) + u128::from(carry);
    let result = (a.wrapping_add(b).wrapping_add(carry.into())) & size.mask();
    let carried = wide > u128::from(size.mask());
    // Overflow: the operands' signs agree and the result's differs.
    let overflow = !(a ^ b) & (a ^ result) & sign(size) != 0;
    let new = bit(CF, carried) | bit(OF, overflow) | (a ^ b ^ result) & AF | shape(size, result);
    (result, flags & !STATUS | new)
}

/// `a - b - borrow`.
pub(crate) fn sub(flags: u64, size: Size, a: u64, b: u64, borrow: bool) -> (u64, u64) {
    let result = (a.wrapping_sub(b).wrapping_sub(borrow.into())) & size.mask();
    let borrowed = u128::from(b) + u128::from(borrow) > u128::from(a);
    let overflow = (a ^ b) & (a ^ result) & sign(size) != 0;
    let new = bit(CF, borrowed) | bit(OF, overflow) | (a ^ b ^ result) & AF | shape(size, result);
    (result, flags & !STATUS | new)
}

/// The flags of a logical operation with this result. AF is undefined and cleared here, as CPUs do.
pub(crate) fn logic(flags: u64, size: Size, result: u64) -> (u64, u64) {
    let result = result & size.mask();
    (result, flags & !STATUS | shape(size, result))
}

/// `a + 1`, which leaves CF alone.
pub(crate) fn inc(flags: u64, size: Size, a: u64) -> (u64, u64) {
    let (result, new) = add(flags, size, a, 1, false);
    (result, new & !CF | flags & CF)
}

/// `a - 1`, which leaves CF alone.
pub(crate) fn dec(flags: u64, size: Size, a: u64) -> (u64, u64) {
    let (result, new) = sub(flags, size, a, 1, false);
    (result, new & !CF | flags & CF)
}

/// `flags` with `mask` set or cleared.
pub(crate) fn put(flags: u64, mask: u64, on: bool) -> u64 {
    flags & !mask | bit(mask, on)
}

fn bit(mask: u64, on: bool) -> u64 {
    if on { mask } else { 0 }
}

fn sign(size: Size) -> u64 {
    1 << (size.bits() - 1)
}

/// ZF, SF and PF of a result.
fn shape(size: Size, result: u64) -> u64 {
    bit(ZF, result == 0)
        | bit(SF, result & sign(size) != 0)
        | bit(PF, (result & 0xff).count_ones().is_multiple_of(2))
}
