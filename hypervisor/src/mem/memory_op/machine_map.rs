//! What the control domain is told of the machine's addresses.

use super::Call;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::{PAGE_SHIFT, PAGE_SIZE};
use xen_abi::Errno;
use xen_abi::memory::physmap::{ReservedDeviceMemoryMap, XENMEM_RDM_ALL};
use xen_abi::memory::reservation::{E820_RESERVED, E820Entry, MemoryMap};

/// The last frame of x86's physical addresses.
const LAST_FRAME: u64 = (1 << (52 - PAGE_SHIFT)) - 1;

/// Writes entries one after the other.
struct Writer {
    buffer: GuestPtr<E820Entry>,
    room: u32,
    count: u32,
}

impl Writer {
    /// Errors: `EFAULT`; `EINVAL` when the last place would be taken: Xen wants one more than
    /// there are entries. Without a buffer entries are only counted.
    fn put(&mut self, cx: &mut Cx, addr: u64, size: u64, kind: u32) -> Result<(), Fail> {
        let next = self.count.saturating_add(1);
        if !self.buffer.is_null() {
            if self.room <= next {
                return Err(Errno::EINVAL.into());
            }
            let entry = E820Entry::new(addr, size, kind);
            cx.copy_out(self.buffer.add(self.count.into()), &entry)?;
        }
        self.count = next;
        Ok(())
    }

    /// Frames `first` to `last` stand in no entry: those that the domain may not map are
    /// reserved.
    fn put_denied(&mut self, cx: &mut Cx, first: u64, last: u64) -> Result<(), Fail> {
        let mut from = first;
        while let Some((start, end)) = cx.dom.irqs.iomem_gap(from, last) {
            let frames = end.saturating_sub(start).saturating_add(1);
            self.put(cx, start << PAGE_SHIFT, frames << PAGE_SHIFT, E820_RESERVED)?;
            from = end.saturating_add(1);
        }
        Ok(())
    }
}

/// The firmware's map, and what the hypervisor keeps for itself as reserved. Errors: `EPERM`;
/// `EFAULT`; `EINVAL` when it does not fit.
pub fn machine_memory_map(cx: &mut Cx, call: Call) -> HyperResult {
    cx.dom.require_privilege()?;
    let at = GuestPtr::<MemoryMap>::new(call.arg);
    let mut map = cx.copy_in(at)?;
    let buffer = GuestPtr::<E820Entry>::new(map.buffer);
    if !buffer.is_null() {
        // Sooner than by the entries that are written: they must all have a place.
        if map.nr_entries as usize <= cx.hv.boot.memory.ranges().len() {
            return Err(Errno::EINVAL.into());
        }
        buffer.check()?;
    }
    let mut out = Writer {
        buffer,
        room: map.nr_entries,
        count: 0,
    };
    let mut next_frame = 0u64;
    for range in cx.hv.boot.memory.ranges() {
        let first = range.base >> PAGE_SHIFT;
        if first > next_frame {
            out.put_denied(cx, next_frame, first.saturating_sub(1))?;
        }
        out.put(cx, range.base, range.len, range.kind as u32)?;
        next_frame = range.end().div_ceil(PAGE_SIZE as u64);
    }
    out.put_denied(cx, next_frame, LAST_FRAME)?;
    map.nr_entries = out.count;
    cx.copy_out(at, &map)?;
    Ok(0)
}

/// Regions that devices need mapped one to one: none is known. Errors: `EFAULT`, `EINVAL`.
pub fn reserved_device_memory_map(cx: &mut Cx, call: Call) -> HyperResult {
    let at = GuestPtr::<ReservedDeviceMemoryMap>::new(call.arg);
    let mut map = cx.copy_in(at)?;
    GuestPtr::<u8>::new(map.buffer).check()?;
    if map.flags & !XENMEM_RDM_ALL != 0 {
        return Err(Errno::EINVAL.into());
    }
    map.nr_entries = 0;
    cx.copy_out(at, &map)?;
    Ok(0)
}
