//! Sets of CPUs and nodes in the tools' memory: `xenctl_bitmap`.
//!
//! No state. The tools say how many bits they have, which need not be how many there are: bits
//! that they lack are clear, bits beyond the machine's are dropped, and read as clear.

use crate::cx::Cx;
use crate::guest::GuestPtr;
use machine::CpuMask;
use machine::cpumask::MAX_CPUS;
use xen_abi::Errno;
use xen_abi::xen::XenctlBitmap;

const BYTES: usize = MAX_CPUS / 8;
/// Most bits of a bitmap. More are a mistake, and would take long to clear.
const MOST: u32 = 65536;

/// Copies a set of CPUs from a tool. Errors: `EFAULT`; `EINVAL` for more than 65,536 bits.
pub fn cpus_in(cx: &mut Cx, map: &XenctlBitmap) -> Result<CpuMask, Errno> {
    if map.nr_bits > MOST {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0u8; BYTES];
    let len = BYTES.min(map.nr_bits.div_ceil(8) as usize);
    if let Some(part) = bytes.get_mut(..len) {
        cx.copy_in_bytes(GuestPtr::new(map.bitmap), part)?;
    }
    let mut cpus = CpuMask::EMPTY;
    for cpu in 0..map.nr_bits.min(MAX_CPUS as u32) {
        let byte = bytes.get(cpu as usize / 8).copied().unwrap_or(0);
        if byte >> (cpu % 8) & 1 != 0 {
            cpus.set(cpu);
        }
    }
    Ok(cpus)
}

/// Copies a set of CPUs to a tool. Errors: `EFAULT`; `EINVAL` for more than 65,536 bits.
pub fn cpus_out(cx: &mut Cx, map: &XenctlBitmap, cpus: &CpuMask) -> Result<(), Errno> {
    if map.nr_bits > MOST {
        return Err(Errno::EINVAL);
    }
    let len = map.nr_bits.div_ceil(8);
    let mut bytes = [0u8; BYTES];
    for cpu in cpus.iter().filter(|&cpu| cpu < map.nr_bits) {
        if let Some(byte) = bytes.get_mut(cpu as usize / 8) {
            *byte |= 1 << (cpu % 8);
        }
    }
    let known = bytes.get(..len as usize).unwrap_or(&bytes);
    let mut at = GuestPtr::<u8>::new(map.bitmap);
    let mut left = (len as usize).saturating_sub(known.len());
    cx.copy_out_bytes(at, known)?;
    at = at.add(known.len() as u64);
    while left != 0 {
        let clear = [0u8; 256];
        let part = clear.get(..left).unwrap_or(&clear);
        cx.copy_out_bytes(at, part)?;
        at = at.add(part.len() as u64);
        left = left.saturating_sub(part.len());
    }
    Ok(())
}
