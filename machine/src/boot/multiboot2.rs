//! Multiboot 2 information (Multiboot2 Specification 2.0, section 3.6).

use super::{BootInfo, MAX_COMMAND_LINE, MemoryKind, MemoryMap, Module, PhysMemory};
use super::{text_of, u32_at, u64_at, without_name};

/// What the loader leaves in EAX.
pub const MAGIC: u32 = 0x36d7_6289;

/// Largest information taken, in bytes.
const MAX_SIZE: u32 = 1 << 20;

const TAG_END: u32 = 0;
const TAG_COMMAND_LINE: u32 = 1;
const TAG_LOADER: u32 = 2;
const TAG_MODULE: u32 = 3;
const TAG_MEMORY_MAP: u32 = 6;
const TAG_EFI64: u32 = 12;
const TAG_ACPI_OLD: u32 = 14;
const TAG_ACPI_NEW: u32 = 15;
const TAG_EFI_MAP: u32 = 17;

/// Reads the information at machine address `addr`; `None` if it is not readable.
pub fn parse(memory: &dyn PhysMemory, addr: u64, out: &mut BootInfo) -> Option<()> {
    let total = u32_at(memory.bytes(addr, 8)?, 0)?.min(MAX_SIZE) as usize;
    let all = memory.bytes(addr, total)?;
    // The loader's name first: it decides how command lines are read.
    for (kind, _, body) in tags(all) {
        if kind == TAG_LOADER {
            out.loader = text_of(body);
        }
    }
    let mut map = MemoryMap::default();
    let mut efi_map = MemoryMap::default();
    for (kind, at, body) in tags(all) {
        match kind {
            TAG_COMMAND_LINE => {
                let line = text_of::<MAX_COMMAND_LINE>(body);
                out.command_line = without_name(&line, &out.loader);
            }
            TAG_MODULE => module(body, out),
            TAG_MEMORY_MAP => {
                for e in entries(body) {
                    if let (Some(base), Some(len), Some(kind)) =
                        (u64_at(e, 0), u64_at(e, 8), u32_at(e, 16))
                    {
                        map.push(base, len, MemoryKind::from_e820(kind));
                    }
                }
            }
            TAG_EFI_MAP => {
                for e in entries(body) {
                    if let (Some(kind), Some(base), Some(pages)) =
                        (u32_at(e, 0), u64_at(e, 8), u64_at(e, 24))
                    {
                        efi_map.push(base, pages.saturating_mul(4096), MemoryKind::from_efi(kind));
                    }
                }
            }
            TAG_EFI64 => out.efi_system_table = u64_at(body, 0),
            TAG_ACPI_OLD if out.rsdp.is_none() => out.rsdp = Some(addr + at as u64),
            TAG_ACPI_NEW => out.rsdp = Some(addr + at as u64),
            _ => {}
        }
    }
    let map = if map.ranges().is_empty() {
        efi_map
    } else {
        map
    };
    out.memory = map.sanitised();
    Some(())
}

/// Tags as (type, offset of the body, body).
fn tags(all: &[u8]) -> impl Iterator<Item = (u32, usize, &[u8])> {
    let mut at = 8usize;
    core::iter::from_fn(move || {
        let kind = u32_at(all, at)?;
        let size = u32_at(all, at.checked_add(4)?)? as usize;
        if kind == TAG_END || size < 8 {
            return None;
        }
        let start = at.checked_add(8)?;
        let end = at.checked_add(size)?;
        let body = all.get(start..end)?;
        at = end.checked_next_multiple_of(8)?;
        Some((kind, start, body))
    })
}

/// Entries of a map tag: entry size, version, entries.
fn entries(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let size = u32_at(body, 0).unwrap_or(0).max(16) as usize;
    body.get(8..).unwrap_or(&[]).chunks_exact(size)
}

fn module(body: &[u8], out: &mut BootInfo) {
    let (Some(start), Some(end)) = (u32_at(body, 0), u32_at(body, 4)) else {
        return;
    };
    if end <= start {
        return;
    }
    let line = text_of::<MAX_COMMAND_LINE>(body.get(8..).unwrap_or(&[]));
    let module = Module {
        start: u64::from(start),
        len: u64::from(end - start),
        command_line: without_name(&line, &out.loader),
    };
    if out.modules.try_push(module).is_err() {
        out.modules_dropped += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    fn sample() -> Fake {
        let mut m = Fake::new(0x10000);
        let mut at = 0x10008u64;
        let mut tag = |m: &mut Fake, kind: u32, body: &[u8]| {
            m.put(at, &kind.to_le_bytes());
            m.put(at + 4, &(body.len() as u32 + 8).to_le_bytes());
            m.put(at + 8, body);
            at = (at + 8 + body.len() as u64).next_multiple_of(8);
        };
        tag(&mut m, TAG_COMMAND_LINE, b"loglvl=all\0");
        tag(&mut m, TAG_LOADER, b"GRUB 2.12\0");
        let mut module = [0u8; 16];
        module[2] = 0x30;
        module[6] = 0x31;
        module[8..12].copy_from_slice(b"a=b\0");
        tag(&mut m, TAG_MODULE, &module);
        let mut map = [0u8; 32];
        map[0] = 24;
        map[18] = 0x10;
        map[24] = 1;
        tag(&mut m, TAG_MEMORY_MAP, &map);
        tag(
            &mut m,
            TAG_ACPI_NEW,
            b"RSD PTR ............................",
        );
        tag(&mut m, TAG_END, b"");
        m.put(0x10000, &((at - 0x10000) as u32).to_le_bytes());
        m
    }

    #[test]
    fn reads_what_grub_passes() {
        let mut info = BootInfo::default();
        let m = sample();
        parse(&m, 0x10000, &mut info).unwrap();
        assert_eq!(info.command_line.as_str(), "loglvl=all");
        assert_eq!(info.modules[0].start, 0x300000);
        assert_eq!(info.modules[0].len, 0x10000);
        assert_eq!(info.modules[0].command_line.as_str(), "a=b");
        assert_eq!(info.memory.ram_bytes(), 0x100000);
        assert_eq!(m.bytes(info.rsdp.unwrap(), 8), Some(&b"RSD PTR "[..]));
    }

    #[test]
    #[cfg_attr(miri, ignore = "too long under an interpreter")]
    fn nonsense_loses_entries_only() {
        for seed in 0..2000u32 {
            let mut m = sample();
            let mut x = seed.wrapping_mul(0x9e37_79b9) | 1;
            for _ in 0..8 {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                let at = (x as usize >> 8) % 0x110;
                m.data[at] = x as u8;
            }
            let mut info = BootInfo::default();
            let _ = parse(&m, 0x10000, &mut info);
        }
    }
}
