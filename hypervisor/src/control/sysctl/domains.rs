//! The list of all domains, dying ones among them.

use super::Call;
use crate::cx::Cx;
use crate::domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::domctl::DomctlGetdomaininfo;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// `XEN_SYSCTL_getdomaininfolist`: as many records as there is room for, by id. Errors: `EFAULT`.
pub fn list(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlGetdomaininfolist = call.op.arm();
    let buffer = GuestPtr::<DomctlGetdomaininfo>::new(arg.buffer);
    let mut next = Some(arg.first_domain);
    arg.num_domains = 0;
    while arg.num_domains < arg.max_domains
        && let Some(dom) = next.and_then(|id| cx.hv.domains.from(id))
    {
        let info = domain::info(cx.hv, cx.cpu, &dom);
        cx.copy_out(buffer.add(arg.num_domains.into()), &info)?;
        arg.num_domains += 1;
        next = dom.id.checked_add(1);
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}
