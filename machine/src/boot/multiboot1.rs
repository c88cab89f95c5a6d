//! Multiboot 1 information (Multiboot Specification 0.6.96, section 3.3).

use super::{BootInfo, MAX_COMMAND_LINE, MemoryKind, MemoryMap, Module, PhysMemory};
use super::{text, u32_at, u64_at, without_name};

/// What the loader leaves in EAX.
pub const MAGIC: u32 = 0x2bad_b002;

const HAS_MEMORY: u32 = 1 << 0;
const HAS_COMMAND_LINE: u32 = 1 << 2;
const HAS_MODULES: u32 = 1 << 3;
const HAS_MAP: u32 = 1 << 6;
const HAS_LOADER: u32 = 1 << 9;

/// Longest memory map looked at, in bytes.
const MAX_MAP: u32 = 0x10000;

/// Reads the information at machine address `addr`; `None` if it is not readable.
pub fn parse(memory: &dyn PhysMemory, addr: u64, out: &mut BootInfo) -> Option<()> {
    let head = memory.bytes(addr, 88)?;
    let flags = u32_at(head, 0)?;
    if flags & HAS_LOADER != 0 {
        out.loader = text(memory, u64::from(u32_at(head, 64)?));
    }
    if flags & HAS_COMMAND_LINE != 0 {
        let line = text::<MAX_COMMAND_LINE>(memory, u64::from(u32_at(head, 16)?));
        out.command_line = without_name(&line, &out.loader);
    }
    if flags & HAS_MODULES != 0 {
        let count = u32_at(head, 20)?.min(1024);
        let list = u64::from(u32_at(head, 24)?);
        for i in 0..count {
            if let Some(bytes) = memory.bytes(list + 16 * u64::from(i), 16) {
                module(memory, bytes, out);
            }
        }
    }
    let mut map = MemoryMap::default();
    if flags & HAS_MAP != 0 {
        memory_map(
            memory,
            u64::from(u32_at(head, 48)?),
            u32_at(head, 44)?.min(MAX_MAP),
            &mut map,
        );
    } else if flags & HAS_MEMORY != 0 {
        map.push(0, u64::from(u32_at(head, 4)?) << 10, MemoryKind::Ram);
        map.push(
            0x10_0000,
            u64::from(u32_at(head, 8)?) << 10,
            MemoryKind::Ram,
        );
    }
    out.memory = map.sanitised();
    Some(())
}

fn module(memory: &dyn PhysMemory, bytes: &[u8], out: &mut BootInfo) {
    let word = |at| u64::from(u32_at(bytes, at).unwrap_or(0));
    let (start, end) = (word(0), word(4));
    if end <= start {
        return;
    }
    let line = match word(8) {
        0 => Default::default(),
        at => without_name(&text::<MAX_COMMAND_LINE>(memory, at), &out.loader),
    };
    let module = Module {
        start,
        len: end - start,
        command_line: line,
    };
    if out.modules.try_push(module).is_err() {
        out.modules_dropped += 1;
    }
}

fn memory_map(memory: &dyn PhysMemory, start: u64, len: u32, map: &mut MemoryMap) {
    let end = start + u64::from(len);
    let mut at = start;
    while at < end {
        let Some(entry) = memory.bytes(at, 24) else {
            return;
        };
        let (Some(size), Some(base), Some(length), Some(kind)) = (
            u32_at(entry, 0),
            u64_at(entry, 4),
            u64_at(entry, 12),
            u32_at(entry, 20),
        ) else {
            return;
        };
        if size < 20 {
            return;
        }
        map.push(base, length, MemoryKind::from_e820(kind));
        at += u64::from(size) + 4;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    fn word(m: &mut Fake, addr: u64, value: u32) {
        m.put(addr, &value.to_le_bytes());
    }

    fn sample() -> Fake {
        let mut m = Fake::new(0x9000);
        word(
            &mut m,
            0x9000,
            HAS_COMMAND_LINE | HAS_MODULES | HAS_MAP | HAS_LOADER,
        );
        word(&mut m, 0x9010, 0x9100);
        m.put(0x9100, b"xenios dom0_mem=1G\0");
        word(&mut m, 0x9014, 2);
        word(&mut m, 0x9018, 0x9200);
        for (i, v) in [0x100000, 0x180000, 0x9300, 0, 0x200000, 0x1fffff, 0, 0]
            .iter()
            .enumerate()
        {
            word(&mut m, 0x9200 + 4 * i as u64, *v);
        }
        m.put(0x9300, b"vmlinuz root=/dev/sda rw\0");
        word(&mut m, 0x902c, 24);
        word(&mut m, 0x9030, 0x9400);
        word(&mut m, 0x9400, 20);
        m.put(0x940c, &0x9fc00u64.to_le_bytes());
        word(&mut m, 0x9414, 1);
        word(&mut m, 0x9040, 0x9500);
        m.put(0x9500, b"qemu\0");
        m
    }

    #[test]
    fn reads_what_qemu_passes() {
        let mut info = BootInfo::default();
        parse(&sample(), 0x9000, &mut info).unwrap();
        assert_eq!(info.loader.as_str(), "qemu");
        assert_eq!(info.command_line.as_str(), "dom0_mem=1G");
        assert_eq!(
            info.modules.len(),
            1,
            "a module that ends before it starts is dropped"
        );
        assert_eq!(info.modules[0].command_line.as_str(), "root=/dev/sda rw");
        assert_eq!(info.memory.ram_bytes(), 0x9fc00);
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
                let at = (x as usize >> 8) % 0x600;
                m.data[at] = x as u8;
            }
            let mut info = BootInfo::default();
            let _ = parse(&m, 0x9000, &mut info);
        }
    }
}
