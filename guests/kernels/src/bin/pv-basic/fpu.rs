//! The FPU's registers and how much of them is on.

use guest_rt::harness::Outcome;
use guest_rt::time::{MS, now};
use guest_rt::{check, hypercall, insn, ok, same, traps};
use xen_abi::hypercall::SCHED_OP;
use xen_abi::sched::{SCHEDOP_poll, SCHEDOP_yield, SchedPoll};

extern "C" fn yields() {
    let _ = hypercall::call(SCHED_OP, [u64::from(SCHEDOP_yield), 0, 0, 0, 0]);
}

extern "C" fn sleeps() {
    let mut arg = SchedPoll {
        timeout: now() + 5 * MS,
        ..Default::default()
    };
    let _ = hypercall::op(SCHED_OP, SCHEDOP_poll, &mut arg);
}

pub fn survives() -> Outcome {
    for between in [yields, sleeps] {
        same!(
            insn::fpu_across(0x1234_5678_9abc, between),
            [0x1234_5678_9abc; 3]
        );
    }
    Ok(())
}

pub fn xcr0() -> Outcome {
    if insn::cpuid_forced(1, 0)[2] >> 27 & 1 == 0 {
        return Ok(());
    }
    // The instruction is there once the kernel says it uses it.
    let cr4 = insn::cr4();
    ok!(traps::catch(|| insn::write_cr4(cr4 | 1 << 18)));
    same!(insn::cr4() >> 18 & 1, 1);
    let value = ok!(traps::catch(insn::xgetbv));
    check!(value & 3 == 3, "XCR0 {value:#x}");
    ok!(traps::catch(|| insn::xsetbv(value)));
    // x87 cannot go, AVX cannot stay without SSE, unknown bits cannot come.
    for bad in [value & !1, 5, value | 1 << 62, 0] {
        guest_rt::traps!(13, insn::xsetbv(bad));
    }
    ok!(traps::catch(|| insn::xsetbv(3)));
    same!(insn::xgetbv(), 3);
    ok!(traps::catch(|| insn::xsetbv(value)));
    Ok(())
}
