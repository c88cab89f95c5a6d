//! What the PV interface costs. Under `-icount shift=0,sleep=off` with one CPU a TSC tick is one
//! instruction, the hypervisor's included, so the numbers are the same on every run.
//!
//! Prints `BENCH name ticks` for each operation: the least of several averages.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use guest_rt::mem::{self, pte};
use guest_rt::{events, hypercall, insn, println, traps};
use xen_abi::arch_x86::TrapInfo;
use xen_abi::grant_table::{GNTTABOP_query_size, GnttabQuerySize};
use xen_abi::hypercall::*;
use xen_abi::mmu::*;
use xen_abi::xen::{DOMID_SELF, MulticallEntry};

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

/// One `mmuext_op`, without the count of what was done.
fn ext(op: &MmuextOp) {
    hypercall::raw(
        MMUEXT_OP,
        [&raw const *op as u64, 1, 0, u64::from(DOMID_SELF), 0],
    );
}

/// `mmu_update`, without the count of what was done.
fn update(requests: &[MmuUpdate]) {
    hypercall::raw(
        MMU_UPDATE,
        [
            requests.as_ptr() as u64,
            requests.len() as u64,
            0,
            u64::from(DOMID_SELF),
            0,
        ],
    );
}

fn main() {
    println!("GUEST-START pv-bench cases=1");
    calls();
    traps_and_emulation();
    tables();
    println!("PASS measured");
    println!("GUEST-END passed=1 failed=0");
}

fn calls() {
    let _ = hypercall::call(VCPU_OP, [7, 0, 0, 0, 0]);
    bench("empty_loop", 1000, || {
        core::hint::black_box(0);
    });
    bench("xen_version", 1000, || {
        hypercall::raw(XEN_VERSION, [0; 5]);
    });
    let page = mem::alloc();
    bench("xen_version_extra", 1000, || {
        hypercall::raw(XEN_VERSION, [1, page.va(), 0, 0, 0]);
    });
    bench("yield", 200, || {
        hypercall::raw(SCHED_OP, [0; 5]);
    });
    let mut calls = [MulticallEntry {
        op: u64::from(XEN_VERSION),
        ..Default::default()
    }; 16];
    bench("multicall_16", 200, || {
        hypercall::raw(MULTICALL, [calls.as_mut_ptr() as u64, 16, 0, 0, 0]);
    });
    if let Ok((a, b)) = events::pair() {
        events::set_mask(a, true);
        let send = xen_abi::event_channel::EvtchnSend { port: b };
        let arg = &raw const send as u64;
        bench("evtchn_send_masked", 1000, || {
            hypercall::raw(EVENT_CHANNEL_OP, [4, arg, 0, 0, 0]);
        });
        events::settle(a);
    }
    let mut size = GnttabQuerySize {
        dom: DOMID_SELF,
        ..Default::default()
    };
    let arg = &raw mut size as u64;
    bench("gnttab_query_size", 1000, || {
        hypercall::raw(
            GRANT_TABLE_OP,
            [u64::from(GNTTABOP_query_size), arg, 1, 0, 0],
        );
    });
}

fn traps_and_emulation() {
    bench("cpuid", 500, || {
        insn::cpuid_forced(0, 0);
    });
    bench("mov_cr0", 500, || {
        insn::cr0();
    });
    bench("rdmsr", 500, || {
        insn::rdmsr(0xc000_0080);
    });
    let table = [
        TrapInfo {
            vector: 6,
            flags: 0,
            cs: 0xe033,
            _pad0: 0,
            address: traps::step2(),
        },
        TrapInfo::default(),
    ];
    let _ = hypercall::call(SET_TRAP_TABLE, [table.as_ptr() as u64, 0, 0, 0, 0]);
    bench("ud_bounce", 500, insn::ud2);
    let _ = traps::install();
}

fn tables() {
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    let entry = pte::entry(page.mfn(), pte::DATA);
    bench("update_va_mapping", 500, || {
        hypercall::raw(UPDATE_VA_MAPPING, [page.va(), entry, UVMF_INVLPG, 0, 0]);
    });
    let other = pte::entry(mem::alloc().mfn(), pte::DATA);
    let mut flip = false;
    bench("update_va_mapping_change", 500, || {
        flip = !flip;
        hypercall::raw(
            UPDATE_VA_MAPPING,
            [
                page.va(),
                if flip { other } else { entry },
                UVMF_INVLPG,
                0,
                0,
            ],
        );
    });
    bench("mmu_update_1_np", 500, || {
        update(&[MmuUpdate {
            ptr: slot.ma,
            val: 0,
        }]);
    });
    let run = mem::alloc_run(64);
    let mut requests = [MmuUpdate::default(); 64];
    for (i, request) in requests.iter_mut().enumerate() {
        *request = MmuUpdate {
            ptr: mem::l1_slot(run.nth(i).va()).ma,
            val: entry,
        };
    }
    bench("mmu_update_64_map", 20, || {
        update(&requests);
    });
    let mut bit = 0;
    bench("mmu_update_64_change", 20, || {
        bit ^= 1;
        for request in &mut requests {
            request.val = if bit == 1 { other } else { entry };
        }
        update(&requests);
    });
    let op = |cmd, arg1| MmuextOp {
        cmd,
        _pad0: 0,
        arg1,
        arg2: 0,
    };
    let flush = op(MMUEXT_TLB_FLUSH_LOCAL, 0);
    bench("tlb_flush_local", 500, || ext(&flush));
    let invlpg = op(MMUEXT_INVLPG_LOCAL, slot.va);
    bench("invlpg_local", 500, || ext(&invlpg));
    let table = mem::alloc();
    let _ = table.protect(false);
    let (pin, unpin) = (
        op(MMUEXT_PIN_L1_TABLE, table.mfn()),
        op(MMUEXT_UNPIN_TABLE, table.mfn()),
    );
    bench("pin_unpin_l1", 20, || {
        ext(&pin);
        ext(&unpin);
    });
    let _ = table.map(0);
    bench("pin_unpin_l1_unmapped", 20, || {
        ext(&pin);
        ext(&unpin);
    });
}
