//! `machine_memory_map`: what the control domain is told of the machine's addresses.

use super::Call;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::memory::reservation::{E820Entry, MemoryMap};

/// The firmware's map. Errors: `EPERM`; `EFAULT`; `EINVAL` when it does not fit.
pub fn machine_memory_map(cx: &mut Cx, call: Call) -> HyperResult {
    cx.dom.require_privilege()?;
    let at = GuestPtr::<MemoryMap>::new(call.arg);
    let mut map = cx.copy_in(at)?;
    let buffer = GuestPtr::<E820Entry>::new(map.buffer);
    let mut count = 0u32;
    for range in cx.hv.boot.memory.ranges() {
        put(cx, buffer, map.nr_entries, &mut count, range.base, range.len, range.kind as u32)?;
    }
    map.nr_entries = count;
    cx.copy_out(at, &map)?;
    Ok(0)
}

fn put(
    cx: &mut Cx,
    buffer: GuestPtr<E820Entry>,
    room: u32,
    count: &mut u32,
    addr: u64,
    size: u64,
    kind: u32,
) -> Result<(), Fail> {
    if !buffer.is_null() {
        if *count >= room {
            return Err(Errno::EINVAL.into());
        }
        cx.copy_out(buffer.add(*count as u64), &E820Entry::new(addr, size, kind))?;
    }
    *count += 1;
    Ok(())
}
