//! What runs on each CPU, with its registers. Another CPU tells its own when it is kicked.

use super::domains;
use crate::hv::Hypervisor;
use crate::say;
use machine::{AtomicCpuMask, Cpu, CpuApi, GuestRegs};

/// CPUs that are to show their registers.
#[derive(Default)]
pub struct Asked(AtomicCpuMask);

/// Shows this CPU's registers and asks the others for theirs.
pub fn all(hv: &Hypervisor, cpu: &mut Cpu) {
    own(hv, cpu);
    for other in (0..hv.cpus).filter(|&other| other != cpu.id()) {
        ask(hv, cpu, other);
    }
}

/// Asks CPU `other` to show its registers.
pub fn ask(hv: &Hypervisor, cpu: &Cpu, other: u32) {
    hv.asked.0.set(other);
    cpu.kick(other);
}

/// This CPU was kicked: shows its registers if it was asked to.
#[inline]
pub fn answer(hv: &Hypervisor, cpu: &mut Cpu) {
    if hv.asked.0.contains(cpu.id()) && hv.asked.0.clear(cpu.id()) {
        own(hv, cpu);
    }
}

/// Shows what this CPU runs.
pub fn own(hv: &Hypervisor, cpu: &mut Cpu) {
    let here = cpu.id();
    let runs = domains::each(hv).find_map(|dom| {
        let mut vcpus = dom.all_vcpus();
        let on_it = vcpus.find(|vcpu| vcpu.sched.is_running() && domains::place(vcpu) == here);
        on_it.map(|vcpu| (dom.id, vcpu.id))
    });
    let Some((domid, vcpu)) = runs else {
        say!(hv, "CPU {here} runs nothing");
        return;
    };
    let (cr0, cr4) = cpu.control_regs();
    say!(
        hv,
        "CPU {here} runs d{domid}v{vcpu}: cr0 {cr0:x} cr2 {:x} cr4 {cr4:x} xcr0 {:x}",
        cpu.cr2(),
        cpu.xcr0()
    );
    let regs = *cpu.regs();
    show_registers(hv, &regs);
}

/// Shows a guest's general registers.
pub fn show_registers(hv: &Hypervisor, r: &GuestRegs) {
    say!(
        hv,
        "RIP: {:04x}:[<{:016x}>] RFLAGS: {:016x}",
        r.cs,
        r.rip,
        r.rflags
    );
    let rows = [
        [("rax", r.rax), ("rbx", r.rbx), ("rcx", r.rcx)],
        [("rdx", r.rdx), ("rsi", r.rsi), ("rdi", r.rdi)],
        [("rbp", r.rbp), ("rsp", r.rsp), ("r8 ", r.r8)],
        [("r9 ", r.r9), ("r10", r.r10), ("r11", r.r11)],
        [("r12", r.r12), ("r13", r.r13), ("r14", r.r14)],
        [("r15", r.r15), ("ss ", r.ss), ("err", r.error.into())],
    ];
    for [(a, av), (b, bv), (c, cv)] in rows {
        say!(hv, "{a}: {av:016x} {b}: {bv:016x} {c}: {cv:016x}");
    }
}
