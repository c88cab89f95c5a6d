//! Guest-physical memory without RAM: the local APIC's page, and holes, which read as ones.

use super::vlapic::{Command, Delivery, Effect, Vlapic};
use crate::cx::Cx;
use crate::domain::Vcpu;
use crate::hv::Hypervisor;
use crate::time::{NEVER, Timer};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi};

const APIC_PAGE: u64 = 0xfee0_0000;

/// Whether `gpa` lies in the page of the calling vCPU's local APIC.
pub fn is_apic(cx: &Cx, gpa: u64) -> bool {
    gpa & !0xfff == APIC_PAGE && cx.st.hvm.as_ref().is_some_and(|hvm| hvm.lapic.has_page())
}

/// Reads `bytes` at `gpa`.
pub fn read(cx: &mut Cx, gpa: u64, bytes: u64) -> u64 {
    if !is_apic(cx, gpa) {
        return u64::MAX;
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
    if !is_apic(cx, gpa) || gpa & 0xf != 0 || bytes != 4 {
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
    if effect.timer {
        arm_timer(cx.hv, cx.cpu, cx.vcpu, &hvm.lapic);
    }
    if let Some(command) = effect.command {
        send(cx, command, from);
    }
}

/// Sends an interrupt. The addresses of other vCPUs' APICs are theirs to know: by id only, and
/// by the logical ids of x2APIC mode, which follow from the id.
fn send(cx: &mut Cx, command: Command, from: u32) {
    let mut left = match command.delivery {
        Delivery::Lowest(_) => 1,
        _ => usize::MAX,
    };
    for vcpu in cx.dom.all_vcpus() {
        let me = Arc::ptr_eq(vcpu, cx.vcpu);
        let meant = match &cx.st.hvm {
            Some(hvm) if me => hvm.lapic.is_target(command.target, from),
            _ => Vlapic::new(vcpu.id.wrapping_mul(2), false).is_target(command.target, from),
        };
        if !meant || left == 0 {
            continue;
        }
        left -= 1;
        match command.delivery {
            Delivery::Fixed(vector) | Delivery::Lowest(vector) => vcpu.posted.vector(vector),
            Delivery::Nmi => vcpu.nmi_pending.store(true, Ordering::SeqCst),
            // Other vCPUs are brought up by hypercall; these say nothing to one that runs.
            Delivery::Init | Delivery::Startup(_) => continue,
        }
        if me {
            take_own(cx);
        } else {
            cx.hv.sched.notify(cx.cpu, cx.dom, vcpu);
        }
    }
}

/// Takes what the vCPU sent itself into its APIC at once, where it can be read.
fn take_own(cx: &mut Cx) {
    if let Some(hvm) = &mut cx.st.hvm {
        cx.vcpu.posted.take(|vector| {
            hvm.lapic.request(vector, false);
        });
        hvm.look = true;
    }
}
