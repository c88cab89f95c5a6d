//! Commands for what this hypervisor does not have, each with the error number that Xen gives
//! when it is built or booted without it, which the tools understand.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// `XEN_SYSCTL_get_pmstat`: frequencies and idle states are not managed. Errors: `EINVAL` for a
/// CPU that there is not, `ENODEV`.
pub fn pmstat(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: SysctlGetPmstat = call.op.arm();
    Err(if arg.cpuid < cx.hv.cpus {
        Errno::ENODEV
    } else {
        Errno::EINVAL
    }
    .into())
}

/// `XEN_SYSCTL_pm_op`: nor can they be set. Errors: `EINVAL` for a CPU that there is not,
/// `ENODEV` for frequencies, `ENOSYS` for the rest.
pub fn pm_op(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: SysctlPmOp = call.op.arm();
    Err(match arg.cmd & PM_PARA_CATEGORY_MASK {
        _ if arg.cpuid >= cx.hv.cpus => Errno::EINVAL,
        CPUFREQ_PARA => Errno::ENODEV,
        _ => Errno::ENOSYS,
    }
    .into())
}

/// `XEN_SYSCTL_psr_cmt_op` and `XEN_SYSCTL_psr_alloc`: caches are neither watched nor divided.
pub fn psr(_: &mut Cx, _: &mut Call) -> HyperResult {
    Err(Errno::ENODEV.into())
}

/// `XEN_SYSCTL_coverage_op` and `XEN_SYSCTL_livepatch_op`: there is no such thing.
pub fn not_built(_: &mut Cx, _: &mut Call) -> HyperResult {
    Err(Errno::EOPNOTSUPP.into())
}
