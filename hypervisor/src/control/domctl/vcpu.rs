//! A vCPU of another domain, held still while a command looks at it or changes it.

use crate::cx::Cx;
use crate::domain::{Domain, Vcpu, VcpuState};
use crate::fail::Fail;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use xen_abi::Errno;

/// How often the lease is tried before the call is made again. A vCPU leaves its CPU within
/// microseconds of being told to.
const TRIES: u32 = 20_000;

/// Runs `f` on the state of `vcpu`, which is on no CPU meanwhile. `Restart` when it did not
/// leave its CPU in time. Errors: `EINVAL` for the vCPU that calls; those of `f`.
pub fn held<R>(
    cx: &mut Cx,
    dom: &Domain,
    vcpu: &Arc<Vcpu>,
    f: impl FnOnce(&mut Cx, &mut VcpuState) -> Result<R, Fail>,
) -> Result<R, Fail> {
    if Arc::ptr_eq(cx.vcpu, vcpu) {
        return Err(Errno::EINVAL.into());
    }
    vcpu.sched.pause_count.fetch_add(1, Ordering::SeqCst);
    cx.hv.sched.update(cx.cpu, dom, vcpu);
    let result = match lease(vcpu) {
        Some(mut state) => f(cx, &mut state),
        None => Err(Fail::Restart),
    };
    vcpu.sched.pause_count.fetch_sub(1, Ordering::SeqCst);
    cx.hv.sched.update(cx.cpu, dom, vcpu);
    result
}

/// The state of a paused vCPU. Two vCPUs that want each other's would wait for ever, so this
/// gives up.
fn lease(vcpu: &Vcpu) -> Option<machine::Guard<'_, VcpuState>> {
    for _ in 0..TRIES {
        if let Some(state) = vcpu.state.try_lock() {
            return Some(state);
        }
        machine::relax();
    }
    None
}
