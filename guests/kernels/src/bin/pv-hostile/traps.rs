//! Entry points that are no addresses, and returns to nowhere.

use super::{HYPERVISOR, NON_CANONICAL, NOWHERE};
use guest_rt::harness::Outcome;
use guest_rt::traps::{FAILSAFE, stub};
use guest_rt::user::{self, Target};
use guest_rt::{check, hypercall, ok, refused, same, traps};
use xen_abi::arch_x86::TrapInfo;
use xen_abi::hypercall::*;

pub fn table() -> Outcome {
    let set = |address| {
        let table = [
            TrapInfo {
                vector: 6,
                flags: 0,
                cs: 0xe033,
                _pad0: 0,
                address,
            },
            TrapInfo::default(),
        ];
        hypercall::call(SET_TRAP_TABLE, [table.as_ptr() as u64, 0, 0, 0, 0])
    };
    refused!(set(NON_CANONICAL), EINVAL);
    // A selector of ring 0 is lifted to ring 3.
    let table = [
        TrapInfo {
            vector: 6,
            flags: 0,
            cs: 0xe008,
            _pad0: 0,
            address: stub(6),
        },
        TrapInfo::default(),
    ];
    let _ = hypercall::call(SET_TRAP_TABLE, [table.as_ptr() as u64, 0, 0, 0, 0]);
    ok!(traps::install());
    guest_rt::traps!(6, guest_rt::insn::ud2());
    Ok(())
}

pub fn callback() -> Outcome {
    for kind in 0..3 {
        refused!(traps::register_callback(kind, 0, NON_CANONICAL), EINVAL);
    }
    refused!(traps::register_callback(99, 0, stub(6)), ENOSYS);
    Ok(())
}

/// An address deep in this vCPU's own stack, far below what is in use.
fn low_stack() -> u64 {
    guest_rt::local::stack_base(guest_rt::local::id()).unwrap_or(0) + 8192
}

fn kernel(rip: u64) -> Target {
    Target {
        rip,
        cs: 0xe030,
        rflags: 0x2,
        rsp: 0,
        ss: 0xe02b,
        rax: 0,
        flags: 0,
    }
}

pub fn iret() -> Outcome {
    // Back to the kernel, to places that cannot be executed.
    for rip in [NOWHERE, HYPERVISOR[0], HYPERVISOR[1]] {
        let fault = user::enter(Target {
            rsp: low_stack(),
            ..kernel(rip)
        });
        same!((fault.vector, fault.cr2), (14, rip));
    }
    let top = low_stack();
    let fault = user::enter(Target {
        rsp: top,
        ..kernel(NON_CANONICAL)
    });
    check!(
        fault.vector == FAILSAFE || fault.vector == 13,
        "non-canonical rip: {fault:x?}"
    );
    // Selectors of the hypervisor.
    for cs in [0xe008, 0xe010, 0x8] {
        let fault = user::enter(Target {
            cs,
            rsp: top,
            ..kernel(stub(6))
        });
        check!(
            fault.vector == FAILSAFE || fault.vector == 13,
            "cs {cs:#x}: {fault:x?}"
        );
    }
    for ss in [0xe010, 0xe008, 0x8] {
        let fault = user::enter(Target {
            ss,
            rsp: top,
            ..kernel(NOWHERE)
        });
        check!(
            fault.vector == FAILSAFE || fault.vector >= 10 && fault.vector <= 14,
            "ss {ss:#x}: {fault:x?}"
        );
    }
    // Flags: I/O privilege and virtual-8086 mode do not survive.
    let fault = user::enter(Target {
        rflags: 0x2 | 3 << 12 | 1 << 14 | 1 << 17,
        rsp: top,
        ..kernel(NOWHERE)
    });
    same!((fault.vector, fault.cr2), (14, NOWHERE));
    same!(fault.rflags & (3 << 12 | 1 << 17), 0);
    Ok(())
}

pub fn stack() -> Outcome {
    // Whatever the stack, a bounce that cannot be written must not hurt anyone but this domain;
    // the call takes any pointer and lifts the selector out of ring 0.
    for ss in [0xe02b, 0xe010, 0] {
        let result = hypercall::call(STACK_SWITCH, [ss, 0xffff_ffff_8010_0000, 0, 0, 0]);
        same!(result, Ok(0));
    }
    Ok(())
}
