//! All domains by id. Its lock is held only to look up and to change the list.

use super::Domain;
use crate::locks;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::Lock;
use xen_abi::DomId;

/// The domains there are, dying ones among them until their last page is gone.
pub struct DomainList {
    list: Lock<BTreeMap<DomId, Arc<Domain>>>,
}

impl Default for DomainList {
    fn default() -> Self {
        DomainList {
            list: Lock::new(locks::DOMAIN_LIST, BTreeMap::new()),
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
        list.insert(dom.id, dom);
        true
    }

    /// Takes a domain out for good.
    pub fn remove(&self, id: DomId) -> Option<Arc<Domain>> {
        self.list.lock().remove(&id)
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

    /// The first unused id from `hint` on, below the reserved ones.
    pub fn free_id(&self, hint: DomId) -> Option<DomId> {
        let list = self.list.lock();
        let first = xen_abi::xen::DOMID_FIRST_RESERVED;
        (hint.max(1)..first)
            .chain(1..hint.max(1))
            .find(|id| !list.contains_key(id))
    }
}
