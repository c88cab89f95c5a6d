//! The end of a domain that did what none may survive.

use crate::cx::Cx;
use crate::log;
use machine::CpuApi;
use xen_abi::sched::SHUTDOWN_crash;

/// Logs why, shows the vCPU's registers, and shuts the calling domain down as crashed.
#[cold]
pub fn crash(cx: &mut Cx, why: &str) {
    let r = *cx.cpu.regs();
    let mode = if cx.st.kernel_mode { "kernel" } else { "user" };
    log!(
        cx.hv,
        Error,
        "d{}v{} crashed in {mode} mode: {why}",
        cx.dom.id,
        cx.vcpu.id
    );
    log!(
        cx.hv,
        Error,
        "rip {:016x} cs {:04x} rflags {:08x} rsp {:016x} ss {:04x}",
        r.rip,
        r.cs,
        r.rflags,
        r.rsp,
        r.ss
    );
    log!(
        cx.hv,
        Error,
        "rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}",
        r.rax,
        r.rbx,
        r.rcx,
        r.rdx
    );
    log!(
        cx.hv,
        Error,
        "rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}",
        r.rsi,
        r.rdi,
        r.rbp,
        r.r8
    );
    log!(
        cx.hv,
        Error,
        "r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}",
        r.r9,
        r.r10,
        r.r11,
        r.r12
    );
    log!(
        cx.hv,
        Error,
        "r13 {:016x} r14 {:016x} r15 {:016x} cr2 {:016x} vec {:x} err {:x}",
        r.r13,
        r.r14,
        r.r15,
        cx.cpu.cr2(),
        r.vector,
        r.error
    );
    if let Ok(code) = cx.cpu.get_guest::<[u8; 16]>(r.rip) {
        log!(cx.hv, Error, "code at rip: {code:02x?}");
    }
    for line in 0..4u64 {
        let at = r.rsp.wrapping_add(line * 32);
        if let Ok([a, b, c, d]) = cx.cpu.get_guest::<[u64; 4]>(at) {
            log!(
                cx.hv,
                Error,
                "stack {at:016x}: {a:016x} {b:016x} {c:016x} {d:016x}"
            );
        }
    }
    if cx.dom.privileged {
        crate::dom0::crashed(cx.hv, cx.cpu);
    }
    cx.dom.shut_down(cx.hv, cx.cpu, SHUTDOWN_crash);
    cx.reschedule();
}
