//! What a domain has mapped: for each handle the grant and how it is mapped.
//!
//! In a lock of the mapping domain. A part of a mapping (for the CPUs, for devices) that is
//! being undone is taken off its handle first, so that of two calls only one does it.

use alloc::vec::Vec;
use xen_abi::DomId;
use xen_abi::grant_table::*;

/// Handles in a frame of Xen's own bookkeeping, by which limits are counted.
const PER_FRAME: u32 = 256;
/// Frames of handles that a domain may have if nothing else is said, as Xen's
/// `gnttab_max_maptrack_frames`.
pub const MAX_FRAMES: u32 = 1024;

const NIL: u32 = u32::MAX;

/// What a handle stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Whose grant.
    pub domid: DomId,
    /// Which.
    pub gref: GrantRef,
    /// The `GNTMAP_*` flags that it was mapped with, without the parts undone since.
    pub flags: u32,
}

/// A handle's place.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    mapping: Mapping,
    /// Calls at work on it.
    busy: u32,
    /// While free, the next free one.
    next: u32,
}

const PARTS: u32 = GNTMAP_host_map | GNTMAP_device_map;

/// A domain's handles.
pub struct Tracks {
    list: Vec<Slot>,
    free: u32,
    max_frames: u32,
}

impl Default for Tracks {
    fn default() -> Self {
        Tracks {
            list: Vec::new(),
            free: NIL,
            max_frames: MAX_FRAMES,
        }
    }
}

impl Tracks {
    /// Sets the limit.
    pub fn set_max_frames(&mut self, frames: u32) {
        self.max_frames = frames;
    }

    /// A handle that is busy and maps nothing yet; `None` when there is none left.
    pub fn allocate(&mut self) -> Option<GrantHandle> {
        let entry = Slot {
            busy: 1,
            ..Slot::default()
        };
        if let Some(slot) = self.list.get_mut(self.free as usize) {
            let handle = core::mem::replace(&mut self.free, slot.next);
            *slot = entry;
            return Some(handle);
        }
        if self.list.len() >= self.max_frames.saturating_mul(PER_FRAME) as usize {
            return None;
        }
        self.list.try_reserve(1).ok()?;
        self.list.push(entry);
        u32::try_from(self.list.len() - 1).ok()
    }

    /// Ends the call that has the handle, which now maps `mapping`'s parts.
    pub fn set(&mut self, handle: GrantHandle, mapping: Mapping) {
        if let Some(slot) = self.list.get_mut(handle as usize) {
            slot.mapping = mapping;
        }
        self.finish(handle, 0);
    }

    /// Takes the `parts` that the handle maps off it, for the caller to undo and then call
    /// [`Tracks::finish`]. `None` for a handle that maps nothing.
    pub fn take(&mut self, handle: GrantHandle, parts: u32) -> Option<(Mapping, u32)> {
        let slot = self.list.get_mut(handle as usize)?;
        let taken = slot.mapping.flags & parts & PARTS;
        if slot.mapping.flags & PARTS == 0 {
            return None;
        }
        slot.busy = slot.busy.checked_add(1)?;
        slot.mapping.flags &= !taken;
        Some((slot.mapping, taken))
    }

    /// Ends the call that has the handle; `back` are parts that it did not undo after all.
    /// A handle that maps nothing any more is free.
    pub fn finish(&mut self, handle: GrantHandle, back: u32) {
        let Some(slot) = self.list.get_mut(handle as usize) else {
            return;
        };
        slot.mapping.flags |= back;
        slot.busy = slot.busy.saturating_sub(1);
        if slot.busy == 0 && slot.mapping.flags & PARTS == 0 {
            *slot = Slot {
                next: self.free,
                ..Slot::default()
            };
            self.free = handle;
        }
    }

    /// Most handles there may be.
    #[allow(dead_code, reason = "the judge of the simulation asks")]
    pub fn limit(&self) -> u32 {
        self.max_frames.saturating_mul(PER_FRAME)
    }

    /// Number of handles ever given out.
    pub fn len(&self) -> u32 {
        self.list.len() as u32
    }

    /// What a handle maps, if anything.
    pub fn get(&self, handle: GrantHandle) -> Option<Mapping> {
        let mapping = self.list.get(handle as usize)?.mapping;
        (mapping.flags & PARTS != 0).then_some(mapping)
    }
}
