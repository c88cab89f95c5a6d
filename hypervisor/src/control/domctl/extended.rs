//! What of a PV vCPU's state is not in its context: 32-bit entry points, machine check,
//! extended state, MSRs.

use super::Call;
use super::vcpu::held;
use crate::cx::Cx;
use crate::domain::{Callback, Domain, Vcpu};
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::pv::{canonical, xstate};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::offset_of;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;

/// Bytes before the image: XCR0, and what it ever was.
const HEADER: usize = 16;
/// What of `MCG_CAP` a guest may have: a number of banks, a control register, recovery.
const MCG_CAP: u64 = 0xff | 1 << 8 | 1 << 24;

fn target(cx: &Cx, call: &Call, id: u32) -> Result<(Arc<Domain>, Arc<Vcpu>), Fail> {
    let dom = call.target(cx)?;
    let vcpu = dom.vcpu(id).ok_or(Errno::ESRCH)?.clone();
    Ok((dom, vcpu))
}

/// A PV guest's. Errors: `EOPNOTSUPP`: the extended state of others is in their records.
fn pv(dom: &Domain) -> Result<(), Fail> {
    match dom.hvm.get() {
        None => Ok(()),
        Some(_) => Err(Errno::EOPNOTSUPP.into()),
    }
}

/// As [`target`], for a change: never to the caller's own domain. Errors: `EINVAL`.
fn other(cx: &Cx, call: &Call, id: u32) -> Result<(Arc<Domain>, Arc<Vcpu>), Fail> {
    let (dom, vcpu) = target(cx, call, id)?;
    if dom.id == cx.dom.id {
        return Err(Errno::EINVAL.into());
    }
    Ok((dom, vcpu))
}

