//! The domain that a call names.

use super::Domain;
use crate::cx::Cx;
use alloc::sync::Arc;
use xen_abi::xen::DOMID_SELF;
use xen_abi::{DomId, Errno};

impl Cx<'_> {
    /// The domain with this id or `DOMID_SELF`, unless it is dying. Errors: `ESRCH`.
    pub fn resolve_any(&self, id: DomId) -> Result<Arc<Domain>, Errno> {
        if id == DOMID_SELF || id == self.dom.id {
            return Ok(self.dom.clone());
        }
        self.hv.domains.get(id).ok_or(Errno::ESRCH)
    }

    /// As [`Cx::resolve_any`], for a call that only the control domain makes on others.
    /// Errors: `ESRCH`; `EPERM` for another domain's id without privilege.
    pub fn resolve(&self, id: DomId) -> Result<Arc<Domain>, Errno> {
        let dom = self.resolve_any(id)?;
        if dom.id == self.dom.id || self.dom.privileged {
            Ok(dom)
        } else {
            Err(Errno::EPERM)
        }
    }
}
