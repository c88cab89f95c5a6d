//! Exceptions, as they are bounced to the kernel.

use guest_rt::harness::Outcome;
use guest_rt::traps::{self, INT80, stub};
use guest_rt::{check, hypercall, insn, mem, ok, refused, same};
use xen_abi::arch_x86::TrapInfo;
use xen_abi::callback::*;
use xen_abi::hypercall::{CALLBACK_OP, NMI_OP, SET_TRAP_TABLE};
use xen_abi::vcpu::VCPUOP_send_nmi;

pub fn ud() -> Outcome {
    let fault = guest_rt::traps!(6, insn::ud2());
    same!(fault.error, 0);
    // Kernel mode shows as ring 0 in the frame; the upcall mask is above the selector.
    same!(fault.cs & 0xffff, 0xe030);
    same!(fault.cs >> 32, 1);
    same!(fault.rflags & 1 << 9, 0);
    Ok(())
}

pub fn gp() -> Outcome {
    let fault = guest_rt::traps!(13, insn::load_es(0xfff8));
    same!(fault.error, 0xfff8);
    let fault = guest_rt::traps!(13, insn::int21());
    same!(fault.error, 0x21 << 3 | 2);
    guest_rt::traps!(13, mem::read_uncaught(0x8000_0000_0000));
    Ok(())
}

pub fn pf() -> Outcome {
    // Kernel mode shows in the error code: the user bit is clear, though ring 3 it is.
    let va = 0x12_3456_7000;
    let fault = guest_rt::traps!(14, mem::read_uncaught(va));
    same!((fault.cr2, fault.error), (va, 0));
    let fault = guest_rt::traps!(14, mem::write_uncaught(va + 8, 1));
    same!((fault.cr2, fault.error), (va + 8, 2));
    let fault = guest_rt::traps!(14, insn::jump_to(va));
    same!((fault.cr2, fault.rip), (va, va));
    same!(fault.error & !1, 0x10);
    Ok(())
}

pub fn bp() -> Outcome {
    guest_rt::traps!(3, insn::int3());
    Ok(())
}

pub fn de() -> Outcome {
    guest_rt::traps!(0, insn::div0());
    Ok(())
}

pub fn db() -> Outcome {
    let fault = guest_rt::traps!(1, insn::single_step());
    check!(
        fault.rflags & 1 << 8 != 0,
        "rflags {:#x} lack TF",
        fault.rflags
    );
    Ok(())
}

pub fn nm() -> Outcome {
    ok!(hypercall::call(
        xen_abi::hypercall::FPU_TASKSWITCH,
        [1, 0, 0, 0, 0]
    ));
    guest_rt::traps!(7, insn::fnop());
    // The hypervisor clears TS on the way to the handler.
    ok!(traps::catch(insn::fnop));
    Ok(())
}

pub fn partial_table() -> Outcome {
    // A table changes the vectors it names and no others.
    let table = [
        TrapInfo {
            vector: 6,
            flags: 0,
            cs: 0xe033,
            _pad0: 0,
            address: stub(3),
        },
        TrapInfo::default(),
    ];
    ok!(hypercall::call(
        SET_TRAP_TABLE,
        [table.as_ptr() as u64, 0, 0, 0, 0]
    ));
    guest_rt::traps!(3, insn::ud2());
    guest_rt::traps!(13, insn::int21());
    // A null table forgets all of them.
    ok!(hypercall::call(SET_TRAP_TABLE, [0; 5]));
    ok!(traps::install());
    guest_rt::traps!(6, insn::ud2());
    Ok(())
}

pub fn iret() -> Outcome {
    let local = guest_rt::local::this();
    let order = core::sync::atomic::Ordering::Relaxed;
    local.skip_bytes.store(2, order);
    local.skip_vector.store(6 + 1, order);
    let mut count = 0u64;
    for i in 0..100 {
        insn::ud2();
        count += i;
    }
    local.skip_vector.store(0, order);
    same!(count, 4950);
    Ok(())
}

pub fn int80() -> Outcome {
    guest_rt::traps!(INT80, insn::int80());
    Ok(())
}

pub fn nmi() -> Outcome {
    let mut callback = XennmiCallback {
        handler_address: stub(2),
        pad: 0,
    };
    ok!(hypercall::op(
        NMI_OP,
        XENNMI_register_callback,
        &mut callback
    ));
    let caught = traps::catch(|| {
        let _ = hypercall::vcpu_plain(VCPUOP_send_nmi, 0);
    });
    ok!(hypercall::op(
        NMI_OP,
        XENNMI_unregister_callback,
        &mut callback
    ));
    check!(caught.is_err_and(|f| f.vector == 2), "{caught:x?}");
    Ok(())
}

pub fn callbacks() -> Outcome {
    for kind in [
        CALLBACKTYPE_nmi,
        CALLBACKTYPE_sysenter,
        CALLBACKTYPE_syscall32,
    ] {
        ok!(traps::register_callback(
            kind,
            CALLBACKF_mask_events,
            stub(traps::SYSCALL)
        ));
    }
    let unregister = |kind| {
        hypercall::op(
            CALLBACK_OP,
            CALLBACKOP_unregister,
            &mut CallbackUnregister {
                r#type: kind,
                _unused: 0,
            },
        )
    };
    ok!(unregister(CALLBACKTYPE_nmi));
    refused!(unregister(CALLBACKTYPE_event), EINVAL);
    refused!(unregister(99), ENOSYS);
    Ok(())
}
