//! What ends the domain, and must end nothing else: one way for each boot, chosen by the command
//! line `crash=NAME`. The hypervisor must say that dom0 crashed, with its registers, and obey
//! `noreboot`. A line `FAIL` means that the kernel went on. Without a name the ways are listed.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use guest_rt::traps::{SYSCALL, register_callback, stub};
use guest_rt::user::{self, Target};
use guest_rt::{crash, hypercall, insn, local, mem, println};
use xen_abi::arch_x86::TrapInfo;
use xen_abi::callback::{CALLBACKF_mask_events, CALLBACKTYPE_syscall};
use xen_abi::hypercall::{SCHED_OP, SET_TRAP_TABLE, STACK_SWITCH};
use xen_abi::mmu::{MMUEXT_NEW_USER_BASEPTR, UVMF_INVLPG};
use xen_abi::sched::{SCHEDOP_shutdown, SHUTDOWN_crash, SchedShutdown};

guest_rt::kernel!(main);

const NON_CANONICAL: u64 = 0x1234_5678_0000_0000;
const NOWHERE: u64 = 0x66_6666_6000;
const HYPERVISOR: u64 = 0xffff_8300_0000_1000;

/// The ways, and what each does.
const WAYS: [(&str, fn()); 14] = [
    ("shutdown", || {
        let mut arg = SchedShutdown {
            reason: SHUTDOWN_crash,
        };
        let _ = hypercall::op(SCHED_OP, SCHEDOP_shutdown, &mut arg);
    }),
    ("no-handler", || {
        let _ = hypercall::call(SET_TRAP_TABLE, [0; 5]);
        insn::ud2();
    }),
    ("stack-nowhere", || crash::ud2_on_stack(NOWHERE)),
    ("stack-non-canonical", || crash::ud2_on_stack(NON_CANONICAL)),
    ("stack-hypervisor", || crash::ud2_on_stack(HYPERVISOR)),
    ("stack-m2p", || crash::ud2_on_stack(mem::M2P + 4096)),
    ("stack-page-table", || {
        crash::ud2_on_stack(mem::start_info().pt_base + 4096);
    }),
    ("iret-nowhere", || crash::iret_on_stack(NOWHERE)),
    ("iret-non-canonical", || crash::iret_on_stack(NON_CANONICAL)),
    ("iret-hypervisor", || crash::iret_on_stack(HYPERVISOR)),
    ("user-without-tables", || {
        user::enter(target(NOWHERE, 0xe033));
    }),
    ("syscall-stack-nowhere", || {
        // The kernel's own tables do for users too, and its hypercall page is code with SYSCALL.
        let _ = hypercall::mmuext(MMUEXT_NEW_USER_BASEPTR, mem::boot_l4_mfn(), 0);
        let masked = CALLBACKF_mask_events;
        let _ = register_callback(CALLBACKTYPE_syscall, masked, stub(SYSCALL));
        let _ = hypercall::call(STACK_SWITCH, [0xe02b, NOWHERE, 0, 0, 0]);
        user::leave(target(hypercall::page(), 0xe033));
    }),
    ("handler-nowhere", || {
        let vectors = [6, 14].map(|vector| TrapInfo {
            vector,
            flags: 0,
            cs: 0xe033,
            _pad0: 0,
            address: NOWHERE,
        });
        let table = [vectors[0], vectors[1], TrapInfo::default()];
        let _ = hypercall::call(SET_TRAP_TABLE, [table.as_ptr() as u64, 0, 0, 0, 0]);
        insn::ud2();
    }),
    ("own-stack-unmapped", || {
        let base = local::stack_base(local::id()).unwrap_or(0);
        for page in 0..16 {
            let _ = hypercall::update_va_mapping(base + page * 4096, 0, UVMF_INVLPG);
        }
    }),
];

fn target(rip: u64, cs: u64) -> Target {
    Target {
        rip,
        cs,
        rflags: 2,
        rsp: stub(6),
        ss: 0xe02b,
        rax: 0,
        flags: 0,
    }
}

fn main() {
    let info = mem::start_info();
    let mut line = [0u8; 1024];
    for (to, &from) in line.iter_mut().zip(&info.cmd_line) {
        *to = from as u8;
    }
    let text = core::str::from_utf8(&line)
        .unwrap_or("")
        .trim_end_matches('\0');
    let name = text.split(' ').find_map(|word| word.strip_prefix("crash="));
    for (way, act) in WAYS {
        if name == Some(way) {
            println!("GUEST-START pv-crash {way}");
            act();
            println!("FAIL {way}: the kernel went on");
        } else if name.is_none() {
            println!("CRASH-WAY {way}");
        }
    }
    if name.is_none() {
        println!("PASS listed");
        println!("GUEST-END passed=1 failed=0");
    } else {
        println!("GUEST-END passed=0 failed=1");
    }
}
