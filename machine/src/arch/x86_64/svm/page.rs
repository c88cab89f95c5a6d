//! Memory that the processor is given by its machine address.
//!
//! Why unsafe: allocates pages without moving them through the stack. Invariant: the heap of
//! the hypervisor's own data lies in the direct map, so an address in it is a machine address
//! plus a constant, and what is allocated does not move.

use super::super::layout::DIRECT_MAP_VA;
use alloc::alloc::{Layout, alloc_zeroed};
use alloc::boxed::Box;

/// Types for which all zero is a value, that are made of whole pages.
///
/// # Safety
/// Both must be true.
pub unsafe trait Pages {}

/// A page of bytes.
#[repr(C, align(4096))]
pub struct Bytes<const N: usize>(pub [u8; N]);

// SAFETY: bytes.
unsafe impl<const N: usize> Pages for Bytes<N> {}
// SAFETY: integers only, one page.
unsafe impl Pages for super::vmcb::Vmcb {}

/// A zeroed value. `None` when memory runs out.
pub fn zeroed<T: Pages>() -> Option<Box<T>> {
    let layout = Layout::new::<T>();
    // SAFETY: the size is not zero; zero is a value of the type; the layout is the box's own.
    unsafe {
        let at = alloc_zeroed(layout).cast::<T>();
        (!at.is_null()).then(|| Box::from_raw(at))
    }
}

/// Its machine address.
pub fn address<T: Pages>(value: &T) -> u64 {
    &raw const *value as u64 - DIRECT_MAP_VA
}
