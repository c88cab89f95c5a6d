//! `getpageframeinfo3`: what a domain's frames are, for whoever saves it.

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use alloc::vec::Vec;
use machine::Gfn;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use zerocopy::IntoBytes;

/// Most frames in one call.
const MAX: u64 = 1024;

/// `XEN_DOMCTL_getpageframeinfo3`: puts each frame's type in its number's place. A frame that
/// is not the domain's memory is `XTAB`. Errors: `E2BIG`, `EFAULT`, `ENOMEM`.
pub fn info(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlGetpageframeinfo3 = call.op.arm();
    let dom = call.target(cx)?;
    if arg.num > MAX {
        return Err(Errno::E2BIG.into());
    }
    let mut frames: Vec<u64> = Vec::new();
    frames
        .try_reserve_exact(arg.num as usize)
        .map_err(|_| Errno::ENOMEM)?;
    frames.resize(arg.num as usize, 0);
    let array = GuestPtr::new(arg.array);
    cx.copy_in_bytes(array, frames.as_mut_bytes())?;
    for frame in &mut frames {
        *frame = kind(cx, &dom, Gfn(*frame)).into();
    }
    cx.copy_out_bytes(array, frames.as_bytes())?;
    Ok(0)
}

fn kind(cx: &Cx, dom: &Domain, gfn: Gfn) -> u32 {
    let page = dom.page(cx.hv.mem, gfn);
    // Pages that the hypervisor shares with the domain are not its memory.
    let Some(page) = page.filter(|page| page.info().is_allocated()) else {
        return XEN_DOMCTL_PFINFO_XTAB;
    };
    let (kind, count) = page.info().page_type();
    let kind = match (kind.level(), count) {
        (_, 0) => XEN_DOMCTL_PFINFO_NOTAB,
        (1, _) => XEN_DOMCTL_PFINFO_L1TAB,
        (2, _) => XEN_DOMCTL_PFINFO_L2TAB,
        (3, _) => XEN_DOMCTL_PFINFO_L3TAB,
        (4, _) => XEN_DOMCTL_PFINFO_L4TAB,
        _ => XEN_DOMCTL_PFINFO_NOTAB,
    };
    if page.info().is_pinned() {
        kind | XEN_DOMCTL_PFINFO_LPINTAB
    } else {
        kind
    }
}
