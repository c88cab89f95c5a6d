//! The table of function names inside the hypervisor's image, for its backtraces.
//!
//! The image reserves a section; this fills it after the link, in the file. Format: see
//! `machine/src/arch/x86_64/symbols.rs`.

use anyhow::{Context, Result, bail};

/// Longest name kept, in bytes.
const MAX_NAME: usize = 100;

/// Fills the table in `image`, an ELF file, from the output of `nm -n -C`. What does not fit
/// is left out, the last addresses first. Returns how many names are in it.
pub fn fill(image: &mut [u8], nm: &str) -> Result<usize> {
    let all = || nm.lines().filter_map(line);
    let place = |name| {
        let found = all()
            .find(|(_, _, n)| *n == name)
            .map(|(address, ..)| address);
        found.with_context(|| format!("the image has no symbol {name}"))
    };
    let (start, end) = (place("__symtab_start")?, place("__symtab_end")?);
    let base = place("__image_start")?;
    // The image is linked at a multiple of 1 GiB, from which addresses are counted.
    let base = base & !((1 << 30) - 1);
    let offset = file_offset(image, start).context("no segment has the symbol table")?;
    let space = (end - start) as usize;
    let blob = image
        .get_mut(offset..offset + space)
        .context("the image is cut short")?;

    let functions = || all().filter(|(a, kind, _)| matches!(kind, 't' | 'T') && *a >= base);
    let mut count = 0;
    let mut bytes = 8;
    for (_, _, name) in functions() {
        let need = 8 + short(name).len() + 1;
        if bytes + need > space {
            break;
        }
        bytes += need;
        count += 1;
    }
    if count == 0 {
        bail!("the image has no function symbols");
    }
    let mut index = Vec::new();
    let mut names = Vec::new();
    for (address, _, name) in functions().take(count) {
        index.extend(((address - base) as u32).to_le_bytes());
        index.extend(((8 + 8 * count + names.len()) as u32).to_le_bytes());
        names.extend(short(name).bytes());
        names.push(0);
    }
    let table = [
        b"XSYM".as_slice(),
        &(count as u32).to_le_bytes(),
        &index,
        &names,
    ]
    .concat();
    blob[..table.len()].copy_from_slice(&table);
    Ok(count)
}

/// Address, kind and name of a line of `nm`.
fn line(line: &str) -> Option<(u64, char, &str)> {
    let (address, rest) = line.split_once(' ')?;
    let (kind, name) = rest.split_once(' ')?;
    Some((
        u64::from_str_radix(address, 16).ok()?,
        kind.chars().next()?,
        name,
    ))
}

/// A name cut to [`MAX_NAME`].
fn short(name: &str) -> &str {
    let end = name
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= MAX_NAME);
    &name[..end.last().unwrap_or(0)]
}

/// Where in the ELF file the byte at a virtual address is.
fn file_offset(image: &[u8], address: u64) -> Option<usize> {
    let number = |at: usize, len: usize| -> Option<u64> {
        let bytes = image.get(at..at + len)?;
        Some(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    let (table, size, count) = (
        number(32, 8)? as usize,
        number(54, 2)? as usize,
        number(56, 2)?,
    );
    (0..count as usize).find_map(|i| {
        let at = table + i * size;
        let (offset, start, len) = (number(at + 8, 8)?, number(at + 16, 8)?, number(at + 32, 8)?);
        let inside = number(at, 4)? == 1 && (start..start + len).contains(&address);
        inside.then(|| (offset + address - start) as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_sorted_table_into_the_section() {
        let mut image = vec![0u8; 512];
        image[32] = 64;
        image[54] = 56;
        image[56] = 1;
        image[64] = 1;
        image[64 + 8..64 + 10].copy_from_slice(&256u16.to_le_bytes());
        image[64 + 16..64 + 24].copy_from_slice(&0xffff_82d0_4000_0000u64.to_le_bytes());
        image[64 + 32..64 + 34].copy_from_slice(&256u16.to_le_bytes());
        let nm = "ffff82d040000010 T __image_start\nffff82d040000010 t a::b\n\
                  ffff82d040000020 T c\nffff82d040000030 d not_a_function\n\
                  ffff82d040000040 R __symtab_start\nffff82d0400000c0 R __symtab_end\n";
        assert_eq!(fill(&mut image, nm).unwrap(), 3);
        let blob = &image[256 + 0x40..];
        assert_eq!(&blob[..8], b"XSYM\x03\0\0\0");
        assert_eq!(&blob[8 + 16..8 + 20], 0x20u32.to_le_bytes());
        let name = u32::from_le_bytes(blob[8 + 20..8 + 24].try_into().unwrap()) as usize;
        assert_eq!(&blob[name..name + 2], b"c\0");
    }

    #[test]
    fn an_image_without_the_section_is_an_error() {
        assert!(fill(&mut [0; 100], "").is_err());
    }
}
