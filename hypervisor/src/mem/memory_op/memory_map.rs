//! A domain's own memory map, which the control domain sets and the guest reads.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use alloc::vec::Vec;
use xen_abi::Errno;
use xen_abi::memory::reservation::{E820Entry, ForeignMemoryMap, MemoryMap};

/// Most entries of a domain's map.
const MAX_ENTRIES: u32 = 1024;

/// The caller's map. Errors: `EFAULT`; `ENOSYS` when it has none.
pub fn get(cx: &mut Cx, call: Call) -> HyperResult {
    let at = GuestPtr::<MemoryMap>::new(call.arg);
    let mut map = cx.copy_in(at)?;
    let mut entries = Vec::new();
    {
        // A copy: guests are not written to with a lock held.
        let own = cx.dom.memory_map.lock();
        if own.is_empty() {
            return Err(Errno::ENOSYS.into());
        }
        let count = own.len().min(map.nr_entries as usize);
        entries
            .try_reserve_exact(count)
            .map_err(|_| Errno::ENOMEM)?;
        entries.extend(own.iter().take(count).copied());
    }
    if map.buffer == 0 && !entries.is_empty() {
        return Err(Errno::EFAULT.into());
    }
    let buffer = GuestPtr::new(map.buffer);
    for (i, entry) in entries.iter().enumerate() {
        cx.copy_out(buffer.add(i as u64), entry)?;
    }
    map.nr_entries = entries.len() as u32;
    cx.copy_out(at, &map)?;
    Ok(0)
}

/// Sets a domain's map. Errors: `EFAULT`, `EINVAL`, `ESRCH`, `EPERM`, `ENOMEM`.
pub fn set(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: ForeignMemoryMap = cx.copy_in(GuestPtr::new(call.arg))?;
    if wish.map.nr_entries > MAX_ENTRIES {
        return Err(Errno::EINVAL.into());
    }
    let dom = cx.resolve(wish.domid)?;
    // A guest may not set its own.
    cx.dom.require_privilege()?;
    let mut entries = Vec::new();
    entries
        .try_reserve_exact(wish.map.nr_entries as usize)
        .map_err(|_| Errno::ENOMEM)?;
    let buffer = GuestPtr::<E820Entry>::new(wish.map.buffer);
    for i in 0..wish.map.nr_entries {
        entries.push(cx.copy_in(buffer.add(i.into()))?);
    }
    let old = core::mem::replace(&mut *dom.memory_map.lock(), entries);
    drop(old);
    Ok(0)
}
