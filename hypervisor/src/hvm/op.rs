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
use machine::hvm::HvmApi;
use machine::nested::Kind;
use machine::{CpuApi, Flush, Gfn};
use xen_abi::Errno;
use xen_abi::hvm::*;

/// Trace events have numbers below this.
const EVENTS: u16 = 1 << 12;

/// The hypercall. Errors: `ENOSYS`, and each operation's own.
pub fn call(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        HVMOP_set_param => params::set(cx, arg),
        HVMOP_get_param => params::get(cx, arg),
        HVMOP_flush_tlbs => flush_tlbs(cx, arg),
        HVMOP_pagetable_dying => {
            // A hint for shadow page tables, of which there are none.
            let hint: HvmPagetableDying = cx.copy_in(GuestPtr::new(arg))?;
            cx.resolve(hint.domid)?;
            Err(Errno::EINVAL.into())
        }
        HVMOP_get_time => {
            let now = cx.cpu.now();
            cx.copy_out(GuestPtr::new(arg), &HvmGetTime { now })?;
            Ok(0)
        }
        HVMOP_xentrace => {
            // Nobody traces.
            let event: HvmXentrace = cx.copy_in(GuestPtr::new(arg))?;
            let ok = event.event < EVENTS && usize::from(event.extra_bytes) <= event.extra.len();
            Ok(ok.then_some(0).ok_or(Errno::EINVAL)?)
        }
        HVMOP_get_mem_type => mem_type(cx, arg),
        HVMOP_set_evtchn_upcall_vector => upcall_vector(cx, arg),
        // Nobody watches.
        HVMOP_guest_request_vm_event if arg == 0 => Ok(0),
        HVMOP_guest_request_vm_event => Err(Errno::EINVAL.into()),
        HVMOP_altp2m => Err(Errno::EOPNOTSUPP.into()),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Flushes what the calling domain's CPUs keep of its address spaces. Errors: `EINVAL` with an
/// argument, and for a PV guest.
fn flush_tlbs(cx: &mut Cx, arg: u64) -> HyperResult {
    if arg != 0 || cx.dom.hvm.get().is_none() {
        return Err(Errno::EINVAL.into());
    }
    cx.cpu.flush(&cx.dom.dirty_cpus.load(), Flush::All);
    if let Some(hvm) = &mut cx.st.hvm {
        hvm.state.flush();
    }
    Ok(0)
}

/// What a frame of a domain is. Errors: `EFAULT`; `ESRCH`, `EPERM`; `EINVAL` for a PV guest.
fn mem_type(cx: &mut Cx, arg: u64) -> HyperResult {
    let mut wish: HvmGetMemType = cx.copy_in(GuestPtr::new(arg))?;
    let dom = cx.resolve(wish.domid)?;
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    wish.mem_type = match hvm.nested.lookup(Gfn(wish.pfn)) {
        Some(found) if found.kind != Kind::Mmio && found.writable => HVMMEM_ram_rw,
        Some(found) if found.kind != Kind::Mmio => HVMMEM_ram_ro,
        _ => HVMMEM_mmio_dm,
    };
    cx.copy_out(GuestPtr::new(arg), &wish)?;
    Ok(0)
}

/// `VCPUOP_initialise`: gives a vCPU that never ran its first state. Errors: `EFAULT`; `EEXIST`;
/// `EINVAL` for a state that no processor can be in.
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
/// `EINVAL` for a PV guest, and a vector below 16; `EFAULT`; `ENOENT` for a vCPU that there is not.
fn upcall_vector(cx: &mut Cx, arg: u64) -> HyperResult {
    cx.dom.hvm.get().ok_or(Errno::EINVAL)?;
    let wish: HvmEvtchnUpcallVector = cx.copy_in(GuestPtr::new(arg))?;
    if wish.vector < 16 {
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
