//! `setvcpucontext`, `getvcpucontext`: a PV vCPU's registers, handlers and tables. Of a
//! hardware-virtualised one, its registers.

use super::Call;
use super::vcpu::held;
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::pv::context;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::arch_x86::{VGCF_online, VcpuGuestContext};
use xen_abi::domctl::DomctlVcpucontext;
use xen_abi::forms::Payload;
use zerocopy::{FromZeros, IntoBytes};

/// A context: too large for the stack. Errors: `ENOMEM`.
fn blank() -> Result<Vec<VcpuGuestContext>, Errno> {
    let mut context = Vec::new();
    context.try_reserve_exact(1).map_err(|_| Errno::ENOMEM)?;
    context.push(VcpuGuestContext::new_zeroed());
    Ok(context)
}

fn target(cx: &Cx, call: &Call, id: u32) -> Result<(Arc<Domain>, Arc<Vcpu>), Fail> {
    let dom = call.target(cx)?;
    let vcpu = dom.vcpu(id).ok_or(Errno::EINVAL)?.clone();
    Ok((dom, vcpu))
}

/// `XEN_DOMCTL_setvcpucontext`. A null pointer takes the vCPU down and its state away. One
/// that has a state keeps its tables. Errors: `EINVAL` for a vCPU that there is not, one of the
/// caller's own, and a context that is not valid; `EOPNOTSUPP` for other tables than those
/// that the vCPU has; `EFAULT`, `ENOMEM`.
pub fn set(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlVcpucontext = call.op.arm();
    let (dom, vcpu) = target(cx, call, arg.vcpu)?;
    if dom.id == cx.dom.id {
        return Err(Errno::EINVAL.into());
    }
    if arg.ctxt == 0 {
        cx.hv.sched.set_online(cx.cpu, &dom, &vcpu, false);
        held(cx, &dom, &vcpu, |cx, st| {
            if let Some(hvm) = st.hvm.as_mut() {
                hvm.start_real(0);
            }
            vcpu.sched.initialised.store(false, Ordering::SeqCst);
            context::reset(cx.hv, cx.cpu, &dom, st)
        })?;
        return Ok(0);
    }
    let mut blank = blank()?;
    cx.copy_in_bytes(GuestPtr::new(arg.ctxt), blank.as_mut_bytes())?;
    let context = blank.first().ok_or(Errno::ENOMEM)?;
    held(cx, &dom, &vcpu, |cx, st| {
        if let Some(hvm) = st.hvm.as_mut() {
            hvm.adopt(context);
            vcpu.sched.initialised.store(true, Ordering::SeqCst);
            return Ok(());
        }
        context::set(cx.hv, cx.cpu, &dom, st, context)?;
        if vcpu.id == 0 {
            let assists = context.vm_assist & crate::pv::traps::ASSISTS;
            dom.assists.store(assists, Ordering::Relaxed);
        }
        vcpu.sched.initialised.store(true, Ordering::SeqCst);
        Ok(())
    })?;
    let online = context.flags & VGCF_online != 0;
    cx.hv.sched.set_online(cx.cpu, &dom, &vcpu, online);
    Ok(0)
}

/// `XEN_DOMCTL_getvcpucontext`: what [`set`] would restore. Errors: `EINVAL` for a vCPU that
/// there is not, and the one that calls; `ENODATA` for one without a state; `EFAULT`, `ENOMEM`.
pub fn get(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlVcpucontext = call.op.arm();
    let (dom, vcpu) = target(cx, call, arg.vcpu)?;
    if Arc::ptr_eq(cx.vcpu, &vcpu) {
        return Err(Errno::EINVAL.into());
    }
    if !vcpu.sched.initialised.load(Ordering::Acquire) {
        return Err(Errno::ENODATA.into());
    }
    let mut blank = blank()?;
    let context = blank.first_mut().ok_or(Errno::ENOMEM)?;
    held(cx, &dom, &vcpu, |cx, st| {
        match st.hvm.as_mut() {
            Some(hvm) => hvm.show(context),
            None => context::get(cx.cpu, &dom, st, context),
        }
        Ok(())
    })?;
    if vcpu.sched.online() {
        context.flags |= VGCF_online;
    }
    cx.copy_out_bytes(GuestPtr::new(arg.ctxt), blank.as_bytes())?;
    call.changed = true;
    Ok(0)
}
