//! What a PV kernel may rely on.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use guest_rt::{harness::Outcome, hypercall, insn, ok, same, traps};

guest_rt::cases! { "pv-basic";
    "version" => version,
    "ud-bounced" => ud,
}

fn version() -> Outcome {
    same!(ok!(hypercall::call(17, [0, 0, 0, 0, 0])), 0x4_0014);
    Ok(())
}

fn ud() -> Outcome {
    let fault = traps!(6, insn::ud2());
    same!(fault.error, 0);
    Ok(())
}
