//! The end of a hardware-virtualised domain that did what none may survive.

use crate::cx::Cx;
use crate::log;
use core::sync::atomic::Ordering;
use machine::CpuApi;
use machine::hvm::{HvmApi, Reg, Seg};
use xen_abi::hvm::HVM_PARAM_TRIPLE_FAULT_REASON;
use xen_abi::sched::{SHUTDOWN_crash, SHUTDOWN_reboot};

/// Logs why, shows the vCPU's registers, and shuts the calling domain down as crashed.
#[cold]
pub fn crash(cx: &mut Cx, why: &str) {
    show(cx, why);
    end(cx, SHUTDOWN_crash);
}

/// Logs why a domain ends, and the vCPU's registers.
fn show(cx: &mut Cx, why: &str) {
    let r = *cx.cpu.regs();
    log!(
        cx.hv,
        Error,
        "d{}v{} ends in a virtual machine: {why}",
        cx.dom.id,
        cx.vcpu.id
    );
    if let Some(hvm) = &cx.st.hvm {
        let s = &hvm.state;
        log!(
            cx.hv,
            Error,
            "rip {:04x}:{:016x} rflags {:08x} rsp {:016x} cpl {}",
            s.segment(Seg::Cs).selector,
            r.rip,
            r.rflags,
            r.rsp,
            s.cpl()
        );
        let [cr0, cr2, cr3, cr4, efer] =
            [Reg::Cr0, Reg::Cr2, Reg::Cr3, Reg::Cr4, Reg::Efer].map(|reg| s.get(reg));
        log!(
            cx.hv,
            Error,
            "cr0 {cr0:08x} cr2 {cr2:016x} cr3 {cr3:016x} cr4 {cr4:08x} efer {efer:08x}"
        );
        let [tr, gdt, idt] = [Seg::Tr, Seg::Gdtr, Seg::Idtr].map(|seg| s.segment(seg));
        log!(
            cx.hv,
            Error,
            "tr {:04x} {:016x} gdt {:016x}+{:x} idt {:016x}+{:x} on its way {:x?}",
            tr.selector,
            tr.base,
            gdt.base,
            gdt.limit,
            idt.base,
            idt.limit,
            s.event()
        );
        // A fault that nobody could handle is mostly one of the tables': of cr2 last.
        for entry in hvm.entries(cr2) {
            log!(cx.hv, Error, "  for cr2 {entry:016x}");
        }
    }
    for [(a, x), (b, y), (c, z), (d, w)] in [
        [
            ("rax", r.rax),
            ("rbx", r.rbx),
            ("rcx", r.rcx),
            ("rdx", r.rdx),
        ],
        [
            ("rsi", r.rsi),
            ("rdi", r.rdi),
            ("rbp", r.rbp),
            ("r8 ", r.r8),
        ],
        [
            ("r9 ", r.r9),
            ("r10", r.r10),
            ("r11", r.r11),
            ("r12", r.r12),
        ],
    ] {
        log!(
            cx.hv,
            Error,
            "{a} {x:016x} {b} {y:016x} {c} {z:016x} {d} {w:016x}"
        );
    }
    let mut code = [0; 16];
    if super::read(cx, r.rip, &mut code).is_ok() {
        log!(cx.hv, Error, "code at rip: {code:02x?}");
    }
}

/// A processor that cannot deliver a double fault is reset: the domain ends as its parameter
/// `HVM_PARAM_TRIPLE_FAULT_REASON` says.
#[cold]
pub fn triple_fault(cx: &mut Cx) {
    let hvm = cx.dom.hvm.get();
    let reason = hvm.and_then(|hvm| hvm.param(HVM_PARAM_TRIPLE_FAULT_REASON));
    let reason = reason.map_or(SHUTDOWN_reboot, |reason| {
        reason.load(Ordering::Relaxed) as u32
    });
    show(cx, "a triple fault");
    end(cx, reason);
}

fn end(cx: &mut Cx, reason: u32) {
    if cx.dom.privileged {
        *cx.dom.shutdown.lock() = Some(SHUTDOWN_crash);
        cx.dom.pause_count.fetch_add(1, Ordering::SeqCst);
        crate::dom0::crashed(cx.hv, cx.cpu);
    } else {
        cx.dom.shut_down(cx.hv, cx.cpu, reason);
    }
    cx.reschedule();
}
