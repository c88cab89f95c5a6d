//! `createdomain` and `max_vcpus`: what the tools ask for is checked as Xen does.

use super::Call;
use crate::cx::Cx;
use crate::domain::{self, MAX_VCPUS, NewDomain};
use crate::fail::{Fail, HyperResult};
use crate::grant::{MAX_FRAMES, MAX_TRACK_FRAMES};
use xen_abi::Errno;
use xen_abi::arch_x86::*;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::xen::DOMID_FIRST_RESERVED;

/// Flags that there are.
const KNOWN: u32 = (XEN_DOMCTL_CDF_MAX << 1) - 1;
/// Flags that a guest on a machine without IOMMU and performance counters can have. `oos_off` is
/// about shadow page tables, of which there are none.
const ALLOWED: u32 = XEN_DOMCTL_CDF_xs_domain | XEN_DOMCTL_CDF_oos_off | HVM;
/// Hardware virtualisation goes with nested paging.
const HVM: u32 = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
/// Pages of grant entries that can be asked for at most.
const MOST_FRAMES: u32 = 1 << 16;

/// Errors: `EINVAL` for what cannot be had together or not at all here.
fn check(cx: &Cx, want: &DomctlCreatedomain) -> Result<(), Errno> {
    let hvm = want.flags & HVM == HVM && cx.hv.policies.hvm.is_some();
    let version = want.grant_opts & XEN_DOMCTL_GRANT_version_mask;
    let wrong = want.flags & !KNOWN != 0
        || want.flags & !ALLOWED != 0
        || want.flags & HVM != 0 && !hvm
        || want.grant_opts != version
        || !(1..=2).contains(&version)
        || want.altp2m_opts != 0
        || want.iommu_opts != 0
        || want.vmtrace_size != 0
        || !(1..=MAX_VCPUS).contains(&want.max_vcpus)
        || want.arch.misc_flags & !XEN_X86_MSR_RELAXED != 0
        || want.arch.emulation_flags & !XEN_X86_EMU_ALL != 0;
    if wrong {
        return Err(Errno::EINVAL);
    }
    // Of emulated devices a PV guest has the interval timer at most, a PVH guest its local APIC.
    // Those of HVM guests are not there yet.
    let emulated = if hvm {
        want.arch.emulation_flags == XEN_X86_EMU_LAPIC
    } else {
        matches!(want.arch.emulation_flags, 0 | XEN_X86_EMU_PIT)
    };
    emulated.then_some(()).ok_or(Errno::EOPNOTSUPP)
}

/// A limit of which negative numbers stand for the default. Errors: `EINVAL`.
fn limit(asked: i32, default: u32) -> Result<u32, Errno> {
    match u32::try_from(asked) {
        Err(_) => Ok(default),
        Ok(frames) if frames <= MOST_FRAMES => Ok(frames),
        Ok(_) => Err(Errno::EINVAL),
    }
}

/// `XEN_DOMCTL_createdomain`. Errors: `EINVAL` and `EOPNOTSUPP` for a configuration that cannot
/// be, `EEXIST` for an id in use, `ENODEV` for a pool of CPUs that is not there, `ENOMEM`.
pub fn create(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut want: DomctlCreatedomain = call.op.arm();
    check(cx, &want)?;
    let new = NewDomain {
        id: (1..DOMID_FIRST_RESERVED)
            .contains(&call.op.domain)
            .then_some(call.op.domain),
        handle: want.handle,
        max_vcpus: want.max_vcpus,
        max_port: want.max_evtchn_port,
        grants: (
            limit(want.max_grant_frames, MAX_FRAMES)?,
            limit(want.max_maptrack_frames, MAX_TRACK_FRAMES)?,
            want.grant_opts & XEN_DOMCTL_GRANT_version_mask,
        ),
        cpupool: want.cpupool_id,
        xenstore: want.flags & XEN_DOMCTL_CDF_xs_domain != 0,
        hvm: want.flags & HVM == HVM,
        arch: want.arch,
    };
    let dom = domain::create(cx.hv, cx.cpu, &new)?;
    if !new.hvm {
        want.flags |= XEN_DOMCTL_CDF_oos_off;
    }
    call.op.domain = dom.id;
    call.op.set_arm(&want);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_max_vcpus`: makes the vCPUs that the domain was created to have. Errors:
/// `EINVAL` for another number, `ENOMEM`.
pub fn max_vcpus(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.other_target(cx)?;
    let DomctlMaxVcpus { max } = call.op.arm();
    if max as usize != dom.vcpus.len() {
        return Err(Errno::EINVAL.into());
    }
    if domain::make_vcpus(cx.hv, cx.cpu, &dom)? {
        Ok(0)
    } else {
        Err(Fail::Restart)
    }
}
