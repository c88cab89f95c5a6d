//! Names of functions, from the table that the build puts into the image.
//!
//! Why unsafe: reads a section by its linker symbols. The section `.symtab_blob` is
//! [`SPACE`] bytes of zeroes until a step after the link fills it in the file. Format, all
//! little-endian: "XSYM", u32 count, then `count` pairs (u32 address minus `IMAGE_VA`, u32
//! offset of the name in the section), ascending; names end with a zero byte. A table that is
//! not there or makes no sense gives no names.

use super::layout::IMAGE_VA;
use crate::boot::u32_at;

/// Bytes reserved for the table.
pub const SPACE: usize = 128 << 10;

#[unsafe(link_section = ".symtab_blob")]
#[used]
static BLOB: [u8; SPACE] = [0; SPACE];

/// A function and an offset in it, for printing.
pub struct Symbol {
    name: &'static str,
    offset: u64,
}

impl core::fmt::Display for Symbol {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.name.is_empty() {
            f.write_str("?")
        } else {
            write!(f, "{}+{:#x}", self.name, self.offset)
        }
    }
}

/// The function that `address` is in.
pub fn find(address: u64) -> Symbol {
    lookup(blob(), address).unwrap_or(Symbol {
        name: "",
        offset: 0,
    })
}

fn blob() -> &'static [u8] {
    // SAFETY: the section as linked; read as if changed behind the compiler's back, because
    // its bytes are filled in after the compiler has seen zeroes.
    unsafe { core::slice::from_raw_parts(core::hint::black_box(&raw const BLOB).cast(), SPACE) }
}

fn lookup(blob: &'static [u8], address: u64) -> Option<Symbol> {
    if !blob.starts_with(b"XSYM") {
        return None;
    }
    let target = u32::try_from(address.checked_sub(IMAGE_VA)?).ok()?;
    let count = u32_at(blob, 4)? as usize;
    let start = |i: usize| u32_at(blob, i.checked_mul(8)?.checked_add(8)?);
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if start(middle)? <= target {
            low = middle + 1
        } else {
            high = middle
        }
    }
    let index = low.checked_sub(1)?;
    let name = blob.get(u32_at(blob, index.checked_mul(8)?.checked_add(12)?)? as usize..)?;
    let len = name.iter().position(|b| *b == 0)?;
    let name = core::str::from_utf8(name.get(..len)?).ok()?;
    Some(Symbol {
        name,
        offset: u64::from(target - start(index)?),
    })
}
