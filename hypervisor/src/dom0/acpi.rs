//! A PVH dom0's ACPI tables: a root of its own, which leads to the firmware's tables but for
//! those that describe what only the hypervisor sees; MADT is made anew, for its vCPUs
//! (ACPI 6.5, chapter 5).

use crate::hv::Hypervisor;
use crate::hvm::apic_id;
use alloc::vec::Vec;
use machine::Mfn;
use machine::platform::Platform;
use xen_abi::Errno;

/// Processors, their distances and the memory's, timers, IOMMUs: the machine's, not dom0's.
const HIDDEN: [&[u8; 4]; 8] = [
    b"APIC", b"HPET", b"SLIT", b"SRAT", b"MPST", b"PMTT", b"DMAR", b"IVRS",
];

/// Bytes of a table's header.
const HEADER: usize = 36;
/// Bytes of the root pointer.
const ROOT: usize = 36;
/// Where local APICs have their registers.
const LOCAL_APIC: u32 = 0xfee0_0000;

/// Tables in the making; those that fail for want of memory are noted once.
struct Tables {
    bytes: Vec<u8>,
}

impl Tables {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        self.bytes
            .try_reserve(bytes.len())
            .map_err(|_| Errno::ENOMEM)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Begins a table; returns where.
    fn begin(&mut self, signature: &[u8; 4], revision: u8) -> Result<usize, Errno> {
        let at = self.bytes.len();
        self.put(signature)?;
        self.put(&[0, 0, 0, 0, revision, 0])?;
        self.put(b"XENIOSDOM0    \x01\0\0\0XENI\x01\0\0\0")?;
        debug_assert_eq!(self.bytes.len() - at, HEADER);
        Ok(at)
    }

    /// Ends the table that began at `at`: its length and checksum.
    fn end(&mut self, at: usize) {
        let Some(table) = self.bytes.get_mut(at..) else {
            return;
        };
        let len = table.len() as u32;
        if let Some(slot) = table.get_mut(4..8) {
            slot.copy_from_slice(&len.to_le_bytes());
        }
        seal(table, 9);
    }
}

/// Makes the sum of all bytes zero by the one at `at`.
fn seal(bytes: &mut [u8], at: usize) {
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    if let Some(slot) = bytes.get_mut(at) {
        *slot = slot.wrapping_sub(sum);
    }
}

/// The tables as they are to stand at guest-physical address `at`, where the root pointer comes
/// first. Errors: `ENOMEM`.
pub fn tables(hv: &Hypervisor, vcpus: u32, at: u64) -> Result<Vec<u8>, Errno> {
    let shown = |addr: u64| !hv.is_ram(Mfn(addr >> 12));
    build(hv.platform, shown, vcpus, at)
}

fn build(
    platform: &Platform,
    shown: impl Fn(u64) -> bool,
    vcpus: u32,
    at: u64,
) -> Result<Vec<u8>, Errno> {
    let mut tables = Tables { bytes: Vec::new() };
    tables.put(&[0; ROOT])?;

    let madt = tables.begin(b"APIC", 4)?;
    processors(&mut tables, platform, vcpus)?;
    tables.end(madt);

    // Pointers of eight bytes are aligned in no system's table, but it costs nothing here.
    while !tables.bytes.len().is_multiple_of(8) {
        tables.put(&[0])?;
    }
    let xsdt = tables.begin(b"XSDT", 1)?;
    tables.put(&(at + madt as u64).to_le_bytes())?;
    for (signature, addr, _) in &platform.tables {
        // One in RAM would be the host's, where dom0 has something else.
        if !HIDDEN.contains(&signature) && shown(*addr) {
            tables.put(&addr.to_le_bytes())?;
        }
    }
    tables.end(xsdt);
    root(&mut tables.bytes, at + xsdt as u64);
    Ok(tables.bytes)
}

