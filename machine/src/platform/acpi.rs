//! ACPI tables without AML: root, MADT, FADT, HPET, MCFG (ACPI 6.5, chapter 5).
//!
//! Every read is checked against the table's stated length, and that against a bound.
//! Tables with a wrong checksum are used all the same, as other systems do; a table whose
//! bytes cannot be read is left out.

use super::{ConfigSpace, CpuEntry, IoApicEntry, Override, Platform, Register};
use crate::boot::{PhysMemory, u16_at, u32_at, u64_at};

/// Longest table read, in bytes.
const MAX_TABLE: u32 = 1 << 20;
/// ACPI 2.0's GUID among EFI's configuration tables, and 1.0's.
const EFI_ACPI_20: [u8; 16] = [
    0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11, 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81,
];

/// Reads the tables. `hint` is the loader's root pointer, `efi` EFI's system table; without
/// both, the BIOS areas are searched. `None` if there is no root pointer.
pub fn parse(
    memory: &dyn PhysMemory,
    hint: Option<u64>,
    efi: Option<u64>,
    out: &mut Platform,
) -> Option<()> {
    let from_efi = efi.and_then(|at| efi_rsdp(memory, at));
    let valid = |at: &u64| is_rsdp(memory, *at);
    let rsdp = from_efi
        .filter(valid)
        .or_else(|| bios_rsdp(memory))
        .or_else(|| hint.filter(valid))?;
    out.rsdp = rsdp;
    let head = memory.bytes(rsdp, 20)?;
    let revision = head.get(15).copied()?;
    let xsdt = if revision >= 2 {
        u64_at(memory.bytes(rsdp, 36)?, 24)
    } else {
        None
    };
    match xsdt.filter(|at| *at != 0).and_then(|at| table(memory, at)) {
        Some(root) => {
            for entry in root.get(36..)?.chunks_exact(8) {
                one(memory, u64_at(entry, 0)?, out);
            }
        }
        None => {
            let root = table(memory, u64::from(u32_at(head, 16)?))?;
            for entry in root.get(36..)?.chunks_exact(4) {
                one(memory, u64::from(u32_at(entry, 0)?), out);
            }
        }
    }
    Some(())
}

fn is_rsdp(memory: &dyn PhysMemory, at: u64) -> bool {
    let Some(bytes) = memory.bytes(at, 20) else {
        return false;
    };
    bytes.starts_with(b"RSD PTR ") && bytes.iter().fold(0u8, |s, b| s.wrapping_add(*b)) == 0
}

fn bios_rsdp(memory: &dyn PhysMemory) -> Option<u64> {
    let ebda = memory
        .bytes(0x40e, 2)
        .and_then(|b| u16_at(b, 0))
        .map_or(0, |s| u64::from(s) << 4);
    let areas = [
        (ebda, if ebda >= 0x400 { 0x400 } else { 0 }),
        (0xe_0000, 0x2_0000),
    ];
    let mut places = areas
        .iter()
        .flat_map(|&(base, len)| (base..base + len).step_by(16));
    places.find(|at| is_rsdp(memory, *at))
}

fn efi_rsdp(memory: &dyn PhysMemory, system_table: u64) -> Option<u64> {
    let system = memory.bytes(system_table, 120)?;
    let count = u64_at(system, 104)?.min(256);
    let list = u64_at(system, 112)?;
    for i in 0..count {
        let entry = memory.bytes(list.checked_add(24 * i)?, 24)?;
        if entry.starts_with(&EFI_ACPI_20) {
            return u64_at(entry, 16);
        }
    }
    None
}

/// The whole table at `at`.
fn table(memory: &dyn PhysMemory, at: u64) -> Option<&[u8]> {
    let len = u32_at(memory.bytes(at, 36)?, 4)?;
    if !(36..=MAX_TABLE).contains(&len) {
        return None;
    }
    memory.bytes(at, len as usize)
}

fn one(memory: &dyn PhysMemory, at: u64, out: &mut Platform) {
    let Some(bytes) = table(memory, at) else {
        return;
    };
    let Some(signature) = bytes.first_chunk::<4>() else {
        return;
    };
    let _ = out.tables.try_push((*signature, at, bytes.len() as u32));
    match signature {
        b"APIC" => {
            let _ = madt(bytes, out);
        }
        b"FACP" => {
            let _ = fadt(memory, bytes, out);
        }
        b"IVRS" => {
            let _ = super::ivrs::parse(bytes, out);
        }
        b"HPET" => out.hpet = u64_at(bytes, 44).filter(|a| *a != 0),
        b"MCFG" => {
            for e in bytes.get(44..).unwrap_or(&[]).chunks_exact(16) {
                let (Some(addr), Some(segment)) = (u64_at(e, 0), u16_at(e, 8)) else {
                    continue;
                };
                let (Some(&first_bus), Some(&last_bus)) = (e.get(10), e.get(11)) else {
                    continue;
                };
                let space = ConfigSpace {
                    addr,
                    segment,
                    first_bus,
                    last_bus,
                };
                let _ = out.config_spaces.try_push(space);
            }
        }
        _ => {}
    }
}

