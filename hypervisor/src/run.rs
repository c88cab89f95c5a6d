//! A CPU's life: choose a vCPU, enter it, serve its exits, choose again.

use crate::cx::Cx;
use crate::hv::Hypervisor;
use crate::log;
use crate::pv;
use alloc::sync::Arc;
use machine::cpu::Interrupt;
use machine::hvm::HvmCpu;
use machine::{Cpu, CpuApi, Exit};

use crate::domain::Vcpu;

/// Runs guests on this CPU for ever.
pub fn cpu_main(mut cpu: Cpu, hv: &Hypervisor) -> ! {
    if !crate::cpu_policy::guest::start_cpu(&hv.policies, &mut cpu) {
        log!(hv, Warning, "CPU {}: CPUID does not fault", cpu.id());
    }
    if hv.cpuinfo {
        crate::platform::show_cpu(hv, &cpu);
    }
    // What it takes to run virtual machines is made ready while there is memory.
    let _ = cpu.has_hvm();
    loop {
        step(&mut cpu, hv);
    }
}

/// One turn: runs the next vCPU until it has to leave, or idles until an interrupt.
pub fn step(cpu: &mut Cpu, hv: &Hypervisor) {
    let more = hv.reap_some();
    crate::domain::bury(hv, cpu);
    crate::console::turn(hv, cpu);
    crate::time::run_timers(hv, cpu);
    match hv.sched.next(hv, cpu) {
        Some(vcpu) => run_vcpu(cpu, hv, &vcpu),
        // There is work yet.
        None if more => {}
        None => {
            if let Some(vector) = cpu.idle() {
                interrupt(cpu, hv, vector);
            }
        }
    }
}

/// Runs one vCPU until it has to leave.
fn run_vcpu(cpu: &mut Cpu, hv: &Hypervisor, vcpu: &Arc<Vcpu>) {
    let Some(dom) = vcpu.domain.upgrade() else {
        return;
    };
    // Held by a tool that looks at the vCPU: it will be back in the queue at once.
    let Some(mut state) = vcpu.state.try_lock() else {
        return;
    };
    let st = &mut *state;
    dom.dirty_cpus.set(cpu.id());
    if st.hvm.is_some() {
        return crate::hvm::run::run(cpu, hv, &dom, vcpu, st);
    }
    if !pv::load(cpu, st) {
        log!(
            hv,
            Error,
            "d{}v{} has no page table to run on",
            dom.id,
            vcpu.id
        );
        hv.sched.set_online(cpu, &dom, vcpu, false);
        return;
    }
    let mut cx = Cx {
        cpu,
        hv,
        dom: &dom,
        vcpu,
        st,
        live: true,
        width: Default::default(),
    };
    crate::time::enter(&mut cx);
    loop {
        while cx.live {
            pv::deliver(&mut cx);
            let exit = cx.cpu.enter();
            cx.st.kernel_mode = cx.cpu.in_kernel(cx.st.kernel_mode);
            dispatch(&mut cx, exit);
        }
        // When nobody else wants the CPU, nothing has to be saved.
        if !hv.sched.stay(hv, cx.cpu, cx.dom, cx.vcpu) {
            break;
        }
        hv.reap_some();
        cx.live = true;
    }
    crate::time::leave(&mut cx);
    pv::save(&mut cx);
    dom.dirty_cpus.clear(cx.cpu.id());
}

/// Serves one exit.
#[inline(always)]
fn dispatch(cx: &mut Cx, exit: Exit) {
    match exit {
        Exit::Syscall if cx.st.kernel_mode => crate::hypercall::pv_hypercall(cx),
        Exit::Syscall => pv::syscall(cx),
        Exit::Exception(vector) => pv::exception(cx, vector),
        Exit::Interrupt(0x80) => pv::int80(cx),
        Exit::Interrupt(vector) => {
            if interrupt(cx.cpu, cx.hv, vector) {
                cx.live = false;
            }
        }
        Exit::Syscall32 => pv::syscall32(cx),
        Exit::Sysenter => pv::sysenter(cx),
        Exit::IretFault => pv::iret_fault(cx),
    }
}

/// Serves an interrupt of the host; whether the choice of what runs has to be made again.
pub(crate) fn interrupt(cpu: &mut Cpu, hv: &Hypervisor, vector: u8) -> bool {
    match cpu.ack(vector) {
        Interrupt::Timer => crate::time::timer_interrupt(hv, cpu),
        Interrupt::Kick => {
            crate::debug_keys::answer(hv, cpu);
            crate::sched::kicked(hv, cpu)
        }
        Interrupt::Console => {
            crate::console::input(hv, cpu);
            false
        }
        Interrupt::Device(vector) => {
            crate::irq::handle(hv, cpu, vector);
            false
        }
        Interrupt::Flush | Interrupt::Spurious => false,
    }
}
