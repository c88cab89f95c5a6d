//! The `hvm_op` hypercall: `hvm/hvm_op.h`.
#![allow(
    non_upper_case_globals,
    reason = "operations are named as in Xen's headers"
)]

use super::params;
use crate::cx::Cx;
use crate::domain::Vcpu;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::hvm::*;

/// The hypercall. Errors: `ENOSYS`, and each operation's own.
pub fn call(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        HVMOP_set_param => params::set(cx, arg),
        HVMOP_get_param => params::get(cx, arg),
        HVMOP_get_time => {
            let now = cx.cpu.now();
            cx.copy_out(GuestPtr::new(arg), &HvmGetTime { now })?;
            Ok(0)
        }
        HVMOP_set_evtchn_upcall_vector => upcall_vector(cx, arg),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// `VCPUOP_initialise`: gives a vCPU that never ran its first state. Errors: `EFAULT`; `EEXIST`;
/// `EINVAL` for a state that no processor can be in; `EOPNOTSUPP` for 32-bit ones.
pub fn initialise(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let context: VcpuHvmContext = cx.copy_in(GuestPtr::new(arg))?;
    let allowed = super::control::cr4_of(cx.dom.cpu_policy(cx.hv));
    let already = || vcpu.sched.initialised.load(Ordering::Acquire);
    if already() {
        return Err(Errno::EEXIST.into());
    }
    // Held only by another initialise of the same vCPU.
    let mut state = vcpu.state.try_lock().ok_or(Fail::Restart)?;
    if already() {
        return Err(Errno::EEXIST.into());
    }
    let hvm = state.hvm.as_mut().ok_or(Errno::EINVAL)?;
    hvm.set_context(&context, allowed)?;
    vcpu.sched.initialised.store(true, Ordering::Release);
    Ok(0)
}

/// Sets the vector at which a vCPU has its event upcalls, through its local APIC. Errors:
/// `EFAULT`; `EINVAL` for a vector below 16; `ENOENT` for a vCPU that there is not.
fn upcall_vector(cx: &mut Cx, arg: u64) -> HyperResult {
    let wish: HvmEvtchnUpcallVector = cx.copy_in(GuestPtr::new(arg))?;
    if cx.dom.hvm.get().is_none() || wish.vector < 16 {
        return Err(Errno::EINVAL.into());
    }
    let vcpu = cx.dom.vcpu(wish.vcpu).ok_or(Errno::ENOENT)?;
    vcpu.posted
        .upcall_vector
        .store(wish.vector, Ordering::SeqCst);
    vcpu.posted.look();
    cx.hv.sched.notify(cx.cpu, cx.dom, vcpu);
    Ok(0)
}