fn root(bytes: &mut [u8], xsdt: u64) {
    let mut root = [0; ROOT];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(slot) = root.get_mut(at..at + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    };
    put(0, b"RSD PTR \0XENIOS\x02");
    put(20, &(ROOT as u32).to_le_bytes());
    put(24, &xsdt.to_le_bytes());
    if let Some(first) = root.get_mut(..20) {
        seal(first, 8);
    }
    seal(&mut root, 32);
    if let Some(slot) = bytes.get_mut(..ROOT) {
        slot.copy_from_slice(&root);
    }
}

/// MADT's contents. Its flag says that there are no 8259s.
fn processors(tables: &mut Tables, platform: &Platform, vcpus: u32) -> Result<(), Errno> {
    tables.put(&LOCAL_APIC.to_le_bytes())?;
    tables.put(&0u32.to_le_bytes())?;
    for vcpu in 0..vcpus {
        let id = apic_id(vcpu);
        match (u8::try_from(vcpu), u8::try_from(id)) {
            (Ok(uid), Ok(id)) if id != u8::MAX => tables.put(&[0, 8, uid, id, 1, 0, 0, 0])?,
            _ => {
                tables.put(&[9, 16, 0, 0])?;
                for word in [id, 1, vcpu] {
                    tables.put(&word.to_le_bytes())?;
                }
            }
        }
    }
    for io_apic in &platform.io_apics {
        let Ok(addr) = u32::try_from(io_apic.addr) else {
            continue;
        };
        tables.put(&[1, 12, io_apic.id, 0])?;
        tables.put(&addr.to_le_bytes())?;
        tables.put(&io_apic.gsi_base.to_le_bytes())?;
    }
    for over in &platform.overrides {
        tables.put(&[2, 10, 0, over.isa])?;
        tables.put(&over.gsi.to_le_bytes())?;
        tables.put(&over.flags.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::platform::{IoApicEntry, Override};

    fn sum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    fn word(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn a_root_leads_to_its_own_madt_and_to_what_is_shown() {
        let mut platform = Platform::default();
        for (signature, addr) in [
            (*b"FACP", 0x7ffe_0000),
            (*b"APIC", 0x7ffe_1000),
            (*b"HPET", 0x7ffe_2000),
            (*b"IVRS", 0x7ffe_3000),
            (*b"SSDT", 0x1000_0000),
            (*b"MCFG", 0x7ffe_4000),
        ] {
            platform.tables.push((signature, addr, 64));
        }
        platform.io_apics.push(IoApicEntry {
            id: 2,
            addr: 0xfec0_0000,
            gsi_base: 0,
        });
        platform.overrides.push(Override {
            isa: 0,
            gsi: 2,
            flags: 0,
        });
        let at = 0x5000;
        let bytes = build(&platform, |addr| addr > 0x7000_0000, 128, at).unwrap();
        assert!(bytes.starts_with(b"RSD PTR "));
        assert_eq!((sum(&bytes[..20]), sum(&bytes[..36])), (0, 0));

        let xsdt = &bytes[(word(&bytes, 24) - at) as usize..];
        assert!(xsdt.starts_with(b"XSDT") && sum(xsdt) == 0);
        let madt = word(xsdt, 36);
        let others: Vec<u64> = (44..xsdt.len()).step_by(8).map(|i| word(xsdt, i)).collect();
        assert_eq!(others, [0x7ffe_0000, 0x7ffe_4000]);

        let madt = &bytes[(madt - at) as usize..];
        let len = u32::from_le_bytes(madt[4..8].try_into().unwrap()) as usize;
        let madt = &madt[..len];
        assert!(madt.starts_with(b"APIC") && sum(madt) == 0);
        assert_eq!(len, 44 + 128 * 8 + 12 + 10);
        assert_eq!(madt[40..44], [0; 4], "no 8259s");
        assert_eq!(
            madt[44..60],
            [0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 2, 1, 0, 0, 0]
        );
        assert_eq!(madt[len - 22..len - 14], [1, 12, 2, 0, 0, 0, 0xc0, 0xfe]);
    }
}
