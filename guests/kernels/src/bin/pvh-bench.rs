//! What exits from a hardware virtual machine cost. Under `-icount shift=0,sleep=off` with one
//! CPU a TSC tick is one instruction, the hypervisor's included.
//!
//! Prints `BENCH name ticks` for each operation: the least of several averages.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use guest_rt::pvh::{self, apic, cr};
use guest_rt::{events, hypercall, insn, mem, println};
use xen_abi::event_channel::{EVTCHNOP_bind_ipi, EVTCHNOP_send, EvtchnBindIpi, EvtchnSend};
use xen_abi::hypercall::*;

guest_rt::kernel!(main);

const ROUNDS: usize = 8;

fn bench(name: &str, count: u64, mut body: impl FnMut()) {
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let start = insn::rdtsc();
        for _ in 0..count {
            body();
        }
        best = best.min((insn::rdtsc() - start) / count);
    }
    println!("BENCH {name} {best}");
}

fn main() {
    println!("GUEST-START pvh-bench cases=1");
    bench("pvh_empty_loop", 1000, || {
        core::hint::black_box(0);
    });
    bench("pvh_xen_version", 1000, || {
        hypercall::raw(XEN_VERSION, [0; 5]);
    });
    let page = mem::alloc();
    bench("pvh_xen_version_extra", 500, || {
        hypercall::raw(XEN_VERSION, [1, page.va(), 0, 0, 0]);
    });
    bench("pvh_yield", 200, || {
        hypercall::raw(SCHED_OP, [0; 5]);
    });
    bench("pvh_cpuid", 500, || {
        insn::cpuid(0, 0);
    });
    bench("pvh_rdmsr", 500, || {
        insn::rdmsr(0xc000_0080);
    });
    let cr0 = cr::read0();
    bench("pvh_mov_to_cr0", 200, || cr::write0(cr0));
    bench("pvh_apic_read", 200, || {
        apic::read(apic::ID);
    });
    bench("pvh_apic_write", 200, || apic::write(apic::TPR, 0));
    bench("pvh_port_in", 200, || {
        insn::in8(0x61);
    });
    let mapped = pvh::map_shared_info();
    let mut bind = EvtchnBindIpi { vcpu: 0, port: 0 };
    if mapped
        .and_then(|_| hypercall::evtchn(EVTCHNOP_bind_ipi, &mut bind))
        .is_ok()
    {
        events::set_mask(bind.port, true);
        let send = EvtchnSend { port: bind.port };
        let arg = &raw const send as u64;
        bench("pvh_evtchn_send_masked", 500, || {
            hypercall::raw(EVENT_CHANNEL_OP, [EVTCHNOP_send.into(), arg, 0, 0, 0]);
        });
    }
    println!("PASS measured");
    println!("GUEST-END passed=1 failed=0");
}
