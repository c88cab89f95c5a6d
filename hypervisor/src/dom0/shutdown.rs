//! The control domain's end, which is the machine's.

use crate::hv::Hypervisor;
use crate::say;
use machine::{Cpu, CpuApi};
use xen_abi::sched::*;

/// How long a message stays before the machine reboots after a crash, nanoseconds.
const READING_TIME: u64 = 5_000_000_000;

/// The control domain shut down for `reason` (`SHUTDOWN_*`), by what this CPU runs: does to the
/// machine what it asked for.
#[allow(
    non_upper_case_globals,
    reason = "reasons are named as in Xen's headers"
)]
pub fn shutdown(hv: &Hypervisor, cpu: &mut Cpu, reason: u32) {
    match reason {
        SHUTDOWN_poweroff => {
            say!(hv, "Domain 0 shutdown: halting machine");
            // Off, where the firmware's values for that are plain to see.
            machine::power::power_off(hv.platform);
            machine::power::halt()
        }
        SHUTDOWN_reboot => {
            say!(hv, "Domain 0 shutdown: rebooting machine");
            machine::power::reboot()
        }
        SHUTDOWN_crash => {
            registers(hv, cpu);
            crashed(hv, cpu)
        }
        SHUTDOWN_watchdog => {
            say!(hv, "Domain 0 shutdown: watchdog rebooting machine");
            machine::power::reboot()
        }
        SHUTDOWN_soft_reset => {
            say!(hv, "Domain 0 did unsupported soft reset, rebooting");
            machine::power::reboot()
        }
        _ => say!(
            hv,
            "Domain 0 shutdown (unknown reason {reason}): {}",
            then(hv)
        ),
    }
    reboot_later(hv, cpu)
}

/// The control domain crashed, and its state has been shown.
pub fn crashed(hv: &Hypervisor, cpu: &mut Cpu) -> ! {
    say!(hv, "Domain 0 crashed: {}", then(hv));
    reboot_later(hv, cpu)
}

/// Reboots in a while, or stops for good if that was asked for.
fn reboot_later(hv: &Hypervisor, cpu: &Cpu) -> ! {
    if hv.noreboot {
        machine::power::halt()
    }
    let until = cpu.now().saturating_add(READING_TIME);
    while cpu.now() < until {
        machine::relax();
    }
    machine::power::reboot()
}

fn then(hv: &Hypervisor) -> &'static str {
    if hv.noreboot {
        "'noreboot' set - not rebooting."
    } else {
        "rebooting machine in 5 seconds."
    }
}

/// What the vCPU on this CPU had in its registers and on its stack.
fn registers(hv: &Hypervisor, cpu: &mut Cpu) {
    let r = *cpu.regs();
    say!(hv, "cr2: {:016x}", cpu.cr2());
    crate::debug_keys::show_registers(hv, &r);
    say!(hv, "Guest stack trace from rsp={:016x}:", r.rsp);
    for line in 0..16u64 {
        let at = r.rsp.wrapping_add(line.wrapping_mul(32));
        let Ok([a, b, c, d]) = cpu.get_guest::<[u64; 4]>(at) else {
            say!(hv, "  Fault while accessing guest memory.");
            return;
        };
        say!(hv, "  {a:016x} {b:016x} {c:016x} {d:016x}");
    }
}