fn madt(bytes: &[u8], out: &mut Platform) -> Option<()> {
    out.local_apic = u64::from(u32_at(bytes, 36)?);
    out.has_8259 = u32_at(bytes, 40)? & 1 != 0;
    let mut rest = bytes.get(44..)?;
    while let [kind, len, ..] = *rest {
        let len = usize::from(len);
        if len < 2 {
            return None;
        }
        let _ = madt_entry(kind, rest.get(..len)?, out);
        rest = rest.get(len..)?;
    }
    Some(())
}

fn madt_entry(kind: u8, e: &[u8], out: &mut Platform) -> Option<()> {
    match kind {
        0 => {
            let flags = u32_at(e, 4)?;
            cpu(u32::from(*e.get(3)?), u32::from(*e.get(2)?), flags, out);
        }
        9 => cpu(u32_at(e, 4)?, u32_at(e, 12)?, u32_at(e, 8)?, out),
        1 => {
            let io_apic = IoApicEntry {
                id: *e.get(2)?,
                addr: u64::from(u32_at(e, 4)?),
                gsi_base: u32_at(e, 8)?,
            };
            let _ = out.io_apics.try_push(io_apic);
        }
        2 => {
            let over = Override {
                isa: *e.get(3)?,
                gsi: u32_at(e, 4)?,
                flags: u16_at(e, 8)?,
            };
            let _ = out.overrides.try_push(over);
        }
        3 => {
            let _ = out.nmi_sources.try_push((u32_at(e, 4)?, u16_at(e, 2)?));
        }
        4 => out.nmi_lint = Some((*e.get(5)?, u16_at(e, 3)?)),
        10 => out.nmi_lint = Some((*e.get(8)?, u16_at(e, 2)?)),
        5 => out.local_apic = u64_at(e, 4)?,
        _ => {}
    }
    Some(())
}

fn cpu(apic_id: u32, acpi_id: u32, flags: u32, out: &mut Platform) {
    let entry = CpuEntry {
        apic_id,
        acpi_id,
        enabled: flags & 1 != 0,
        online_capable: flags & 2 != 0,
    };
    let known = out.cpus.iter().any(|c| c.apic_id == apic_id);
    if !known && (entry.enabled || entry.online_capable) {
        let _ = out.cpus.try_push(entry);
    }
}

fn fadt(memory: &dyn PhysMemory, t: &[u8], out: &mut Platform) -> Option<()> {
    let p = &mut out.power;
    p.sci = u16_at(t, 46)?;
    p.smi_command = u32_at(t, 48)? as u16;
    p.acpi_enable = *t.get(52)?;
    let block = |extended: usize, legacy: usize| {
        generic(t, extended).or_else(|| {
            let port = u32_at(t, legacy)? as u16;
            (port != 0).then_some(Register::Port(port))
        })
    };
    p.pm1a_event = block(148, 56);
    p.pm1b_event = block(160, 60);
    p.pm1a_control = block(172, 64);
    p.pm1b_control = block(184, 68);
    p.pm_timer = block(208, 76);
    p.century = t.get(108).copied().unwrap_or(0);
    p.boot_flags = u16_at(t, 109).unwrap_or(0);
    let flags = u32_at(t, 112).unwrap_or(0);
    p.pm_timer_32bit = flags & (1 << 8) != 0;
    if flags & (1 << 10) != 0 {
        p.reset = generic(t, 116);
        p.reset_value = t.get(128).copied().unwrap_or(0);
    }
    let wide = |extended, legacy| {
        let extended = u64_at(t, extended).filter(|a| *a != 0);
        extended
            .or_else(|| u32_at(t, legacy).map(u64::from))
            .unwrap_or(0)
    };
    p.facs = wide(132, 36);
    p.s5 = table(memory, wide(140, 40)).and_then(s5);
    Some(())
}

/// A generic address structure.
fn generic(t: &[u8], at: usize) -> Option<Register> {
    let addr = u64_at(t, at.checked_add(4)?)?;
    if addr == 0 {
        return None;
    }
    match t.get(at)? {
        0 => Some(Register::Memory(addr)),
        1 => u16::try_from(addr).ok().map(Register::Port),
        2 => Some(Register::Pci(
            (addr >> 32) as u8,
            (addr >> 16) as u8,
            addr as u8,
        )),
        _ => None,
    }
}

