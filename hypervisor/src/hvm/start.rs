//! Starting vCPUs by INIT and SIPI, and their stopping for good by HLT without interrupts.

use crate::cx::Cx;
use crate::domain::Vcpu;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::CpuApi;
use xen_abi::sched::SHUTDOWN_poweroff;

/// INIT: the vCPU stops, and waits for its start.
pub fn init(cx: &mut Cx, vcpu: &Arc<Vcpu>) {
    vcpu.posted.set_init();
    cx.hv.sched.set_online(cx.cpu, cx.dom, vcpu, false);
}

/// SIPI: the vCPU starts at `page`, if it waits for that and is off its CPU. Without effect on
/// any other, as on a processor that runs.
pub fn startup(cx: &mut Cx, vcpu: &Arc<Vcpu>, page: u8) {
    if !vcpu.posted.take_init() {
        return;
    }
    // Still on its way out, or looked at by a tool: guests send two, and wait between.
    let Some(mut state) = vcpu.state.try_lock() else {
        vcpu.posted.set_init();
        return;
    };
    let Some(hvm) = &mut state.hvm else { return };
    // What came for it before it was stopped.
    vcpu.posted.take(|_, _| {});
    hvm.start_real(page);
    // Its counter is that of the one that started it.
    crate::time::set_tsc_offset(vcpu, crate::time::tsc_offset(cx.vcpu));
    vcpu.posted.publish(hvm.lapic.address());
    state.initialised = true;
    drop(state);
    vcpu.sched.initialised.store(true, Ordering::SeqCst);
    cx.hv.sched.set_online(cx.cpu, cx.dom, vcpu, true);
}

/// HLT with interrupts off: nothing wakes the vCPU but a new start. The last one takes the
/// domain along.
pub fn stop(cx: &mut Cx) {
    let others = |vcpu: &Arc<Vcpu>| !Arc::ptr_eq(vcpu, cx.vcpu) && vcpu.sched.online();
    if cx.dom.all_vcpus().any(others) {
        cx.hv.sched.set_online(cx.cpu, cx.dom, cx.vcpu, false);
    } else {
        cx.dom.shut_down(cx.hv, cx.cpu, SHUTDOWN_poweroff);
    }
    cx.reschedule();
}

/// Whether an HLT just now is one that nothing ends.
pub fn is_for_good(cx: &Cx) -> bool {
    cx.cpu.regs().rflags & machine::regs::rflags::IF == 0
        && !cx.vcpu.nmi_pending.load(Ordering::SeqCst)
}
