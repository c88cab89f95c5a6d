//! A binary heap whose entries know their place, so that one can be moved or taken out.
//!
//! Invariant: `entries[i].item.place()` is `i` for each entry, and no entry is due before its
//! parent. No lock of its own.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use xen_abi::Errno;

/// The place of what stands in no heap.
pub const NOWHERE: u32 = u32::MAX;
/// Never due.
pub const NEVER: u64 = u64::MAX;

/// What can stand in a heap, in one at a time.
pub trait Item {
    /// Where it stands; for the heap alone to change.
    fn place(&self) -> &AtomicU32;
}

struct Entry<T> {
    /// When it is due, nanoseconds since boot; [`NEVER`] for an idle entry.
    due: u64,
    item: T,
}

/// The heap.
pub struct Heap<T> {
    entries: Vec<Entry<T>>,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Heap {
            entries: Vec::new(),
        }
    }
}

impl<T: Item> Heap<T> {
    /// When the first entry is due.
    #[inline]
    pub fn first_due(&self) -> u64 {
        self.entries.first().map_or(NEVER, |entry| entry.due)
    }

    /// The first entry.
    pub fn first(&self) -> Option<&T> {
        self.entries.first().map(|entry| &entry.item)
    }

    /// Makes room for one entry more. Errors: `ENOMEM`.
    pub fn reserve(&mut self) -> Result<(), Errno> {
        self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    /// Puts `item` in. Errors: `ENOMEM`.
    pub fn insert(&mut self, item: T, due: u64) -> Result<(), Errno> {
        self.reserve()?;
        let at = self.entries.len();
        item.place().store(at as u32, Ordering::Relaxed);
        self.entries.push(Entry { due, item });
        self.up(at);
        Ok(())
    }

    /// Changes when the entry at `place` is due. Nothing happens when there is none.
    #[inline]
    pub fn set_due(&mut self, place: u32, due: u64) {
        let at = place as usize;
        let Some(entry) = self.entries.get_mut(at) else {
            return;
        };
        let earlier = due < entry.due;
        entry.due = due;
        if self.entries.len() == 1 {
            return;
        }
        if earlier {
            self.up(at);
        } else {
            self.down(at);
        }
    }

    /// Takes the entry at `place` out.
    pub fn remove(&mut self, place: u32) -> Option<T> {
        let at = place as usize;
        if at >= self.entries.len() {
            return None;
        }
        let entry = self.entries.swap_remove(at);
        entry.item.place().store(NOWHERE, Ordering::Relaxed);
        if let Some(moved) = self.entries.get(at) {
            moved.item.place().store(place, Ordering::Relaxed);
            self.up(at);
            self.down(at);
        }
        Some(entry.item)
    }

    /// The entry at `place`, if there is one: what it is, and when it is due.
    #[cfg(any(test, feature = "sim"))]
    pub fn at(&self, place: u32) -> Option<(&T, u64)> {
        let entry = self.entries.get(place as usize)?;
        Some((&entry.item, entry.due))
    }

    /// Whether the invariant holds.
    #[cfg(any(test, feature = "sim"))]
    pub fn is_sound(&self) -> bool {
        self.entries.iter().enumerate().all(|(at, entry)| {
            let parent = at.checked_sub(1).map_or(0, |at| self.due(at / 2));
            parent <= entry.due && entry.item.place().load(Ordering::Relaxed) == at as u32
        })
    }

    /// Number of entries, idle ones among them.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn due(&self, at: usize) -> u64 {
        self.entries.get(at).map_or(NEVER, |entry| entry.due)
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a.max(b) >= self.entries.len() {
            return;
        }
        self.entries.swap(a, b);
        for at in [a, b] {
            if let Some(entry) = self.entries.get(at) {
                entry.item.place().store(at as u32, Ordering::Relaxed);
            }
        }
    }

    fn up(&mut self, mut at: usize) {
        while let Some(parent) = at.checked_sub(1).map(|at| at / 2) {
            if self.due(parent) <= self.due(at) {
                break;
            }
            self.swap(at, parent);
            at = parent;
        }
    }

    fn down(&mut self, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let child = if self.due(right) < self.due(left) {
                right
            } else {
                left
            };
            if self.due(child) >= self.due(at) {
                break;
            }
            self.swap(at, child);
            at = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::sync::Arc;

    struct Thing {
        id: u64,
        place: AtomicU32,
    }

    impl Item for Arc<Thing> {
        fn place(&self) -> &AtomicU32 {
            &self.place
        }
    }

    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn behaves_as_a_sorted_map() {
        for seed in 1..200u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut heap = Heap::default();
            let mut model = BTreeMap::new();
            let things: Vec<_> = (0..20)
                .map(|id| {
                    Arc::new(Thing {
                        id,
                        place: AtomicU32::new(NOWHERE),
                    })
                })
                .collect();
            for _ in 0..300 {
                let thing = &things[random(&mut state) as usize % things.len()];
                let place = thing.place.load(Ordering::Relaxed);
                let due = random(&mut state) % 50;
                match (random(&mut state) % 3, place) {
                    (_, NOWHERE) => {
                        heap.insert(thing.clone(), due).unwrap();
                        model.insert(thing.id, due);
                    }
                    (0, _) => {
                        assert_eq!(heap.remove(place).map(|t| t.id), Some(thing.id));
                        model.remove(&thing.id);
                    }
                    _ => {
                        heap.set_due(place, due);
                        model.insert(thing.id, due);
                    }
                }
                assert_eq!(heap.len(), model.len());
                assert_eq!(
                    heap.first_due(),
                    model.values().copied().min().unwrap_or(NEVER)
                );
                for (at, entry) in heap.entries.iter().enumerate() {
                    assert_eq!(entry.item.place.load(Ordering::Relaxed) as usize, at);
                    assert_eq!(model.get(&entry.item.id), Some(&entry.due));
                }
            }
        }
    }
}
