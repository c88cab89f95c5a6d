//! The domain that a call names.

use super::Domain;
use crate::cx::Cx;
use alloc::sync::Arc;
use xen_abi::xen::{DOMID_IO, DOMID_SELF, DOMID_XEN};
use xen_abi::{DomId, Errno};

impl Cx<'_> {
    /// The domain with this id or `DOMID_SELF`, unless it is dying. Errors: `ESRCH`.
    pub fn resolve_any(&self, id: DomId) -> Result<Arc<Domain>, Errno> {
        if id == DOMID_SELF || id == self.dom.id {
            return Ok(self.dom.clone());
        }
        self.hv.domains.get(id).ok_or(Errno::ESRCH)
    }

    /// The owner number of another domain's frames, which `id` names; also `DOMID_XEN` and
    /// `DOMID_IO`. Errors: `ESRCH` for an unknown domain and for the caller's own id, which is
    /// not foreign; `EPERM` without privilege.
    pub fn foreign_owner(&self, id: DomId) -> Result<u32, Errno> {
        match id {
            // Whether memory that is nobody's may be mapped is asked at each frame.
            DOMID_IO => Ok(id.into()),
            _ if id == self.dom.id => Err(Errno::ESRCH),
            DOMID_XEN if self.dom.privileged => Ok(id.into()),
            DOMID_XEN => Err(Errno::EPERM),
            _ => {
                let dom = self.hv.domains.get(id).ok_or(Errno::ESRCH)?;
                if self.dom.privileged {
                    Ok(dom.owner())
                } else {
                    Err(Errno::EPERM)
                }
            }
        }
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
