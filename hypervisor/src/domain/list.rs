//! All domains by id. Its lock is held only to look up and to change the list.

use super::Domain;
use crate::grant;
use crate::locks;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use machine::Lock;
use xen_abi::DomId;

/// The domains there are, dying ones among them until their last page is gone.
pub struct DomainList {
    list: Lock<BTreeMap<DomId, Arc<Domain>>>,
    /// The id that was given out last, changed under the list's lock: ids are not used again
    /// soon.
    last_id: AtomicU16,
    /// Domains that were ever in the list.
    made: AtomicU64,
    /// Dead domains in the list.
    zombies: AtomicU32,
}

impl Default for DomainList {
    fn default() -> Self {
        DomainList {
            list: Lock::new(locks::DOMAIN_LIST, BTreeMap::new()),
            last_id: AtomicU16::new(0),
            made: AtomicU64::new(0),
            zombies: AtomicU32::new(0),
        }
    }
}

impl DomainList {
    /// Adds a domain; `false` when the id is taken.
    pub fn insert(&self, dom: Arc<Domain>) -> bool {
        let mut list = self.list.lock();
        if list.contains_key(&dom.id) {
            return false;
        }
        let nr = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        dom.unique_id.store(nr, Ordering::Relaxed);
        list.insert(dom.id, dom);
        true
    }

    /// Notes that `dom` is dead, and waits for the memory that others hold of it.
    pub fn add_zombie(&self, dom: &Domain) {
        let list = self.list.lock();
        dom.dead.store(true, Ordering::Release);
        self.zombies.fetch_add(1, Ordering::SeqCst);
        drop(list);
    }

    /// Takes one dead domain that nothing is left of out for good.
    pub fn take_gone(&self) -> Option<Arc<Domain>> {
        if self.zombies.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut from = Some(0);
        while let Some(dom) = from.and_then(|id| self.from(id)) {
            from = dom.id.checked_add(1);
            let gone = dom.dead.load(Ordering::Acquire) && dom.pages.is_empty();
            if gone && !grant::in_use(&dom) && self.remove(&dom) {
                return Some(dom);
            }
        }
        None
    }

    /// Takes a dead domain out; `false` when another CPU was faster. Its id may be another's by
    /// then.
    fn remove(&self, dom: &Arc<Domain>) -> bool {
        let mut list = self.list.lock();
        if !list.get(&dom.id).is_some_and(|it| Arc::ptr_eq(it, dom)) {
            return false;
        }
        list.remove(&dom.id);
        self.zombies.fetch_sub(1, Ordering::SeqCst);
        true
    }

    /// The domain with this id, unless it is dying.
    pub fn get(&self, id: DomId) -> Option<Arc<Domain>> {
        let dom = self.list.lock().get(&id).cloned()?;
        (!dom.dying.load(Ordering::Acquire)).then_some(dom)
    }

    /// The domain that owns frames marked `owner`, dying or not.
    pub fn any(&self, owner: u32) -> Option<Arc<Domain>> {
        self.list.lock().get(&u16::try_from(owner).ok()?).cloned()
    }

    /// The first domain with an id of at least `from`, dying or not.
    pub fn from(&self, from: DomId) -> Option<Arc<Domain>> {
        self.list
            .lock()
            .range(from..)
            .next()
            .map(|(_, dom)| dom.clone())
    }

    /// An unused id below the reserved ones: the next after the one given out last.
    pub fn free_id(&self) -> Option<DomId> {
        let list = self.list.lock();
        let reserved = xen_abi::xen::DOMID_FIRST_RESERVED;
        let last = self.last_id.load(Ordering::Relaxed);
        let found = (last.saturating_add(1)..reserved)
            .chain(1..=last.min(reserved.saturating_sub(1)))
            .find(|id| !list.contains_key(id))?;
        self.last_id.store(found, Ordering::Relaxed);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;
    use alloc::sync::Arc;

    #[test]
    fn who_finds_a_dead_domain_late_leaves_its_ids_new_owner() {
        let world = World::new(1);
        let domains = &world.hv.domains;
        let old = world.domain(7, false, 1).dom;
        domains.add_zombie(&old);
        assert!(domains.remove(&old));
        let new = world.domain(7, false, 1).dom;
        assert!(!domains.remove(&old));
        assert!(domains.get(7).is_some_and(|dom| Arc::ptr_eq(&dom, &new)));
    }
}
