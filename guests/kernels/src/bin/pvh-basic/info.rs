//! What the builder leaves for the kernel.

use guest_rt::harness::Outcome;
use guest_rt::pvh;
use guest_rt::{check, hypercall, mem, ok, same};
use xen_abi::hvm::*;
use xen_abi::memory::reservation::*;

pub fn start_info() -> Outcome {
    let info = pvh::start_info();
    same!(info.magic, XEN_HVM_START_MAGIC_VALUE);
    same!(info.flags & 3, 3); // privileged, initial domain
    check!(info.rsdp_paddr != 0, "no RSDP");
    Ok(())
}

/// RAM in a map of `count` entries, and whether it covers the second megabyte. `entry` gives
/// address, size and type.
fn ram(count: u32, entry: impl Fn(u32) -> (u64, u64, u32)) -> (u64, bool) {
    let (mut ram, mut at_one_mib) = (0, false);
    for (addr, size, kind) in (0..count).map(entry) {
        if kind == XEN_HVM_MEMMAP_TYPE_RAM {
            ram += size;
            at_one_mib |= addr <= 0x10_0000 && addr + size > 0x20_0000;
        }
    }
    (ram, at_one_mib)
}

fn is_right((ram, at_one_mib): (u64, bool)) -> Outcome {
    check!(at_one_mib, "no RAM at 1 MiB");
    let wanted = 256 << 20;
    check!(
        ram <= wanted && ram > wanted - (4 << 20),
        "{ram:x} bytes of RAM"
    );
    Ok(())
}

pub fn memory_map() -> Outcome {
    let mut entries = [E820Entry::default(); 64];
    let mut map = MemoryMap {
        nr_entries: 64,
        buffer: entries.as_mut_ptr() as u64,
        ..Default::default()
    };
    ok!(hypercall::memory(XENMEM_memory_map, &mut map));
    check!((2..=64).contains(&map.nr_entries), "{}", map.nr_entries);
    is_right(ram(map.nr_entries, |index| {
        let entry = entries[index as usize];
        let wide = |[low, high]: [u32; 2]| u64::from(high) << 32 | u64::from(low);
        (wide(entry.addr), wide(entry.size), entry.r#type)
    }))?;
    // The same in the start-of-day structure, where the version says that it is there.
    let info = pvh::start_info();
    if info.version == 0 {
        return Ok(());
    }
    is_right(ram(info.memmap_entries, |index| {
        let at = info.memmap_paddr + u64::from(index) * 24;
        let word = |n: u64| mem::read_uncaught(at + n * 8);
        (word(0), word(1), word(2) as u32)
    }))
}

pub fn command_line() -> Outcome {
    let at = pvh::start_info().cmdline_paddr;
    check!(at != 0, "no command line");
    let mut found = false;
    let words = b"cmdline-of-guest";
    for start in 0..64 {
        found |= words.iter().enumerate().all(|(i, &byte)| {
            let at = at + start + i as u64;
            (mem::read_uncaught(at & !7) >> (8 * (at & 7))) as u8 == byte
        });
    }
    check!(found, "the command line is another");
    Ok(())
}