/// `XEN_DOMCTL_get_ext_vcpucontext`. Errors: `ESRCH` for a vCPU that there is not, `EINVAL` for
/// the one that calls.
pub fn get(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlExtVcpucontext = call.op.arm();
    let (dom, vcpu) = target(cx, call, arg.vcpu)?;
    let got = held(cx, &dom, &vcpu, |_, st| {
        let (syscall32, sysenter) = (st.traps.syscall32, st.traps.sysenter);
        Ok(DomctlExtVcpucontext {
            vcpu: arg.vcpu,
            size: size_of::<DomctlExtVcpucontext>() as u32,
            syscall32_callback_eip: syscall32.address,
            sysenter_callback_eip: sysenter.address,
            syscall32_callback_cs: syscall32.cs,
            sysenter_callback_cs: sysenter.cs,
            syscall32_disables_events: syscall32.mask_events.into(),
            sysenter_disables_events: sysenter.mask_events.into(),
            _pad0: 0,
            vmce: st.vmce,
        })
    })?;
    call.op.set_arm(&got);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_set_ext_vcpucontext`. The machine check is set when `size` reaches to it.
/// Errors: `ESRCH`, `EINVAL`; `EPERM` for a machine check that guests do not have.
pub fn set(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlExtVcpucontext = call.op.arm();
    let (dom, vcpu) = other(cx, call, arg.vcpu)?;
    let size = arg.size as usize;
    if size < offset_of!(DomctlExtVcpucontext, vmce)
        || !canonical(arg.syscall32_callback_eip)
        || !canonical(arg.sysenter_callback_eip)
    {
        return Err(Errno::EINVAL.into());
    }
    let vmce = (size >= size_of::<DomctlExtVcpucontext>()).then_some(arg.vmce);
    if vmce.is_some_and(|vmce| vmce.caps & !MCG_CAP != 0) {
        return Err(Errno::EPERM.into());
    }
    held(cx, &dom, &vcpu, |_, st| {
        st.traps.syscall32 = Callback {
            cs: arg.syscall32_callback_cs | 3,
            address: arg.syscall32_callback_eip,
            mask_events: arg.syscall32_disables_events != 0,
        };
        st.traps.sysenter = Callback {
            cs: arg.sysenter_callback_cs | 3,
            address: arg.sysenter_callback_eip,
            mask_events: arg.sysenter_disables_events != 0,
        };
        if let Some(vmce) = vmce {
            st.vmce = vmce;
        }
        Ok(())
    })?;
    Ok(0)
}

/// `XEN_DOMCTL_getvcpuextstate`: without a buffer, or with size and mask zero, tells both; else
/// they must be those. Errors: `ESRCH`, `EINVAL`, `EFAULT`, `ENOMEM`.
pub fn get_xstate(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: DomctlVcpuextstate = call.op.arm();
    let (dom, vcpu) = target(cx, call, arg.vcpu)?;
    pv(&dom)?;
    let mask = xstate::supported(cx.cpu);
    let ask = arg.buffer == 0 || arg.size == 0 && arg.xfeature_mask == 0;
    let mut image: Vec<u8> = Vec::new();
    let size = held(cx, &dom, &vcpu, |cx, st| {
        let accumulated = xstate::accumulated(st);
        if mask == 0 {
            return Ok(0);
        }
        let saved = xstate::size(cx.cpu, accumulated).min(st.pv.fpu.bytes().len());
        let size = HEADER + saved;
        if ask || arg.size != size as u64 || arg.xfeature_mask != mask {
            return Ok(size);
        }
        image.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        image.extend_from_slice(&st.pv.fpu.xcr0.to_le_bytes());
        image.extend_from_slice(&accumulated.to_le_bytes());
        image.extend_from_slice(st.pv.fpu.bytes().get(..saved).unwrap_or_default());
        Ok(size)
    })?;
    if ask {
        arg.size = size as u64;
        arg.xfeature_mask = mask;
        call.op.set_arm(&arg);
        call.changed = true;
        return Ok(0);
    }
    if arg.size != size as u64 || arg.xfeature_mask != mask {
        return Err(Errno::EINVAL.into());
    }
    cx.copy_out_bytes(GuestPtr::new(arg.buffer), &image)?;
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_setvcpuextstate`. Errors: `ESRCH`, `EINVAL`, `EOPNOTSUPP`, `EFAULT`, `ENOMEM`.
pub fn set_xstate(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlVcpuextstate = call.op.arm();
    let (dom, vcpu) = other(cx, call, arg.vcpu)?;
    pv(&dom)?;
    let most = HEADER + xstate::size(cx.cpu, xstate::supported(cx.cpu));
    let size = usize::try_from(arg.size).map_err(|_| Errno::EINVAL)?;
    if !(HEADER..=most).contains(&size) {
        return Err(Errno::EINVAL.into());
    }
    let mut image: Vec<u8> = Vec::new();
    image.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    image.resize(size, 0);
    cx.copy_in_bytes(GuestPtr::new(arg.buffer), &mut image)?;
    let (xcr0, rest) = image.split_first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let (accumulated, area) = rest.split_first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let (xcr0, accumulated) = (u64::from_le_bytes(*xcr0), u64::from_le_bytes(*accumulated));
    if area.len() < xstate::MIN_SIZE && xcr0 == 0 {
        // From a vCPU that never set XCR0: it is as it was made.
        return Ok(0);
    }
    held(cx, &dom, &vcpu, |cx, st| {
        Ok(xstate::set(cx.cpu, st, xcr0, accumulated, area)?)
    })?;
    Ok(0)
}

/// `XEN_DOMCTL_get_vcpu_msrs`: PV guests have none that are saved, so the number is zero.
/// Errors: `ESRCH`; `EINVAL` for the vCPU that calls.
pub fn get_msrs(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: DomctlVcpuMsrs = call.op.arm();
    let (_, vcpu) = target(cx, call, arg.vcpu)?;
    if Arc::ptr_eq(cx.vcpu, &vcpu) {
        return Err(Errno::EINVAL.into());
    }
    arg.msr_count = 0;
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_set_vcpu_msrs`: refuses the first, as PV guests have none that are saved.
/// Errors: `ESRCH`; `EINVAL`, with the number of the one refused; `EFAULT`.
pub fn set_msrs(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: DomctlVcpuMsrs = call.op.arm();
    other(cx, call, arg.vcpu)?;
    if arg.msr_count == 0 {
        return Ok(0);
    }
    let _: DomctlVcpuMsr = cx.copy_in(GuestPtr::new(arg.msrs))?;
    arg.msr_count = 0;
    call.op.set_arm(&arg);
    call.changed = true;
    Err(Errno::EINVAL.into())
}
