//! Guest-physical memory without RAM: the local APIC's page, what of the control domain's devices
//! is virtual, and holes, which read as ones.

use super::vlapic::{Command, Delivery, Effect, Vlapic};
use crate::cx::Cx;
use crate::domain::Vcpu;
use crate::hv::Hypervisor;
use crate::time::{NEVER, Timer};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi};

const APIC_PAGE: u64 = 0xfee0_0000;

/// The APIC id of a vCPU, as Xen numbers them.
pub fn apic_id(vcpu: u32) -> u32 {
    vcpu.wrapping_mul(2)
}

/// Whether `gpa` lies in the page of the calling vCPU's local APIC.
pub fn is_apic(cx: &Cx, gpa: u64) -> bool {
    gpa & !0xfff == APIC_PAGE && cx.st.hvm.as_ref().is_some_and(|hvm| hvm.lapic.has_page())
}

/// Reads `bytes` at `gpa`.
pub fn read(cx: &mut Cx, gpa: u64, bytes: u64) -> u64 {
    if !is_apic(cx, gpa) {
        return super::devices::read(cx, gpa, bytes).unwrap_or(u64::MAX);
    }
    let now = cx.cpu.now();
    let Some(hvm) = &mut cx.st.hvm else {
        return u64::MAX;
    };
    // Registers are 32 bits wide, 16 bytes apart.
    let (offset, within) = ((gpa & 0xfff) as u16, gpa & 0xf);
    if within + bytes > 4 {
        return 0;
    }
    u64::from(hvm.lapic.read(offset, now)) >> (8 * within)
}

/// Writes `bytes` at `gpa`.
pub fn write(cx: &mut Cx, gpa: u64, bytes: u64, value: u64) {
    if !is_apic(cx, gpa) {
        super::devices::write(cx, gpa, bytes, value);
        return;
    }
    if gpa & 0xf != 0 || bytes != 4 {
        return;
    }
    let now = cx.cpu.now();
    let Some(hvm) = &mut cx.st.hvm else { return };
    let effect = hvm.lapic.write((gpa & 0xfff) as u16, value as u32, now);
    carry_out(cx, effect);
}

/// Arms the vCPU's timer for what the APIC waits for.
pub fn arm_timer(hv: &Hypervisor, cpu: &mut Cpu, vcpu: &Arc<Vcpu>, lapic: &Vlapic) {
    let due = lapic.deadline().unwrap_or(NEVER);
    // Without memory for the queue the timer does not come: the guest's loss, the first time.
    let _ = hv.clocks.timers.set(cpu, vcpu, Timer::Lapic, due);
}

/// Does what a write to the APIC led to.
pub fn carry_out(cx: &mut Cx, effect: Effect) {
    let Some(hvm) = &mut cx.st.hvm else { return };
    hvm.look = true;
    let from = hvm.lapic.id();
    cx.vcpu.posted.publish(hvm.lapic.address());
    if effect.timer {
        arm_timer(cx.hv, cx.cpu, cx.vcpu, &hvm.lapic);
    }
    if let Some(command) = effect.command {
        send(cx, command, from);
    }
    if let Some(vector) = effect.end {
        super::devices::end(cx.hv, cx.cpu, cx.dom, vector);
    }
}

/// Sends an interrupt.
fn send(cx: &mut Cx, command: Command, from: u32) {
    let lowest = matches!(command.delivery, Delivery::Lowest(_));
    for vcpu in cx.dom.all_vcpus() {
        let me = Arc::ptr_eq(vcpu, cx.vcpu);
        let address = vcpu.posted.address(apic_id(vcpu.id));
        if !address.is_target(command.target, from) {
            continue;
        }
        match command.delivery {
            Delivery::Fixed(vector) | Delivery::Lowest(vector) => vcpu.posted.vector(vector),
            Delivery::Nmi => vcpu.nmi_pending.store(true, Ordering::SeqCst),
            // A processor does not start itself.
            Delivery::Init if !me => super::start::init(cx, vcpu),
            Delivery::Startup(page) if !me => super::start::startup(cx, vcpu, page),
            Delivery::Init | Delivery::Startup(_) => {}
        }
        if me {
            take_own(cx);
        } else {
            cx.hv.sched.notify(cx.cpu, cx.dom, vcpu);
        }
        // One is enough; which has the lowest priority is not asked.
        if lowest {
            return;
        }
    }
}

/// Takes what the vCPU sent itself into its APIC at once, where it can be read.
fn take_own(cx: &mut Cx) {
    if let Some(hvm) = &mut cx.st.hvm {
        cx.vcpu.posted.take(|vector, level| {
            hvm.lapic.request(vector, level);
        });
        hvm.look = true;
    }
}