/// The S5 package's first two numbers, found by its name in the byte stream: the package is
/// made of constants in every firmware seen, so no interpreter is needed.
fn s5(dsdt: &[u8]) -> Option<(u8, u8)> {
    let at = dsdt.windows(5).position(|w| w == b"_S5_\x12")?;
    let after = dsdt.get(at + 5..)?;
    let length_bytes = usize::from(*after.first()? >> 6) + 1;
    // Length, number of elements, then the elements.
    let (first, rest) = constant(after.get(length_bytes + 1..)?)?;
    let (second, _) = constant(rest)?;
    Some((first & 7, second & 7))
}

/// A byte-sized constant of AML, and what follows it.
fn constant(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match *bytes {
        [0x0a, value, ref rest @ ..] => Some((value, rest)),
        [value @ (0 | 1), ref rest @ ..] => Some((value, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::fake::Fake;

    fn header(m: &mut Fake, at: u64, signature: &[u8; 4], len: u32) {
        m.put(at, signature);
        m.put(at + 4, &len.to_le_bytes());
    }

    fn sample() -> Fake {
        let mut m = Fake::new(0xe_0000);
        let mut rsdp = *b"RSD PTR \0XENIOS\0\0\0\x0e\0";
        rsdp[17] = 0x01;
        let sum = rsdp.iter().fold(0u8, |s, b| s.wrapping_add(*b));
        rsdp[8] = 0u8.wrapping_sub(sum);
        m.put(0xe_0010, &rsdp);
        header(&mut m, 0xe_0100, b"RSDT", 36 + 8);
        m.put(0xe_0124, &0xe_0200u32.to_le_bytes());
        m.put(0xe_0128, &0xe_0300u32.to_le_bytes());
        header(&mut m, 0xe_0200, b"APIC", 44 + 8 + 12 + 10 + 16);
        m.put(0xe_0224, &0xfee0_0000u32.to_le_bytes());
        m.put(0xe_0228, &[1]);
        m.put(0xe_022c, &[0, 8, 0, 3, 1, 0, 0, 0]);
        m.put(0xe_0234, &[1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
        m.put(0xe_0240, &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
        m.put(0xe_024a, &[9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
        header(&mut m, 0xe_0300, b"FACP", 244);
        m.put(0xe_0300 + 40, &0xe_0600u32.to_le_bytes());
        m.put(0xe_0300 + 46, &[9, 0]);
        m.put(0xe_0300 + 64, &[4, 6]);
        m.put(0xe_0300 + 76, &[8, 6]);
        m.put(0xe_0300 + 113, &[4]);
        m.put(0xe_0300 + 116, &[1, 8, 0, 1, 0xf9, 0x0c]);
        m.put(0xe_0300 + 128, &[0xf]);
        header(&mut m, 0xe_0600, b"DSDT", 64);
        m.put(0xe_0630, b"_S5_\x12\x06\x04\x0a\x05\x00\x00\x00");
        m
    }

    #[test]
    fn reads_the_tables_found_in_the_bios_area() {
        let mut p = Platform::default();
        parse(&sample(), None, None, &mut p).unwrap();
        assert_eq!(
            p.cpus
                .iter()
                .map(|c| c.apic_id)
                .collect::<arrayvec::ArrayVec<_, 4>>()[..],
            [3, 0x100]
        );
        assert_eq!(
            p.io_apics[0],
            IoApicEntry {
                id: 2,
                addr: 0xfec0_0000,
                gsi_base: 0
            }
        );
        assert_eq!(p.isa_gsi(0), (2, 0));
        assert_eq!(p.isa_gsi(4), (4, 0));
        assert_eq!(p.power.sci, 9);
        assert_eq!(p.power.pm1a_control, Some(Register::Port(0x604)));
        assert_eq!(p.power.pm_timer, Some(Register::Port(0x608)));
        assert_eq!(
            (p.power.reset, p.power.reset_value),
            (Some(Register::Port(0xcf9)), 0xf)
        );
        assert_eq!(p.power.s5, Some((5, 0)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "too long under an interpreter")]
    fn nonsense_never_panics() {
        for seed in 0..4000u32 {
            let mut m = sample();
            let mut x = seed.wrapping_mul(0x9e37_79b9) | 1;
            for _ in 0..8 {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                let at = 0x100 + (x as usize >> 8) % 0x560;
                m.data[at] = x as u8;
            }
            let mut p = Platform::default();
            let _ = parse(&m, None, None, &mut p);
        }
    }
}
