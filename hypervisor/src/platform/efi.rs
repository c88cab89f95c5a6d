//! EFI's system table, as far as dom0 needs it to find ACPI. UEFI 2.10, 4.3.

use crate::cx::Cx;
use crate::fail::Fail;
use crate::guest::GuestPtr;
use crate::irq::pci;
use machine::boot::MemoryKind;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

const REVISION: u64 = 8;
const VENDOR: u64 = 24;
const VENDOR_REVISION: u64 = 32;
const TABLES: u64 = 104;
const TABLE_LIST: u64 = 112;
/// Longest vendor's name, in 16-bit characters with the final zero.
const MAX_VENDOR: usize = 100;

// Types and attributes of memory, as the boot loader's map lets us tell them. UEFI 2.10, 7.2.
const RESERVED: u32 = 0;
const CONVENTIONAL: u32 = 7;
const UNUSABLE: u32 = 8;
const ACPI_TABLES: u32 = 9;
const ACPI_NVS: u32 = 10;
const WRITE_BACK: u64 = 1 << 3;
const RUNTIME: u64 = 1 << 63;

fn u32_at(cx: &Cx, at: u64) -> Result<u32, Errno> {
    pci::device_word(cx.hv, at).map_err(|_| Errno::ENOSYS)
}

fn u64_at(cx: &Cx, at: u64) -> Result<u64, Errno> {
    let high = u32_at(cx, at.wrapping_add(4))?;
    Ok(u64::from(u32_at(cx, at)?) | u64::from(high) << 32)
}

/// One of the facts of `XEN_FW_EFI_INFO`. Errors: `ENOSYS` when the machine was not started by
/// EFI; `ESRCH`, `ENODATA`, `EOPNOTSUPP` for facts that are not known; `EINVAL` for others.
pub fn info(cx: &mut Cx, index: u32, out: &mut XenpfEfiInfo) -> Result<(), Fail> {
    let table = cx.hv.boot.efi_system_table.ok_or(Errno::ENOSYS)?;
    let field = |offset: u64| table.wrapping_add(offset);
    match index {
        XEN_FW_EFI_VERSION => out.set_arm(&u32_at(cx, field(REVISION))?),
        XEN_FW_EFI_CONFIG_TABLE => out.set_arm(&XenpfEfiInfoCfg {
            addr: u64_at(cx, field(TABLE_LIST))?,
            nent: u32::try_from(u64_at(cx, field(TABLES))?).unwrap_or(0),
            _pad0: 0,
        }),
        XEN_FW_EFI_VENDOR => {
            let mut arg: XenpfEfiInfoVendor = out.arm();
            let name = u64_at(cx, field(VENDOR))?;
            vendor(cx, name, &arg)?;
            arg.revision = u32_at(cx, field(VENDOR_REVISION))?;
            out.set_arm(&arg);
        }
        XEN_FW_EFI_MEM_INFO => {
            let arg: XenpfEfiInfoMem = out.arm();
            out.set_arm(&memory(cx, arg.addr)?);
        }
        XEN_FW_EFI_PCI_ROM => return Err(Errno::ESRCH.into()),
        XEN_FW_EFI_RT_VERSION => return Err(Errno::EOPNOTSUPP.into()),
        XEN_FW_EFI_APPLE_PROPERTIES => return Err(Errno::ENODATA.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(())
}

/// Copies the vendor's name, cut to the guest's buffer, with a zero at its end.
fn vendor(cx: &mut Cx, at: u64, arg: &XenpfEfiInfoVendor) -> Result<(), Fail> {
    let room = (arg.bufsz as usize / 2).min(MAX_VENDOR);
    let name = GuestPtr::<u16>::new(arg.name);
    for index in 0..room as u64 {
        let byte = at.wrapping_add(index.saturating_mul(2));
        let letter = (u32_at(cx, byte & !3)? >> (8 * (byte & 2))) as u16;
        let last = index.saturating_add(1) == room as u64;
        let letter = if last { 0 } else { letter };
        cx.copy_out(name.add(index), &letter)?;
        if letter == 0 {
            break;
        }
    }
    Ok(())
}

/// The range of EFI's memory map around `addr`, from there on. Errors: `ESRCH` outside the map.
fn memory(cx: &Cx, addr: u64) -> Result<XenpfEfiInfoMem, Errno> {
    let ranges = cx.hv.boot.memory.ranges();
    let range = ranges
        .iter()
        .find(|range| (range.base..range.end()).contains(&addr))
        .ok_or(Errno::ESRCH)?;
    let (kind, attr) = match range.kind {
        MemoryKind::Ram => (CONVENTIONAL, WRITE_BACK),
        MemoryKind::Acpi => (ACPI_TABLES, WRITE_BACK),
        MemoryKind::Nvs => (ACPI_NVS, WRITE_BACK),
        MemoryKind::Reserved => (RESERVED, WRITE_BACK | RUNTIME),
        MemoryKind::Unusable => (UNUSABLE, WRITE_BACK),
    };
    Ok(XenpfEfiInfoMem {
        addr,
        size: range.end().saturating_sub(addr),
        attr,
        r#type: kind,
        _pad0: 0,
    })
}
