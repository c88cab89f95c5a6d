//! Turns a boot module into something that can be loaded: finds the kernel in a Linux bzImage,
//! decompresses it and reads its ELF headers and Xen notes.
//!
//! Owns no state and takes no lock. Every function is pure: bytes in, values out. The input is
//! whatever the boot loader handed over, so nothing here panics on it, and nothing allocates more
//! than the limit it was given.

pub mod bzimage;
pub mod elf;
mod error;
pub mod features;
pub mod notes;
pub mod placement;
mod reader;
pub mod unpack;

pub use elf::{Image, Segment};
pub use error::LoadError;
pub use features::Features;
pub use notes::Notes;
pub use placement::Placement;

use alloc::borrow::Cow;

/// The ELF file inside a boot module: a bare ELF, a compressed ELF, or a bzImage of either.
///
/// Nothing is copied when the module holds the ELF uncompressed. `limit` is the most bytes that
/// the result may take.
///
/// # Errors
/// Names the first thing that is wrong with the module; see [`LoadError`].
pub fn kernel(module: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, LoadError> {
    unpack::to_bytes(bzimage::payload(module)?, limit)
}
